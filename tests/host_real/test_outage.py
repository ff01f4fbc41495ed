"""mStock cannot be reached: who is logged in stays so, and nothing is shown that is not known."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests

from broker_simulator.mstock import Simulator
from tests.support.openalgo.host import Host
from tests.support.openalgo.visitor import Visitor

LogIn = Callable[[Visitor], requests.Response]
FAULTS = ["bad_gateway", "reset", "disconnect", "service_unavailable", "html_page"]


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    """The tests do not want to wait as long as a trader may."""
    return {"BROKER_CONNECT_TIMEOUT": "1", "BROKER_READ_TIMEOUT": "1", "BROKER_DEADLINE": "2"}


@pytest.mark.parametrize("fault", [*FAULTS, "timeout"])
def test_a_logged_in_user_stays_logged_in(
    host: Host, trader: Visitor, log_in: LogIn, simulator: Simulator, fault: str
) -> None:
    log_in(trader)
    key = trader.api_key()
    simulator.faults.set("b/user/fundsummary", fault)
    answer = trader.dashboard()
    assert answer.status_code == 500
    assert answer.json()["status"] == "error"
    assert "mStock" in answer.json()["message"]
    assert "data" not in answer.json()
    assert trader.rest("funds", key).json()["message"] == answer.json()["message"]
    assert trader.status()["logged_in"] is True
    assert "broker_session_expired" not in trader.status()
    assert host.row()["is_revoked"] == 0
    simulator.faults.clear()
    assert trader.dashboard().status_code == 200


def test_todays_session_is_gone_on_with_after_an_app_login_in_an_outage(
    host: Host, trader: Visitor, log_in: LogIn, simulator: Simulator
) -> None:
    log_in(trader)
    simulator.faults.set("b/user/fundsummary", "bad_gateway")
    second = host.visitor()
    answer = second.app_login()
    assert (answer.status_code, answer.json()) == (200, {"status": "success"})
    assert not second.status()["logged_in"]
    simulator.faults.clear()
    sent = len(simulator.phone.messages)
    entry = second.get("/mstock/callback", headers={"Accept": "text/html"})
    assert entry.headers["Location"] == "/mstock/continue"
    page = second.get("/mstock/continue", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert "Continue with today" in page.text
    assert second.fetch("/mstock/continue").json()["redirect"] == "/dashboard"
    assert second.dashboard().status_code == 200
    assert trader.dashboard().status_code == 200
    assert len(simulator.phone.messages) == sent
