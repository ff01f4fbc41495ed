"""What surrounds the forms: settings, CSRF, sizes, and the help for phones and readers."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from broker._kit.errors import SettingError
from broker._kit.web.login_flow import LoginFlow
from broker._kit.web.standalone_app import create_app
from broker.mstock.broker import MSTOCK
from broker.mstock.settings import Config
from tests.support.clock import FakeClock
from tests.web.helpers import CALLBACK, PASSWORD, Browser, FakeMstock, settings


def test_changed_settings_end_a_login(
    clock: FakeClock, mstock: FakeMstock, flow: LoginFlow
) -> None:
    env = settings()
    browser = Browser(create_app(mstock.broker, lambda: Config.from_env(env), clock, flow=flow))
    page = browser.ask_for_otp()
    env["BROKER_API_KEY"] = "MA7654321"
    assert "settings were changed" in browser.enter(page).alert
    assert "verify_otp" not in mstock.calls


def test_broken_settings_are_named_on_every_page(clock: FakeClock) -> None:
    def broken() -> Config:
        raise SettingError("MSTOCK_API_TYPE must be A or B.", "Edit .env and start again.")

    browser = Browser(create_app(MSTOCK, broken, clock))
    for page in (browser.get(), browser.get("/"), browser.get("/funds")):
        assert page.status == 500
        assert "MSTOCK_API_TYPE must be A or B. Edit .env and start again." in page.alert


@pytest.mark.parametrize(
    "spoil",
    [
        {"csrf_token": ""},
        {"csrf_token": "nonsense"},
    ],
)
def test_without_a_valid_csrf_token_nothing_is_sent(
    browser: Browser, mstock: FakeMstock, spoil: dict[str, str]
) -> None:
    form = {**browser.get().form("login"), "password": PASSWORD}
    page = browser.post({**form, **spoil})
    assert page.status == 400
    assert page.step == "password"
    assert "out of date, so nothing was sent" in page.alert
    assert mstock.calls == []
    assert browser.post({**page.form("login"), "password": PASSWORD}).step == "code"


def test_a_page_of_the_last_start_is_out_of_date(
    config: Config, clock: FakeClock, mstock: FakeMstock
) -> None:
    old = Browser(create_app(mstock.broker, lambda: config, clock))
    form = {**old.get().form("login"), "password": PASSWORD}
    new = create_app(mstock.broker, lambda: config, clock)
    restarted = new.test_client()
    cookie = old.client.get_cookie("mstock_session")
    assert cookie is not None
    restarted.set_cookie("mstock_session", cookie.value)
    answer = restarted.post(CALLBACK, data=form)
    assert answer.status_code == 400
    assert "out of date" in answer.text
    assert mstock.calls == []


def test_three_hours_on_the_open_page_do_no_harm(
    browser: Browser, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = SimpleNamespace(time=lambda: clock.now().timestamp())
    monkeypatch.setattr("itsdangerous.timed.time", seconds)
    page = browser.get()
    clock.advance(3 * 3600)
    assert browser.ask_for_otp(page=page).step == "code"


@pytest.mark.parametrize("missing", ["form", "action", "method"])
def test_a_form_that_is_not_ours_is_not_understood(
    browser: Browser, mstock: FakeMstock, missing: str
) -> None:
    form = {**browser.get().form("login"), "password": PASSWORD, missing: "nonsense"}
    if missing == "form":
        del form["form"]
    page = browser.post(form)
    assert page.status == 400
    assert "could not be read" in page.alert
    assert mstock.calls == []


def test_an_oversized_form_is_refused(browser: Browser, mstock: FakeMstock) -> None:
    form = {**browser.get().form("login"), "password": "x" * 100_000}
    page = browser.post(form)
    assert page.status == 413
    assert "too long" in page.text.lower()
    assert mstock.calls == []


def test_fields_help_phones_and_password_managers(browser: Browser) -> None:
    page = browser.get()
    assert page.fields["password"]["autocomplete"] == "current-password"
    assert page.fields["totp"]["inputmode"] == "numeric"
    page = browser.ask_for_otp()
    assert page.fields["otp"]["autocomplete"] == "one-time-code"
    assert page.fields["otp"]["inputmode"] == "numeric"
    assert "autofocus" in page.fields["otp"]
    labels = {attrs["for"] for tag, attrs in page.tags if tag == "label"}
    assert "otp" in labels


def test_no_page_has_a_script_but_ours_nor_inline_style(browser: Browser) -> None:
    code = browser.ask_for_otp()
    pages = [code, browser.enter(code, "12"), browser.get("/nonsense"), browser.enter(code)]
    assert pages[-1].heading == "Funds"
    for page in [browser.post(pages[-1].forms[0], "/logout"), browser.get("/"), *pages]:
        names = {tag for tag, _ in page.tags}
        assert names.isdisjoint({"style", "iframe", "object"})
        scripts = [attrs["src"] for tag, attrs in page.tags if tag == "script"]
        assert scripts == ["/mstock/static/page.js"]
        for _, attrs in page.tags:
            assert not [name for name in attrs if name == "style" or name.startswith("on")]
