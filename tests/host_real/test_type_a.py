"""The other API type in the same host: a key for Type A, and the setting that says so."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests

from broker_simulator.mstock import Simulator
from tests.support.openalgo.host import Host
from tests.support.openalgo.hours import until
from tests.support.openalgo.visitor import Visitor


@pytest.fixture(scope="module")
def settings(simulator: Simulator) -> dict[str, str]:
    return {"MSTOCK_API_TYPE": "A", "BROKER_API_SECRET": simulator.demo.api_key_a}


def test_login_funds_logout(
    trader: Visitor, log_in: Callable[[Visitor], requests.Response], simulator: Simulator
) -> None:
    assert log_in(trader).json()["redirect"] == "/dashboard"
    figures = trader.dashboard().json()["data"]
    assert trader.rest("funds", trader.api_key()).json()["data"] == figures
    trader.logout()
    assert until(lambda: simulator.sessions[0].ended_at is not None)
    assert {entry.route.partition("/")[0] for entry in simulator.journal} == {"a"}


def test_the_other_types_instruments_are_downloaded_at_login(
    host: Host,
    trader: Visitor,
    log_in: Callable[[Visitor], requests.Response],
    simulator: Simulator,
) -> None:
    """Without anybody looking one up, and though OpenAlgo has downloaded once today."""
    log_in(trader)
    assert until(lambda: len(downloads(simulator)) >= 1, 60)
    assert until(lambda: host.output().count("instruments stored") >= 1, 60)
    account = simulator.demo
    host.stop()
    host.start(MSTOCK_API_TYPE="B", BROKER_API_SECRET=account.api_key_b)
    trader.app_login()
    before = len(downloads(simulator))
    log_in(trader)
    assert until(lambda: len(downloads(simulator)) > before, 60)
    assert downloads(simulator)[-1].startswith("b/")
    trader.http.close()  # the host closes what was idle meanwhile


def downloads(simulator: Simulator) -> list[str]:
    routes = (entry.route for entry in simulator.journal)
    return [route for route in routes if "master" in route.lower()]
