"""The whole way in a browser, from the password to the logout, against mStock in a box."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from broker_simulator.demo.stage import Demo
from tests.support.stage import morning_demo

Shoot = Callable[[Page, str], None]


def press(page: Page, button: str) -> None:
    """Send a form and wait for the page that answers: a reload in between would hit neither."""
    with page.expect_navigation():
        page.get_by_role("button", name=button).click()


def ask_for_otp(page: Page, demo: Demo, password: str | None = None) -> None:
    page.get_by_label("Password").fill(password or demo.password)
    press(page, "Continue")


def code_on_the_phone(page: Page) -> str:
    """Look at the simulated phone as a user does: through the link, in another tab."""
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Simulated phone").click()
    phone = opened.value
    code = phone.locator(".message.open .code").first.inner_text().strip()
    phone.close()
    return code


def enter(page: Page, code: str) -> None:
    page.get_by_label(re.compile("^OTP for")).fill(code)
    press(page, "Log in")


def logins(demo: Demo) -> int:
    return sum(entry.route.endswith("connect/login") for entry in demo.simulator.journal)


@pytest.mark.parametrize("api_type", ["B", "A"])
def test_password_otp_funds_logout(
    new_context: Callable[..., BrowserContext], shoot: Shoot, api_type: str
) -> None:
    page = new_context(viewport={"width": 1100, "height": 760}).new_page()
    with morning_demo(api_type) as demo:
        page.goto(demo.url)
        expect(page.get_by_text("SIMULATOR", exact=True)).to_be_visible()
        expect(page.get_by_text(f"API Type {api_type}")).to_be_visible()
        ask_for_otp(page, demo)
        expect(page.get_by_role("heading", name="Enter the OTP")).to_be_visible()
        where = "XXXXXXX452" if api_type == "B" else "by SMS and e-mail"
        expect(page.get_by_text(where)).to_be_visible()
        shoot(page, f"otp-type-{api_type.lower()}")
        enter(page, code_on_the_phone(page))
        expect(page.get_by_role("heading", name="Available to trade now")).to_be_visible()
        assert page.locator(".hero .figure").inner_text() == "₹3,64,340.85"
        page.get_by_role("link", name="Refresh").click()
        expect(page.get_by_text("₹3,12,450.75").first).to_be_visible()
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_role("status")).to_contain_text("mStock has confirmed the logout")
        shoot(page, f"logged-out-confirmed-type-{api_type.lower()}")
        assert not any(session.ended_at is None for session in demo.simulator.sessions)
        page.goto(f"{demo.url}/funds")
        expect(page.get_by_role("heading", name="Log in to mStock")).to_be_visible()


def test_authenticator_code(demo: Demo, page: Page, shoot: Shoot) -> None:
    demo.simulator.demo.totp_enabled = True
    page.goto(demo.url)
    code = page.get_by_label("Code from the app")
    expect(code).to_be_hidden()
    page.get_by_label("I have an authenticator app").check()
    expect(code).to_be_visible()
    page.get_by_label("Password").fill(demo.password)
    code.fill("000000")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_contain_text("did not accept this authenticator code")
    expect(code).to_be_visible()  # the choice is kept
    expect(page.get_by_label("Password")).to_have_value("")
    page.get_by_label("Password").fill(demo.password)
    code.fill(demo.simulator.totp_now(demo.client_code))
    shoot(page, "authenticator")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Available to trade now")).to_be_visible()


def test_a_wrong_password_and_a_wrong_otp_stay_on_their_pages(
    demo: Demo, page: Page, shoot: Shoot
) -> None:
    page.goto(demo.url)
    ask_for_otp(page, demo, "not-it")
    expect(page.get_by_role("alert")).to_contain_text("9 attempts are left")
    expect(page.get_by_label("Password")).to_be_focused()
    shoot(page, "wrong-password")
    ask_for_otp(page, demo)
    right = code_on_the_phone(page)
    enter(page, "000000" if right != "000000" else "111111")
    expect(page.get_by_role("alert")).to_contain_text("OTP is wrong or has expired")
    expect(page.get_by_text("4 attempts left")).to_be_visible()
    shoot(page, "wrong-otp")
    enter(page, right)
    expect(page.get_by_role("heading", name="Available to trade now")).to_be_visible()


def test_of_two_tabs_the_newer_wins(demo: Demo, page: Page) -> None:
    other = page.context.new_page()
    page.goto(demo.url)
    other.goto(demo.url)
    ask_for_otp(page, demo)
    first = code_on_the_phone(page)
    ask_for_otp(other, demo)
    enter(page, first)
    expect(page.get_by_role("alert")).to_contain_text("A newer OTP has been asked for")
    enter(page, code_on_the_phone(other))
    expect(page.get_by_role("heading", name="Available to trade now")).to_be_visible()
    other.reload()
    expect(other.get_by_role("heading", name="Available to trade now")).to_be_visible()


def test_keyboard_alone(demo: Demo, page: Page) -> None:
    page.goto(demo.url)
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type(demo.password)
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Show password")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Send me an OTP")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("I have an authenticator app")).to_be_checked()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Continue")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label(re.compile("^OTP for"))).to_be_focused()
    page.keyboard.type(demo.simulator.phone.last_otp(demo.client_code) or "")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Available to trade now")).to_be_visible()
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the page")
    expect(skip).to_be_focused()
    expect(skip).to_have_css("outline-style", "solid")
    expect(skip).to_be_in_viewport()
    for name in (
        *("Simulated phone", "Funds", "Positions and orders", "Market", "Auto-login", "Refresh"),
    ):
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name=name).first).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Logged out")).to_be_visible()


def test_a_double_click_sends_one_login(demo: Demo, page: Page) -> None:
    demo.simulator.faults.set("b/connect/login", "slow", seconds=0.6)
    page.goto(demo.url)
    page.get_by_label("Password").fill(demo.password)
    page.get_by_role("button", name="Continue").dblclick()
    expect(page.get_by_role("heading", name="Enter the OTP")).to_be_visible()
    assert logins(demo) == 1
    demo.simulator.faults.clear()
    demo.simulator.faults.set("b/session/token", "slow", seconds=0.6)
    code = demo.simulator.phone.last_otp(demo.client_code) or ""
    page.get_by_label(re.compile("^OTP for")).fill(code)
    page.get_by_role("button", name="Log in").dblclick()
    expect(page.get_by_role("heading", name="Available to trade now")).to_be_visible()
    assert len(demo.simulator.sessions) == 1


def test_back_and_reload_send_nothing_again(demo: Demo, page: Page) -> None:
    page.goto(demo.url)
    ask_for_otp(page, demo)
    page.reload()
    expect(page.get_by_role("heading", name="Enter the OTP")).to_be_visible()
    page.go_back()
    page.go_forward()
    expect(page.get_by_role("heading", name="Enter the OTP")).to_be_visible()
    enter(page, "000000")
    expect(page.get_by_role("alert")).to_be_visible()
    page.reload()  # sends the form with the wrong code once more
    expect(page.get_by_role("status")).to_contain_text("nothing was sent this time")
    expect(page.get_by_text("4 attempts left")).to_be_visible()
    assert logins(demo) == 1


def test_a_link_on_another_site_asks_for_a_click_and_keeps_the_session(
    demo: Demo, page: Page
) -> None:
    page.goto(demo.url)
    ask_for_otp(page, demo)
    enter(page, code_on_the_phone(page))
    expect(page.get_by_role("heading", name="Available to trade now")).to_be_visible()
    # The same machine by its other name is another site to a browser.
    elsewhere = demo.url.replace("127.0.0.1", "localhost")
    page.goto(elsewhere)
    page.evaluate(f"location.href = '{demo.url}/funds'")
    expect(page.get_by_text("You came here from another website.")).to_be_visible()
    page.get_by_role("link", name="Continue").click()
    expect(page.get_by_role("heading", name="Available to trade now")).to_be_visible()


def test_an_outage_is_said_and_passes(demo: Demo, page: Page, shoot: Shoot) -> None:
    page.goto(demo.url)
    ask_for_otp(page, demo)
    enter(page, code_on_the_phone(page))
    expect(page.get_by_role("heading", name="Available to trade now")).to_be_visible()
    demo.simulator.faults.set("b/user/fundsummary", "bad_gateway")
    page.get_by_role("link", name="Refresh").click()
    expect(page.get_by_role("alert")).to_contain_text("error page instead of an answer")
    shoot(page, "outage")
    demo.simulator.faults.clear()
    page.get_by_role("link", name="Try again").click()
    expect(page.get_by_role("heading", name="Available to trade now")).to_be_visible()
