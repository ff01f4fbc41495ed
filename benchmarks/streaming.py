"""`python -m benchmarks.streaming`: what decoding and publishing live prices costs.

Two tables: decoding a snap packet against a bare `Struct.unpack` and against mStock's own client,
each in turn in this run; and ticks per second from the socket to what the host's adapter sends,
one packet in a frame, with the server on the other core.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import statistics
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from struct import Struct, pack
from typing import Any

import click

from broker.mstock.database.instruments import InstrumentRow
from broker.mstock.streaming import host_adapter
from broker.mstock.streaming.host_adapter import HostStream
from broker.mstock.streaming.packets import DEPTH, LTP, decode_type_b
from tests.official.test_official_clients import PACKAGES, install
from tests.streaming.server import Client, FeedServer
from tests.streaming.test_packets import b_snap
from tests.web.helpers import settings

_ROUNDS, _CALLS = 15, 5_000
_SECONDS, _INSTRUMENTS, _BURST = 8.0, 1_000, 64
_SNAP = Struct("<BB25sqqqqqdd" + "q" * 12 + "hqqh" * 10 + "qqqq")


def decoding() -> None:
    """A snap: ours, a bare unpack, and the official client's parser."""
    packet, now = b_snap(), time.time()
    bare = Struct("<" + "q" * 40)  # as many values as a snap without its depth's order counts
    data = packet[: bare.size]
    ways: dict[str, Callable[[], Any]] = {
        "decode_type_b": lambda: decode_type_b(packet, now),
        "bare Struct.unpack": lambda: _unpack(packet),
        "mStock's own client": official(packet),
    }
    del bare, data
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(_ROUNDS):
        for name, call in ways.items():
            start = time.perf_counter()
            for _ in range(_CALLS):
                call()
            taken[name].append((time.perf_counter() - start) / _CALLS * 1e6)
    click.echo("\n| Decoding a snap packet | µs | of ours |\n| --- | ---: | ---: |")
    ours = taken["decode_type_b"]
    for name, times in taken.items():
        ratio = statistics.median(a / b for a, b in zip(times, ours, strict=True))
        click.echo(f"| {name} | {statistics.median(times):.2f} | {ratio:.2f} |")
