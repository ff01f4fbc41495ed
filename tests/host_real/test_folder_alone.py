"""Our folder copied by hand and nothing patched: the host's own TOTP page is the way in."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from broker_simulator.mstock import Simulator
from tests.support.openalgo.host import Host
from tests.support.openalgo.visitor import Visitor

LogIn = Callable[[Visitor], requests.Response]
FIVE = {"availablecash", "collateral", "m2munrealized", "m2mrealized", "utiliseddebits"}


@pytest.fixture(scope="module")
def copy(copied_by_hand: Path) -> Path:
    return copied_by_hand


def test_the_hosts_own_route_logs_in_by_totp_and_shows_funds(
    trader: Visitor, log_in: LogIn
) -> None:
    assert trader.json("/auth/broker-config")["broker_name"] == "mstock"
    assert trader.get("/mstock/callback").headers["Location"] == "/broker/mstock/totp"
    answer = log_in(trader)
    assert (answer.status_code, answer.json()["redirect"]) == (200, "/dashboard")
    figures = trader.dashboard().json()["data"]
    assert set(figures) >= FIVE
    assert all(re.fullmatch(r"-?\d+\.\d\d", figures[name]) for name in FIVE)


def test_a_wrong_code_is_told_in_a_sentence(trader: Visitor, simulator: Simulator) -> None:
    answer = trader.broker_login(simulator.demo.password, "000000")
    assert answer.status_code == 401
    assert "authenticator code" in answer.json()["message"]


def test_the_rest_api_gives_the_same_figures(host: Host, trader: Visitor, log_in: LogIn) -> None:
    log_in(trader)
    answer = trader.rest("funds", trader.api_key())
    assert answer.json() == {"status": "success", "data": trader.dashboard().json()["data"]}
