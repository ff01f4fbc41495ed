"""The day's money on the host's dashboard, over its REST API and on our own page."""

from __future__ import annotations

import re
from collections.abc import Callable

import requests

from broker_simulator.mstock import Simulator
from tests.support.openalgo.visitor import Visitor

LogIn = Callable[[Visitor], requests.Response]
FIVE = {"availablecash", "collateral", "m2munrealized", "m2mrealized", "utiliseddebits"}


def test_dashboard_and_rest_say_the_same(trader: Visitor, log_in: LogIn) -> None:
    log_in(trader)
    figures = trader.dashboard().json()["data"]
    assert set(figures) >= FIVE
    assert all(re.fullmatch(r"-?\d+\.\d\d", figures[name]) for name in FIVE)
    answer = trader.rest("funds", trader.api_key())
    assert answer.json() == {"status": "success", "data": figures}


def test_our_page_shows_all_figures(trader: Visitor, log_in: LogIn) -> None:
    log_in(trader)
    page = trader.get("/mstock/funds", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert "₹3,64,340.85" in page.text


def test_our_page_asks_for_a_login_first(trader: Visitor) -> None:
    answer = trader.get("/mstock/funds", headers={"Accept": "text/html"})
    assert answer.status_code in (302, 303)
    assert answer.headers["Location"] in ("/mstock/callback", "/broker", "/auth/broker")


def test_a_wrong_api_key_learns_nothing(trader: Visitor, simulator: Simulator) -> None:
    before = len(simulator.journal)
    assert trader.rest("funds", "0" * 64).status_code == 403
    assert len(simulator.journal) == before
