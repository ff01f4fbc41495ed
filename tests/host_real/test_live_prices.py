"""Live prices at their full width, in the host's own page, and over a renewed session; orders too.

Order updates come over mStock's WebSocket here, in a process of their own beside the prices'.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
import requests
from playwright.sync_api import BrowserContext, Page, expect

from broker_simulator.mstock import IST, Simulator
from tests.support.chromium import require_chromium
from tests.support.openalgo.host import Host
from tests.support.openalgo.prices import Prices
from tests.support.openalgo.visitor import PASSWORD, USER, Visitor

LogIn = Callable[[Visitor], requests.Response]
MOMENT = datetime(2026, 11, 23, 11, tzinfo=IST)
INFY = {"symbol": "INFY", "exchange": "NSE"}
ORDER = {**INFY, "strategy": "test", "action": "BUY", "product": "MIS", "quantity": 1}


@pytest.fixture(scope="module")
def settings(simulator: Simulator) -> dict[str, str]:
    return {"MSTOCK_WS_URL": simulator.ws_url, "MSTOCK_ORDER_UPDATES": "socket"}


@pytest.fixture
def client(host: Host, trader: Visitor, ask: Callable[..., Any]) -> Iterator[Prices]:
    host.serve_prices()
    made = Prices(host.websocket_url, trader.api_key())
    yield made
    made.close()


@pytest.fixture
def tab(host: Host, chromium: Any, ask: Callable[..., Any]) -> Iterator[Page]:
    """A browser that is logged in to the app, beside the device that is logged in to mStock."""
    require_chromium()
    host.serve_prices()
    context: BrowserContext = chromium.new_context(viewport={"width": 1600, "height": 1200})
    context.set_default_timeout(15000)
    context.add_init_script("localStorage.setItem('ws_test_symbols', '[\"NSE:INFY\"]')")
    page = context.new_page()
    page.goto(f"{host.url}/login")
    page.get_by_label("Username").fill(USER)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: not url.endswith("/login"))
    yield page
    context.close()


def is_tick(message: dict[str, Any]) -> bool:
    return message.get("type") == "market_data"


def test_a_thousand_symbols(host: Host, client: Prices, simulator: Simulator) -> None:
    path = host.folder / "db" / "openalgo.db"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        rows = db.execute(
            "select symbol, exchange from symtoken where exchange in ('NSE', 'NFO') limit 1000"
        ).fetchall()
    assert len(rows) == 1000
    wanted = {(exchange, symbol) for symbol, exchange in rows}
    began = time.monotonic()
    client.ask(
        action="subscribe",
        symbols=[{"symbol": symbol, "exchange": exchange} for symbol, exchange in rows],
        mode="LTP",
    )
    seen: set[tuple[str, str]] = set()

    def note(message: dict[str, Any]) -> bool:
        if is_tick(message):
            seen.add((message["exchange"], message["symbol"]))
        return seen >= wanted

    try:
        client.expect(note, 60)
    except AssertionError:
        pytest.fail(f"no price of {sorted(wanted - seen)[:5]} and {len(wanted - seen) - 5} others")
    assert time.monotonic() - began < 30
    held = sorted(len(each.subscribed) for each in simulator.stream.connections)
    assert held == [0, 1000]  # the orders' socket, and the prices'


def test_a_session_that_dies_and_is_renewed_under_way(
    client: Prices, trader: Visitor, simulator: Simulator, log_in: LogIn
) -> None:
    client.ask(action="subscribe", **INFY, mode="LTP")
    client.expect(is_tick)
    old = {each.number for each in simulator.stream.connections}
    simulator.world.end_sessions()
    ends = time.monotonic() + 20
    while simulator.stream.connections:
        assert time.monotonic() < ends
        time.sleep(0.1)
    refused = sum(entry.route == "stream" for entry in simulator.journal)
    time.sleep(2)
    # A dead token is not tried again and again.
    assert sum(entry.route == "stream" for entry in simulator.journal) <= refused + 2
    log_in(trader)
    ends = time.monotonic() + 20
    while True:  # the host drops its adapter at a new token; a client asks it again
        client.authenticate()
        client.ask(action="subscribe", **INFY, mode="LTP")
        try:
            client.expect(is_tick, 3)
            break
        except AssertionError:
            assert time.monotonic() < ends
    assert not old & {each.number for each in simulator.stream.connections}


def test_orders_are_told_to_clients_and_depth_can_be_looked_at(
    client: Prices, ask: Callable[..., Any], simulator: Simulator
) -> None:
    client.ask(action="subscribe_orders")
    client.expect(lambda each: each.get("type") == "subscribe_orders")
    ends = time.monotonic() + 20
    while not any(each.logged_in for each in simulator.stream.connections):
        assert time.monotonic() < ends
        time.sleep(0.1)
    placed = ask("placeorder", **ORDER, pricetype="MARKET")
    assert placed["status"] == "success", placed

    def is_done(message: dict[str, Any]) -> bool:
        is_it = message.get("type") == "order_update" and message["orderid"] == placed["orderid"]
        return is_it and message["order_status"] == "complete"

    message = client.expect(is_done)
    assert (message["symbol"], message["exchange"]) == ("INFY", "NSE")
    assert (message["filled_quantity"], message["action"]) == (1, "BUY")
    # The orders' socket is in the process that is asked, so that no other one is needed.
    depth = ask("depth", **INFY)
    assert depth["status"] == "success", depth
    assert len(depth["data"]["bids"]) == len(depth["data"]["asks"]) == 5
    assert depth["data"]["ltp"] > 0


def test_a_price_moves_on_the_hosts_page(host: Host, tab: Page, shoot: Any) -> None:
    tab.goto(f"{host.url}/websocket/test")
    tab.get_by_role("button", name="Connect", exact=True).click()
    expect(tab.get_by_text("Authenticated").first).to_be_visible()
    tab.get_by_role("button", name="LTP All").click()
    price = tab.locator(".text-3xl.font-mono").first
    expect(price).not_to_have_text("---")
    before = price.inner_text()
    expect(price).not_to_have_text(before, timeout=30000)
    shoot(tab, "host-live-price")


def test_an_order_is_told_on_the_hosts_page(
    host: Host, tab: Page, ask: Callable[..., Any], shoot: Any
) -> None:
    tab.goto(f"{host.url}/websocket/order")
    connect = tab.get_by_role("button", name="Connect", exact=True)
    connect.click()
    subscribe = tab.get_by_role("button", name="Subscribe", exact=True)
    expect(subscribe).to_be_enabled()
    subscribe.click()
    expect(tab.get_by_role("button", name="Unsubscribe", exact=True)).to_be_visible()
    placed = ask("placeorder", **ORDER, pricetype="MARKET")
    row = tab.get_by_role("row").filter(has_text=placed["orderid"]).first
    expect(row).to_contain_text("INFY")
    expect(row).to_contain_text("complete")
    shoot(tab, "host-order-update")


def test_the_hosts_order_form_sells_a_holding(
    host: Host, tab: Page, ask: Callable[..., Any], shoot: Any
) -> None:
    before = {row["orderid"] for row in ask("orderbook")["data"]["orders"]}
    tab.goto(f"{host.url}/holdings")
    tab.get_by_role("row").filter(has_text="INFY").get_by_role("button", name="Exit").click()
    form = tab.get_by_role("dialog")
    expect(form).to_contain_text("INFY")
    shoot(tab, "host-order-form")
    form.get_by_role("button", name="Place SELL Order").click()
    expect(form).to_be_hidden()
    (row,) = [row for row in ask("orderbook")["data"]["orders"] if row["orderid"] not in before]
    assert (row["symbol"], row["action"], row["product"], int(row["quantity"])) == (
        "INFY",
        "SELL",
        "CNC",
        10,
    )
    assert row["order_status"] == "complete"


def test_where_mstock_allows_one_connection_prices_keep_it_and_orders_are_polled(
    host: Host, trader: Visitor, log_in: LogIn, simulator: Simulator, ask: Callable[..., Any]
) -> None:
    simulator.stream.settings.sockets_per_token = 1
    host.serve_prices()
    client = Prices(host.websocket_url, trader.api_key())
    try:
        client.ask(action="subscribe", **INFY, mode="LTP")
        ends = time.monotonic() + 60
        while "Orders are polled until the next login" not in host.output():
            assert time.monotonic() < ends, host.output()[-3000:]
            time.sleep(0.2)
        client.expect(is_tick)
        client.ask(action="subscribe_orders")
        placed = ask("placeorder", **ORDER, pricetype="MARKET")
        client.expect(
            lambda each: (
                each.get("type") == "order_update"
                and each["orderid"] == placed["orderid"]
                and each["order_status"] == "complete"
            )
        )
        (connection,) = simulator.stream.connections
        assert len(connection.subscribed) == 1
    finally:
        client.close()
        simulator.stream.settings.sockets_per_token = 2
