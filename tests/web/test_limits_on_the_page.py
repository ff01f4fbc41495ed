"""The limit on tries counts what reached mStock, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from broker._kit.errors import Unreachable
from broker.mstock.errors import InputException
from tests.support.clock import FakeClock
from tests.web.helpers import CALLBACK, OTP, PASSWORD, TOTP, Browser, FakeMstock, Page


def use_up(browser: Browser) -> None:
    for _ in range(5):
        browser.json(password=PASSWORD)


def test_visits_and_slips_lock_nobody_out(browser: Browser, mstock: FakeMstock) -> None:
    for _ in range(30):
        page = browser.get()
        browser.post({**page.form("login"), "password": ""})
        browser.post({**page.form("login"), "password": PASSWORD, "csrf_token": "x"})
        browser.json(password=PASSWORD, totp="12")
    page = browser.ask_for_otp()
    for _ in range(30):
        page = browser.enter(page, "12")
        page = browser.post(page.form("resend"))
        page = browser.post({**page.form("verify"), "login_id": "another", "otp": OTP})
    assert mstock.calls == ["send_otp"]
    assert browser.enter(page).response.request.path == "/funds"


def test_the_sixth_post_to_mstock_in_a_minute_is_held_back(
    browser: Browser, mstock: FakeMstock, clock: FakeClock
) -> None:
    mstock.will_fail("send_otp", *[InputException("Wrong password.")] * 5)
    use_up(browser)
    page = browser.ask_for_otp()
    assert page.status == 429
    assert "Too many attempts for this page's own limit" in page.alert
    assert "Try again in 61 seconds, at 09:01:01 IST." in page.alert
    assert page.response.headers["Retry-After"] == "61"
    assert len(mstock.calls) == 5
    clock.advance(61)
    assert browser.ask_for_otp(page=page).step == "code"


@pytest.mark.parametrize("step", ["send_otp", "verify_otp", "login_with_totp"])
def test_an_outage_before_mstock_uses_up_no_place(
    browser: Browser, mstock: FakeMstock, step: str
) -> None:
    down = Unreachable("mStock could not be reached. Nothing was sent.", "Check the connection.")
    mstock.will_fail(step, *[down] * 8)
    page = browser.ask_for_otp() if step == "verify_otp" else browser.get()
    for _ in range(8):
        if step == "login_with_totp":
            assert browser.json(password=PASSWORD, totp=TOTP).status_code == 503
        else:
            page = browser.enter(page) if step == "verify_otp" else browser.ask_for_otp()
            assert page.status == 503
            assert "Nothing was sent" in page.alert


def test_the_limit_takes_no_try_of_the_otp(
    browser: Browser, mstock: FakeMstock, clock: FakeClock
) -> None:
    page = browser.ask_for_otp()
    mstock.will_fail("verify_otp", *[InputException("Wrong OTP.")] * 4)
    for _ in range(4):
        page = browser.enter(page, "000000")
    assert "Last attempt" in page.text
    for _ in range(3):
        page = browser.enter(page)
        assert page.status == 429
        assert page.step == "code"
        assert "Last attempt" in page.text
    clock.advance(61)
    assert browser.enter(page).response.request.path == "/funds"


def test_the_limit_takes_no_resend(browser: Browser, mstock: FakeMstock, clock: FakeClock) -> None:
    page = browser.ask_for_otp()
    clock.advance(31)
    mstock.will_fail("verify_otp", *[InputException("Wrong OTP.")] * 3)
    for _ in range(3):
        page = browser.enter(page, "000000")
    page = browser.post(page.form("resend"))
    assert page.step == "code"
    assert "2 left" in page.text
    clock.advance(31)  # the first POST has left the minute, the four others have not
    page = browser.post(page.form("resend"))
    assert "1 left" in page.text
    page = browser.post(page.form("resend"))
    assert "so nothing was sent" in page.alert


def test_each_address_has_its_own_limit(
    new_browser: Callable[..., Browser], mstock: FakeMstock
) -> None:
    use_up(new_browser("127.0.0.1"))
    assert new_browser("127.0.0.1").json(password=PASSWORD).status_code == 429
    assert new_browser("127.0.0.2").json(password=PASSWORD).status_code == 409


def test_twenty_five_an_hour(browser: Browser, mstock: FakeMstock, clock: FakeClock) -> None:
    for _ in range(25):
        assert browser.json(password=PASSWORD).status_code == 409
        clock.advance(61)
    answer = browser.json(password=PASSWORD)
    assert answer.status_code == 429
    assert answer.json["retry_after"] > 60
    assert "minutes" in answer.json["message"]


@pytest.mark.parametrize("fields", [{"password": PASSWORD, "totp": TOTP}, {"password": PASSWORD}])
def test_of_many_at_once_one_reaches_mstock(
    app: Flask, mstock: FakeMstock, fields: dict[str, str]
) -> None:
    browsers = [Browser(app) for _ in range(20)]
    tokens = [each.csrf() for each in browsers]
    answered = threading.Semaphore(0)
    replies: list[TestResponse] = []

    def until_the_others_are_answered(name: str) -> None:
        assert all(answered.acquire(timeout=20) for _ in range(19))

    mstock.before = until_the_others_are_answered

    def go(browser: Browser, token: str) -> None:
        headers = {"X-CSRFToken": token}
        replies.append(browser.raw(CALLBACK, method="POST", json=fields, headers=headers))
        answered.release()

    threads = [
        threading.Thread(target=go, args=pair) for pair in zip(browsers, tokens, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(mstock.calls) == 1
    *others, first = replies
    assert first.status_code == (200 if "totp" in fields else 409)
    for reply in others:
        assert reply.status_code == 503
        assert "is being logged in at this moment" in reply.json["message"]  # type: ignore[index]


def test_a_login_begun_while_an_otp_is_checked_leaves_it_alone(
    app: Flask, mstock: FakeMstock
) -> None:
    first, second = Browser(app), Browser(app)
    page = first.ask_for_otp()
    told: list[Page] = []

    def meanwhile(name: str) -> None:
        mstock.before = lambda name: None
        told.append(second.ask_for_otp())

    mstock.before = meanwhile
    assert first.enter(page).heading == "Funds"
    assert "is being logged in at this moment" in told[0].alert
    assert mstock.calls == ["send_otp", "verify_otp", "fund_report"]


def test_an_otp_entered_while_another_login_is_under_way_keeps_its_try(
    app: Flask, mstock: FakeMstock
) -> None:
    first, second = Browser(app), Browser(app)
    page = first.ask_for_otp()
    told: list[Page] = []

    def meanwhile(name: str) -> None:
        mstock.before = lambda name: None
        told.append(first.enter(page))

    mstock.before = meanwhile
    assert second.ask_for_otp().step == "code"
    assert "is being logged in at this moment" in told[0].alert
    assert "5 attempts left" in told[0].text
    assert mstock.calls == ["send_otp", "send_otp"]
