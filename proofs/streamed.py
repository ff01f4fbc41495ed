"""A feed with its subscriptions, against the simulator in a process of its own.

The simulator works prices out in Python; in the same process it would take the feed's time, and
its threads, sockets and memory would count as the feed's.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from broker._kit.clock import IST
from broker._kit.secret import Secret
from broker.mstock.streaming.connection import FeedLogin
from broker.mstock.streaming.feed import Feed, FeedListener, FeedTiming
from broker.mstock.streaming.packets import DEPTH, LTP, QUOTE, SEGMENTS
from broker.mstock.streaming.requests import DIALECTS, Instrument
from proofs import Broken

# Those end the connection, or keep the next one from being made.
CUTS = ("disconnect", "reset", "cut_frame", "login_refused", "bad_gateway", "service_unavailable")
SILENT = ("stall", "half_open", "login_silent", "upgrade_silent")
SPOILT = ("repeat", "reorder", "senseless")
_AT_UPGRADE = ("login_refused", "bad_gateway", "service_unavailable", "login_silent")
_AT_UPGRADE += ("upgrade_silent",)
_SPOILT_S = 1.2  # the market moves every half second
_MARKET_OPEN = datetime(2026, 11, 23, 11, tzinfo=IST)
# Type A's packets name no exchange; the simulator looks a number up on these, in this order.
_EXCHANGES = {"A": ("NSE", "NFO", "BSE", "BFO"), "B": tuple(SEGMENTS)}


class Usage(NamedTuple):
    """What this process holds: threads, open sockets, resident memory in MB."""

    threads: int
    sockets: int
    memory: float


def usage() -> Usage:
    """As Linux has it now."""
    links = [os.readlink(fd) for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink()]
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Usage(
        len(list(Path("/proc/self/task").iterdir())),
        sum(link.startswith("socket:") for link in links),
        pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
    )


class StreamServer:
    """The simulator behind a pipe; every call waits for its answer. A context manager."""

    def __init__(self, instruments: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, instruments), daemon=True)
        self._process.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.join()

    def login(self, api_type: str) -> FeedLogin:
        """A new session."""
        url, key, token = self._ask("login", api_type)
        return FeedLogin(url, Secret(key), Secret(token))

    def instruments(self, api_type: str, count: int) -> list[Instrument]:
        """The first so many, each exchange as far as it goes."""
        found = self._ask("instruments", api_type, count)
        if len(found) < count:
            raise Broken(f"the simulator has {len(found)} instruments instead of {count}")
        return [Instrument(*each) for each in found]

    def fault(self, name: str, times: int | None = None) -> None:
        """Switch a fault on: see `StreamFaults.set`."""
        self._ask("fault", name, times)

    def clear(self) -> None:
        """Switch all faults off."""
        self._ask("clear")

    def burst(self, count: int, rate: float | None) -> None:
        """Have each connection sent so many frames: see `Stream.burst`."""
        self._ask("burst", count, rate)

    def held(self) -> list[int]:
        """How many instruments each open connection has subscribed."""
        held: list[int] = self._ask("held")
        return held

    def _ask(self, name: str, *values: Any) -> Any:
        self._pipe.send((name, *values))
        return self._pipe.recv()


def _serve(pipe: Connection, instruments: int) -> None:
    from broker_simulator.mstock import Simulator

    with Simulator(instruments=instruments) as simulator:
        simulator.clock.set(_MARKET_OPEN)
        stream, world = simulator.stream, simulator.world

        def login(api_type: str) -> tuple[str, str, str]:
            api, account = api_type.lower(), simulator.demo
            pending = world.login(api, account.client_code, account.password)
            ticket = None if api == "a" else pending.ticket
            made = world.finish_with_otp(api, account.api_key(api), str(pending.otp), ticket)
            return simulator.ws_url, account.api_key(api), made.token

        def some(api_type: str, count: int) -> list[tuple[int, str]]:
            found: dict[tuple[int, str], None] = {}
            exchanges = _EXCHANGES[api_type]
            shares = -(-count // 2)  # NFO alone could fill the list
            for each in sorted(world.market.master, key=lambda each: each.exchange == "NFO"):
                if each.exchange not in exchanges or (each.exchange != "NFO" and not shares):
                    continue
                segment = SEGMENTS[each.exchange] if api_type == "B" else 0
                if (segment, each.token) not in found and len(found) < count:
                    found[segment, each.token] = None
                    shares -= each.exchange != "NFO"
            return list(found)

        calls: dict[str, Callable[..., Any]] = {
            "login": login,
            "instruments": some,
            "fault": stream.faults.set,
            "clear": stream.faults.clear,
            "burst": lambda count, rate: len(stream.burst(count, rate)),
            "held": lambda: [len(each.subscribed) for each in stream.connections],
        }
        while True:
            name, *values = pipe.recv()
            pipe.send(calls[name](*values))


class Subscribed:
    """A feed that has subscribed to so many instruments, a third of them in each mode."""

    def __init__(
        self,
        server: StreamServer,
        api_type: str,
        count: int,
        timing: FeedTiming | None = None,
        patience: float = 60.0,
    ) -> None:
        self._server, self._patience = server, patience
        login = server.login(api_type)
        modes = (LTP, QUOTE, DEPTH)
        found = server.instruments(api_type, count)
        self.desired = {each: modes[n % 3] for n, each in enumerate(found)}
        self.ticks = 0
        self.feed = Feed(
            DIALECTS[api_type],
            lambda: login,
            FeedListener(self._on_tick),
            is_market_open=lambda _now: True,
            timing=timing,
        )
        self.feed.subscribe(self.desired)
        self.feed.start()
        self.until(self.flows)

    def stop(self) -> None:
        """Disconnect, and wait until the simulator has noticed."""
        self.feed.stop()
        self.until(lambda: not self._server.held())

    def flows(self) -> bool:
        """True when every instrument has ticked on the present connection."""
        return self.feed.is_connected and self.feed.status().flowing == len(self.desired)

    def until(self, happened: Callable[[], bool]) -> float:
        """Wait; how long it took. Raises `Broken` when it does not happen."""
        start = time.monotonic()
        while not happened():
            if time.monotonic() - start > self._patience:
                raise Broken(f"waited for {self._patience:g} s: {self.feed.status()}")
            time.sleep(0.005)
        return time.monotonic() - start

    def survive(self, kind: str) -> float | None:
        """Through one fault: seconds from the next accepted login until all flows again.

        None when no connection was lost.
        """
        before = self.feed.status().connections
        self._server.fault(kind, 1)
        if kind in _AT_UPGRADE:
            self._server.fault("disconnect", 1)
        if kind in SPOILT:
            time.sleep(_SPOILT_S)
            self._server.clear()
            self.until(self.flows)
            return None
        self.until(lambda: self.feed.status().connections > before)
        self._server.clear()
        return self.until(self.flows)

    def held(self) -> int:
        """How many instruments the simulator holds, on one socket; raises `Broken` for others."""
        self.until(lambda: len(self._server.held()) == 1)
        (held,) = self._server.held()
        if held != len(self.desired):
            raise Broken(f"{held} instruments instead of {len(self.desired)}")
        return held

    def _on_tick(self, _tick: object) -> None:
        self.ticks += 1
