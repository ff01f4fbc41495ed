"""OpenAlgo as one process, as on Windows or in development: prices in a thread beside the pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from broker_simulator.mstock import IST, Simulator
from tests.support.openalgo.prices import Prices, infy_in_all_modes

MOMENT = datetime(2026, 11, 23, 11, tzinfo=IST)
IN_ONE_PROCESS = True
INFY = {"symbol": "INFY", "exchange": "NSE"}


@pytest.fixture(scope="module")
def settings(simulator: Simulator) -> dict[str, str]:
    return {"MSTOCK_WS_URL": simulator.ws_url, "MSTOCK_ORDER_UPDATES": "socket"}


def test_prices_depth_and_order_updates_share_one_connection(
    prices: Prices, ask: Callable[..., Any], simulator: Simulator
) -> None:
    infy_in_all_modes(prices)
    depth = ask("depth", **INFY)
    assert depth["status"] == "success", depth
    assert len(depth["data"]["bids"]) == 5
    prices.ask(action="subscribe_orders")
    prices.expect(lambda each: each.get("type") == "subscribe_orders")
    order = {**INFY, "strategy": "test", "action": "BUY", "product": "MIS", "quantity": 1}
    placed = ask("placeorder", **order, pricetype="MARKET")
    assert placed["status"] == "success", placed

    def is_done(message: dict[str, Any]) -> bool:
        is_it = message.get("type") == "order_update" and message["orderid"] == placed["orderid"]
        return is_it and message["order_status"] == "complete"

    assert prices.expect(is_done)["filled_quantity"] == 1
    assert len(simulator.stream.connections) == 1
