"""Our pages and the simulator's as axe judges them: no violation, in light and in dark."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

from broker_simulator.demo.stage import Demo
from tests.browser.test_walks import ask_for_otp, code_on_the_phone, enter


def check(page: Page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, f"{page.url}\n{found.generate_report()}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_our_pages(demo: Demo, new_context: Callable[..., BrowserContext], scheme: str) -> None:
    page = new_context(color_scheme=scheme).new_page()
    page.goto(demo.url)
    check(page)
    ask_for_otp(page, demo, "wrong")
    check(page)
    ask_for_otp(page, demo)
    check(page)
    enter(page, code_on_the_phone(page))
    expect(page.get_by_role("heading", name="Available to trade now")).to_be_visible()
    check(page)
    key = page.context.cookies()
    page.context.clear_cookies()
    page.context.add_cookies([each for each in key if each["name"].endswith("_known")])
    page.goto(demo.url)
    expect(page.get_by_role("heading", name="Continue with today's session")).to_be_visible()
    check(page)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Available to trade now")).to_be_visible()
    page.goto(f"{demo.url}/mstock/auto-login")
    check(page)
    page.goto(f"{demo.url}/funds")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Logged out")).to_be_visible()
    check(page)
    page.goto(f"{demo.url}/nonsense")
    check(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_simulators_pages(
    demo: Demo, new_context: Callable[..., BrowserContext], scheme: str
) -> None:
    page = new_context(color_scheme=scheme).new_page()
    page.goto(demo.url)
    ask_for_otp(page, demo)
    box = demo.simulator.rest_url
    for path in ("/", "/no-such-page", "/phone"):  # the last one loads itself again and again
        page.goto(f"{box}{path}")
        check(page)
