"""Logging in to mStock inside OpenAlgo: our page, the host's own form, and the ways around both."""

from __future__ import annotations

import json

import pytest
from flask import Flask

from broker._kit.errors import Unreachable
from broker._kit.openalgo.session_store import OpenAlgoSessionStore
from broker._kit.sessions.stored_session import LoginMethod, load_session
from broker.mstock.errors import TokenException
from broker.mstock.settings import Config
from tests.host.openalgo import OpenAlgo, PatientClock, next_morning
from tests.web.helpers import CALLBACK, PASSWORD, TOTP, Browser, FakeMstock


def test_an_otp_login_ends_in_the_hosts_session_and_row(
    browser: Browser,
    openalgo: OpenAlgo,
    store: OpenAlgoSessionStore,
    config: Config,
    clock: PatientClock,
) -> None:
    page = browser.log_in()
    assert page.text == "the dashboard"
    row = openalgo.row()
    assert (row.broker, row.user_id, row.feed_token) == ("mstock", config.client_code, None)
    assert openalgo.calls.count("upsert_auth") == 1
    kept = load_session(store, config.account, clock.now())
    assert kept is not None
    assert (kept.token.reveal(), kept.method, kept.logged_in_at) == (
        openalgo.token(),
        LoginMethod.OTP,
        clock.now(),
    )


def test_the_hosts_own_form_gets_json(
    browser: Browser, store: OpenAlgoSessionStore, config: Config, clock: PatientClock
) -> None:
    answer = browser.multipart(password=PASSWORD, totp=TOTP)
    assert (answer.status_code, answer.json) == (
        200,
        {"status": "success", "message": "Authentication successful", "redirect": "/dashboard"},
    )
    kept = load_session(store, config.account, clock.now())
    assert kept is not None
    assert kept.method is LoginMethod.TOTP


def test_a_second_post_of_the_hosts_form_logs_in_no_second_time(
    app: Flask, browser: Browser, mstock: FakeMstock
) -> None:
    token = browser.csrf()
    fields = {"password": PASSWORD, "totp": TOTP, "csrf_token": token}
    for _ in range(2):
        answer = browser.raw(method="POST", data=fields, content_type="multipart/form-data")
        assert (answer.status_code, answer.json["redirect"]) == (200, "/dashboard")
    assert mstock.calls == ["login_with_totp"]


def test_tries_are_limited_by_the_hosts_figure(
    app: Flask, browser: Browser, mstock: FakeMstock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Visits of the page do not count, as they do on the host's own route."""
    monkeypatch.setattr("utils.config.get_login_rate_limit_min", lambda: "2 per minute")
    for _ in range(6):
        browser.get()
    mstock.will_fail("login_with_totp", TokenException("Invalid TOTP."))
    mstock.will_fail("login_with_totp", TokenException("Invalid TOTP."))
    answers = [browser.multipart(password=PASSWORD, totp=TOTP) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [401, 401, 429]
    assert "Too many attempts" in answers[2].json["message"]
    assert mstock.calls == ["login_with_totp"] * 2


def test_nobody_from_outside_gets_in(app: Flask, mstock: FakeMstock) -> None:
    stranger = Browser(app)
    for path in (CALLBACK, "/mstock/continue", "/mstock/funds"):
        answer = stranger.raw(path, method="GET")
        assert (answer.status_code, answer.location) == (303, "/auth/login")
    answer = stranger.raw(method="GET", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json["status"]) == (401, "error")
    assert mstock.calls == []


@pytest.mark.parametrize("policy", ["default-src 'self'; connect-src 'self' wss:", ""])
def test_the_content_security_policy_is_the_hosts(
    browser: Browser, openalgo: OpenAlgo, policy: str
) -> None:
    """What its owner has set, switched off or only wants to be told of, holds for our pages too."""
    openalgo.policy = policy
    browser.log_in()
    pages = ("/mstock/funds", "/mstock/auto-login", "/mstock/static/mstock.css", "/dashboard")
    answers = [browser.raw(path, method="GET") for path in pages]
    put_aside(browser)
    answers += [browser.raw(path, method="GET") for path in ("/mstock/continue", "/mstock/funds")]
    answers.append(browser.raw(f"{CALLBACK}?new=1", method="GET"))
    for answer in answers:
        assert answer.headers.get("Content-Security-Policy", "") == policy
    assert answers[0].headers["Cache-Control"] == "no-store"


def test_a_dead_token_does_not_bounce_between_dashboard_and_login(
    browser: Browser, openalgo: OpenAlgo
) -> None:
    """The host's own route sends everyone with a session of its own back to the dashboard."""
    browser.log_in()
    openalgo.upsert_auth("trader", "", "mstock", revoke=True)
    assert browser.get().step == "password"
    assert browser.log_in().text == "the dashboard"


def test_after_midnight_the_page_lets_a_new_login_in(
    browser: Browser, openalgo: OpenAlgo, clock: PatientClock
) -> None:
    browser.log_in()
    next_morning(clock, 0, 1)
    assert browser.get().step == "password"


def test_after_midnight_the_hosts_pages_learn_that_the_session_is_over(
    browser: Browser, mstock: FakeMstock, clock: PatientClock
) -> None:
    browser.log_in()
    status = "/auth/session-status"
    assert browser.raw(status).json["broker_session_expired"] is False
    next_morning(clock, 0, 1)
    mstock.will_fail("fund_report", TokenException("The session is over."))
    answer = browser.raw(status).json
    assert answer == {"logged_in": True, "broker_session_expired": True}


class TestWhyASessionEnded:
    """The login page says it, and never "midnight" in the evening."""

    def test_after_midnight(
        self, browser: Browser, openalgo: OpenAlgo, clock: PatientClock
    ) -> None:
        browser.log_in()
        assert browser.get("/mstock/funds").heading == "Funds"
        next_morning(clock, 0, 1)
        assert "ended at midnight IST" in browser.get("/mstock/funds").alert
        assert "ended at midnight IST" in browser.get().alert
        openalgo.upsert_auth("trader", "", "mstock", revoke=True)  # as the host does at 03:00
        assert "ended at midnight IST" in browser.get().alert

    def test_a_browser_that_asks_after_midnight_makes_it_no_refusal(
        self, browser: Browser, mstock: FakeMstock, clock: PatientClock
    ) -> None:
        browser.log_in()
        next_morning(clock, 0, 1)
        mstock.will_fail("fund_report", TokenException("The session is over."))
        browser.raw("/auth/session-status")
        assert "ended at midnight IST" in browser.get().alert

    def test_refused_at_20_58_by_mstock(
        self, browser: Browser, mstock: FakeMstock, clock: PatientClock
    ) -> None:
        browser.log_in()
        clock.advance(11 * 3600 + 58 * 60)
        mstock.will_fail("fund_report", *(TokenException("It is over.") for _ in "ab"))
        browser.get("/mstock/funds")
        alert = browser.get().alert
        assert "the broker has ended the session" in alert
        assert "midnight" not in alert
        mstock.will_fail("fund_report", TokenException("It is over."))
        browser.raw("/auth/session-status")
        assert "the broker has ended the session" in browser.get().alert
        next_morning(clock, 0, 1)  # it is still the reason
        assert "the broker has ended the session" in browser.get().alert

    def test_logged_out_in_openalgo(self, browser: Browser, openalgo: OpenAlgo) -> None:
        browser.log_in()
        openalgo.upsert_auth("trader", "", "mstock", revoke=True)
        alert = browser.get().alert
        assert "logged out in OpenAlgo" in alert
        assert "midnight" not in alert

    def test_before_the_first_login_there_is_nothing_to_say(self, browser: Browser) -> None:
        assert browser.get().alert == ""


def test_a_host_that_lacks_its_function_says_so_and_keeps_running(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("utils.auth_utils.handle_auth_success")
    page = browser.log_in()
    assert page.status == 500
    assert "version 2.0.2.1" in page.alert
    assert "utils.auth_utils.handle_auth_success" in page.alert


def test_a_record_that_cannot_be_kept_does_not_undo_the_login(
    browser: Browser, openalgo: OpenAlgo
) -> None:
    openalgo.upsert_auth("trader", "", "mstock", revoke=True)
    row = openalgo.row()
    row.aux_param4 = openalgo.encrypt_token("lost")[:-8] + "AAAAAAA="
    openalgo.db_session.commit()
    assert browser.log_in().text == "the dashboard"
    assert openalgo.token().startswith("eyJ")


def test_all_figures(browser: Browser, mstock: FakeMstock) -> None:
    browser.log_in()
    page = browser.get("/mstock/funds")
    assert page.heading == "Funds"
    assert "₹3,64,340.85" in page.text
    assert "Log out" not in page.text
    mstock.will_fail("fund_report", Unreachable("mStock is unreachable.", "Try again."))
    page = browser.get("/mstock/funds")
    assert (page.status, "mStock is unreachable." in page.alert) == (503, True)
    assert "₹3,64,340.85" in page.text  # the last ones stay, with their time
    assert "09:00:00 IST" in page.text
    mstock.will_fail("fund_report", *(TokenException("The session is over.") for _ in "ab"))
    answer = browser.raw("/mstock/funds", method="GET")
    assert (answer.status_code, answer.location) == (303, CALLBACK)


@pytest.mark.parametrize("path", ["/mstock/funds", "/mstock/continue"])
def test_a_session_that_cannot_be_read_is_not_said_to_be_over(
    browser: Browser, mstock: FakeMstock, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Else a database that is busy for a moment sends its user to a new login, again and again."""
    browser.log_in()
    mstock.calls.clear()
    monkeypatch.delattr("database.auth_db.engine")
    answer = browser.raw(path, method="GET")
    assert answer.status_code == 500
    assert "version 2.0.2.1) has no usable database.auth_db.engine" in answer.text
    answer = browser.raw(path, method="GET", headers={"Accept": "application/json"})
    assert answer.status_code == 500
    assert mstock.calls == []
    assert browser.get().step == "password"


def test_the_funds_page_wants_a_broker_login(browser: Browser, mstock: FakeMstock) -> None:
    assert browser.get("/mstock/funds").step == "password"
    assert mstock.calls == []


def put_aside(browser: Browser) -> None:
    """What the host's app login leaves when mStock does not answer: a user, a token, no session."""
    with browser.client.session_transaction() as inside:
        inside.clear()
        inside["user"] = "trader"


class TestGoOn:
    def test_todays_session_is_taken_up_without_an_otp(
        self, browser: Browser, openalgo: OpenAlgo, mstock: FakeMstock
    ) -> None:
        browser.log_in()
        token = openalgo.token()
        put_aside(browser)
        page = browser.get()
        assert page.heading == "Today's mStock session"
        assert "at 09:00 IST" in page.text
        assert f'href="{CALLBACK}?new=1"' in page.html
        mstock.calls.clear()
        answer = browser.post(page.forms[0], "/mstock/continue")
        assert answer.text == "the dashboard"
        assert mstock.calls == ["fund_report"]
        assert openalgo.token() == token

    def test_while_mstock_is_down_it_stays_on_offer(
        self, browser: Browser, openalgo: OpenAlgo, mstock: FakeMstock
    ) -> None:
        browser.log_in()
        put_aside(browser)
        page = browser.get()
        mstock.will_fail("fund_report", Unreachable("mStock is unreachable."))
        page = browser.post(page.forms[0], "/mstock/continue")
        assert (page.status, "mStock is unreachable." in page.alert) == (503, True)
        assert openalgo.token()
        assert browser.post(page.forms[0], "/mstock/continue").text == "the dashboard"

    def test_a_session_that_is_over_leads_to_the_login(
        self, browser: Browser, mstock: FakeMstock
    ) -> None:
        browser.log_in()
        put_aside(browser)
        form = browser.get().forms[0]
        refusal = TokenException("mStock has ended the session.")
        mstock.will_fail("fund_report", refusal, TokenException(refusal.message))
        page = browser.post(form, "/mstock/continue")
        assert page.step == "password"
        assert "mStock has ended the session." in page.alert

    def test_who_wants_a_new_login_is_not_sent_back(
        self, browser: Browser, mstock: FakeMstock
    ) -> None:
        browser.log_in()
        put_aside(browser)
        assert browser.get(f"{CALLBACK}?new=1").step == "password"
        page = browser.ask_for_otp(page=browser.get(f"{CALLBACK}?new=1"))
        assert page.step == "code"
        assert browser.enter(page).text == "the dashboard"
        put_aside(browser)
        assert browser.get().heading == "Today's mStock session"

    def test_a_script_without_its_csrf_token_changes_nothing(
        self, browser: Browser, mstock: FakeMstock
    ) -> None:
        browser.log_in()
        put_aside(browser)
        mstock.calls.clear()
        assert browser.raw("/mstock/continue", method="POST").status_code == 400
        assert mstock.calls == []

    def test_nothing_of_it_is_in_the_cookie(self, browser: Browser, openalgo: OpenAlgo) -> None:
        browser.log_in()
        with browser.client.session_transaction() as inside:
            assert openalgo.token() not in json.dumps(dict(inside))
