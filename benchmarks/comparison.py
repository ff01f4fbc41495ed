"""Measures two things in turn in one run, and compares them."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_SERVER_CORE = 1


@dataclass(frozen=True)
class Line:
    """One comparison: the medians in microseconds, and the median of the rounds' ratios."""

    what: str
    against: str
    ours: float
    theirs: float
    ratio: float
    target: float | None


def measured(
    ours: Callable[[], float], theirs: dict[str, Callable[[], float]], rounds: int
) -> tuple[list[float], dict[str, list[float]]]:
    """Each round measures everything once, in an order that turns from round to round."""
    mine: list[float] = []
    others: dict[str, list[float]] = {name: [] for name in theirs}
    contestants = [(mine, ours), *((others[name], run) for name, run in theirs.items())]
    for n in range(rounds):
        turn = n % len(contestants)
        for times, run in contestants[turn:] + contestants[:turn]:
            times.append(run())
    return mine, others


def line(
    what: str, against: str, ours: list[float], theirs: list[float], target: float | None
) -> Line:
    """One line of the table."""
    ratio = statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))
    return Line(what, against, statistics.median(ours), statistics.median(theirs), ratio, target)


def per_call(call: Callable[[], object], calls: int) -> Callable[[], float]:
    """What takes the microseconds of one of that many calls."""

    def run() -> float:
        started = time.perf_counter()
        for _ in range(calls):
            call()
        return (time.perf_counter() - started) / calls * 1e6

    return run


@contextmanager
def server() -> Iterator[str]:
    """The address of a server on a core of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.server", str(_SERVER_CORE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"  # type: ignore[union-attr]
    finally:
        process.communicate()
