"""The standalone app: the funds page, midnight, outages, and the logout."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from flask import Flask

from broker._kit.broker import FundReport, LogoutResult
from broker._kit.clock import IST
from broker._kit.errors import SessionRefused, Unreachable, WaitAndRetry
from broker._kit.secret import Secret
from broker._kit.web.login_flow import LoginFlow
from broker._kit.web.standalone_app import create_app
from broker.mstock.errors import DataException, GeneralException, TokenException
from broker.mstock.mapping.fund_report import fund_report
from broker.mstock.settings import Config
from tests.support.clock import FakeClock
from tests.web.helpers import (
    CALLBACK,
    Browser,
    FakeMstock,
    Page,
    fund_summary,
    settings,
    until_waiting,
)


def log_out(browser: Browser, page: Page) -> Page:
    return browser.post(page.forms[0], "/logout")


def test_the_funds_page(browser: Browser, clock: FakeClock) -> None:
    page = browser.log_in()
    assert page.status == 200
    assert page.heading == "Funds"
    for words in (
        "Available to trade now ₹3,64,340.85",
        "Cash (OpenAlgo: Available Balance) ₹3,12,450.75",
        "Unrealized P&L −₹2,315.25",
        "In use ₹96,310.40 (20.9 %)",
        "Available ₹3,64,340.85 (79.1 %)",
        "As of 23 Nov 2026, 09:00:00 IST",
        "The session ends at midnight IST.",
        "SIMULATOR",
        "API Type B",
    ):
        assert words in page.text
    for heading in ("Cash", "Margin", "Collateral", "MTF", "Profit and loss"):
        assert f">{heading}</h3>" in page.html
    [bar] = [attrs for tag, attrs in page.tags if tag == "svg"]
    assert bar["aria-label"] == "20.9 % of your margin is in use"


@pytest.mark.parametrize("name", sorted(fund_summary().__dataclass_fields__))
def test_every_figure_is_on_the_page(browser: Browser, mstock: FakeMstock, name: str) -> None:
    if name in ("limit_type", "seg"):
        changed: dict[str, Decimal | str] = {name: "UNHEARD"}
        words = "UNHEARD"
    else:
        changed, words = {name: Decimal("7654321.09")}, "₹76,54,321.09"
    mstock.summary = fund_summary(**changed)
    assert words in browser.log_in().text


def test_a_shortfall_is_drawn_full_and_said(browser: Browser, mstock: FakeMstock) -> None:
    short = fund_summary(available_balance=Decimal("-20"), amount_utilized=Decimal("500"))
    mstock.summary = short
    page = browser.log_in()
    assert "More margin is in use than there is" in page.html
    assert "−₹20.00" in page.text


def test_an_account_without_money_has_no_bar(browser: Browser, mstock: FakeMstock) -> None:
    empty = fund_summary(available_balance=Decimal(0), amount_utilized=Decimal(0))
    mstock.summary = empty
    page = browser.log_in()
    assert "<svg" not in page.html
    assert "Available to trade now ₹0.00" in page.text


def test_refresh_asks_again(browser: Browser, mstock: FakeMstock, clock: FakeClock) -> None:
    browser.log_in()
    clock.advance(7)
    assert "09:00:07 IST" in browser.get("/funds").text
    assert mstock.calls.count("fund_report") == 2


def test_nobody_sees_funds_without_a_login(browser: Browser, mstock: FakeMstock) -> None:
    for path in ("/", "/funds", "/logged-out"):
        page = browser.get(path)
        assert page.response.request.path == CALLBACK
        assert page.alert == ""
    assert mstock.calls == []


def test_whoever_is_logged_in_needs_no_login_page(browser: Browser, mstock: FakeMstock) -> None:
    old_tab = browser.get()
    browser.log_in()
    for page in (browser.get(), browser.get("/"), browser.ask_for_otp(page=old_tab)):
        assert page.response.request.path == "/funds"
    assert mstock.calls.count("send_otp") == 1


def test_logout_is_confirmed(browser: Browser, mstock: FakeMstock) -> None:
    page = log_out(browser, browser.log_in())
    assert page.response.request.path == "/logged-out"
    assert "mStock has confirmed." in page.alert
    assert "mStock has ended it" in page.text
    assert mstock.calls[-1] == "logout"
    # A reload of the page says the same and asks nothing.
    assert "mStock has confirmed." in browser.get("/logged-out").alert
    assert browser.get("/funds").response.request.path == CALLBACK
    assert mstock.calls.count("logout") == 1


def test_a_logout_that_mstock_did_not_confirm_says_so(browser: Browser, mstock: FakeMstock) -> None:
    mstock.farewell = LogoutResult(False, "mStock did not confirm the logout.")
    page = log_out(browser, browser.log_in())
    assert "not confirmed by mStock" in page.alert
    assert "did not confirm" in page.alert
    assert "mStock has ended it" not in page.text
    assert browser.get("/funds").response.request.path == CALLBACK


def test_a_logout_that_is_sent_again_asks_mstock_once(browser: Browser, mstock: FakeMstock) -> None:
    page = browser.log_in()
    cookie = browser.client.get_cookie("mstock_session")
    assert cookie is not None
    log_out(browser, page)
    browser.client.set_cookie("mstock_session", cookie.value)
    again = log_out(browser, page)
    assert "You are logged out." in again.alert
    assert mstock.calls.count("logout") == 1


def test_a_double_click_on_log_out_still_says_how_it_went(
    app: Flask, browser: Browser, mstock: FakeMstock
) -> None:
    form = browser.log_in().forms[0]
    cookie = browser.client.get_cookie("mstock_session")
    assert cookie is not None
    under_way, go_on = threading.Event(), threading.Event()

    def hold(name: str) -> None:
        under_way.set()
        assert go_on.wait(5)

    mstock.before = hold

    def click() -> str:
        other = app.test_client()
        other.set_cookie("mstock_session", cookie.value)
        return other.post("/logout", data=form, follow_redirects=True).text

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(click)
        assert under_way.wait(5)
        second = pool.submit(click)
        until_waiting(app.view_functions["log_out"].__self__._logouts, 1)  # type: ignore[attr-defined]
        go_on.set()
        assert "mStock has confirmed." in first.result(5)
        assert "mStock has confirmed." in second.result(5)
    assert mstock.calls.count("logout") == 1


def test_logout_needs_a_form_of_ours(browser: Browser, mstock: FakeMstock) -> None:
    browser.log_in()
    page = browser.post({}, "/logout")
    assert page.status == 400
    assert "nothing was sent" in page.alert
    assert browser.get("/logout").status == 405
    assert "logout" not in mstock.calls


@pytest.mark.parametrize("had_logged_in", [True, False])
@pytest.mark.parametrize("way", ["funds", "logout"])
def test_yesterdays_tab_leaves_the_login_that_waits_for_its_otp(
    browser: Browser, clock: FakeClock, way: str, had_logged_in: bool
) -> None:
    old = browser.log_in() if had_logged_in else None
    clock.advance(24 * 3600)
    page = browser.ask_for_otp()
    if way == "logout" and old is not None:
        browser.post(old.forms[0], "/logout")
    else:
        browser.get("/funds")  # what the page of yesterday does by itself
    assert browser.enter(page).heading == "Funds"


def test_a_dead_token_leads_back_to_the_login_with_the_reason(
    browser: Browser, mstock: FakeMstock
) -> None:
    browser.log_in()
    mstock.will_fail("fund_report", TokenException("The mStock session is over.", "Log in."))
    page = browser.get("/funds")
    assert page.step == "password"
    assert "The mStock session is over. Log in." in page.alert
    assert browser.get().alert == ""
    assert browser.log_in().heading == "Funds"


def test_a_dead_token_is_not_asked_about_again(browser: Browser, mstock: FakeMstock) -> None:
    browser.log_in()
    cookie = browser.client.get_cookie("mstock_session")
    assert cookie is not None
    mstock.will_fail("fund_report", TokenException("The mStock session is over."))
    browser.get("/funds")
    mstock.calls.clear()
    browser.client.set_cookie("mstock_session", cookie.value)
    assert browser.get("/funds").step == "password"
    assert mstock.calls == []


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Unreachable("mStock cannot be reached.", "Try again."), 503),
        (GeneralException("Something failed inside mStock."), 503),
        (SessionRefused("Refused in unknown words."), 401),
        (DataException("mStock's fund summary lacks SEG."), 502),
    ],
)
def test_an_outage_keeps_the_session_and_says_so(
    browser: Browser, mstock: FakeMstock, error: Exception, status: int
) -> None:
    browser.log_in()
    mstock.will_fail("fund_report", error)
    page = browser.get("/funds")
    assert page.status == status
    assert str(error) in page.alert
    # Only after an outage is that all there is to say.
    assert ("You are still logged in." in page.text) is isinstance(error, WaitAndRetry)
    assert "Try again" in page.text
    assert "These are the figures of 23 Nov 2026, 09:00:00 IST." in page.text
    assert "Available to trade now ₹3,64,340.85" in page.text
    assert browser.get("/funds").status == 200


def test_a_renewed_key_takes_effect_in_a_running_session(
    clock: FakeClock, flow: LoginFlow, mstock: FakeMstock
) -> None:
    keys: list[str] = []

    def look(config: Config, token: Secret) -> FundReport:
        keys.append(config.api_key.reveal())
        return fund_report(fund_summary(), config.funds_view)

    mstock.fund_report = look  # type: ignore[method-assign]
    configs = [Config.from_env(settings())]
    browser = Browser(create_app(mstock.broker, lambda: configs[-1], clock, flow=flow))
    browser.log_in()
    browser.get("/funds")
    configs.append(Config.from_env(settings(BROKER_API_SECRET="SIMULATOR/renewed/key@@")))
    browser.get("/funds")
    # Another account's settings are not for this session's token.
    configs.append(Config.from_env(settings(BROKER_API_KEY="OTHER123", BROKER_API_SECRET="x@@")))
    browser.get("/funds")
    assert keys[-3:-1] == [settings()["BROKER_API_SECRET"], "SIMULATOR/renewed/key@@"]
    assert keys[-1] == settings()["BROKER_API_SECRET"]


def test_midnight_ends_the_session_before_any_call(
    browser: Browser, mstock: FakeMstock, clock: FakeClock
) -> None:
    page = browser.log_in()
    seconds, where = re.fullmatch(r"(\d+); url=(.*)", page.response.headers["Refresh"]).groups()
    assert where == "/funds"
    clock.advance(int(seconds))
    assert clock.now() >= datetime(2026, 11, 24, tzinfo=IST)
    assert clock.now() < datetime(2026, 11, 24, tzinfo=IST) + timedelta(seconds=3)
    mstock.calls.clear()
    page = browser.get(where)
    assert page.step == "password"
    assert "ended at midnight IST" in page.alert
    assert mstock.calls == []


def test_one_second_before_midnight_it_is_still_today(
    browser: Browser, mstock: FakeMstock, clock: FakeClock
) -> None:
    browser.log_in()
    clock.wall = datetime(2026, 11, 23, 23, 59, 59, tzinfo=IST)
    page = browser.get("/funds")
    assert page.heading == "Funds"
    assert page.response.headers["Refresh"].startswith("2; ")


def test_figures_at_zero_fold_away_and_stay_on_the_page(
    browser: Browser, mstock: FakeMstock
) -> None:
    mstock.summary = fund_summary(receivables=Decimal(0), bank_holding=Decimal(0))
    page = browser.log_in()
    assert [attrs for tag, attrs in page.tags if tag == "details"] == [{}]  # and not open
    folded = page.text[page.text.index("2 at zero") :]
    assert "Sale proceeds due ₹0.00" in folded
