"""Ways into mStock and back: the React page's request, ours, another device, a dead token."""

from __future__ import annotations

from collections.abc import Callable

import requests

from broker_simulator.mstock import Simulator
from tests.support.openalgo.host import Host
from tests.support.openalgo.visitor import Visitor

LogIn = Callable[[Visitor], requests.Response]


def logins(simulator: Simulator) -> int:
    return sum(entry.route.endswith("connect/login") for entry in simulator.journal)


def funds_calls(simulator: Simulator) -> int:
    return sum(entry.route.endswith("fundsummary") for entry in simulator.journal)


class TestIn:
    def test_nobody_gets_to_our_page_without_the_apps_login(self, host: Host) -> None:
        answer = host.visitor().get("/mstock/callback")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/auth/login")

    def test_the_brokers_page_is_ours(self, trader: Visitor) -> None:
        answer = trader.get("/mstock/callback", headers={"Accept": "text/html"})
        assert answer.status_code == 200
        assert "Send me an OTP" in answer.text
        hosts = trader.get("/auth/csrf-token").headers["Content-Security-Policy"]
        assert answer.headers["Content-Security-Policy"] == hosts

    def test_the_react_pages_request_logs_in(
        self, host: Host, trader: Visitor, log_in: LogIn
    ) -> None:
        answer = log_in(trader)
        assert answer.status_code == 200
        assert answer.json()["status"] == "success"
        assert answer.json()["redirect"] == "/dashboard"
        assert trader.status()["broker"] == "mstock"
        row = host.row()
        assert (row["broker"], row["is_revoked"], row["feed_token"]) == ("mstock", 0, None)

    def test_a_wrong_code_gets_a_sentence_and_never_200(
        self, trader: Visitor, simulator: Simulator
    ) -> None:
        answer = trader.broker_login(simulator.demo.password, "000000")
        assert answer.status_code == 401
        assert "authenticator code" in answer.json()["message"]
        assert not trader.status()["logged_in"]

    def test_without_a_csrf_token_nothing_is_sent(
        self, trader: Visitor, simulator: Simulator
    ) -> None:
        before = len(simulator.journal)
        form = {"password": (None, simulator.demo.password), "totp": (None, "123456")}
        answer = trader.ask("POST", "/mstock/callback", files=form)
        assert answer.status_code == 400
        assert answer.json()["status"] == "error"
        assert len(simulator.journal) == before

    def test_an_otp_by_text_message_through_json(
        self, host: Host, trader: Visitor, simulator: Simulator
    ) -> None:
        simulator.demo.totp_enabled = False  # mStock sends an OTP to those without an authenticator
        headers = {"X-CSRFToken": trader.csrf(), "Accept": "application/json"}
        first = trader.ask(
            "POST", "/mstock/callback", json={"password": simulator.demo.password}, headers=headers
        )
        assert (first.status_code, first.json()["status"]) == (409, "otp_required")
        otp = simulator.phone.last_otp(simulator.demo.client_code)
        answer = {"otp": otp, "login_id": first.json()["login_id"]}
        done = trader.ask("POST", "/mstock/callback", json=answer, headers=headers)
        assert done.json()["redirect"] == "/dashboard"
        assert trader.dashboard().status_code == 200
        assert host.row()["is_revoked"] == 0


class TestASecondDevice:
    def test_it_needs_the_apps_password_only(
        self, host: Host, trader: Visitor, log_in: LogIn, simulator: Simulator
    ) -> None:
        log_in(trader)
        before, asked = logins(simulator), funds_calls(simulator)
        second = host.visitor()
        assert second.app_login().json()["message"] == "Broker session resumed"
        assert funds_calls(simulator) == asked + 1
        assert second.dashboard().json() == trader.dashboard().json()
        assert trader.status()["active_sessions"] == 2
        assert logins(simulator) == before

    def test_a_logout_on_one_ends_both(self, host: Host, trader: Visitor, log_in: LogIn) -> None:
        log_in(trader)
        second = host.visitor()
        second.app_login()
        second.logout()
        assert trader.dashboard().json()["code"] == "BROKER_SESSION_EXPIRED"


class TestATokenThatDied:
    def test_the_host_says_expired_and_the_way_back_is_one_login(
        self, host: Host, trader: Visitor, log_in: LogIn, simulator: Simulator
    ) -> None:
        log_in(trader)
        assert trader.dashboard().status_code == 200
        simulator.world.end_sessions()
        first = trader.dashboard()
        assert first.status_code in (401, 500)
        assert "session" in first.json()["message"]
        again = trader.dashboard()
        assert (again.status_code, again.json()["code"]) == (401, "BROKER_SESSION_EXPIRED")
        assert trader.status()["broker_session_expired"] is True
        assert trader.status()["logged_in"] is True
        assert trader.get("/mstock/callback").status_code == 200
        assert log_in(trader).json()["redirect"] == "/dashboard"
        assert trader.dashboard().status_code == 200
        assert "broker_session_expired" not in trader.status()

    def test_the_rest_api_reads_so_until_a_browser_asks(
        self, host: Host, trader: Visitor, log_in: LogIn, simulator: Simulator
    ) -> None:
        log_in(trader)
        key = trader.api_key()
        simulator.world.end_sessions()
        for _ in range(3):
            answer = trader.rest("funds", key)
            assert answer.status_code == 500
            assert "log in again" in answer.json()["message"].lower()
        assert host.row()["is_revoked"] == 0
        before = funds_calls(simulator)
        assert trader.status()["broker_session_expired"] is True
        assert host.row()["is_revoked"] == 1
        assert funds_calls(simulator) == before + 1
        assert trader.rest("funds", key).status_code == 403

    def test_a_live_one_is_not_asked_to_log_in_again(self, trader: Visitor, log_in: LogIn) -> None:
        log_in(trader)
        answer = trader.get("/mstock/callback")
        assert answer.status_code in (302, 303)
        assert answer.headers["Location"] == "/dashboard"
