"""Reloads, double clicks, resends, older tabs: the newer wins, and nothing is sent twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from flask import Flask

from broker._kit.errors import OutcomeUnknown
from broker._kit.web.login_flow import LoginFlow
from broker.mstock.errors import InputException
from tests.support.clock import FakeClock
from tests.web.helpers import CALLBACK, OTP, PASSWORD, Browser, FakeMstock, until_waiting


def test_a_reload_of_the_second_step_sends_nothing(browser: Browser, mstock: FakeMstock) -> None:
    browser.ask_for_otp()
    assert browser.get().step == "code"
    assert browser.get().step == "code"
    assert mstock.calls == ["send_otp"]


def test_a_form_that_is_sent_again_sends_nothing_again(
    browser: Browser, mstock: FakeMstock
) -> None:
    form = {**browser.get().form("login"), "password": PASSWORD}
    first = browser.post(form)
    again = browser.post(form)
    assert mstock.calls == ["send_otp"]
    assert again.step == "code"
    assert again.role == "status"
    assert "used before, so nothing was sent" in again.alert
    # What the first one began goes on.
    assert again.form("verify")["login_id"] == first.form("verify")["login_id"]


def test_a_refused_form_is_not_repeated_by_a_reload(browser: Browser, mstock: FakeMstock) -> None:
    mstock.will_fail("send_otp", InputException("Wrong password."))
    form = {**browser.get().form("login"), "password": "wrong"}
    browser.post(form)
    assert "nothing was sent" in browser.post(form).alert
    assert mstock.calls == ["send_otp"]


def test_a_double_click_logs_in_once_and_the_second_answer_is_good_too(
    app: Flask, browser: Browser, mstock: FakeMstock, flow: LoginFlow
) -> None:
    page = browser.ask_for_otp()
    under_way, go_on = threading.Event(), threading.Event()

    def hold(name: str) -> None:
        if name == "verify_otp":
            under_way.set()
            assert go_on.wait(5)

    mstock.before = hold
    form = {**page.form("verify"), "otp": OTP}
    cookie = browser.client.get_cookie("mstock_session")
    assert cookie is not None

    def click() -> tuple[int, str]:
        other = app.test_client()
        other.set_cookie("mstock_session", cookie.value)
        answer = other.post(CALLBACK, data=form)
        funds = other.get("/funds")
        return answer.status_code, funds.text

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(click)
        assert under_way.wait(5)
        second = pool.submit(click)
        until_waiting(flow._forms, 1)
        go_on.set()
        for answer in (first, second):
            status, text = answer.result(10)
            assert status == 303
            assert "Available to trade now" in text
    assert mstock.calls.count("verify_otp") == 1


def test_resend(browser: Browser, mstock: FakeMstock, clock: FakeClock) -> None:
    page = browser.ask_for_otp()
    assert "You can resend from 09:00:30 IST" in page.text
    early = browser.post(page.form("resend"))
    assert early.status == 429
    assert "in 30 seconds, at 09:00:30 IST" in early.alert
    assert mstock.calls == ["send_otp"]
    clock.advance(30)
    page = browser.post(early.form("resend"))
    assert page.step == "code"
    assert "A new OTP was asked for at 09:00:30 IST" in page.text
    assert browser.enter(page).response.request.path == "/funds"
    assert mstock.given_tickets == [mstock.tickets[1]]


def test_three_resends_and_then_the_button_is_dead(
    browser: Browser, mstock: FakeMstock, clock: FakeClock
) -> None:
    page = browser.ask_for_otp()
    for _ in range(3):
        assert page.html.count("disabled") == 0
        clock.advance(31)
        page = browser.post(page.form("resend"))
    assert page.html.count("<button disabled") == 1
    assert "No resend is left" in page.text
    clock.advance(31)
    page = browser.post(page.form("resend"))
    assert "No further OTP can be asked for here" in page.alert
    assert mstock.calls == ["send_otp"] * 4


def test_a_resend_of_unknown_outcome_starts_again(
    browser: Browser, mstock: FakeMstock, clock: FakeClock
) -> None:
    page = browser.ask_for_otp()
    clock.advance(31)
    mstock.will_fail("send_otp", OutcomeUnknown("Whether an OTP was sent is unknown."))
    page = browser.post(page.form("resend"))
    assert page.step == "password"
    assert "is unknown" in page.alert


def test_start_again(browser: Browser, mstock: FakeMstock, flow: LoginFlow) -> None:
    page = browser.post(browser.ask_for_otp().form("restart"))
    assert page.step == "password"
    assert page.alert == ""
    assert len(flow.pending._logins) == 0
    assert mstock.calls == ["send_otp"]


def test_the_older_tab_is_told_that_a_newer_otp_exists(
    browser: Browser, mstock: FakeMstock
) -> None:
    start = browser.get()
    older = browser.ask_for_otp(page=start)
    form = {**start.form("login"), "form": "of-the-second-tab", "password": PASSWORD}
    newer = browser.post(form)
    page = browser.enter(older)
    assert page.status == 409
    assert page.step == "code"
    assert "A newer OTP has been asked for" in page.alert
    assert mstock.calls == ["send_otp", "send_otp"]
    assert page.form("verify")["login_id"] == newer.form("verify")["login_id"]
    assert browser.enter(page).response.request.path == "/funds"
    assert mstock.given_tickets == [mstock.tickets[1]]


def test_a_resend_in_one_tab_makes_the_other_older(
    browser: Browser, mstock: FakeMstock, clock: FakeClock
) -> None:
    older = browser.ask_for_otp()
    clock.advance(31)
    browser.post(browser.get().form("resend"))
    assert "A newer OTP has been asked for" in browser.enter(older).alert
    assert "verify_otp" not in mstock.calls


def test_another_browser_takes_over_and_the_first_says_so(
    new_browser: Callable[..., Browser], mstock: FakeMstock
) -> None:
    first, second = new_browser(), new_browser()
    older = first.ask_for_otp()
    second.ask_for_otp()
    page = first.enter(older)
    assert page.step == "password"
    assert "started in another browser" in page.alert
    assert "verify_otp" not in mstock.calls


def test_a_login_id_from_another_browser_is_worth_nothing(
    new_browser: Callable[..., Browser], mstock: FakeMstock
) -> None:
    owner, thief = new_browser(), new_browser()
    stolen = owner.ask_for_otp().form("verify")["login_id"]
    form = {**thief.get().form("login"), "action": "verify", "login_id": stolen, "otp": OTP}
    assert "not open any more" in thief.post(form).alert
    assert "verify_otp" not in mstock.calls


def test_after_five_minutes_the_page_says_so(
    browser: Browser, mstock: FakeMstock, clock: FakeClock
) -> None:
    page = browser.ask_for_otp()
    clock.advance(300)
    late = browser.enter(page)
    assert late.step == "password"
    assert "not finished within 5 minutes" in late.alert
    assert "verify_otp" not in mstock.calls


def test_a_visit_after_five_minutes_says_so_once(browser: Browser, clock: FakeClock) -> None:
    browser.ask_for_otp()
    clock.advance(301)
    page = browser.get()
    assert page.role == "status"
    assert "not finished within 5 minutes" in page.alert
    assert browser.get().alert == ""
