"""Positions, orders and the market in a browser: live figures, with and without scripts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from broker_simulator.demo.stage import Demo
from tests.browser.looks import Shoot, fits
from tests.browser.test_walks import ask_for_otp, enter, press
from tests.support.stage import morning_demo
from tests.support.visitor import instrument, move, trade

NewContext = Callable[..., BrowserContext]


@pytest.fixture
def demo(request: pytest.FixtureRequest) -> Iterator[Demo]:
    with morning_demo(getattr(request, "param", "B")) as running:
        yield running


# A browser sees the API type in the figures only; the rest is tried with both in tests/web.
both_types = pytest.mark.parametrize("demo", ["B", "A"], indirect=True)


def log_in(page: Page, demo: Demo) -> Page:
    page.goto(demo.url)
    ask_for_otp(page, demo)
    enter(page, demo.simulator.phone.last_otp(demo.client_code) or "")
    expect(page.get_by_role("heading", name="Available to trade now")).to_be_visible()
    return page


def with_list(page: Page) -> None:
    page.get_by_role("link", name="Market").click()
    press(page, "Download the list")
    expect(page.get_by_label("Symbol, name or token")).to_be_visible()


def cell(page: Page, key: str) -> Any:
    return page.locator(f'[data-cell="{key}"]')


def a_days_trading(demo: Demo) -> None:
    price = demo.simulator.world.market.ltp(instrument(demo, "INFY"))
    trade(demo, "BUY", 50, "INFY")
    trade(demo, "SELL", 20, "ACC")
    trade(demo, "BUY", 10, "INFY", price - 30)
    trade(demo, "BUY", 900000, "ACC")


@both_types
def test_prices_profit_and_orders_move_by_themselves(demo: Demo, page: Page) -> None:
    log_in(page, demo)
    with_list(page)
    trade(demo, "BUY", 50, "INFY")
    page.get_by_role("link", name="Positions and orders").click()
    live = page.locator("#live")
    expect(live).to_contain_text("Live: last price at")
    move(demo, "INFY", "1600")
    expect(cell(page, "NSE:INFY:MIS ltp")).to_have_text(re.compile(r"^1,(599|60)"))
    expect(cell(page, "NSE:INFY:MIS pnl")).to_have_text(re.compile(r"^\+₹3,"))
    expect(cell(page, "total")).to_have_class("gain")
    move(demo, "INFY", "1400")
    expect(cell(page, "total")).to_have_class("loss")
    expect(page.get_by_text("No orders today.")).to_have_count(0)
    trade(demo, "SELL", 50, "INFY")
    expect(page.get_by_text("0 open, 1 closed")).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("SELL INFY")
    expect(page.get_by_text("2 completed")).to_be_visible()


@both_types
def test_an_old_price_is_not_called_live(demo: Demo, page: Page) -> None:
    log_in(page, demo)
    with_list(page)
    trade(demo, "BUY", 50, "INFY")
    page.get_by_role("link", name="Positions and orders").click()
    live = page.locator("#live")
    expect(live).to_contain_text("Live: last price at")
    demo.simulator.stream.faults.set("bad_gateway")
    demo.simulator.stream.faults.set("disconnect")
    expect(live).to_contain_text("Not live: ")
    expect(live).to_have_class(re.compile("stale"))
    demo.simulator.stream.faults.clear()
    expect(live).to_contain_text("Live: last price at")
    expect(live).not_to_have_class(re.compile("stale"))


HIDE = """hidden => {
    Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_a_window_that_comes_back_to_no_stream_is_not_called_live(demo: Demo, page: Page) -> None:
    log_in(page, demo)
    page.clock.install()
    page.get_by_role("link", name="Positions and orders").click()
    live = page.locator("#live")
    expect(live).to_contain_text("Live: ")
    page.evaluate(HIDE, True)
    page.route("**/events", lambda _route: None)  # which is never answered
    page.evaluate(HIDE, False)
    page.clock.fast_forward(16_000)
    expect(live).to_contain_text("Not live: nothing has come")
    expect(live).to_have_class(re.compile("stale"))


def test_tables_that_could_not_be_read_again_say_so(demo: Demo, page: Page) -> None:
    log_in(page, demo)
    # Once it is connected, the page reads itself again; that answer must not come later.
    with page.expect_request_finished(lambda request: request.resource_type == "fetch"):
        page.get_by_role("link", name="Positions and orders").click()
    expect(page.locator("#live")).to_contain_text("Live: ")
    page.route("**/positions", lambda route: route.fulfill(body="<p>No.</p>"))
    trade(demo, "BUY", 50, "INFY")
    expect(page.get_by_role("status")).to_contain_text("could not be read again")
    expect(page.get_by_text("No orders today.")).to_be_visible()
    page.unroute("**/positions")
    trade(demo, "SELL", 20, "INFY")
    expect(page.get_by_text("2 completed")).to_be_visible()
    expect(page.get_by_text("could not be read again")).to_have_count(0)


def test_a_window_that_was_hidden_shows_what_happened_meanwhile(demo: Demo, page: Page) -> None:
    log_in(page, demo)
    page.get_by_role("link", name="Positions and orders").click()
    expect(page.locator("#live")).to_contain_text("Live: ")
    page.evaluate(HIDE, True)
    trade(demo, "BUY", 50, "INFY")
    expect(page.get_by_text("No orders today.")).to_be_visible()
    page.evaluate(HIDE, False)
    expect(page.get_by_text("1 completed")).to_be_visible()


def test_a_logout_in_another_tab_leads_this_one_to_the_login(demo: Demo, page: Page) -> None:
    log_in(page, demo)
    page.get_by_role("link", name="Positions and orders").click()
    expect(page.locator("#live")).to_contain_text("Live: ")
    other = page.context.new_page()
    other.goto(f"{demo.url}/funds")
    other.get_by_role("button", name="Log out").click()
    expect(other.get_by_role("heading", name="Logged out")).to_be_visible()
    expect(page.get_by_role("heading", name="Log in to mStock")).to_be_visible()


@both_types
def test_all_of_it_works_without_a_script(demo: Demo, new_context: NewContext) -> None:
    page = log_in(new_context(java_script_enabled=False).new_page(), demo)
    with_list(page)
    box = page.get_by_label("Symbol, name or token")
    box.fill("infy")
    press(page, "Search")
    page.get_by_role("link", name="INFY", exact=True).first.click()
    expect(page.get_by_role("heading", name="INFY", exact=False).first).to_be_visible()
    expect(page.get_by_role("heading", name="Last price")).to_be_visible()
    trade(demo, "BUY", 50, "INFY")
    page.get_by_role("link", name="Positions and orders").click()
    expect(page.get_by_text("As of 23 Nov 2026")).to_be_visible()
    shown = cell(page, "NSE:INFY:MIS ltp").inner_text()
    move(demo, "INFY", "1600")
    page.get_by_role("link", name="Refresh").click()
    expect(cell(page, "NSE:INFY:MIS ltp")).not_to_have_text(shown)
    page.get_by_role("link", name="Show trades and holdings too").click()
    expect(page.get_by_role("heading", name="Holdings")).to_be_visible()


def test_suggestions_lead_to_the_instrument(demo: Demo, page: Page) -> None:
    log_in(page, demo)
    with_list(page)
    box = page.get_by_label("Symbol, name or token")
    expect(box).to_be_focused()
    page.keyboard.type("m&m", delay=30)
    options = page.locator("#suggestions option")
    expect(options.first).to_have_attribute("value", "NSE:M&M")
    page.keyboard.type("zzz")
    expect(options).to_have_count(0)
    box.fill("M&M")
    expect(options.first).to_have_attribute("value", "NSE:M&M")
    with page.expect_navigation():
        box.fill("NSE:M&M")  # as the browser does when the user chooses it
    expect(page.get_by_role("heading", name="M&M NSE")).to_be_visible()
    chart = page.get_by_alt_text("Candles of M&M, D")
    expect(chart).to_be_visible()
    width = "img => img.decode().then(() => img.naturalWidth)"
    assert chart.evaluate(width) > 0


def test_the_pages_fit(demo: Demo, page: Page, shoot: Shoot) -> None:
    log_in(page, demo)
    check = partial(fits, page, shoot)
    page.goto(f"{demo.url}/mstock/positions")
    check("positions-none")
    with_list(page)
    page.goto(f"{demo.url}/mstock/market?q=nifty")
    expect(page.get_by_role("link", name="NIFTY", exact=True).first).to_be_visible()
    check("market-search")
    page.goto(f"{demo.url}/mstock/market/NSE/INFY")
    page.locator(".chart").evaluate("img => img.decode()")
    check("market")
    move(demo, "INFY", "145000.55")
    page.reload()
    expect(page.locator(".depth")).to_contain_text("1,45,000.")
    check("market-lakhs")
    move(demo, "INFY", "1530")
    a_days_trading(demo)
    page.goto(f"{demo.url}/mstock/positions")
    expect(page.locator("#live")).to_contain_text("Live: last price at")
    move(demo, "INFY", "1550")
    expect(cell(page, "NSE:INFY:MIS ltp")).to_have_text(re.compile("^1,5[45]"))
    check("positions")
    page.goto(f"{demo.url}/mstock/positions?all=1")
    expect(page.get_by_role("heading", name="Holdings")).to_be_visible()
    check("positions-all")
    demo.simulator.faults.set("*", "bad_gateway")
    page.goto(f"{demo.url}/mstock/positions")
    expect(page.get_by_role("alert")).to_have_count(1)
    check("positions-outage")
