"""Live prices without OpenAlgo: the class for strategies, and the command that shows them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import datetime
from struct import pack
from typing import Any

import pytest
from click.testing import CliRunner

from broker._kit.cli.context import Context
from broker._kit.clock import IST
from broker._kit.errors import CorrectInput, LogInAgain
from broker._kit.secret import Secret
from broker._kit.sessions.store import MemoryStore
from broker.mstock.__main__ import cli
from broker.mstock.broker import MSTOCK
from broker.mstock.cli.prices import _cells
from broker.mstock.mapping.orders import Order
from broker.mstock.settings import Config
from broker.mstock.streaming import live_prices
from broker.mstock.streaming.live_prices import LivePrice, LivePrices
from broker.mstock.streaming.order_listener import OrderBook
from broker.mstock.streaming.packets import DEPTH, decode_type_b
from tests.streaming.server import FeedServer
from tests.streaming.test_feed import TOKEN, asked, ltp, until
from tests.streaming.test_host_adapter import TOKENS, Master
from tests.streaming.test_packets import b_snap
from tests.web.helpers import settings

ORDER = {
    "order_status": "order",
    "orderData": {
        "orderid": "1151250205101",
        "transactiontype": "BUY",
        "quantity": "10",
        "filledshares": "4",
        "unfilledshares": "6",
        "tradingsymbol": "INFY-EQ",
        "exchange": "NSE",
        "symboltoken": "1594",
        "ordertype": "LIMIT",
        "producttype": "DELIVERY",
        "price": "1573.45",
        "orderstatus": "O-Pending",
        "status": "O-Pending",
    },
}


@pytest.fixture
def server() -> Iterator[FeedServer]:
    made = FeedServer()
    yield made
    made.close()


@pytest.fixture
def config(server: FeedServer) -> Config:
    return Config.from_env({**settings(), "MSTOCK_WS_URL": server.url})


def found(_config: Config) -> Any:
    return Master()


def live(config: Config, **named: object) -> LivePrices:
    return LivePrices(config, lambda: Secret(TOKEN), find_in=found, **named)  # type: ignore[arg-type]


def test_a_strategy_reads_the_newest_price_of_each_instrument(
    server: FeedServer, config: Config
) -> None:
    with live(config) as prices:
        prices.subscribe("INFY", "NSE")
        prices.subscribe("ACC", "NSE")
        until(lambda: server.clients and asked(server.clients[0]) == {"1594": 1, "22": 1})
        for price in (100, 200, 300):
            server.clients[0].send(ltp("1594", price))
        server.clients[0].send(ltp("22", 777))
        until(lambda: prices.status().flowing == 2)
        seen = [next(iter(prices)), next(iter(prices))]
        assert {each.symbol: each.values["ltp"] for each in seen} == {"INFY": 3.0, "ACC": 7.77}
        assert prices.next(0.01) is None


@pytest.mark.parametrize("is_open", [False, True])
def test_a_number_that_stands_on_two_exchanges_keeps_its_first_name(
    server: FeedServer, is_open: bool
) -> None:
    config = Config.from_env({**settings(MSTOCK_API_TYPE="A"), "MSTOCK_WS_URL": server.url})
    prices = live(config)
    if is_open:
        prices.open()
    prices.subscribe("ACC", "NSE")
    with pytest.raises(CorrectInput, match="already subscribed on NSE"):
        prices.subscribe("ACC", "BSE")
    with prices:
        until(lambda: server.clients and server.clients[0].requests)
        server.clients[0].send(pack(">HHII", 1, 8, 22, 137_330))
        price = prices.next(5)
    assert price is not None
    assert (price.symbol, price.exchange) == ("ACC", "NSE")


def test_numbers_that_mstock_has_changed_overnight(
    server: FeedServer, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    with live(config) as prices:
        for symbol in ("INFY", "ACC"):
            prices.subscribe(symbol, "NSE")
        until(lambda: server.clients and asked(server.clients[0]) == {"1594": 1, "22": 1})
        for symbol, token in (("INFY", "22"), ("ACC", "1594")):
            monkeypatch.setitem(TOKENS, (symbol, "NSE"), token)
        for symbol in ("INFY", "ACC"):
            prices.subscribe(symbol, "NSE")
        before = len(server.clients[0].requests)
        until(lambda: len(server.clients[0].requests) > before)
        server.clients[0].send(ltp("22", 100_00))
        server.clients[0].send(ltp("1594", 200_00))
        found = [prices.next(5), prices.next(5)]
        assert {each.symbol: each.values["ltp"] for each in found if each} == {
            "INFY": 100.0,
            "ACC": 200.0,
        }
        for symbol in ("INFY", "ACC"):  # as a contract that has expired
            monkeypatch.delitem(TOKENS, (symbol, "NSE"))
            prices.unsubscribe(symbol, "NSE")
        until(lambda: asked(server.clients[0]) == {})


def test_the_old_number_of_a_symbol_gives_it_no_price(
    server: FeedServer, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    with live(config) as prices:
        prices.subscribe("INFY", "NSE")
        until(lambda: server.clients and asked(server.clients[0]) == {"1594": 1})
        monkeypatch.setitem(TOKENS, ("INFY", "NSE"), "777")
        prices.subscribe("INFY", "NSE")
        until(lambda: asked(server.clients[0]) == {"777": 1})
        server.clients[0].send(ltp("1594", 100_00))
        server.clients[0].send(ltp("777", 200_00))
        price = prices.next(5)
        assert price is not None
        assert price.values["ltp"] == 200.0
        assert prices.next(0.1) is None


def test_one_that_had_no_room_does_not_keep_its_number(server: FeedServer) -> None:
    small = settings(MSTOCK_API_TYPE="A", MSTOCK_WS_MAX_INSTRUMENTS="1")
    with live(Config.from_env({**small, "MSTOCK_WS_URL": server.url})) as prices:
        prices.subscribe("INFY", "NSE")
        with pytest.raises(CorrectInput, match="MSTOCK_WS_MAX_INSTRUMENTS"):
            prices.subscribe("ACC", "NSE")
        prices.unsubscribe("INFY", "NSE")
        prices.subscribe("ACC", "BSE")


def test_over_the_cap_opening_says_so_and_leaves_nothing_open(server: FeedServer) -> None:
    small = {**settings(MSTOCK_WS_MAX_INSTRUMENTS="1"), "MSTOCK_WS_URL": server.url}
    prices = live(Config.from_env(small))
    prices.subscribe("INFY", "NSE")
    prices.subscribe("ACC", "NSE")
    with pytest.raises(CorrectInput, match="MSTOCK_WS_MAX_INSTRUMENTS"):
        prices.open()
    assert prices.status().state == "stopped"


def test_closing_ends_a_waiting_iterator(config: Config) -> None:
    prices = live(config)
    prices.open()
    ended = threading.Event()

    def read() -> None:
        assert list(prices) == []
        ended.set()

    threading.Thread(target=read).start()
    prices.close()
    assert ended.wait(2)


def test_callbacks_for_prices_and_orders(server: FeedServer, config: Config) -> None:
    heard: list[LivePrice] = []
    orders: list[Order] = []
    book = lambda: OrderBook(list)  # noqa: E731
    with live(config, on_price=heard.append, on_order=orders.append, book=book) as prices:
        prices.subscribe("INFY", "NSE", DEPTH)
        until(lambda: server.clients and asked(server.clients[0]) == {"1594": 3})
        server.clients[0].send(b_snap())
        server.clients[0].send(json.dumps(ORDER))
        until(lambda: heard and orders)
    assert (heard[0].symbol, heard[0].mode) == ("INFY", DEPTH)
    assert (orders[0].order_id, orders[0].filled_quantity) == ("1151250205101", 4)


@pytest.mark.parametrize(
    ("symbol", "exchange", "mode", "words"),
    [
        ("INFY", "NSE", 9, "Mode 9 is not known"),
        ("INFY", "NCDEX", 1, "mStock has no live prices for NCDEX"),
        ("NOPE", "NSE", 1, "NOPE on NSE is not in mStock's instrument list"),
    ],
)
def test_a_bad_subscription_is_refused_by_name(
    config: Config, symbol: str, exchange: str, mode: int, words: str
) -> None:
    with pytest.raises(CorrectInput, match=words):
        live(config).subscribe(symbol, exchange, mode)


def test_without_a_session_nothing_is_opened(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_prices, "open_store", lambda broker, _settings: MemoryStore(broker))
    monkeypatch.setattr(live_prices, "file_environment", settings)
    with pytest.raises(LogInAgain, match="There is no mStock session"):
        LivePrices(config, find_in=found).open()


def test_watch_without_a_session_says_what_to_do(
    server: FeedServer,
) -> None:
    context = Context(
        MSTOCK,
        read_settings=lambda: {**settings(), "MSTOCK_WS_URL": server.url},
        open_store=lambda broker, _settings: MemoryStore(broker),
    )
    result = CliRunner().invoke(cli, ["watch", "INFY"], obj=context)
    assert result.exit_code == 3, result.output
    assert "There is no mStock session" in result.output
    assert server.clients == []


def test_what_mstock_did_not_send_is_a_dash_in_the_table() -> None:
    now = datetime(2026, 11, 23, 10, tzinfo=IST).timestamp()
    cells = _cells(decode_type_b(b_snap(), now).ticks[0].values)
    assert cells[0] == "1,573.45"
    assert "%" in cells[1]
    assert _cells({}) == ["–"] * 6
    assert _cells({"ltp": 5.0, "volume": 0})[4] == "0"
