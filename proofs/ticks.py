"""Ten million ticks from the socket to what OpenAlgo's adapter sends: memory stays as it is.

3,000 instruments, half of the ticks in LTP mode and half as snaps with depth, one packet in a
frame, as fast as they are taken; `python -m benchmarks.streaming` measures how fast that is.
"""

from __future__ import annotations

import time

from rich.console import Console

from benchmarks.streaming import flowing
from broker.mstock.streaming.packets import DEPTH, LTP
from proofs import Rows, require
from proofs.streamed import usage

_TICKS, _FEW = 10_000_000, 40_000
_INSTRUMENTS, _FEW_INSTRUMENTS = 3_000, 300
_MORE_MB = 2.0
_STEPS = 5


def run(console: Console, short: bool) -> Rows:
    """The figures; raises `Broken`."""
    half = (_FEW if short else _TICKS) // 2
    count = _FEW_INSTRUMENTS if short else _INSTRUMENTS
    return [_flow(console, LTP, "LTP", half, count), _flow(console, DEPTH, "Snap", half, count)]


def _flow(console: Console, mode: int, name: str, ticks: int, count: int) -> dict[str, object]:
    with flowing(mode, count) as adapter:
        first, begun, most = usage(), adapter.sent, 0.0
        for step in range(1, _STEPS + 1):
            while adapter.sent - begun < ticks * step // _STEPS:
                time.sleep(0.05)
            last = usage()
            most = max(most, last.memory)
            console.print(f"{name}, {adapter.sent - begun:,} ticks: {last}")
        sent = adapter.sent - begun
    require(most - first.memory <= _MORE_MB, f"{name}: {most:.1f} MB after {first.memory:.1f}")
    return {
        "Packets": name,
        "Instruments": count,
        "Ticks": f"{sent:,}",
        "MB at the start": f"{first.memory:.1f}",
        "MB at the end": f"{last.memory:.1f}",
        "MB at most": f"{most:.1f}",
    }
