"""*Continue*: a browser goes on with the stored session by a click and a proof, not without."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from flask import Flask

from broker._kit.sessions.known_browsers import ADDRESS_LIFE_S, LIFE, OneTimeKey
from broker._kit.sessions.record import to_json
from broker._kit.sessions.store import MemoryStore
from broker._kit.sessions.stored_session import EndReason, delete_session
from broker.mstock.broker import MSTOCK
from broker.mstock.settings import Config
from tests.support.clock import FakeClock
from tests.web.auto import FakeAuto
from tests.web.helpers import Browser, FakeMstock, Page
from tests.web.test_kept_sessions import SickStore, load_token, log_out, renew

CONTINUE = "Continue with today's session"
KEY = "mstock_session_known"


@pytest.fixture
def one_time(clock: FakeClock) -> OneTimeKey:
    return OneTimeKey(clock)


@pytest.fixture
def restarted(
    app_of: Callable[..., Flask], store: MemoryStore, one_time: OneTimeKey
) -> Callable[..., Flask]:
    """The app as a start of the program makes it, with the one store."""
    return partial(app_of, store, one_time=one_time)


def same_browser(old: Browser, app: Flask) -> Browser:
    """The browser with its cookies, at the restarted app."""
    new = Browser(app)
    for name in ("mstock_session", KEY):
        if cookie := old.client.get_cookie(name):
            new.client.set_cookie(name, cookie.value)
    return new


def click(browser: Browser, page: Page, path: str = "/continue") -> Page:
    return browser.post(next(form for form in page.forms if set(form) == {"csrf_token"}), path)


@pytest.fixture
def known(
    restarted: Callable[[], Flask], store: MemoryStore, config: Config, clock: FakeClock
) -> Browser:
    """A browser that has logged in, and a session in the store."""
    browser = Browser(restarted())
    assert browser.log_in().heading.startswith("Funds")
    renew(store, config, clock)
    return browser


@pytest.fixture
def renew_elsewhere(store: MemoryStore, config: Config, clock: FakeClock) -> Callable[[], object]:
    """Another program logs in."""
    return lambda: renew(store, config, clock, 2)


class TestACookieFromBefore:
    @pytest.mark.parametrize("way", ["/", "/funds"])
    def test_a_restart_costs_one_click(
        self, known: Browser, restarted: Callable[[], Flask], mstock: FakeMstock, way: str
    ) -> None:
        browser = same_browser(known, restarted())
        page = browser.get(way)
        assert page.heading == CONTINUE
        assert "MA" not in page.text.replace("mStock", "")
        calls = list(mstock.calls)
        assert click(browser, page).heading.startswith("Funds")
        assert mstock.calls == [*calls, "fund_report"]
        assert browser.get("/").heading.startswith("Funds")

    def test_it_goes_on_with_what_another_program_has_logged_in(
        self,
        known: Browser,
        restarted: Callable[[], Flask],
        renew_elsewhere: Callable[[], object],
        clock: FakeClock,
    ) -> None:
        clock.advance(86_400)
        renew_elsewhere()
        browser = same_browser(known, restarted())
        assert click(browser, browser.get("/")).heading.startswith("Funds")

    def test_a_stranger_and_a_copied_page_get_the_login(
        self, known: Browser, restarted: Callable[[], Flask]
    ) -> None:
        app = restarted()
        stranger = Browser(app)
        assert stranger.get("/").step == "password"
        page = same_browser(known, app).get("/")
        token = stranger.get().form("login")["csrf_token"]
        assert stranger.post({"csrf_token": token}, "/continue").status == 403
        stranger.client.set_cookie(KEY, "not-the-key")
        assert stranger.post({"csrf_token": token}, "/continue").status == 403
        assert click(same_browser(known, app), page).status == 400  # the page's CSRF is another's
        assert same_browser(known, app).raw("/continue", method="POST").status_code == 400

    def test_thirty_days_end_it(
        self,
        known: Browser,
        restarted: Callable[[], Flask],
        renew_elsewhere: Callable[[], object],
        clock: FakeClock,
    ) -> None:
        clock.advance((LIFE - timedelta(minutes=1)).total_seconds())
        renew_elsewhere()
        assert same_browser(known, restarted()).get("/").heading == CONTINUE
        clock.advance(120)
        assert same_browser(known, restarted()).get("/").step == "password"

    @pytest.mark.parametrize("end", ["page", "command", "again", "erase"])
    def test_a_logout_or_erase_ends_it(
        self,
        known: Browser,
        restarted: Callable[[], Flask],
        renew_elsewhere: Callable[[], object],
        store: MemoryStore,
        config: Config,
        end: str,
    ) -> None:
        copied = same_browser(known, restarted())
        if end == "page":
            assert log_out(known, known.get("/funds")).heading == "Logged out"
            assert known.client.get_cookie(KEY) is None
        elif end == "command":
            assert delete_session(store, config.account)
        elif end == "again":  # of a session that is not there any more
            delete_session(store, config.account, reason=EndReason.REFUSED)
            assert not delete_session(store, config.account)
        else:
            assert any("browsers" in line for line in store.erase())
        renew_elsewhere()
        assert copied.get("/").step == "password"
        assert same_browser(copied, restarted()).get("/").step == "password"

    def test_without_a_live_session_there_is_nothing_to_go_on_with(
        self, known: Browser, restarted: Callable[[], Flask], clock: FakeClock
    ) -> None:
        browser = same_browser(known, restarted())
        page = browser.get("/")
        clock.advance(86_400)
        assert click(browser, page).status == 409
        assert browser.get("/").step == "password"
        assert browser.get("/continue").step == "password"

    def test_before_the_days_auto_login_it_waits_and_then_asks_for_the_click(
        self,
        known: Browser,
        restarted: Callable[..., Flask],
        renew_elsewhere: Callable[[], object],
        clock: FakeClock,
    ) -> None:
        clock.advance(86_400)
        app = restarted(auto=FakeAuto(enabled=True))
        browser = same_browser(known, app)
        page = browser.get("/")
        assert page.heading == "Waiting for auto-login"
        assert "MA" not in page.text.replace("mStock", "")
        assert Browser(app).get("/").step == "password"
        renew_elsewhere()
        assert click(browser, browser.get("/funds")).heading.startswith("Funds")

    def test_the_store_has_the_hash_only_and_the_cookie_no_word(
        self, known: Browser, store: MemoryStore, config: Config
    ) -> None:
        cookie = known.client.get_cookie(KEY)
        assert cookie is not None
        record = store.load(config.account)
        assert len(record.browsers) == 1
        assert cookie.value not in to_json(record)
        assert (cookie.http_only, cookie.same_site) == (True, "Strict")
        token = load_token(store, config)
        assert token
        assert token.reveal() not in cookie.value

    def test_eight_browsers_at_the_most_and_one_entry_for_each(
        self,
        restarted: Callable[[], Flask],
        store: MemoryStore,
        config: Config,
        clock: FakeClock,
    ) -> None:
        app = restarted()
        browser = Browser(app)
        for _ in range(2):
            browser.log_in()
            browser.client.delete_cookie("mstock_session")
        assert len(store.load(config.account).browsers) == 1
        for _ in range(9):
            clock.advance(200)
            Browser(app).multipart(password="p", totp="246802")
        assert len(store.load(config.account).browsers) == 8

    def test_a_store_that_fails_keeps_nobody_out(self, app_of: Callable[..., Flask]) -> None:
        browser = Browser(app_of(SickStore(MSTOCK)))
        assert browser.get("/").step == "password"


class TestAnAddressThatWasPrinted:
    @pytest.fixture
    def address(
        self, one_time: OneTimeKey, store: MemoryStore, config: Config, clock: FakeClock
    ) -> str:
        renew(store, config, clock)
        return f"/continue/{one_time.make()}"

    def test_it_works_once_by_a_click_and_leaves_a_key(
        self, restarted: Callable[[], Flask], address: str
    ) -> None:
        app = restarted()
        browser, second = Browser(app), Browser(app)
        page, other = browser.get(address), second.get(address)
        assert page.heading == other.heading == CONTINUE
        assert page.response.headers["Referrer-Policy"] == "no-referrer"
        assert browser.get(address).heading == CONTINUE  # looking uses nothing up
        done = click(browser, page, address)
        assert done.heading.startswith("Funds")
        assert browser.client.get_cookie(KEY) is not None
        refused = click(second, other, address)
        assert (refused.status, second.get("/").step) == (403, "password")
        assert refused.response.headers["Referrer-Policy"] == "no-referrer"
        assert same_browser(browser, restarted()).get("/").heading == CONTINUE

    def test_after_five_minutes_or_with_another_key_it_does_not(
        self, restarted: Callable[[], Flask], address: str, clock: FakeClock
    ) -> None:
        browser = Browser(restarted())
        wrong = f"{address[:-4]}AAAA"
        assert click(browser, browser.get(wrong), wrong).status == 403
        clock.advance(ADDRESS_LIFE_S)
        assert click(browser, browser.get(address), address).status == 403

    def test_not_without_the_pages_own_form(
        self, restarted: Callable[[], Flask], address: str
    ) -> None:
        browser = Browser(restarted())
        assert browser.raw(address, method="POST").status_code == 400
        assert click(browser, browser.get(address), address).heading.startswith("Funds")

    def test_a_newer_one_ends_it(
        self, restarted: Callable[[], Flask], address: str, one_time: OneTimeKey
    ) -> None:
        one_time.make()
        browser = Browser(restarted())
        assert click(browser, browser.get(address), address).status == 403
