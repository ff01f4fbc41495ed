"""Auto-login in a browser: set up, tested, watched on the next morning, stopped, begun again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from broker._kit.web import standalone_views
from broker_simulator.demo.stage import Demo
from broker_simulator.mstock import IST
from tests.browser.looks import Shoot, fits, nothing_sticks_out

WEDNESDAY = datetime(2026, 11, 25, tzinfo=IST)  # Tuesday is a holiday


def press(page: Page, button: str) -> None:
    with page.expect_navigation():
        page.get_by_role("button", name=button, exact=True).click()


def set_up_totp(page: Page) -> str:
    """Look at the simulated phone through the link, switch TOTP on there, note the secret."""
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Simulated phone").click()
    phone = opened.value
    phone.get_by_role("button", name="Set up TOTP").click()
    secret = phone.locator(".secret").first.inner_text()
    phone.close()
    return secret


def log_in(page: Page, demo: Demo) -> None:
    page.get_by_label("I have an authenticator app").check()
    page.get_by_label("Password").fill(demo.password)
    page.get_by_label("Code from the app").fill(demo.simulator.totp_now(demo.client_code))
    press(page, "Continue")
    expect(page.get_by_role("heading", name="Available to trade now")).to_be_visible()


def switch_on(page: Page, password: str, secret: str, button: str = "Switch on") -> None:
    page.get_by_label("mStock password").fill(password)
    page.get_by_label("TOTP secret").fill(secret)
    page.get_by_label("I have read this").check()
    press(page, button)


def logins(demo: Demo) -> int:
    return sum(entry.route.endswith("connect/login") for entry in demo.simulator.journal)


def test_from_switching_on_to_the_next_morning(
    demo: Demo,
    new_context: Callable[..., BrowserContext],
    shoot: Shoot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(standalone_views, "_REFRESH_S", (1.0, 300.0))
    clock = demo.simulator.clock
    page = new_context(viewport={"width": 1100, "height": 760}).new_page()
    page.goto(demo.url)
    secret = set_up_totp(page)
    log_in(page, demo)
    page.get_by_role("navigation").get_by_role("link", name="Auto-login").click()
    expect(page.get_by_text("OFF", exact=True)).to_be_visible()
    fits(page, shoot, "auto-login-off", "light")
    switch_on(page, demo.password, secret)
    expect(page.get_by_role("status")).to_contain_text("Auto-login is on.")
    expect(page.get_by_text("Wednesday, 25 November, at 08:35 IST")).to_be_visible()

    clock.advance(timedelta(seconds=31))  # the code of the login by hand is used up
    demo.simulator.faults.set("b/connect/login", "slow", seconds=0.4)
    page.get_by_role("button", name="Test now").dblclick()
    expect(page.get_by_role("status")).to_contain_text("The test has worked")
    assert logins(demo) == 2
    demo.simulator.faults.clear()
    page.reload()
    assert logins(demo) == 2
    fits(page, shoot, "auto-login-on", "light", "dark", "phone")

    clock.set(WEDNESDAY + timedelta(seconds=2))
    page.goto(f"{demo.url}/")
    expect(page.get_by_role("heading", name="Waiting for auto-login")).to_be_visible()
    nothing_sticks_out(page)
    shoot(page, "auto-login-waiting")
    clock.set(WEDNESDAY + timedelta(hours=8, minutes=35))
    page.reload()
    expect(page.get_by_role("heading", name="Available to trade now")).to_be_visible()
    assert logins(demo) == 3
    expect(page.get_by_text("Thursday, 26 November, at 08:35 IST")).to_be_visible()
    shoot(page, "funds-with-auto-login")

    # Whoever has not logged in gets no further by it.
    stranger = new_context().new_page()
    stranger.goto(f"{demo.url}/funds")
    expect(stranger.get_by_role("heading", name="Log in to mStock")).to_be_visible()
    stranger.get_by_role("link", name="Auto-login").click()
    expect(stranger.get_by_text("ON", exact=True)).to_be_visible()
    expect(stranger.get_by_role("button")).to_have_count(0)


def test_a_changed_password_stops_it_until_it_is_entered_anew(
    demo: Demo, page: Page, shoot: Shoot
) -> None:
    demo.simulator.demo.totp_enabled = True
    page.goto(demo.url)
    log_in(page, demo)
    page.goto(f"{demo.url}/mstock/auto-login")
    page.get_by_label("mStock password").fill(demo.password)
    page.get_by_label("TOTP secret").fill("123456")
    page.get_by_label("I have read this").check()
    press(page, "Switch on")
    expect(page.get_by_role("alert")).to_contain_text("not the six digits of a code")
    expect(page.get_by_label("TOTP secret")).to_be_focused()
    expect(page.get_by_label("TOTP secret")).to_have_value("")
    shoot(page, "auto-login-wrong-secret")
    switch_on(page, demo.password, demo.simulator.demo.totp_secret)
    # The next code is waited for: the login by hand has used this one up.
    demo.simulator.clock.advance(timedelta(seconds=31))
    demo.simulator.demo.password = "Changed-2"
    press(page, "Test now")
    expect(page.get_by_role("alert").first).to_contain_text("9 attempts are left")
    expect(page.get_by_text("STOPPED", exact=True)).to_be_visible()
    page.reload()
    fits(page, shoot, "auto-login-stopped", "light")
    page.get_by_role("link", name="Back").click()
    expect(page.get_by_role("alert")).to_contain_text("Auto-login needs you.")
    nothing_sticks_out(page)
    page.get_by_role("link", name="See auto-login").click()
    switch_on(page, "Changed-2", demo.simulator.demo.totp_secret, "Switch on again")
    expect(page.get_by_text("ON", exact=True)).to_be_visible()
    page.get_by_text("Change the password or the TOTP secret").click()
    expect(page.get_by_label("TOTP secret")).to_be_visible()
    press(page, "Switch off")
    expect(page.get_by_role("status")).to_contain_text("removed")
    expect(page.get_by_text("OFF", exact=True)).to_be_visible()
