"""How the pages look: light, dark, on a phone; and that midnight shows without a script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial

import pytest
from playwright.sync_api import Page, expect

from broker._kit.clock import IST
from broker._kit.sessions.token_guard import TokenGuard
from broker._kit.web.server import LoopbackServer
from broker._kit.web.standalone_app import create_app
from broker.mstock.broker import MSTOCK
from broker.mstock.settings import Config
from broker_simulator.demo.stage import Demo
from broker_simulator.mstock import Simulator
from tests.browser.looks import Shoot, fits
from tests.conftest import settings_for
from tests.support.stage import morning_box

# Figures as large as mStock's own sample, which is a test account's.
HUGE = {"AVAILABLE_BALANCE": "299972678840.29", "SUM_OF_ALL": "-300000024665.00"}


def test_every_page_fits(demo: Demo, page: Page, shoot: Shoot) -> None:
    check = partial(fits, page, shoot)
    page.goto(demo.url)
    check("login")
    page.get_by_label("I have an authenticator app").check()
    check("login-authenticator")
    demo.simulator.demo.attempts_left = 2
    page.get_by_label("Send me an OTP").check()
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_contain_text("Only 1 attempt is left")
    check("last-attempt")
    page.get_by_label("Password").fill(demo.password)
    page.get_by_role("button", name="Continue").click()
    otp = page.get_by_label(re.compile("^OTP for"))
    expect(otp).to_be_visible()
    check("otp")
    page.get_by_role("button", name="Resend OTP").click()
    expect(page.get_by_role("status")).to_contain_text("so nothing was sent")
    check("resend-too-soon")
    otp.fill(demo.simulator.phone.last_otp(demo.client_code) or "")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Available to trade now")).to_be_visible()
    assert (page.locator(".tile").count(), page.locator(".note").count()) == (5, 1)
    check("funds")
    demo.simulator.demo.funds.update(HUGE)
    page.reload()
    expect(page.get_by_text("₹2,99,97,26,78,840.29").first).to_be_visible()
    check("funds-huge")
    demo.simulator.faults.set("b/logout", "bad_gateway")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Logged out")).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("did not confirm")
    check("logged-out")
    page.goto(f"{demo.url}/nonsense")
    check("no-such-page")


class NearMidnight:
    """The machine's clock, moved so that midnight IST is `seconds` away."""

    def __init__(self, seconds: float) -> None:
        self.move(seconds)

    def move(self, seconds: float) -> None:
        real = datetime.now(IST)
        midnight = real.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        self._ahead = midnight - real - timedelta(seconds=seconds)

    def now(self) -> datetime:
        return datetime.now(IST) + self._ahead

    def monotonic(self) -> float:
        return datetime.now(IST).timestamp()

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody sleeps here")


@pytest.fixture
def at_midnight() -> Iterator[tuple[str, Simulator, NearMidnight]]:
    with morning_box() as simulator, LoopbackServer() as server:
        config = Config.from_env(settings_for(simulator))
        clock = NearMidnight(3600)
        simulator.clock.set(clock.now())
        guard = TokenGuard(MSTOCK, clock)
        server.start(create_app(MSTOCK, lambda: config, clock, guard=guard))
        yield server.url, simulator, clock


def test_midnight_comes_to_the_open_page_by_itself(
    at_midnight: tuple[str, Simulator, NearMidnight], page: Page
) -> None:
    url, simulator, clock = at_midnight
    page.goto(url)
    page.get_by_label("Password").fill(simulator.demo.password)
    page.get_by_role("button", name="Continue").click()
    otp = page.get_by_label(re.compile("^OTP for"))
    otp.fill(simulator.phone.last_otp(simulator.demo.client_code) or "")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Available to trade now")).to_be_visible()
    clock.move(5)
    page.reload()
    expect(page.get_by_role("heading", name="Available to trade now")).to_be_visible()
    asked = len(simulator.journal)
    expect(page.get_by_role("status")).to_contain_text("session ended at midnight IST")
    expect(page.get_by_role("heading", name="Log in to mStock")).to_be_visible()
    assert len(simulator.journal) == asked
