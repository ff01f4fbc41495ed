"""Live prices through OpenAlgo's own proxy, to a client of its WebSocket."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime

import pytest
import requests

from broker_simulator.mstock import IST, Simulator
from tests.support.openalgo.prices import Prices, infy_in_all_modes
from tests.support.openalgo.visitor import Visitor

MOMENT = datetime(2026, 11, 23, 11, tzinfo=IST)
LogIn = Callable[[Visitor], requests.Response]


@pytest.fixture(scope="module")
def settings(simulator: Simulator) -> dict[str, str]:
    return {"MSTOCK_WS_URL": simulator.ws_url}


def test_all_three_modes_and_what_is_refused(prices: Prices, simulator: Simulator) -> None:
    infy_in_all_modes(prices)
    assert len(simulator.stream.connections) == 1
    prices.ask(action="subscribe", symbol="NOPE", exchange="NSE", mode=1)
    refused = prices.expect(lambda each: "not in mStock" in json.dumps(each))
    assert "NOPE" in json.dumps(refused)


def test_a_lost_connection_comes_back_by_itself(prices: Prices, simulator: Simulator) -> None:
    prices.ask(action="subscribe", symbol="INFY", exchange="NSE", mode=1)
    is_tick = lambda each: each.get("type") == "market_data"  # noqa: E731
    prices.expect(is_tick)
    simulator.stream.faults.set("reset", times=1)
    time.sleep(1)
    infy = simulator.world.market.master.get("NSE", "1594")
    assert infy is not None
    prices.expect(is_tick)


def test_orders_are_polled_and_told_by_default(
    prices: Prices, trader: Visitor, simulator: Simulator
) -> None:
    prices.ask(action="subscribe_orders")
    prices.expect(lambda each: each.get("type") == "subscribe_orders")
    time.sleep(6)  # the poller's first reading of the book, which tells nothing
    order = {"symbol": "INFY", "exchange": "NSE", "strategy": "test", "action": "BUY"}
    placed = trader.rest(
        "placeorder", trader.api_key(), **order, product="MIS", pricetype="MARKET", quantity=1
    ).json()
    assert placed["status"] == "success", placed

    def is_done(message: dict[str, object]) -> bool:
        is_it = message.get("type") == "order_update" and message["orderid"] == placed["orderid"]
        return is_it and message["order_status"] == "complete"

    assert prices.expect(is_done)["filled_quantity"] == 1
    assert len(simulator.stream.connections) == 1  # no socket of its own
