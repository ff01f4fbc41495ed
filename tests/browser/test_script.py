"""The script: a waiting button, the OTP's countdown, a look at the password; none is needed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

import broker._kit.web as room
from broker_simulator.demo.stage import Demo
from tests.browser.test_walks import ask_for_otp, code_on_the_phone, enter, logins

SCRIPT = Path(room.__file__).parent / "static" / "page.js"


# A browser holds still while a page is under way: the form is kept from being sent.
STAY = "document.querySelector('form').addEventListener('submit', (e) => e.preventDefault())"


def test_a_button_says_that_it_waits_and_takes_no_second_click(demo: Demo, page: Page) -> None:
    page.goto(demo.url)
    page.evaluate(STAY)
    page.get_by_label("Password", exact=True).fill(demo.password)
    page.get_by_role("button", name="Continue").click()
    waiting = page.get_by_role("button", name="Waiting for mStock …")
    expect(waiting).to_be_disabled()
    expect(waiting).to_have_attribute("aria-busy", "true")
    page.reload()
    ask_for_otp(page, demo)
    expect(page.get_by_role("heading", name="Enter the OTP")).to_be_visible()
    assert logins(demo) == 1


def test_the_otps_seconds_are_counted_down(demo: Demo, page: Page) -> None:
    page.goto(demo.url)
    ask_for_otp(page, demo)
    left = page.locator("[data-left]")
    expect(left).to_have_text(re.compile(r"^\((5:00|4:5\d) left\)$"))
    before = left.inner_text()
    expect(left).not_to_have_text(before)
    demo.simulator.clock.advance(timedelta(seconds=280))
    page.reload()
    expect(left).to_have_text(re.compile(r"^\(0:[12]\d left\)$"))


def test_the_password_can_be_looked_at_and_is_hidden_when_it_is_sent(
    demo: Demo, page: Page
) -> None:
    page.goto(demo.url)
    password, look = page.locator("#password"), page.get_by_role("button", name="Show password")
    password.fill(demo.password)
    expect(password).to_have_attribute("type", "password")
    look.click()
    expect(password).to_have_attribute("type", "text")
    expect(look).to_have_attribute("aria-pressed", "true")
    look.click()
    expect(password).to_have_attribute("type", "password")
    look.click()
    page.evaluate(STAY)
    page.get_by_role("button", name="Continue").click()
    expect(password).to_have_attribute("type", "password")


def test_all_of_it_works_without_a_script(
    demo: Demo, new_context: Callable[..., BrowserContext]
) -> None:
    page = new_context(java_script_enabled=False).new_page()
    page.goto(demo.url)
    expect(page.get_by_role("button", name="Show password")).to_have_count(0)
    ask_for_otp(page, demo)
    enter(page, code_on_the_phone(page))
    expect(page.get_by_role("heading", name="Available to trade now")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Logged out")).to_be_visible()


@pytest.mark.parametrize(
    "words", ["fetch(", "XMLHttpRequest", "innerHTML", "eval(", "document.cookie"]
)
def test_it_sends_nothing_and_reads_no_cookie(words: str) -> None:
    script = SCRIPT.read_text()
    assert words not in script
    assert len(script.splitlines()) < 100
