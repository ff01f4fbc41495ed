"""Live prices through random faults: after each, everything that is desired flows again.

One feed with its subscriptions against the simulator's WebSocket. A fault is set, waited for, and
cleared where it lasts. Then the time is taken from the first login that is accepted until every
instrument has ticked, and the simulator is asked what it holds: one socket, each instrument once.
Then the connection is cut again and again, and what the process holds is counted.
"""

from __future__ import annotations

import random

from rich.console import Console

from broker.mstock.streaming.feed import FeedTiming
from proofs import Broken, Rows, figures
from proofs.streamed import CUTS, SILENT, SPOILT, StreamServer, Subscribed, usage

FULL, SHORT = 200, 8
_INSTRUMENTS, _MARKET = 300, 2_000
_RECONNECTS, _FEW_RECONNECTS = 1_000, 20
_LIMIT_S = 2.0
# The feed's own limits, a tenth to a fiftieth of what they are in use.
_TIMING = FeedTiming(
    connect=2.0,
    read=2.0,
    login=1.0,
    ping_every=0.5,
    dead_after=2.0,
    stall_after=2.0,
    first_wait=0.05,
    longest_wait=0.5,
    look_for_token=0.1,
    resend_after=1.0,
)


def run(console: Console, short: bool, seed: int | None = None) -> Rows:
    """The figures; raises `Broken`."""
    seed = random.randrange(10**6) if seed is None else seed
    choose, count = random.Random(seed), SHORT if short else FULL
    kinds = (*CUTS, *SILENT, *SPOILT)
    waits: list[float] = []
    held: set[int] = set()
    with StreamServer(_MARKET) as server:
        for api_type in ("A", "B"):
            subscribed = Subscribed(server, api_type, _INSTRUMENTS, _TIMING)
            try:
                for n in range(count // 2):
                    kind = choose.choice(kinds)
                    console.print(f"type {api_type}, fault {n + 1}: {kind}")
                    waited = subscribed.survive(kind)
                    if waited is not None:
                        waits.append(waited)
                    held.add(subscribed.held())
            finally:
                subscribed.stop()
        times = _FEW_RECONNECTS if short else _RECONNECTS
        reconnects = _reconnects(console, server, times)
    slowest = max(waits)
    if slowest > _LIMIT_S:
        raise Broken(f"{slowest:.2f} s from an accepted login until all prices flowed")
    return figures(
        (
            ("faults, both API types", count),
            ("connections that were lost by them", len(waits)),
            ("instruments that the simulator held after each", min(held)),
            ("seconds until all flowed again, most", f"{slowest:.2f}"),
            ("seconds, in the middle", f"{sorted(waits)[len(waits) // 2]:.2f}"),
            *reconnects,
            ("seed", seed),
        )
    )


def _reconnects(
    console: Console, server: StreamServer, times: int
) -> tuple[tuple[str, object], ...]:
    """Cut the connection so many times; what the process holds after the first ten and the last."""
    subscribed = Subscribed(server, "B", 10, _TIMING)
    try:
        for _ in range(10):
            subscribed.survive("disconnect")
        first = usage()
        for n in range(10, times):
            if n % 100 == 0:
                console.print(f"reconnected {n} times")
            subscribed.survive("disconnect")
        last, made = usage(), subscribed.feed.status().connections
    finally:
        subscribed.stop()
    if last.threads > first.threads or last.sockets > first.sockets:
        raise Broken(f"after {times} reconnects {last} instead of {first}")
    return (
        ("connections made, one after the other", made),
        ("threads and sockets after 10 of them", f"{first.threads} and {first.sockets}"),
        ("threads and sockets after all", f"{last.threads} and {last.sockets}"),
    )
