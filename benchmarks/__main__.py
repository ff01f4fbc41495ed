"""`make bench`: one table, each line a ratio between two things measured in turn in this run."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable

import click
from rich.console import Console
from rich.table import Table

from benchmarks import orders
from benchmarks.comparison import Line, line, measured, per_call, server
from benchmarks.server import pin

_CLIENT_CORE = 0
_TOKEN = "eyJhbGciOiJIUzI1NiJ9." + "a" * 1100 + ".b"
_KEY = "benchmark/key+0123456789@@"
_PATH = "/openapi/typeb/user/fundsummary"
_HEADERS = {"X-Mirae-Version": "1", "X-PrivateKey": _KEY, "Authorization": f"Bearer {_TOKEN}"}


def call_lines(rounds: int, calls: int) -> list[Line]:
    """`get_margin_data` against the same call made with each library alone."""
    import httpx
    import requests
    import urllib3

    from broker.mstock.api.funds import get_margin_data

    with server() as root, requests.Session() as session, httpx.Client() as client:
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
        ours, others = measured(
            per_call(lambda: get_margin_data(_TOKEN), calls),
            {name: per_call(call, calls) for name, call in theirs.items()},
            rounds,
        )
        pool.clear()
    return [
        line("get_margin_data", name, ours, times, target)
        for (name, times), target in zip(others.items(), targets, strict=True)
    ]


@click.command()
@click.option("--rounds", default=60, help="How often each thing is measured.")
@click.option("--calls", default=200, help="Calls per measurement.")
def main(rounds: int, calls: int) -> None:
    """Print the table; exit 0 whatever the figures are."""
    cores = os.cpu_count() or 1
    pinned = cores > 1 and pin(_CLIENT_CORE)
    lines = [*call_lines(rounds, calls), *orders.lines(rounds, calls)]
    table = Table(title="Ratios, smaller is better")
    for heading in ("what", "against", "µs", "µs of the other", "ratio", "target", "reached"):
        table.add_column(heading, justify="left" if heading in ("what", "against") else "right")
    for each in lines:
        reached = ("yes" if each.ratio <= each.target else "no") if each.target else ""
        table.add_row(
            each.what,
            each.against,
            f"{each.ours:,.0f}",
            f"{each.theirs:,.0f}",
            f"{each.ratio:.2f}",
            f"≤ {each.target:.2f}" if each.target else "",
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
