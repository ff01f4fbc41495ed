"""A logout in the host ends the session at mStock too, without making anybody wait."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import requests

from broker_simulator.mstock import Simulator
from tests.support.openalgo.host import Host
from tests.support.openalgo.hours import until
from tests.support.openalgo.visitor import Visitor

LogIn = Callable[[Visitor], requests.Response]
QUICK = 1.5


def timed(call: Callable[[], requests.Response]) -> tuple[requests.Response, float]:
    began = time.monotonic()
    return call(), time.monotonic() - began


def logouts(simulator: Simulator) -> int:
    return sum(entry.route.endswith("logout") for entry in simulator.journal)


def test_the_token_is_dead_at_mstock_within_seconds(
    trader: Visitor, log_in: LogIn, simulator: Simulator
) -> None:
    log_in(trader)
    answer, seconds = timed(trader.logout)
    assert answer.json()["status"] == "success"
    assert seconds < QUICK
    assert until(lambda: simulator.sessions[0].ended_at is not None)
    assert not trader.status()["authenticated"]


@pytest.mark.parametrize("fault", ["timeout", "bad_gateway", "reset"])
def test_mstock_in_trouble_neither_delays_nor_fails_it(
    trader: Visitor, log_in: LogIn, simulator: Simulator, fault: str
) -> None:
    log_in(trader)
    before = logouts(simulator)
    simulator.faults.set("b/logout", fault)
    answer, seconds = timed(trader.logout)
    assert answer.json()["status"] == "success"
    assert seconds < QUICK
    assert not trader.status()["authenticated"]
    simulator.faults.clear()
    assert until(lambda: logouts(simulator) > before)


def test_the_same_token_stored_again_is_no_logout(
    host: Host, trader: Visitor, log_in: LogIn, simulator: Simulator
) -> None:
    log_in(trader)
    before = logouts(simulator)
    assert host.visitor().app_login().json()["redirect"] == "/dashboard"
    time.sleep(1)
    assert logouts(simulator) == before
    assert trader.dashboard().status_code == 200
