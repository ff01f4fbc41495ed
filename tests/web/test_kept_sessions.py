"""Kept sessions behind the standalone pages: one line to mStock, the day after, and the logout."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from flask import Flask

from broker._kit.broker import LogoutResult
from broker._kit.clock import IST
from broker._kit.errors import LoginInProgress, StoreError
from broker._kit.secret import Secret
from broker._kit.sessions import stored_session
from broker._kit.sessions.login_lock import LoginLock
from broker._kit.sessions.store import MemoryStore
from broker._kit.sessions.stored_session import LoginMethod
from broker.mstock.broker import MSTOCK
from broker.mstock.errors import TokenException
from broker.mstock.settings import Config
from tests.support.clock import FakeClock
from tests.web.auto import NEXT, NEXT_WORDS, FakeAuto, jwt
from tests.web.helpers import AUTO_LOGIN as RULE
from tests.web.helpers import CALLBACK, PASSWORD, TOTP, Browser, FakeMstock, Page

TUESDAY = datetime(2026, 11, 24, 8, 35, 4, tzinfo=IST)


class SickStore(MemoryStore):
    """A vault that can be neither read nor written."""

    def _fail(self, *_: object, **__: object) -> None:
        raise StoreError("The vault cannot be read.")

    load = update = acquire_lease = release_lease = _fail  # type: ignore[assignment]


@pytest.fixture
def auto() -> FakeAuto:
    return FakeAuto(enabled=True)


@pytest.fixture
def app(app_of: Callable[..., Flask], store: MemoryStore, auto: FakeAuto) -> Flask:
    return app_of(store, auto=auto)


def load_token(store: MemoryStore, config: Config) -> Secret | None:
    session = store.load(config.account).session
    return session.token if session else None


def renew(store: MemoryStore, config: Config, clock: FakeClock, number: int = 1) -> Secret:
    """What auto-login does."""
    token = Secret(jwt(clock.now(), number))
    stored_session.save_session(store, config.account, token, clock.now(), LoginMethod.AUTO)
    return token


def log_out(browser: Browser, page: Page) -> Page:
    form = next(form for form in page.forms if set(form) == {"csrf_token"})
    return browser.post(form, "/logout")


@pytest.mark.parametrize(("way", "how"), [("otp", LoginMethod.OTP), ("totp", LoginMethod.TOTP)])
def test_a_login_is_kept(
    browser: Browser,
    store: MemoryStore,
    config: Config,
    clock: FakeClock,
    mstock: FakeMstock,
    way: str,
    how: LoginMethod,
) -> None:
    if way == "otp":
        browser.log_in()
    else:
        browser.multipart(password=PASSWORD, totp=TOTP)
    kept = stored_session.load_session(store, config.account, clock.now())
    assert kept is not None
    assert kept.token.reveal() == mstock.tokens[-1]
    assert (kept.method, kept.logged_in_at, kept.is_over) == (how, clock.now(), False)
    # The line is free again.
    assert store.acquire_lease(config.account, "another", clock.now(), 1)


def test_what_cannot_be_kept_does_not_keep_anybody_out(
    app_of: Callable[..., Flask], caplog: pytest.LogCaptureFixture, mstock: FakeMstock
) -> None:
    browser = Browser(app_of(SickStore(MSTOCK)))
    page = browser.log_in()
    assert page.heading == "Funds"
    assert "The vault cannot be read." in caplog.text
    assert mstock.tokens[0] not in caplog.text
    assert "mStock has confirmed." in log_out(browser, page).alert


@pytest.mark.parametrize("step", ["password", "totp", "code", "resend"])
def test_no_login_goes_out_while_auto_login_is_at_work(
    browser: Browser,
    store: MemoryStore,
    config: Config,
    clock: FakeClock,
    mstock: FakeMstock,
    step: str,
) -> None:
    waiting = browser.ask_for_otp() if step in ("code", "resend") else browser.get()
    clock.advance(40)
    mstock.calls.clear()
    assert store.acquire_lease(config.account, "auto-login", clock.now(), 60)
    if step == "password":
        page = browser.ask_for_otp(page=waiting)
    elif step == "totp":
        form = {**waiting.form("login"), "method": "totp", "password": PASSWORD, "totp": TOTP}
        page = browser.post(form)
    elif step == "code":
        page = browser.enter(waiting)
    else:
        page = browser.post(waiting.form("resend"))
    assert page.status == 503
    assert "is being logged in at this moment" in page.alert
    assert "nothing was sent" in page.alert
    assert mstock.calls == []
    store.release_lease(config.account, "auto-login")
    # Nothing was lost by it: no try, no resend.
    if step in ("code", "resend"):
        assert "5 attempts left" in browser.get().text
        assert "3 left" in browser.get().text
        assert browser.enter(browser.get()).heading == "Funds"


def test_auto_login_does_not_go_out_while_the_page_is_at_work(
    browser: Browser, store: MemoryStore, config: Config, clock: FakeClock, mstock: FakeMstock
) -> None:
    may: list[bool] = []
    mstock.before = lambda name: may.append(
        store.acquire_lease(config.account, "auto-login", clock.now(), 1)
    )
    browser.multipart(password=PASSWORD, totp=TOTP)
    assert may == [False]


def test_two_threads_share_one_line(config: Config, clock: FakeClock, store: MemoryStore) -> None:
    line, inside, done = LoginLock(store, clock), threading.Event(), threading.Event()

    def first() -> None:
        with line.hold(config):
            inside.set()
            assert done.wait(5)

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(first)
        assert inside.wait(5)
        with pytest.raises(LoginInProgress), line.hold(config):
            pass
        done.set()
        running.result(5)
    with line.hold(config):
        pass


def test_the_session_is_kept_before_the_line_is_free(
    config: Config, clock: FakeClock, store: MemoryStore
) -> None:
    with LoginLock(store, clock).hold(config) as keep:
        keep(Secret("a.b.c"), LoginMethod.OTP)
        assert load_token(store, config) == Secret("a.b.c")
        assert not store.acquire_lease(config.account, "another", clock.now(), 1)


def test_a_browser_that_logged_in_yesterday_is_in_once_auto_login_has_renewed(
    browser: Browser,
    store: MemoryStore,
    config: Config,
    clock: FakeClock,
    mstock: FakeMstock,
    new_browser: Callable[..., Browser],
) -> None:
    browser.log_in()
    mstock.calls.clear()
    clock.wall = datetime(2026, 11, 24, 0, 0, 2, tzinfo=IST)
    page = browser.get("/funds")
    assert page.heading == "Waiting for auto-login"
    assert NEXT_WORDS in page.text
    assert page.response.headers["Refresh"] == "300; url=/funds"
    assert browser.get("/").heading == "Waiting for auto-login"
    assert browser.get(CALLBACK).step == "password"  # whoever does not want to wait
    clock.wall = NEXT - timedelta(seconds=20)
    assert browser.get("/funds").response.headers["Refresh"] == "25; url=/funds"
    assert mstock.calls == []
    clock.wall = TUESDAY
    renew(store, config, clock)
    page = browser.get("/funds")
    assert page.heading == "Funds"
    assert mstock.calls == ["fund_report"]
    assert page.response.headers["Refresh"].endswith("url=/funds")
    # Who never logged in stays out.
    stranger = new_browser()
    assert stranger.get("/funds").step == "password"
    assert stranger.get("/").step == "password"
    assert mstock.calls == ["fund_report"]


def test_it_holds_for_days(
    browser: Browser, store: MemoryStore, config: Config, clock: FakeClock
) -> None:
    browser.log_in()
    for day in (24, 25, 26):
        clock.wall = datetime(2026, 11, day, 8, 36, tzinfo=IST)
        renew(store, config, clock)
        assert browser.get("/funds").heading == "Funds"


def test_without_auto_login_midnight_leads_to_the_login(
    browser: Browser, clock: FakeClock, auto: FakeAuto
) -> None:
    browser.log_in()
    clock.wall = datetime(2026, 11, 24, 0, 0, 2, tzinfo=IST)
    auto.blocked = "mStock refused the password."
    page = browser.get("/funds")
    assert page.step == "password"
    assert "ended at midnight IST" in page.alert
    assert "Auto-login needs you. mStock refused the password." in page.alert


def test_one_that_the_broker_ended_in_the_evening_did_not_end_at_midnight(
    browser: Browser, store: MemoryStore, config: Config, clock: FakeClock, auto: FakeAuto
) -> None:
    browser.log_in()
    auto.blocked = "mStock refused the password."
    token = load_token(store, config)
    assert token is not None
    stored_session.mark_revoked(store, config.account, token)
    clock.wall = TUESDAY
    assert "the broker has ended the session" in browser.get("/funds").alert


def test_who_logged_out_is_a_stranger_on_the_next_day(
    browser: Browser, store: MemoryStore, config: Config, clock: FakeClock
) -> None:
    log_out(browser, browser.log_in())
    clock.wall = TUESDAY
    renew(store, config, clock)
    assert browser.get("/funds").step == "password"
    assert browser.get(RULE).forms == []


def test_another_accounts_session_is_not_taken_up(
    browser: Browser, store: MemoryStore, config: Config, clock: FakeClock
) -> None:
    browser.log_in()
    clock.wall = TUESDAY
    renew(store, config._replace(client_code="OTHER123"), clock)
    assert browser.get("/funds").heading == "Waiting for auto-login"


def test_a_logout_ends_the_stored_session_also_if_it_is_newer_than_the_browsers(
    browser: Browser, store: MemoryStore, config: Config, clock: FakeClock, mstock: FakeMstock
) -> None:
    page = browser.log_in()
    log_out(browser, page)
    assert load_token(store, config) is None
    assert mstock.calls.count("logout") == 1
    page = browser.log_in()
    renew(store, config, clock)  # a test of auto-login, while the browser had a session
    assert "mStock has confirmed." in log_out(browser, page).alert
    assert mstock.calls.count("logout") == 2
    assert load_token(store, config) is None


def test_a_second_session_that_was_not_ended_for_certain_is_told(
    browser: Browser, store: MemoryStore, config: Config, clock: FakeClock, mstock: FakeMstock
) -> None:
    page = browser.log_in()
    renew(store, config, clock)
    mstock.farewell = LogoutResult(False, "mStock did not confirm the logout.")
    assert "not confirmed by mStock" in log_out(browser, page).alert


def test_yesterdays_tab_does_not_log_todays_session_out(
    browser: Browser, store: MemoryStore, config: Config, clock: FakeClock, mstock: FakeMstock
) -> None:
    yesterday = browser.log_in()
    clock.wall = TUESDAY
    token = renew(store, config, clock)
    log_out(browser, yesterday)
    assert "logout" not in mstock.calls
    assert load_token(store, config) == token


def test_a_dead_token_is_replaced_by_the_one_that_was_kept_meanwhile(
    browser: Browser, store: MemoryStore, config: Config, clock: FakeClock, mstock: FakeMstock
) -> None:
    browser.log_in()
    mstock.will_fail("fund_report", TokenException("The mStock session is over."))
    mstock.before = lambda name: renew(store, config, clock) and None
    assert browser.get("/funds").heading == "Funds"


def test_two_dead_tokens_end_at_the_login_and_not_in_a_circle(
    browser: Browser, store: MemoryStore, config: Config, clock: FakeClock, mstock: FakeMstock
) -> None:
    browser.log_in()
    renew(store, config, clock)
    mstock.will_fail("fund_report", *[TokenException("The mStock session is over.")] * 2)
    page = browser.get("/funds")
    assert page.step == "password"
    assert "The mStock session is over." in page.alert


def test_of_two_browsers_with_one_session_a_logout_takes_both_out(
    browser: Browser,
    new_browser: Callable[..., Browser],
    store: MemoryStore,
    config: Config,
    clock: FakeClock,
    mstock: FakeMstock,
) -> None:
    other = new_browser()
    browser.log_in()
    other.log_in()
    clock.wall = TUESDAY
    renew(store, config, clock)
    page = browser.get("/funds")
    assert other.get("/funds").heading == "Funds"
    log_out(browser, page)
    mstock.calls.clear()
    assert other.get("/funds").heading != "Funds"
    assert mstock.calls == []


def test_a_session_that_the_broker_ended_meanwhile_is_told_so_and_not_as_midnight(
    browser: Browser, store: MemoryStore, config: Config, auto: FakeAuto, mstock: FakeMstock
) -> None:
    auto.enabled = False
    browser.log_in()
    token = load_token(store, config)
    assert token is not None
    stored_session.mark_revoked(store, config.account, token)
    page = browser.get("/funds")
    assert page.step == "password"
    assert "session is over: the broker has ended" in page.alert


def test_the_pages_name_each_other(browser: Browser) -> None:
    funds = browser.log_in()
    assert [attrs for tag, attrs in funds.tags if tag == "a" and "aria-current" in attrs] == [
        {"href": "/funds", "aria-current": "page"}
    ]
    page = browser.get(RULE)
    assert {"href": "/funds"} in [attrs for tag, attrs in page.tags if tag == "a"]


def test_a_stopped_auto_login_offers_the_new_password_before_the_test(
    browser: Browser, auto: FakeAuto
) -> None:
    browser.log_in()
    auto.blocked = "mStock refused the password."
    text = browser.get(RULE).text
    assert text.index("Switch on again") < text.index("Test now")
