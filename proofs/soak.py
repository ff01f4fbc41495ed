"""An hour of live prices with a fault every few seconds, the feed's limits as they are in use.

3,000 instruments on one socket, in all three modes, of a market that moves twice a second. What
the process holds is counted once everything has flowed for the first time, and at the end.
"""

from __future__ import annotations

import random
import time

from rich.console import Console

from proofs import Broken, Rows, figures, require
from proofs.streamed import CUTS, SILENT, SPOILT, StreamServer, Subscribed, Usage, usage

_SECONDS, _FEW_SECONDS = 3_600.0, 5.0
_INSTRUMENTS, _FEW = 3_000, 100
_PAUSE_S = 5.0
_PATIENCE_S = 180.0
_WARM_S = 120.0  # until the first count: the allocator has seen everything once
_MORE_MB = 5.0  # by which memory may grow: less than 2 KB for each instrument


def run(console: Console, short: bool, seed: int | None = None) -> Rows:
    """The figures; raises `Broken`."""
    seed = random.randrange(10**6) if seed is None else seed
    choose, count = random.Random(seed), _FEW if short else _INSTRUMENTS
    # A short run has no time for those that only silence tells.
    kinds = (*CUTS, *SPOILT) if short else (*CUTS, *SILENT, *SPOILT)
    rows: list[tuple[str, object]] = [("API type", "B"), ("instruments, on one socket", count)]
    with StreamServer(2 * count) as server:
        subscribed = Subscribed(server, "B", count, patience=_PATIENCE_S)
        try:
            time.sleep(0 if short else _WARM_S)
            start, began, ticks, faults = usage(), time.monotonic(), subscribed.ticks, 0
            while time.monotonic() - began < (_FEW_SECONDS if short else _SECONDS):
                kind = choose.choice(kinds)
                console.print(f"{time.monotonic() - began:5.0f} s, {usage()}: {kind}")
                subscribed.survive(kind)
                require(subscribed.held() == count, "subscriptions are lost")
                faults += 1
                time.sleep(0.1 if short else _PAUSE_S)
            seconds, end = time.monotonic() - began, usage()
            rows += [
                ("minutes", f"{seconds / 60:.1f}"),
                ("faults", faults),
                ("connections made", subscribed.feed.status().connections),
                ("ticks", f"{subscribed.ticks - ticks:,}"),
                ("packets that could not be read", subscribed.feed.status().dropped),
            ]
        finally:
            subscribed.stop()
    _compare(start, end)
    return figures(
        (
            *rows,
            ("threads, at the start and at the end", f"{start.threads} and {end.threads}"),
            ("sockets", f"{start.sockets} and {end.sockets}"),
            ("memory, MB", f"{start.memory:.1f} and {end.memory:.1f}"),
            ("seed", seed),
        )
    )


def _compare(start: Usage, end: Usage) -> None:
    is_more = end.threads > start.threads or end.sockets > start.sockets
    if is_more or end.memory - start.memory > _MORE_MB:
        raise Broken(f"{end} at the end instead of {start}")
