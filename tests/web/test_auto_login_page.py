"""The auto-login page: what it shows, who may switch it, and that nothing is sent or said twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from flask import Flask

from broker._kit.clock import IST
from broker._kit.errors import (
    LoginInProgress,
    OutcomeUnknown,
    SettingError,
    StoreError,
    Unreachable,
)
from broker._kit.secret import Secret
from broker._kit.sessions import stored_session
from broker._kit.sessions.store import MemoryStore
from broker._kit.sessions.stored_session import LoginMethod
from broker._kit.web.login_flow import LoginFlow
from broker._kit.web.pages import HEADERS
from broker._kit.web.standalone_app import create_app
from broker.mstock.broker import MSTOCK
from broker.mstock.errors import InputException
from broker.mstock.settings import Config
from broker.mstock.terms import TERMS
from tests.support.clock import FakeClock
from tests.web.auto import (
    DONE,
    NEXT_WORDS,
    REFUSED,
    TOTP_SECRET,
    FakeAuto,
    attempts,
    fill,
    jwt,
    switch_on,
)
from tests.web.helpers import AUTO_LOGIN as RULE
from tests.web.helpers import CALLBACK, PASSWORD, Browser, FakeMstock, Page, settings

CODE_LIKE = ["246802", "246 802"]


@pytest.fixture
def auto() -> FakeAuto:
    return FakeAuto()


@pytest.fixture
def app(app_of: Callable[..., Flask], store: MemoryStore, auto: FakeAuto) -> Flask:
    return app_of(store, auto=auto)


@pytest.fixture
def owner(browser: Browser) -> Browser:
    """A browser that has logged in."""
    browser.log_in()
    return browser


def press(browser: Browser, action: str) -> Page:
    return browser.post(browser.get(RULE).form(action), RULE)


def test_off_it_offers_the_form_with_the_terms_above_the_switch(owner: Browser) -> None:
    page = owner.get(RULE)
    assert page.heading == "Auto-login"
    assert "OFF You log in yourself each day" in page.text
    assert "SIMULATOR" in page.text
    for each in TERMS:
        assert each in page.text
    assert page.text.index(TERMS[-1]) < page.text.index("Switch on")
    assert "checked" not in page.fields["accepted"]
    assert "MA1234567" not in page.html
    assert "MA••••67" in page.text
    assert page.response.headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]
    assert page.response.headers["Cache-Control"] == "no-store"


def test_switched_on_it_says_so_and_sends_nothing(
    owner: Browser, auto: FakeAuto, mstock: FakeMstock
) -> None:
    mstock.calls.clear()
    page = switch_on(owner)
    assert auto.given == [(PASSWORD, TOTP_SECRET, True)]
    assert page.status == 200
    assert "Auto-login is on. Nothing has been sent" in page.alert
    assert page.role == "status"
    assert f"ON This program logs you in each trading day {NEXT_WORDS}" in page.text
    assert mstock.calls == []
    # A reload says it no more and does nothing again.
    assert owner.get(RULE).alert == ""
    assert auto.calls == ["enable"]


@pytest.mark.parametrize(
    ("changed", "field", "words"),
    [
        ({"password": ""}, "password", "Password is required."),
        ({"password": "  "}, "password", "Password is required."),
        ({"password": "x" * 257}, "password", "too long"),
        ({"totp_secret": ""}, "totp_secret", "not a TOTP secret"),
        ({"totp_secret": CODE_LIKE[0]}, "totp_secret", "not the six digits of a code"),
        ({"totp_secret": CODE_LIKE[1]}, "totp_secret", "not the six digits of a code"),
        ({"totp_secret": "NOT!BASE32"}, "totp_secret", "not a TOTP secret"),
        ({"accepted": "-"}, "accepted", "not accepted"),
    ],
)
def test_what_is_wrong_with_an_entry_is_said_at_its_field(
    owner: Browser, auto: FakeAuto, changed: dict[str, str], field: str, words: str
) -> None:
    page = switch_on(owner, **changed)
    assert page.status == 400
    assert words in page.alert
    assert page.role == "alert"
    assert page.fields[field]["aria-invalid"] == "true"
    assert "problem" in str(page.fields[field]["aria-describedby"])
    assert "Error: Auto-login" in page.html
    assert not auto.enabled
    # What was entered does not come back, except that the box stays ticked.
    assert ("checked" in page.fields["accepted"]) is (field != "accepted")
    for name in ("password", "totp_secret"):
        assert "value" not in page.fields[name]
    # The same browser may go on from there.
    assert "Auto-login is on." in owner.post(fill(page), RULE).alert


def test_every_field_has_its_label_and_its_hint(owner: Browser) -> None:
    page = owner.get(RULE)
    ids = {attrs["id"] for _, attrs in page.tags if attrs.get("id")}
    labels = {attrs["for"] for tag, attrs in page.tags if tag == "label"}
    for tag, attrs in page.tags:
        if tag == "input" and attrs.get("type") != "hidden":
            assert attrs["id"] in labels
        for described in str(attrs.get("aria-describedby") or "").split():
            assert described in ids
    assert len(ids) == len([1 for _, attrs in page.tags if attrs.get("id")])


def test_no_secret_comes_back_in_a_page_or_a_cookie(owner: Browser, auto: FakeAuto) -> None:
    owner.seen.clear()
    for changed in ({}, {"accepted": "-"}, {"totp_secret": "NOT!BASE32"}):
        auto.enabled = False
        switch_on(owner, **changed)
    for response in owner.seen:
        shown = response.text + str(response.headers) + response.request.url
        for secret in (PASSWORD, TOTP_SECRET, "NOT!BASE32"):
            assert secret not in shown


def test_switching_off_says_what_was_removed(owner: Browser, auto: FakeAuto) -> None:
    auto.enabled = True
    page = press(owner, "disable")
    assert "Auto-login is off. Password of MA••••67: removed; TOTP secret of" in page.alert
    assert "OFF" in page.text
    assert not auto.enabled


def test_a_test_says_how_it_went(owner: Browser, auto: FakeAuto) -> None:
    auto.enabled = True
    page = press(owner, "test")
    assert auto.calls == ["test"]
    assert "The test has worked" in page.alert
    assert "23 Nov 2026, 09:00:00 IST Logged in mStock took the login." in page.text


@pytest.mark.parametrize(
    "error",
    [
        InputException("mStock refused the password.", "Enter it anew.", code="MA500"),
        Unreachable("mStock cannot be reached.", "Try later."),
        OutcomeUnknown("Whether mStock logged in is not known.", "Look first."),
        LoginInProgress("This account is being logged in.", "Wait."),
        StoreError("The vault cannot be written.", "Free some room."),
    ],
)
def test_a_test_that_fails_is_told_on_the_page(
    owner: Browser, auto: FakeAuto, error: Exception
) -> None:
    auto.enabled, auto.fail = True, error  # type: ignore[assignment]
    page = press(owner, "test")
    assert page.status == 200  # fetched anew, so that a reload sends nothing
    assert str(error).split(" (")[0] in page.alert
    assert page.role == "alert"
    assert auto.calls == ["test"]
    owner.get(RULE)
    assert auto.calls == ["test"]


def test_a_double_click_on_test_now_sends_one_login(
    app: Flask, owner: Browser, auto: FakeAuto
) -> None:
    auto.enabled = True
    form = owner.get(RULE).form("test")
    cookie = owner.client.get_cookie("mstock_session")
    assert cookie is not None
    under_way, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        under_way.set()
        assert go_on.wait(5)

    auto.before = hold

    def click() -> str:
        other = app.test_client()
        other.set_cookie("mstock_session", cookie.value)
        return other.post(RULE, data=form, follow_redirects=True).text

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(click)
        assert under_way.wait(5)
        second = pool.submit(click)
        go_on.set()
        told = [first.result(5), second.result(5)]
    assert auto.calls == ["test"]
    assert "The test has worked" in told[0]
    assert "The test has worked" in told[1] or "nothing was sent this time" in told[1]
    auto.before = lambda: None
    # A later repeat of the same form does nothing.
    assert "nothing was sent this time" in owner.post(form, RULE).alert
    assert auto.calls == ["test"]
    # The other button of the same page is another form.
    assert "Auto-login is off." in owner.post({**form, "action": "disable"}, RULE).alert


def test_a_stopped_one_says_why_and_wants_the_password_anew(owner: Browser, auto: FakeAuto) -> None:
    auto.enabled, auto.blocked = True, "mStock refused the password on 23 Nov."
    auto.history = (REFUSED,)
    page = owner.get(RULE)
    assert "STOPPED Nothing is tried until you have looked" in page.text
    assert "mStock refused the password on 23 Nov." in page.alert
    assert "Refused The password was refused. Code MA500" in page.text
    page = switch_on(owner)
    assert "ON" in page.text
    assert "STOPPED" not in page.text


def test_the_history_is_newest_first(owner: Browser, auto: FakeAuto) -> None:
    auto.history = (*attempts(3), REFUSED._replace(at=datetime(2026, 11, 24, tzinfo=IST)))
    text = owner.get(RULE).text.split("Last attempts")[1]
    days = [text.index(f"{day} Nov 2026") for day in (24, 23, 22, 21)]
    assert days == sorted(days)


def test_the_end_of_the_holiday_table_is_said(owner: Browser, auto: FakeAuto) -> None:
    auto.calendar_words = "The table of holidays ends on 31 December."
    assert "The table of holidays ends" in owner.get(RULE).alert


def test_the_kept_session_is_shown(
    owner: Browser, store: MemoryStore, config: Config, clock: FakeClock
) -> None:
    token = Secret(jwt(clock.now()))
    stored_session.save_session(store, config.account, token, clock.now(), LoginMethod.AUTO)
    text = owner.get(RULE).text
    assert "Logged in 23 Nov 2026, 09:00:00 IST, by auto-login" in text
    assert "Valid until 24 Nov 2026, 00:00:00 IST, at the latest" in text
    assert "Expected until 23 Nov 2026, 21:00:00 IST" in text
    stored_session.mark_revoked(store, config.account, token)
    assert "Session Over" in owner.get(RULE).text
    stored_session.delete_session(store, config.account)
    assert "Session None: nobody is logged in." in owner.get(RULE).text


def test_a_stranger_sees_how_it_stands_and_no_form(browser: Browser, auto: FakeAuto) -> None:
    auto.enabled, auto.history = True, (DONE,)
    page = browser.get(RULE)
    assert page.status == 200
    assert NEXT_WORDS in page.text
    assert "log in to mStock first" in page.text
    assert page.forms == []
    assert "password" not in page.fields


@pytest.mark.parametrize("action", ["enable", "disable", "test"])
def test_a_stranger_changes_nothing(browser: Browser, auto: FakeAuto, action: str) -> None:
    form = {**browser.get().form("login"), "action": action, "form": "made-up", "accepted": "yes"}
    page = browser.post({**form, "password": PASSWORD, "totp_secret": TOTP_SECRET}, RULE)
    assert page.status == 403
    assert "Log in to mStock first." in page.alert
    assert auto.calls == []


def test_who_logged_in_to_another_account_is_a_stranger(
    clock: FakeClock, flow: LoginFlow, mstock: FakeMstock, auto: FakeAuto
) -> None:
    configs = [Config.from_env(settings())]
    browser = Browser(
        create_app(mstock.broker, lambda: configs[-1], clock, flow=flow, auto=auto)  # type: ignore[arg-type]
    )
    browser.log_in()
    assert browser.get(RULE).forms
    configs.append(Config.from_env(settings(BROKER_API_KEY="OTHER123")))
    assert browser.get(RULE).forms == []


def test_a_form_without_its_csrf_token_changes_nothing(owner: Browser, auto: FakeAuto) -> None:
    form = fill(owner.get(RULE))
    page = owner.post({**form, "csrf_token": "old"}, RULE)
    assert page.status == 400
    assert "out of date" in page.alert
    answer = owner.raw(RULE, method="POST", json={"action": "test"})
    assert (answer.status_code, answer.json["code"]) == (400, "csrf")
    assert auto.calls == []


@pytest.mark.parametrize(
    "form", [{"action": "nonsense"}, {"action": "test", "form": ""}, {"form": "x" * 65}]
)
def test_a_form_that_is_not_ours_is_refused(
    owner: Browser, auto: FakeAuto, form: dict[str, str]
) -> None:
    auto.enabled = True
    page = owner.post({**owner.get(RULE).form("test"), **form}, RULE)
    assert page.status == 400
    assert auto.calls == []


def as_json(browser: Browser, **fields: str) -> tuple[int, dict[str, object]]:
    token = browser.raw(RULE, method="GET", headers={"Accept": "application/json"}).json
    answer = browser.raw(
        RULE, method="POST", json=fields, headers={"X-CSRFToken": token["csrf_token"]}
    )
    return answer.status_code, answer.json


def test_json_for_a_script(owner: Browser, auto: FakeAuto) -> None:
    auto.enabled, auto.history = True, (REFUSED,)
    body = owner.raw(RULE, method="GET", headers={"Accept": "application/json"}).json
    assert body["status"] == "success"
    assert body["state"] == "on"
    assert body["next_at"] == "2026-11-24T08:35:00+05:30"
    assert body["history"] == [
        {
            "at": "2026-11-23T08:35:00+05:30",
            "result": "refused",
            "message": "The password was refused.",
            "code": "MA500",
        }
    ]
    assert body["session"] == {
        "is_over": False,
        "logged_in_at": "2026-11-23T09:00:00+05:30",
        "method": "otp",
        "end_reason": "",
        "valid_until": "2026-11-24T00:00:00+05:30",
        "expected_until": "2026-11-23T21:00:00+05:30",
    }
    assert body["client_code"] == "MA••••67"
    assert body["may_manage"] is True
    status, answer = as_json(owner, action="test")
    assert (status, answer["status"]) == (200, "success")
    assert answer["attempt"] == {
        "at": "2026-11-23T09:00:00+05:30",
        "result": "done",
        "message": "mStock took the login.",
        "code": "",
    }
    status, answer = as_json(owner, action="enable", password=PASSWORD, totp_secret=TOTP_SECRET)
    assert (status, answer["status"]) == (400, "error")
    assert "not accepted" in str(answer["message"])
    auto.fail = Unreachable("mStock cannot be reached.")
    assert as_json(owner, action="test")[0] == 503
    assert as_json(owner, action="nonsense")[0] == 400


def test_json_for_a_stranger(browser: Browser, auto: FakeAuto) -> None:
    status, answer = as_json(browser, action="test")
    assert (status, answer["status"]) == (403, "error")
    assert auto.calls == []


def test_without_a_vault_the_page_says_what_is_wrong(
    config: Config, clock: FakeClock, flow: LoginFlow, mstock: FakeMstock
) -> None:
    trouble = StoreError("The vault cannot be read.", "Give it back its rights.")
    browser = Browser(create_app(mstock.broker, lambda: config, clock, flow=flow, no_auto=trouble))
    page = browser.get(RULE)
    assert page.status == 500
    assert "The vault cannot be read. Give it back its rights." in page.alert
    # Logging in by hand works as before, and the login and funds pages say so.
    assert "The vault cannot be read." in browser.get().alert
    page = browser.log_in()
    assert page.heading == "Funds"
    assert "The vault cannot be read." in page.alert


def test_a_setting_that_is_wrong_is_named(clock: FakeClock, auto: FakeAuto) -> None:
    def broken() -> Config:
        raise SettingError("BROKER_API_KEY is not filled in.")

    browser = Browser(create_app(MSTOCK, broken, clock, auto=auto))  # type: ignore[arg-type]
    page = browser.get(RULE)
    assert (page.status, page.heading) == (500, "A setting is wrong")
    assert "BROKER_API_KEY" in page.alert


def test_without_auto_login_there_is_no_page(config: Config, clock: FakeClock) -> None:
    browser = Browser(create_app(MSTOCK, lambda: config, clock))
    assert browser.get(RULE).status == 404
    assert "uto-login" not in browser.get().text


@pytest.mark.parametrize("where", [CALLBACK, "/funds"])
@pytest.mark.parametrize("is_on", [True, False])
def test_login_and_funds_pages_say_how_it_stands(
    browser: Browser, auto: FakeAuto, where: str, is_on: bool
) -> None:
    auto.enabled = is_on
    if where == "/funds":
        browser.log_in()
    page = browser.get(where)
    assert page.response.request.path == where
    assert (NEXT_WORDS if is_on else "Auto-login is off") in page.text
    assert f'href="{RULE}"' in page.html
    assert page.alert == ""
    auto.blocked = "mStock refused the password on 23 Nov."
    page = browser.get(where)
    assert "Auto-login needs you. mStock refused the password on 23 Nov." in page.alert
