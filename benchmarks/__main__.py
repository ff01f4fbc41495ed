"""`make bench`: one table, each line a ratio between two things measured in turn in this run."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import click
from rich.console import Console
from rich.table import Table

from benchmarks.server import pin

_CLIENT_CORE, _SERVER_CORE = 0, 1
_TOKEN = "eyJhbGciOiJIUzI1NiJ9." + "a" * 1100 + ".b"
_KEY = "benchmark/key+0123456789@@"
_PATH = "/openapi/typeb/user/fundsummary"
_HEADERS = {"X-Mirae-Version": "1", "X-PrivateKey": _KEY, "Authorization": f"Bearer {_TOKEN}"}


@dataclass(frozen=True)
class Line:
    """One comparison: the medians in microseconds, and the median of the rounds' ratios."""

    what: str
    against: str
    ours: float
    theirs: float
    ratio: float
    target: float


def _rounds(
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


def _line(what: str, against: str, ours: list[float], theirs: list[float], target: float) -> Line:
    ratio = statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))
    return Line(what, against, statistics.median(ours), statistics.median(theirs), ratio, target)


def _per_call(call: Callable[[], object], calls: int) -> Callable[[], float]:
    def run() -> float:
        started = time.perf_counter()
        for _ in range(calls):
            call()
        return (time.perf_counter() - started) / calls * 1e6

    return run


@contextmanager
def _server() -> Iterator[str]:
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


def call_lines(rounds: int, calls: int) -> list[Line]:
    """`get_margin_data` against the same call made with each library alone."""
    import httpx
    import requests
    import urllib3

    from broker.mstock.api.funds import get_margin_data

    with _server() as root, requests.Session() as session, httpx.Client() as client:
        os.environ.update(BROKER_API_KEY="MA12345", BROKER_API_SECRET=_KEY, MSTOCK_REST_URL=root)
        url = root + _PATH
        pool = urllib3.PoolManager()
        theirs: dict[str, Callable[[], object]] = {
            "requests.Session, .json()": lambda: session.get(url, headers=_HEADERS).json(),
            "urllib3, json.loads": lambda: json.loads(
                pool.request("GET", url, headers=_HEADERS).data
            ),
            "httpx.Client, .json()": lambda: client.get(url, headers=_HEADERS).json(),
        }
        targets = [1.15, 1.6, 1.0]
        ours, others = _rounds(
            _per_call(lambda: get_margin_data(_TOKEN), calls),
            {name: _per_call(call, calls) for name, call in theirs.items()},
            rounds,
        )
        pool.clear()
    return [
        _line("get_margin_data", name, ours, times, target)
        for (name, times), target in zip(others.items(), targets, strict=True)
    ]


@click.command()
@click.option("--rounds", default=60, help="How often each thing is measured.")
@click.option("--calls", default=200, help="Calls per measurement.")
def main(rounds: int, calls: int) -> None:
    """Print the table; exit 0 whatever the figures are."""
    cores = os.cpu_count() or 1
    pinned = cores > 1 and pin(_CLIENT_CORE)
    lines = call_lines(rounds, calls)
    table = Table(title="Ratios, smaller is better")
    for heading in ("what", "against", "µs", "µs of the other", "ratio", "target", "reached"):
        table.add_column(heading, justify="left" if heading in ("what", "against") else "right")
    for line in lines:
        reached = "yes" if line.ratio <= line.target else "no"
        table.add_row(
            line.what,
            line.against,
            f"{line.ours:.0f}",
            f"{line.theirs:.0f}",
            f"{line.ratio:.2f}",
            f"≤ {line.target:.2f}",
            reached,
        )
    console = Console(width=100)
    console.print(table)
    console.print(
        f"Python {platform.python_version()}, {cores} cores, client and server "
        f"{'on a core each' if pinned else 'not pinned'}; median of {rounds} interleaved rounds "
        f"of {calls} calls."
    )


if __name__ == "__main__":
    main()
