"""`python -m benchmarks.streaming`: what decoding and publishing live prices costs.

Three tables: decoding a snap packet against a bare `Struct.unpack` and against mStock's own client,
each in turn in this run; ticks per second from the socket to what OpenAlgo's adapter sends, one
packet in a frame, with the server on the other core; and the steps of a snap on that way, each by
itself. It ends with 1 when a limit is missed.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from struct import Struct, pack
from types import ModuleType
from typing import Any

import click
import websocket

from benchmarks.server import pin
from broker.mstock.mapping.symbols import InstrumentRow
from broker.mstock.streaming import host_adapter
from broker.mstock.streaming.connection import _BufferedSocket
from broker.mstock.streaming.host_adapter import HostStream
from broker.mstock.streaming.packets import DEPTH, LTP, decode_type_b
from tests.official.test_official_clients import PACKAGES, install
from tests.streaming.server import Client, FeedServer
from tests.streaming.test_packets import b_snap
from tests.web.helpers import settings

_ROUNDS, _CALLS = 15, 4_000
_FASTER, _SLOWER = 5.0, 9.0  # than mStock's own client at least, than a bare unpack at most
_LTP_TICKS = 30_000  # a second, at least
_FRAMES, _FRAME_ROUNDS = 50, 200  # so many snaps a socket takes without a reader
_SECONDS, _INSTRUMENTS = 6.0, 1_000
_SNAP = Struct("<BB25s6q2d6q8x" + "hqqh" * 10 + "4q")  # protocol 11.2


def decoding() -> bool:
    """A snap: ours, a bare unpack of the same bytes, mStock's own client; True within limits."""
    packet, now = b_snap(), time.time()
    theirs = _official_parser()
    ways: dict[str, Callable[[], Any]] = {
        "`decode_type_b`": lambda: decode_type_b(packet, now),
        "a bare `Struct.unpack`": lambda: _SNAP.unpack(packet),
        "mStock's own client": lambda: theirs(packet),
    }
    if len(theirs(packet)) != 1:
        raise SystemExit("mStock's own client does not read the packet.")
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(_ROUNDS):
        for name, call in ways.items():
            start = time.perf_counter()
            for _ in range(_CALLS):
                call()
            taken[name].append((time.perf_counter() - start) / _CALLS * 1e6)
    click.echo("| Decoding a snap packet | µs | ours takes |\n| --- | ---: | ---: |")
    ours, ratios = taken["`decode_type_b`"], []
    for name, times in taken.items():
        ratio = statistics.median(mine / each for mine, each in zip(ours, times, strict=True))
        ratios.append(ratio)
        click.echo(f"| {name} | {statistics.median(times):.2f} | {ratio:.3g} times it |")
    return ratios[1] <= _SLOWER and ratios[2] * _FASTER <= 1


def _official_parser() -> Callable[[bytes], Any]:
    """The parser of mStock's own ticker; what it connects with is not needed for that."""
    sys.path.insert(0, str(install(PACKAGES["B"])))
    for name in ("six", "twisted", "twisted.internet", "twisted.internet.protocol", "autobahn"):
        sys.modules.setdefault(name, ModuleType(name))
    for name in ("twisted.python", "autobahn.twisted", "autobahn.twisted.websocket"):
        sys.modules.setdefault(name, ModuleType(name))
    for module, names in (
        ("twisted.internet", ("reactor", "ssl")),
        ("twisted.internet.protocol", ("ReconnectingClientFactory",)),
        ("twisted.python", ("log",)),
        (
            "autobahn.twisted.websocket",
            ("WebSocketClientProtocol", "WebSocketClientFactory", "connectWS"),
        ),
    ):
        for name in names:
            setattr(sys.modules[module], name, type(name, (), {}))
    here = os.getcwd()
    os.chdir(os.environ.get("TMPDIR", "/tmp"))  # it opens a log where it stands
    try:
        from tradingapi_b.mticker import MTicker  # type: ignore[import-not-found]
    finally:
        os.chdir(here)
    return object.__new__(MTicker)._parse_binary  # type: ignore[no-any-return]


class Sending:
    """What the host's base class does with a tick: JSON, and off through a socket."""

    _uses_shared_zmq = True

    def __init__(self, out: socket.socket) -> None:
        self.sent = 0
        self._out = out

    def publish_market_data(self, topic: str, data: dict[str, Any]) -> None:
        self._out.sendall(topic.encode() + json.dumps(data).encode())
        self.sent += 1

    def get_auth_token_for_user(self, user_id: str, bypass_cache: bool = False) -> str:
        return "benchmark-token"


class _Master:
    """Instruments named by their numbers."""

    def find(self, symbol: str, exchange: str) -> InstrumentRow:
        return InstrumentRow(symbol, symbol, "", exchange, exchange, symbol, "", 0.0, 1, "EQ", 0.05)


def _serve(mode: int, count: int, port: Any) -> None:
    pin(1)
    server = FeedServer()
    snap = b_snap()
    packets = []
    for token in range(1, count + 1):
        named = str(token).encode()
        if mode == LTP:
            packet = pack("<BB25sqqq", 1, 1, named, 7, 0, 137_330)
        else:
            packet = snap[:2] + named.ljust(25, b"\0") + snap[27:]
        size = len(packet)
        head = bytes([0x82, size]) if size < 126 else b"\x82\x7e" + pack(">H", size)
        packets.append(head + packet)
    batch = b"".join(packets)

    def flood(client: Client) -> None:
        while len(client.requests) < 1:
            time.sleep(0.05)
        with suppress(OSError):
            while True:
                client.sock.sendall(batch)

    server.script = flood
    port.send(server.url)
    time.sleep(3600)


def _drain(sock: socket.socket) -> None:
    pin(1)
    while sock.recv(1 << 20):
        pass


@contextmanager
def flowing(mode: int, count: int) -> Iterator[Sending]:
    """So many instruments, subscribed and flowing as fast as they are taken."""
    ours, theirs = multiprocessing.Pipe()
    out, into = socket.socketpair()
    children = [
        multiprocessing.Process(target=_serve, args=(mode, count, theirs), daemon=True),
        multiprocessing.Process(target=_drain, args=(into,), daemon=True),
    ]
    for child in children:
        child.start()
    pin(0)
    os.environ.update(settings() | {"MSTOCK_WS_URL": ours.recv()})
    host_adapter.instruments = lambda: _Master()  # type: ignore[assignment,return-value]
    adapter = Sending(out)
    stream = HostStream(adapter)
    stream.initialize("benchmark")
    stream.connect()
    for token in range(1, count + 1):
        stream.subscribe(str(token), "NSE", mode)
    while adapter.sent < 20 * count:
        time.sleep(0.01)
    try:
        yield adapter
    finally:
        stream.disconnect()
        for child in children:
            child.kill()
            child.join()
        out.close()
        into.close()


def publishing(mode: int, name: str) -> float:
    """Ticks that a whole core takes in a second, from the socket to the send."""
    with flowing(mode, _INSTRUMENTS) as adapter:
        start, sent, cpu = time.perf_counter(), adapter.sent, time.process_time()
        time.sleep(_SECONDS)
        seconds = time.perf_counter() - start
        busy = (time.process_time() - cpu) / seconds
        rate = (adapter.sent - sent) / seconds
    click.echo(f"| {name} | {rate:,.0f} | {1e6 / rate:.1f} | {busy:.0%} |")
    return rate / busy


def steps() -> None:
    """What each step of a snap takes by itself."""
    packet, now = b_snap(), time.time()
    frame = b"\x82\x7e" + pack(">H", len(packet)) + packet
    (tick,) = decode_type_b(packet, now).ticks
    text = b"NSE_INFY_DEPTH" + json.dumps(tick.values).encode()
    ours, theirs = socket.socketpair()
    library = websocket.WebSocket(enable_multithread=True, skip_utf8_validation=True)
    library.sock = _BufferedSocket(ours)  # type: ignore[assignment]
    ways: dict[str, Callable[[], Any]] = {
        "frame": lambda: library.recv_data(control_frame=True),
        "decode": lambda: decode_type_b(packet, now),
        "JSON": lambda: json.dumps(tick.values),
        "send": lambda: ours.sendall(text),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(_FRAME_ROUNDS):
        theirs.sendall(frame * _FRAMES)
        for name, way in ways.items():
            start = time.perf_counter()
            for _ in range(_FRAMES):
                way()
            taken[name].append((time.perf_counter() - start) / _FRAMES * 1e6)
        theirs.recv(_FRAMES * len(text), socket.MSG_WAITALL)
    ours.close()
    theirs.close()
    click.echo("\n| Of a snap's way, each step by itself | µs |\n| --- | ---: |")
    for name, times in taken.items():
        click.echo(f"| {name} | {statistics.median(times):.1f} |")


@click.command()
def main() -> None:
    """Print the tables; end with 1 when a limit is missed."""
    pin(0)
    holds = decoding()
    click.echo("\n| From the socket to the send | ticks/s | µs a tick | of one core |")
    click.echo("| --- | ---: | ---: | ---: |")
    holds &= publishing(LTP, "LTP") >= _LTP_TICKS
    publishing(DEPTH, "Snap, published as depth")
    steps()
    if not holds:
        raise SystemExit(
            f"A limit is missed: {_FASTER:g} times as fast as mStock's own client, {_SLOWER:g} "
            f"times a bare unpack, {_LTP_TICKS:,} LTP ticks a second."
        )


if __name__ == "__main__":
    main()
