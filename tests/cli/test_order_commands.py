"""The commands of orders, positions and holdings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from broker.mstock.orders import desk, position_locks
from broker.mstock.orders.journal import FILE, Entry, Journal, file_url
from tests.cli.conftest import Person
from tests.conftest import settings_for
from tests.support.stage import MORNING
from tests.support.stub_instruments import StubInstruments, host_symbol

Trader = Person
Share = tuple[str, str, str]


@pytest.fixture(params=["A", "B"])
def trader(
    request: pytest.FixtureRequest, person: Person, monkeypatch: pytest.MonkeyPatch
) -> Person:
    """Logged in, with the simulator's instruments."""
    home = person.settings["BROKER_HOME"]
    person.settings = settings_for(person.box, request.param, BROKER_HOME=home)
    person.is_logged_in()
    master = StubInstruments(person.box.world.market.master)  # type: ignore[arg-type]
    monkeypatch.setattr(desk, "local_instruments", lambda _config, _home: master)
    monkeypatch.setattr(desk, "check_source", lambda *_: None)
    return person


@pytest.fixture
def share(person: Person) -> tuple[str, str, str]:
    """A share's symbol, a price at which a buy rests, and another one."""
    market = person.box.world.market
    found = next(each for each in market.master.listed if each.symbol == "INFY-EQ")
    price = market.ltp(found) * 95 / 100
    price -= price % 1
    return host_symbol(found), f"{price.normalize():f}", f"{price - 1:f}".removesuffix(".000")


def placed(trader: Trader, *words: str) -> str:
    code, body = trader.asks("place", *words, "--yes")
    assert code == 0, body
    return str(body["orderid"])


def book(trader: Trader) -> list[dict[str, Any]]:
    return list(trader.asks("orders")[1]["orders"])


def test_from_place_to_close(trader: Trader, share: Share) -> None:
    symbol, price, other = share
    order_id = placed(trader, "BUY", "2", symbol.lower(), "--price", price)
    (row,) = book(trader)
    assert (row["orderid"], row["order_status"], row["symbol"]) == (order_id, "open", symbol)
    assert order_id in trader.runs("orders").stdout
    assert trader.asks("modify", order_id, "--price", other, "--quantity", "3", "--yes")[0] == 0
    (row,) = book(trader)
    assert (row["price"], row["quantity"]) == (float(other), 3)
    assert trader.asks("cancel", order_id, "--yes")[1]["done"] == [order_id]
    assert trader.asks("cancel", order_id, "--yes")[0] == 1
    placed(trader, "BUY", "2", symbol)
    assert len(trader.asks("trades")[1]["trades"]) == 1
    (position,) = trader.asks("positions")[1]["positions"]
    assert position["quantity"] == 2
    assert "profit and loss" in trader.runs("positions").stdout
    assert trader.asks("close", symbol, "--yes")[0] == 0
    (position,) = trader.asks("positions")[1]["positions"]
    assert position["quantity"] == 0
    assert trader.asks("holdings")[0] == 0
    code, body = trader.asks("orders", "unknown")
    assert (code, body["unknown"]) == (0, [])


@pytest.mark.parametrize("trader", ["B"], indirect=True)  # Type A's positions carry their price
def test_positions_without_any_last_price_have_no_profit(trader: Trader, share: Share) -> None:
    placed(trader, "BUY", "2", share[0])
    trader.box.faults.set("b/instruments/quote", "bad_gateway")
    assert trader.asks("positions")[1]["total_pnl"] is None
    assert "1 position, profit and loss not known." in trader.runs("positions").stdout


def test_placing_shows_the_margin_and_asks(trader: Trader, share: Share) -> None:
    symbol, price, _ = share
    words = ("place", "BUY", "2", symbol, "--price", price, "--product", "CNC")
    asked = trader.runs(*words, types="n\n")
    assert asked.exit_code == 1
    assert f"BUY 2 {symbol} on NSE CNC LIMIT at {price}" in asked.stderr
    assert f"a margin of ₹{2 * float(price):,.2f}" in asked.stderr
    assert book(trader) == []
    assert trader.runs(*words, types="y\n").exit_code == 0
    assert len(book(trader)) == 1
    trader.is_at_terminal = False
    assert trader.runs(*words).exit_code == 2
    order_id = book(trader)[0]["orderid"]
    for change in (("modify", order_id, "--price", price), ("cancel", order_id), ("close", symbol)):
        assert trader.runs(*change).exit_code == 2
    code, body = trader.asks("margin", *words[1:])
    assert (code, body["margin"]["total_margin_required"]) == (0, 2 * float(price))


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (("BUY", "0", "INFY"), "quantity"), (("BUY", "1", "NOSUCH"), "symbol"),
        (("BUY", "1", "INFY", "--price", "1.001"), "price"),
        (("BUY", "1", "INFY", "--product", "NRML"), "product"),
        (("BUY", "1", "INFY", "--cover"), "trigger_price"),
    ],
)  # fmt: skip
def test_what_cannot_be_right_is_refused(
    trader: Person, words: tuple[str, ...], field: str
) -> None:
    code, body = trader.asks("place", *words, "--yes")
    assert code == 1
    assert body["message"].startswith(field)
    assert trader.calls("/orders/regular") == 0


def test_an_order_whose_outcome_is_unknown_is_listed(trader: Person, share: Share) -> None:
    symbol, price, _ = share
    route = f"{trader.config.api_type.lower()}/orders/place"
    trader.box.faults.set(route, "reset", times=1, when="before")
    code, body = trader.asks("place", "BUY", "1", symbol, "--price", price, "--yes")
    assert code == 6
    (row,) = trader.asks("orders", "unknown")[1]["unknown"]
    assert row["tag"] in body["message"]
    assert trader.calls("/orders/regular") == 1


def test_a_close_cancels_the_stop_first_and_says_when_it_stays_open(
    trader: Person, share: Share
) -> None:
    symbol, price, _ = share
    placed(trader, "BUY", "2", symbol)
    stop = placed(trader, "SELL", "2", symbol, "--trigger", price)
    route = trader.config.api_type.lower()
    trader.box.faults.set(f"{route}/orders/cancel", "too_many_requests_bare", times=1)
    code, body = trader.asks("close", symbol, "--cancel-orders", "--yes")
    assert code == 6
    assert "Nothing was closed" in body["message"]
    assert stop in body["message"]
    trader.box.faults.set(f"{route}/orders/place", "too_many_requests_bare", times=1)
    code, body = trader.asks("close", symbol, "--cancel-orders", "--yes")
    assert code == 4
    assert "open, without its stop" in body["message"]
    assert trader.asks("close", symbol, "--cancel-orders", "--yes")[0] == 0
    assert trader.asks("positions")[1]["positions"][0]["quantity"] == 0


def test_a_close_cancels_a_stop_that_the_book_does_not_show_yet(
    trader: Person, share: Share
) -> None:
    symbol, price, _ = share
    placed(trader, "BUY", "2", symbol)
    trader.box.exchange.behaviour.delay_book(600, 600)
    placed(trader, "SELL", "2", symbol, "--trigger", price)
    assert trader.asks("close", symbol, "--cancel-orders", "--yes")[0] == 0
    states = [each.status.value for _, each in trader.box.exchange.all_orders()]
    assert sorted(states) == ["Cancelled", "Traded", "Traded"]


def test_a_close_leaves_the_orders_of_another_product(trader: Trader, share: Share) -> None:
    symbol, price, _ = share
    placed(trader, "BUY", "2", symbol)
    other = placed(trader, "BUY", "2", symbol, "--price", price, "--product", "CNC")
    assert trader.asks("close", symbol, "--cancel-orders", "--yes")[0] == 0
    assert [row["order_status"] for row in book(trader) if row["orderid"] == other] == ["open"]


def test_the_history_of_one_order(trader: Trader, share: Share) -> None:
    symbol, price, other = share
    order_id = placed(trader, "BUY", "2", symbol, "--price", price)
    assert trader.asks("modify", order_id, "--price", other, "--yes")[0] == 0
    assert trader.asks("cancel", order_id, "--yes")[0] == 0
    code, body = trader.asks("order", order_id)
    assert code == 0
    states = body["history"]
    assert {(row["order_status"], row["price"]) for row in states} >= {
        ("open", float(price)), ("open", float(other)), ("cancelled", float(other)),
    }  # fmt: skip
    assert {(row["symbol"], row["exchange"]) for row in states} == {(symbol, "NSE")}
    assert f"{order_id}: BUY 2 {symbol} on NSE, MIS" in trader.runs("order", order_id).stdout
    code, body = trader.asks("order", "12345")
    assert (code, "no order 12345" in body["message"]) == (1, True)


def test_converting_a_position(trader: Trader, share: Share) -> None:
    symbol = share[0]
    placed(trader, "BUY", "5", symbol)
    words = ("convert", symbol.lower(), "cnc", "--quantity", "2")
    asked = trader.runs(*words, types="n\n")
    assert asked.exit_code == 1
    assert f"Convert 2 {symbol} on NSE from MIS to CNC?" in asked.stderr
    assert trader.calls("/convertposition") == 0
    assert trader.asks(*words, "--yes")[0] == 0
    assert by_product(trader) == {"MIS": 3, "CNC": 2}
    assert trader.runs("convert", symbol, "CNC", types="y\n").exit_code == 0
    assert by_product(trader)["CNC"] == 5
    for wrong, field in (
        (("convert", symbol, "CNC"), "open position"),
        (("convert", symbol, "NRML", "--product", "CNC"), "product"),
        (("convert", symbol, "CNC", "--product", "CNC"), "product"),
        (("convert", symbol, "MIS", "--product", "CNC", "--quantity", "6"), "quantity"),
        (("convert", symbol, "MIS", "--product", "CNC", "--quantity", "one"), "quantity"),
    ):
        code, body = trader.asks(*wrong, "--yes")
        assert (code, field in body["message"]) == (1, True), body
    assert trader.calls("/convertposition") == 2


def by_product(trader: Trader) -> dict[str, int]:
    rows = trader.asks("positions")[1]["positions"]
    return {row["product"]: row["quantity"] for row in rows}


def test_what_another_program_trades_is_not_touched_meanwhile(
    trader: Trader, share: Share, monkeypatch: pytest.MonkeyPatch
) -> None:
    symbol = share[0]
    placed(trader, "BUY", "2", symbol)
    monkeypatch.setattr(position_locks, "_LONGEST_WAIT_S", 0.1)
    other = Journal(file_url(trader.settings["BROKER_HOME"]), trader.config.account, trader.clock)
    before = len(list(trader.box.journal))
    with other.position_locks.hold(symbol, "NSE", "MIS"):
        for words in (("convert", symbol, "CNC"), ("close", symbol)):
            code, body = trader.asks(*words, "--yes")
            assert code != 0
            assert "is under way" in body["message"]
    assert {each.method for each in list(trader.box.journal)[before:]} <= {"GET"}


def test_a_conversion_without_an_answer_is_unknown(trader: Trader, share: Share) -> None:
    placed(trader, "BUY", "5", share[0])
    route = f"{trader.config.api_type.lower()}/portfolio/convertposition"
    trader.box.faults.set(route, "reset", times=1, when="before")
    code, body = trader.asks("convert", share[0], "CNC", "--yes")
    assert (code, "check the positions" in body["message"]) == (6, True)
    (row,) = trader.asks("orders", "unknown")[1]["unknown"]
    assert (row["kind"], row["quantity"]) == ("convert", 5)
    assert trader.calls("/convertposition") == 1


def test_after_market_orders(trader: Trader, share: Share) -> None:
    symbol, price, _ = share
    trader.box.clock.set(MORNING.replace(hour=16, minute=30), frozen=True)
    trader.clock.wall = MORNING.replace(hour=16, minute=30)
    asked = trader.runs("place", "BUY", "1", symbol, "--price", price, "--amo", types="n\n")
    assert "after market" in asked.stderr
    order_id = placed(trader, "BUY", "1", symbol, "--price", price, "--amo")
    (order,) = (order for _, order in trader.box.exchange.all_orders())
    assert (order.order_id, order.request.variety.value) == (order_id, "amo")


def test_an_order_while_the_exchange_is_closed_is_told_when_to_send_it(
    trader: Trader, share: Share
) -> None:
    trader.box.clock.set(MORNING.replace(hour=16, minute=30), frozen=True)
    trader.clock.wall = MORNING.replace(hour=16, minute=30)
    code, body = trader.asks("place", "BUY", "1", share[0], "--price", share[1], "--yes")
    assert code == 1
    assert "The exchange takes no orders now." in body["message"]
    assert "--amo" in body["next_step"]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("orders", "No orders today."),
        ("trades", "No trades today."),
        ("positions", "No positions today."),
        ("cancel --all --yes", "No order is open."),
        ("close --all --yes", "No position is open"),
        ("close INFY --yes", "No position INFY NSE MIS is open"),
    ],
)
def test_what_is_empty_is_said_in_a_few_words(trader: Trader, command: str, words: str) -> None:
    done = trader.runs(*command.split())
    assert done.exit_code == 0
    assert done.stdout.startswith(words)
    assert "0" not in done.stdout


def test_cover_orders_are_for_type_a_and_bracket_orders_for_none(
    trader: Trader, share: Share
) -> None:
    symbol, price, other = share
    words = ("place", "BUY", "1", symbol, "--price", price, "--trigger", other)
    code, body = trader.asks(*words, "--bracket", "--yes")
    assert (code, "bracket" in body["message"]) == (1, True)
    code, body = trader.asks(*words, "--cover", "--yes")
    orders = [order for _, order in trader.box.exchange.all_orders()]
    if trader.config.api_type == "A":
        assert {order.request.variety.value for order in orders} == {"co"}
    else:
        assert (code, body["message"].startswith("variety"), orders) == (1, True, [])


def test_all(trader: Trader, share: Share) -> None:
    symbol, price, _ = share
    placed(trader, "BUY", "1", symbol)
    for _ in range(2):
        placed(trader, "BUY", "1", symbol, "--price", price)
    code, body = trader.asks("cancel", "--all", "--yes")
    assert (code, len(body["done"])) == (0, 2)
    assert trader.asks("close", "--all", "--yes")[1]["done"] == [f"{symbol} on NSE, MIS"]
    assert trader.runs("cancel", "--yes").exit_code == 2
    assert trader.runs("close", "--yes").exit_code == 2


def test_without_a_session(person: Person) -> None:
    for name in ("orders", "trades", "positions", "holdings"):
        assert person.runs(name).exit_code == 3


def test_erase_knows_the_journal(trader: Trader, share: Share) -> None:
    placed(trader, "BUY", "1", share[0], "--price", share[1])
    home = trader.settings["BROKER_HOME"]
    journal = Journal(file_url(home), trader.config.account, trader.clock)
    journal.begin(Entry("left", "cancel", trader.clock.now()))
    assert len(journal.open()) == 1
    assert any(FILE in line for line in trader.asks("erase", "--yes")[1]["removed"])
    assert not Path(home, FILE).exists()
    assert journal.open() == []


def test_a_symbol_may_name_its_exchange(trader: Trader, share: Share) -> None:
    symbol, price, _ = share
    placed(trader, "BUY", "2", f"nse:{symbol}", "--price", price)
    assert [(row["symbol"], row["exchange"]) for row in book(trader)] == [(symbol, "NSE")]
    two = trader.runs("place", "BUY", "2", f"NSE:{symbol}", "--exchange", "BSE", "--yes")
    assert two.exit_code == 2
    assert "two exchanges" in two.stderr
    assert len(book(trader)) == 1


def test_a_modification_of_nothing_is_refused(trader: Trader, share: Share) -> None:
    order_id = placed(trader, "BUY", "2", share[0], "--price", share[1])
    assert trader.runs("modify", order_id, "--yes").exit_code == 2
    assert not any(entry.route.endswith("orders/modify") for entry in trader.box.journal)


def test_a_price_that_the_type_has_not_is_refused(trader: Trader, share: Share) -> None:
    """It would be left out, and the order called changed."""
    order_id = placed(trader, "BUY", "2", share[0], "--price", share[1])
    refused = trader.runs("modify", order_id, "--trigger", share[2], "--yes")
    assert refused.exit_code == 1
    assert "--trigger does not fit" in refused.stderr
    assert not any(entry.route.endswith("orders/modify") for entry in trader.box.journal)


def test_closing_the_wrong_product_names_the_open_one(trader: Trader, share: Share) -> None:
    placed(trader, "BUY", "2", share[0], "--product", "CNC")
    code, body = trader.asks("close", share[0], "--yes")
    assert code == 1
    assert "--exchange NSE --product CNC" in body["next_step"]
    assert trader.asks("close", share[0], "--product", "CNC", "--yes")[0] == 0
    assert trader.asks("close", share[0], "--yes") == (0, body_of_nothing(trader))


def body_of_nothing(trader: Trader) -> dict[str, Any]:
    account = {key: trader.asks("orders")[1][key] for key in ("mode", "client_code", "api_type")}
    return {"status": "success", **account, "done": [], "failed": []}


def test_a_market_order_has_no_price_and_figures_have_lakh_grouping(
    trader: Trader, share: Share
) -> None:
    placed(trader, "BUY", "100", share[0])
    row = trader.runs("orders").stdout.splitlines()[-1]
    assert " 0.00 " not in row
    assert " trades, worth ₹1,53," in trader.runs("trades").stdout
