"""The means of these tests: what they would notice, they must be able to notice."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path

import requests

from benchmarks import host as benchmark
from broker_simulator.mstock import Simulator
from tests.host_real.conftest import hide_all
from tests.support.leaks import Leaks
from tests.support.openalgo.checkout import Checkout
from tests.support.openalgo.host import Host
from tests.support.openalgo.visitor import Visitor


def test_a_token_in_a_log_is_found(
    host: Host,
    trader: Visitor,
    log_in: Callable[[Visitor], requests.Response],
    simulator: Simulator,
) -> None:
    log_in(trader)
    planted = host.folder / "log" / "planted.log"
    planted.write_text(f"09:15:00.123 the token is {simulator.sessions[0].token}\n")
    leaks = Leaks()
    hide_all(leaks, simulator)
    host.show_all(leaks)
    planted.unlink()
    assert [found.partition(" in ")[2] for found in leaks.found()] == ["planted.log"]


def test_what_the_host_keeps_of_a_token_is_encrypted(
    host: Host, trader: Visitor, log_in: Callable[[Visitor], requests.Response]
) -> None:
    log_in(trader)
    assert host.row()["auth"].startswith("gAAAA")


def test_the_host_goes_by_the_clock_of_the_simulator(host: Host, trader: Visitor) -> None:
    host.hours.go_on_to("12:00")
    shown = parsedate_to_datetime(trader.get("/auth/check-setup").headers["Date"])
    assert abs((shown - host.hours.now()).total_seconds()) < 5


def test_the_comparison_measures_both_plugins(checkout: Checkout) -> None:
    found = benchmark.measure(checkout, 1, lambda said: None)
    (ours,), (shipped,) = found["ours"], found["shipped"]
    assert list(ours) == list(shipped)
    for what in ("modules, at start", "import, at start", f"modules, {benchmark._LATER}"):
        assert ours[what] > 0 < shipped[what]
    assert all(value > 1 for what, value in ours.items() if what.startswith("memory, "))
    assert ours["import, at start"] < benchmark._MOST_MS


def test_a_change_in_a_checkout_is_noticed(checkout: Checkout, tmp_path: Path) -> None:
    copy = Checkout(checkout.copy_to(tmp_path / "copy"), checkout.python)
    before = copy.digest()
    (copy.home / "app.py").write_text("changed")
    assert copy.digest() != before
