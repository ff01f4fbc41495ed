"""The benchmark runs and compares what it says; how fast anything is, is not a test's to judge."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import __main__ as benchmark
from benchmarks import instruments, orders
from benchmarks.comparison import Line


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[Line]:
    for name in ("BROKER_API_KEY", "BROKER_API_SECRET", "MSTOCK_REST_URL"):
        monkeypatch.setenv(name, "")  # the benchmark sets them; they are gone again afterwards
    return benchmark.call_lines(rounds=2, calls=2)


def test_each_line_compares_two_measured_things(lines: list[Line]) -> None:
    assert [(line.against, line.target) for line in lines] == [
        ("requests.Session, .json()", 1.15),
        ("urllib3, json.loads", 1.6),
        ("httpx.Client, .json()", 1.0),
    ]
    assert all(line.ours > 0 and line.theirs > 0 and line.ratio > 0 for line in lines)


def test_orders_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BROKER_API_KEY", "BROKER_API_SECRET", "MSTOCK_REST_URL", "BROKER_HOME"):
        monkeypatch.setenv(name, "")
    found = [*orders.order_lines(rounds=1, calls=2), *orders.row_lines(1, (10, 100))]
    assert [line.what for line in found] == [
        "place_order_api", "10 order rows", "100 order rows, each",
    ]  # fmt: skip
    assert all(line.ours > 0 and line.theirs > 0 and line.ratio > 0 for line in found)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read off Linux")
def test_instruments_are_measured_in_time_and_memory(tmp_path: Path) -> None:
    figures = instruments.measure(50_000, 1, tmp_path)
    assert figures["ratio"] > 0
    # Memory, unlike time, does not depend on what else the machine does.
    assert 0 < figures["memory"] <= instruments.MOST_MEMORY
