"""A night in the host: midnight, 03:00, the renewal in the morning, and yesterday's tab.

The hours are really passed: libfaketime moves the host's clock, and the simulator's with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import requests

from broker_simulator.mstock import Simulator
from tests.support.openalgo.host import Host
from tests.support.openalgo.hours import ordinary_morning, until
from tests.support.openalgo.visitor import Visitor

LogIn = Callable[[Visitor], requests.Response]
# Auto-login looks every 20 s, and the host's scheduler waits at the real pace.
ONE_TICK = 50


@pytest.fixture(autouse=True)
def morning(host: Host) -> None:
    host.hours.set(ordinary_morning(host.hours.now()))


@pytest.fixture
def evening_tab(host: Host, trader: Visitor, log_in: LogIn, morning: None) -> Visitor:
    """A tab that was used until late: the host renews its cookie with each request."""
    assert log_in(trader).status_code == 200
    host.hours.go_on_to("22:00")
    assert trader.dashboard().status_code == 200
    return trader


def asked_for_funds(simulator: Simulator) -> int:
    return sum(entry.route.endswith("fundsummary") for entry in simulator.journal)


def test_midnight_ends_mstocks_session_and_a_login_starts_the_next(
    host: Host, evening_tab: Visitor, log_in: LogIn, simulator: Simulator
) -> None:
    key = evening_tab.api_key()
    host.hours.go_on_to("23:59")
    assert evening_tab.rest("funds", key).status_code == 200
    host.hours.go_on_to("00:01")
    before = asked_for_funds(simulator)
    answer = evening_tab.rest("funds", key)
    assert answer.status_code == 500
    assert "it ended at 00:00 IST" in answer.json()["message"]
    assert asked_for_funds(simulator) == before
    assert host.row()["is_revoked"] == 0
    assert evening_tab.dashboard().json()["code"] == "BROKER_SESSION_EXPIRED"
    status = evening_tab.status()
    assert (status["logged_in"], status["broker_session_expired"]) == (True, True)
    assert log_in(evening_tab).json()["redirect"] == "/dashboard"
    assert evening_tab.dashboard().status_code == 200
    assert evening_tab.rest("funds", key).status_code == 200


def test_at_three_the_host_ends_its_own_session_and_ours_at_mstock(
    host: Host, evening_tab: Visitor, log_in: LogIn, simulator: Simulator
) -> None:
    host.hours.go_on_to("00:01")
    evening_tab.dashboard()
    log_in(evening_tab)
    newest = simulator.sessions[0]
    host.hours.go_on_to("02:58")
    assert evening_tab.dashboard().status_code == 200
    host.hours.go_on_to("03:01")
    assert evening_tab.dashboard().headers["Location"] == "/auth/login"
    assert host.row()["is_revoked"] == 1
    assert not evening_tab.status()["authenticated"]
    assert until(lambda: newest.ended_at is not None)
    assert evening_tab.app_login().json() == {"status": "success"}  # nothing to go on with
    assert log_in(evening_tab).json()["redirect"] == "/dashboard"


@pytest.fixture
def renewed(
    host: Host, evening_tab: Visitor, simulator: Simulator
) -> Iterator[tuple[Visitor, str]]:
    """The morning after with auto-login on: the tab of yesterday, and the API key."""
    key = evening_tab.api_key()
    headers = {"X-CSRFToken": evening_tab.csrf(), "Accept": "application/json"}
    secrets = {"password": simulator.demo.password, "totp_secret": simulator.demo.totp_secret}
    switched_on = evening_tab.ask(
        "POST",
        "/mstock/auto-login",
        json={"action": "enable", **secrets, "accepted": "yes"},
        headers=headers,
    )
    assert switched_on.status_code == 200, switched_on.text
    count = len(simulator.sessions)
    host.hours.go_on_to("08:36")
    assert until(lambda: len(simulator.sessions) == count + 1, ONE_TICK)
    assert until(lambda: evening_tab.rest("funds", key).status_code == 200)
    yield evening_tab, key
    evening_tab.app_login()
    headers = {"X-CSRFToken": evening_tab.csrf(), "Accept": "application/json"}
    evening_tab.ask("POST", "/mstock/auto-login", json={"action": "disable"}, headers=headers)


def test_the_morning_session_survives_yesterdays_tab(
    host: Host, renewed: tuple[Visitor, str], simulator: Simulator
) -> None:
    tab, key = renewed
    newest = simulator.sessions[0]
    assert tab.dashboard().headers["Location"] == "/auth/login"
    assert not tab.status()["authenticated"]
    assert host.row()["is_revoked"] == 0
    assert tab.rest("funds", key).status_code == 200
    assert newest.ended_at is None
    assert tab.app_login().json()["message"] == "Broker session resumed"
    assert tab.dashboard().status_code == 200
    assert len([one for one in simulator.sessions if one.alive(host.hours.now())]) == 1
