"""Cookies, headers, host names, visits from elsewhere, and pages for what goes wrong."""

from __future__ import annotations

import pytest
from flask import Flask

from broker._kit.errors import Unreachable
from broker._kit.web import standalone_app
from broker._kit.web.pages import HEADERS
from broker.mstock.broker import MSTOCK
from broker.mstock.settings import Config
from tests.support.clock import FakeClock
from tests.web.helpers import CALLBACK, OTP, PASSWORD, TOTP, Browser, FakeMstock, Page


def log_out(browser: Browser, page: Page) -> Page:
    return browser.post(page.forms[0], "/logout")


def test_the_session_is_new_after_the_login(browser: Browser, app: Flask) -> None:
    browser.ask_for_otp()
    with browser.client.session_transaction() as before:
        seen = dict(before)
    browser.enter(browser.get())
    with browser.client.session_transaction() as after:
        assert set(seen.values()).isdisjoint(set(after.values()))
        assert "mstock_browser" not in after
        assert len(after["key"]) > 30


def test_the_cookie(browser: Browser) -> None:
    response = browser.raw(method="GET")
    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith("mstock_session=")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Expires" not in cookie


def test_each_start_has_its_own_key(config: Config, clock: FakeClock) -> None:
    keys = {standalone_app.create_app(MSTOCK, lambda: config, clock).secret_key for _ in range(5)}
    assert len(keys) == 5


def test_the_headers_are_on_every_answer(browser: Browser, mstock: FakeMstock) -> None:
    mstock.will_fail("fund_report", Unreachable("Away."))
    form = browser.get().form("login")
    browser.post({**form, "password": ""})
    page = browser.ask_for_otp()
    browser.enter(page, "12")
    browser.enter(page)
    page = browser.get("/funds")
    log_out(browser, page)
    browser.json(password=PASSWORD, totp="1")
    browser.json(password=PASSWORD, totp=TOTP)
    for path in ("/nonsense", "/logout", "/favicon.ico", "/mstock/static/style.css"):
        browser.raw(path, method="GET")
    browser.raw("/funds", method="GET", headers={"Host": "evil.example"})
    browser.raw("/funds", method="GET", headers={"Sec-Fetch-Site": "cross-site"})
    assert len(browser.seen) > 20
    for response in browser.seen:
        where = response.request.path
        policy = response.headers["Content-Security-Policy"]
        if response.status_code != 400:
            assert policy == HEADERS["Content-Security-Policy"], where
        assert "default-src 'none'" in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff", where
        assert response.headers["Referrer-Policy"] == "same-origin", where
        assert response.headers["X-Frame-Options"] == "DENY", where
        if "static" not in where and "favicon" not in where:
            assert response.headers["Cache-Control"] == "no-store", where


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:5000", "localhost:8123"])
def test_the_names_of_this_computer_are_answered(browser: Browser, host: str) -> None:
    assert browser.raw(method="GET", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "192.168.1.5:5000", "0.0.0.0", "x@127.0.0.1"]
)
@pytest.mark.parametrize("path", ["/", "/funds", CALLBACK, "/mstock/static/style.css", "/nonsense"])
def test_any_other_name_is_refused_in_plain_words(
    browser: Browser, mstock: FakeMstock, host: str, path: str
) -> None:
    browser.log_in()
    mstock.calls.clear()
    response = browser.raw(path, method="GET", headers={"Host": host})
    page = Page(response)
    assert page.status == 400
    assert "answers to the names of this computer only" in page.alert
    assert "₹" not in page.text
    assert "http://127.0.0.1:80/mstock/static/style.css" in page.html
    assert "style-src http://127.0.0.1:80;" in response.headers["Content-Security-Policy"]
    assert "Set-Cookie" not in response.headers
    assert mstock.calls == []


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_visit_from_another_site_keeps_the_session(
    browser: Browser, app: Flask, mstock: FakeMstock, method: str
) -> None:
    browser.log_in()
    mstock.calls.clear()
    # The browser withholds the strict cookie: the server sees a stranger.
    stranger = app.test_client()
    for path in ("/funds", CALLBACK):
        answer = stranger.open(path, method=method, headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code in (200, 403, 405)
        assert "Set-Cookie" not in answer.headers
        assert "from another website" in answer.text or answer.status_code == 405
    assert mstock.calls == []


@pytest.mark.parametrize("site", ["none", "same-origin", "same-site"])
def test_a_visit_from_here_is_answered(browser: Browser, site: str) -> None:
    page = Page(browser.raw(method="GET", headers={"Sec-Fetch-Site": site}))
    assert page.step == "password"


@pytest.mark.parametrize(
    ("path", "method", "status", "words"),
    [
        ("/nonsense", "GET", 404, "There is no page at this address."),
        ("/mstock/static/none.css", "GET", 404, "There is no such file."),
        ("/funds", "DELETE", 405, "cannot be opened like that"),
        (CALLBACK, "PUT", 405, "cannot be opened like that"),
    ],
)
def test_what_goes_wrong_is_said_in_the_same_style(
    browser: Browser, path: str, method: str, status: int, words: str
) -> None:
    page = Page(browser.raw(path, method=method))
    assert page.status == status
    assert words in page.alert
    assert "SIMULATOR" in page.text
    assert "style.css" in page.html


def test_a_fault_shows_no_stack_trace(
    browser: Browser, mstock: FakeMstock, caplog: pytest.LogCaptureFixture
) -> None:
    browser.log_in()
    mstock.will_fail("fund_report", ZeroDivisionError(f"{PASSWORD} {OTP}"))
    page = browser.get("/funds")
    assert page.status == 500
    assert "Something went wrong" in page.text
    for leak in ("ZeroDivision", "Traceback", PASSWORD, ".py"):
        assert leak not in page.html
    assert "ZeroDivisionError in" in caplog.text
    assert PASSWORD not in caplog.text


def test_the_icon_is_there_and_nothing_gives_404(browser: Browser) -> None:
    assert browser.raw("/favicon.ico").mimetype == "image/svg+xml"
    page = browser.get()
    for tag, attrs in page.tags:
        if tag in ("link", "img"):
            path = str(attrs.get("href") or attrs.get("src"))
            assert browser.raw(path).status_code == 200
