"""The other API type in the same host: a key for Type A, and the setting that says so."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests

from broker_simulator.mstock import Simulator
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
