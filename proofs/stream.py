"""Live prices through random faults: after each, everything that is desired flows again.

One feed with its subscriptions against the simulator's WebSocket. A fault is set, waited for, and
cleared where it lasts. Then the time is taken from the first login that is accepted until every
instrument has ticked, and the simulator is asked what it holds: one socket, each instrument once.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import datetime

from rich.console import Console

from broker._kit.clock import IST
from broker._kit.secret import Secret
from broker.mstock.streaming.connection import FeedLogin
from broker.mstock.streaming.feed import Feed, FeedListener, FeedTiming
from broker.mstock.streaming.packets import DEPTH, LTP, QUOTE, SEGMENTS
from broker.mstock.streaming.requests import DIALECTS, Instrument
from broker_simulator.mstock import Simulator
from proofs import Broken, Rows

FULL, SHORT = 200, 8
_MOST = 60  # instruments; the simulator may have fewer on that exchange
_LIMIT_S = 2.0
_PATIENCE_S = 30.0
_MARKET_OPEN = datetime(2026, 11, 23, 11, tzinfo=IST)
# Those end the connection, or keep the next one from being made.
_CUTS = ("disconnect", "reset", "cut_frame", "login_refused", "bad_gateway", "service_unavailable")
_SILENT = ("stall", "half_open", "login_silent", "upgrade_silent")
_SPOILT = ("repeat", "reorder", "senseless")
_AT_UPGRADE = ("login_refused", "bad_gateway", "service_unavailable", "login_silent")
_AT_UPGRADE += ("upgrade_silent",)
# The feed's own limits, a tenth to a fiftieth of what they are in use.
_TIMING = FeedTiming(
    connect=1.0,
    read=1.0,
    login=0.5,
    ping_every=0.3,
    dead_after=1.0,
    stall_after=1.0,
    first_wait=0.05,
    longest_wait=0.5,
    look_for_token=0.1,
    resend_after=1.0,
)


class _Subscribed:
    """A feed with its subscriptions, and what the simulator knows of it."""

    def __init__(self, simulator: Simulator, api_type: str) -> None:
        self.simulator = simulator
        account = simulator.demo
        key = account.api_key(api_type.lower())
        pending = simulator.world.login(api_type.lower(), account.client_code, account.password)
        ticket = None if api_type == "A" else pending.ticket
        made = simulator.world.finish_with_otp(api_type.lower(), key, str(pending.otp), ticket)
        login = FeedLogin(simulator.ws_url, Secret(key), Secret(made.token))
        shares = [each for each in simulator.world.market.master if each.exchange == "NSE"][:_MOST]
        segment = SEGMENTS["NSE"] if api_type == "B" else 0
        modes = (LTP, QUOTE, DEPTH)
        self.desired = {
            Instrument(segment, share.token): modes[n % 3] for n, share in enumerate(shares)
        }
        self.feed = Feed(
            DIALECTS[api_type],
            lambda: login,
            FeedListener(lambda _tick: None),
            is_market_open=lambda _now: True,
            timing=_TIMING,
        )
        self.feed.subscribe(self.desired)
        self.feed.start()
        self.until(self.flows)

    def flows(self) -> bool:
        status = self.feed.status()
        return self.feed.is_connected and status.flowing == len(self.desired)

    def until(self, happened: Callable[[], bool]) -> float:
        """Wait; how long it took. Raises `Broken` when it does not happen."""
        start = time.monotonic()
        while not happened():
            if time.monotonic() - start > _PATIENCE_S:
                raise Broken(f"waited for {_PATIENCE_S:g} s: {self.feed.status()}")
            time.sleep(0.005)
        return time.monotonic() - start

    def held(self) -> int:
        """How many instruments the simulator holds, on one socket; raises `Broken` for others."""
        self.until(lambda: len(self.simulator.stream.connections) == 1)
        (connection,) = self.simulator.stream.connections
        if len(connection.subscribed) != len(self.desired):
            raise Broken(f"{len(connection.subscribed)} instruments instead of {len(self.desired)}")
        return len(connection.subscribed)


def run(console: Console, short: bool, seed: int | None = None) -> Rows:
    """The figures; raises `Broken`."""
    seed = random.randrange(10**6) if seed is None else seed
    choose, count = random.Random(seed), SHORT if short else FULL
    kinds = (*_CUTS, *_SILENT, *_SPOILT)
    waits: list[float] = []
    held: set[int] = set()
    with Simulator() as simulator:
        simulator.clock.set(_MARKET_OPEN)
        for api_type in ("A", "B"):
            subscribed = _Subscribed(simulator, api_type)
            try:
                for n in range(count // 2):
                    kind = choose.choice(kinds)
                    console.print(f"type {api_type}, fault {n + 1}: {kind}")
                    waited = _survive(subscribed, kind)
                    if waited is not None:
                        waits.append(waited)
                    held.add(subscribed.held())
            finally:
                subscribed.feed.stop()
                subscribed.until(lambda: not simulator.stream.connections)
    slowest = max(waits)
    if slowest > _LIMIT_S:
        raise Broken(f"{slowest:.2f} s from an accepted login until all prices flowed")
    return [
        {"What": "faults, both API types", "Figure": count},
        {"What": "connections that were lost by them", "Figure": len(waits)},
        {"What": "instruments that the simulator held after each", "Figure": min(held)},
        {"What": "seconds until all flowed again, most", "Figure": f"{slowest:.2f}"},
        {"What": "seconds, in the middle", "Figure": f"{sorted(waits)[len(waits) // 2]:.2f}"},
        {"What": "seed", "Figure": seed},
    ]


def _survive(subscribed: _Subscribed, kind: str) -> float | None:
    """From the next accepted login until all flows again; None when no connection was lost."""
    faults, feed = subscribed.simulator.stream.faults, subscribed.feed
    before = feed.status().connections
    faults.set(kind, times=1)
    if kind in _AT_UPGRADE:
        faults.set("disconnect", times=1)
    if kind in _SPOILT:
        time.sleep(0.3)
        faults.clear()
        subscribed.until(subscribed.flows)
        return None
    subscribed.until(lambda: feed.status().connections > before)
    faults.clear()
    return subscribed.until(subscribed.flows)
