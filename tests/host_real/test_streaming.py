"""Live prices through OpenAlgo's own proxy, to a client of its WebSocket."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest
import requests

from broker_simulator.mstock import Simulator
from tests.support.openalgo.host import Host
from tests.support.openalgo.prices import Prices
from tests.support.openalgo.visitor import Visitor

LogIn = Callable[[Visitor], requests.Response]


@pytest.fixture(scope="module")
def settings(simulator: Simulator) -> dict[str, str]:
    return {"MSTOCK_WS_URL": simulator.ws_url}


@pytest.fixture
def prices(host: Host, trader: Visitor, log_in: LogIn) -> Iterator[Prices]:
    log_in(trader)
    key = trader.api_key()
    ends = time.monotonic() + 60
    while trader.rest("quotes", key, symbol="INFY", exchange="NSE").json()["status"] != "success":
        assert time.monotonic() < ends
        time.sleep(0.5)
    host.serve_prices()
    client = Prices(host.websocket_url, key)
    yield client
    client.close()


def test_all_three_modes_and_what_is_refused(prices: Prices, simulator: Simulator) -> None:
    for mode in (1, 2, 3):
        prices.ask(action="subscribe", symbol="INFY", exchange="NSE", mode=mode)
        message = prices.expect(
            lambda each, mode=mode: each.get("type") == "market_data" and each.get("mode") == mode
        )
        assert (message["symbol"], message["exchange"]) == ("INFY", "NSE")
        assert message["data"]["ltp"] > 0
    assert len(message["data"]["depth"]["buy"]) == 5
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
