"""Every door of `api/order_api.py` over real sockets at the simulator's exchange, both types."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from broker._kit.errors import BrokerError, LogInAgain, OutcomeUnknown
from broker._kit.http.rate_limits import Rate
from broker.mstock.api import margin_api, order_api
from broker.mstock.client.routes import RATE_LIMITS
from broker.mstock.errors import InputException
from broker.mstock.mapping.order_data import calculate_order_statistics
from broker.mstock.mapping.positions import Position
from broker.mstock.mapping.transform_data import Instrument, OrderRequest, read_order
from broker.mstock.orders.journal import Entry, State, new_tag
from broker.mstock.orders.placing import OrderService
from tests.orders.conftest import Trader
from tests.support.stub_instruments import StubInstruments
from tests.support.stub_market import ACC, NIFTY_CE

Order = Callable[..., dict[str, Any]]


def test_an_order_is_placed_and_stands_in_the_books(trader: Trader, order: Order) -> None:
    res, body, order_id = order_api.place_order_api(order(price="1250", quantity="10"), trader.auth)
    assert res == (200,), body
    assert body == {"status": "success", "orderid": order_id}
    (row,) = order_api.get_order_book(trader.auth)
    assert row["orderid"] == order_id
    assert (row["symbol"], row["exchange"], row["product"]) == ("INFY", "NSE", "MIS")
    assert (row["order_status"], row["pricetype"], row["price"]) == ("complete", "LIMIT", 1250.0)
    assert row["timestamp"] == "2025-01-01 10:00:00"
    assert calculate_order_statistics([row])["total_completed_orders"] == 1
    (fill,) = order_api.get_trade_book(trader.auth)
    assert (fill["quantity"], fill["average_price"], fill["trade_value"]) == (10, 1250.0, 12500.0)
    (position,) = order_api.get_positions(trader.auth)
    assert (position["symbol"], position["quantity"]) == ("INFY", 10)
    assert order_api.get_open_position("INFY", "NSE", "MIS", trader.auth) == "10"
    assert order_api.get_open_position("INFY", "NSE", "CNC", trader.auth) == "0"
    assert all(row["product"] == "CNC" for row in order_api.get_holdings(trader.auth))


def test_derivatives_come_back_on_their_exchange(trader: Trader, order: Order) -> None:
    data = order(
        symbol=NIFTY_CE.symbol, exchange="NFO", product="NRML", quantity=25, pricetype="MARKET"
    )
    res, body, _ = order_api.place_order_api(data, trader.auth)
    assert res == (200,), body
    for read in (order_api.get_order_book, order_api.get_trade_book, order_api.get_positions):
        (row,) = read(trader.auth)
        assert (row["symbol"], row["exchange"]) == (NIFTY_CE.symbol, "NFO")
        if trader.config.api_type == "B" or read is not order_api.get_trade_book:
            assert row["product"] == "NRML"
    asked = []
    for exchange in ("NFO", "NSE"):
        trader.service().history(body["orderid"], exchange)
        sent = list(trader.sim.journal)[-1].body.decode()
        asked.append(re.sub(r"\W", "", sent.partition("segment")[2]))
    assert asked == ["D", "E"]


def test_an_order_costs_one_call(trader: Trader, order: Order) -> None:
    before = len(list(trader.sim.journal))
    assert order_api.place_order_api(order(), trader.auth)[0] == (200,)
    assert len(list(trader.sim.journal)) == before + 1


@pytest.mark.parametrize("pricetype", ["SL", "SL-M"])
def test_stops_rest(trader: Trader, order: Order, pricetype: str) -> None:
    data = order(pricetype=pricetype, trigger_price=1260, price=1262)
    res, body, order_id = order_api.place_order_api(data, trader.auth)
    assert res == (200,), body
    (row,) = order_api.get_order_book(trader.auth)
    assert (row["pricetype"], row["trigger_price"]) == (pricetype, 1260.0)
    assert order_api.cancel_order(str(order_id), trader.auth)[1] == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"symbol": "NOSUCH"}, "symbol"), ({"quantity": 0}, "quantity"),
        ({"quantity": "1.5"}, "quantity"), ({"price": 1240.03}, "price"),
        ({"product": "NRML"}, "product"), ({"action": "HOLD"}, "action"),
        ({"disclosed_quantity": 2}, "disclosed_quantity"),
        ({"pricetype": "SL", "trigger_price": 1241, "price": 1240}, "trigger_price"),
        ({"symbol": NIFTY_CE.symbol, "exchange": "NFO", "product": "NRML"}, "quantity"),
    ],
)  # fmt: skip
def test_what_cannot_be_right_is_refused_by_name(
    trader: Trader, order: Order, change: dict[str, Any], field: str
) -> None:
    res, body, order_id = order_api.place_order_api(order(**change), trader.auth)
    assert res is not None
    assert (res.status, order_id) == (400, None)
    assert body["message"].startswith(field)
    assert "Nothing was sent" in body["message"]
    assert trader.sent() == 0


def test_an_order_without_funds_says_what_it_needs(trader: Trader, order: Order) -> None:
    data = order(quantity=10_000_000, pricetype="MARKET")
    res, body, order_id = order_api.place_order_api(data, trader.auth)
    assert res is not None
    if trader.config.api_type == "B":
        assert (res.status, order_id) == (400, None)
        reason = body["message"]
    else:  # Type A's answer means "accepted"; the book has the refusal
        assert res.status == 200
        (row,) = order_api.get_order_book(trader.auth)
        assert row["order_status"] == "rejected"
        reason = row["rejection_reason"]
    assert "Not enough funds: the order needs ₹" in reason
    assert "is available" in reason


def test_modify_and_cancel(trader: Trader, order: Order) -> None:
    order_id = order_api.place_order_api(order(), trader.auth)[2]
    changed = order(orderid=order_id, price="1242.5", quantity="12", action="buy")
    changed.pop("apikey")
    assert order_api.modify_order(changed, trader.auth) == (
        {"status": "success", "orderid": order_id},
        200,
    )
    (row,) = order_api.get_order_book(trader.auth)
    assert (row["price"], row["quantity"], row["order_status"]) == (1242.5, 12, "open")
    assert order_api.cancel_order(str(order_id), trader.auth)[1] == 200
    body, status = order_api.cancel_order(str(order_id), trader.auth)
    assert (status, body["status"]) == (400, "error")
    body, status = order_api.modify_order(changed, trader.auth)
    assert (status, body["status"]) == (400, "error")
    assert order_api.cancel_order("999", trader.auth)[1] == 400
    assert order_api.cancel_order("", trader.auth)[1] == 400


def test_cancel_all_names_what_failed(trader: Trader, order: Order) -> None:
    ids = [order_api.place_order_api(order(price=1240 + n), trader.auth)[2] for n in range(3)]
    trader.fault("orders/cancel", "too_many_requests_bare")
    done, failed = order_api.cancel_all_orders_api({}, trader.auth)
    assert len(done) == 2
    (why,) = failed
    assert set(done) | {why.partition(":")[0]} == set(ids)
    assert "fewer calls" in why
    assert order_api.cancel_all_orders_api({}, trader.auth) == ([why.partition(":")[0]], [])
    assert order_api.cancel_all_orders_api({}, trader.auth) == ([], [])


def test_cancel_all_takes_a_status_that_it_does_not_know_for_open(
    trader: Trader, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = order_api.place_order_api(order(), trader.auth)[2]
    read = OrderService.order_book
    monkeypatch.setattr(
        OrderService,
        "order_book",
        lambda service: [each._replace(status="Parked") for each in read(service)],
    )
    assert order_api.cancel_all_orders_api({}, trader.auth) == ([order_id], [])


def test_cancel_all_reaches_what_the_book_does_not_show_yet(trader: Trader, order: Order) -> None:
    trader.sim.exchange.behaviour.delay_book(30, 30)
    order_id = order_api.place_order_api(order(), trader.auth)[2]
    trader.fault("orders/place", "reset", when="after")
    assert order_api.place_order_api(order(symbol="ACC", price=2000), trader.auth)[0] == (504,)
    (entry,) = trader.service().journal.unknown()
    done, (why,) = order_api.cancel_all_orders_api({}, trader.auth)
    assert done == [order_id]
    assert why.startswith(f"BUY 10 ACC (tag {entry.tag}): not cancelled")
    trader.clock.advance(30)
    assert order_api.cancel_all_orders_api({}, trader.auth)[1] == []
    assert {each.status.value for each in trader.orders()} == {"Cancelled"}


def test_cancel_all_goes_without_the_journal(trader: Trader, order: Order) -> None:
    order_id = order_api.place_order_api(order(), trader.auth)[2]
    Path(trader.service().journal.file).write_bytes(b"this is no database" * 100)
    assert order_api.cancel_all_orders_api({}, trader.auth) == ([order_id], [])


def test_a_lost_cancel_holds_up_no_other(trader: Trader, order: Order) -> None:
    """Its answer is waited for and looked up; the others are open as long."""
    for n in range(4):
        order_api.place_order_api(order(price=1240 + n), trader.auth)
    trader.fault("orders/cancel", "timeout", when="before")
    done, failed = order_api.cancel_all_orders_api({}, trader.auth)
    assert (len(done), len(failed)) == (3, 1)
    methods = [each.method for each in trader.sim.journal]
    first = methods.index("DELETE")
    assert methods[first : first + 5] == ["DELETE"] * 4 + ["GET"]


def test_an_interruption_stops_what_has_not_begun(
    trader: Trader, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C at the command line: what is under way ends, nothing else begins."""
    for n in range(12):
        order_api.place_order_api(order(price=1230 + n), trader.auth)
    cancel, first = OrderService.cancel, iter("1")

    def cancel_slowly(service: OrderService, order_id: str) -> None:
        if next(first, None):
            raise KeyboardInterrupt
        time.sleep(0.2)
        cancel(service, order_id)

    monkeypatch.setattr(OrderService, "cancel", cancel_slowly)
    with pytest.raises(KeyboardInterrupt):
        order_api.cancel_all_orders_api({}, trader.auth)
    assert 1 <= trader.sent(method="DELETE") < 11


def test_cancel_all_without_a_book_raises(trader: Trader) -> None:
    trader.fault("orders", "bad_gateway", times=None)
    with pytest.raises(BrokerError):
        order_api.cancel_all_orders_api({}, trader.auth)


def open_positions(trader: Trader, order: Order) -> None:
    for data in (
        order(pricetype="MARKET"),
        order(symbol="ACC", action="SELL", pricetype="MARKET"),
        order(
            symbol=NIFTY_CE.symbol, exchange="NFO", product="NRML", quantity=50, pricetype="MARKET"
        ),
    ):
        res, body, _ = order_api.place_order_api(data, trader.auth)
        assert res == (200,), body


def quantities(trader: Trader) -> dict[str, int]:
    return {row["symbol"]: row["quantity"] for row in order_api.get_positions(trader.auth)}


def test_close_all_ends_flat(trader: Trader, order: Order) -> None:
    open_positions(trader, order)
    assert quantities(trader) == {"INFY": 10, "ACC": -10, NIFTY_CE.symbol: 50}
    resting = str(order_api.place_order_api(order(), trader.auth)[2])
    body, status = order_api.close_all_positions("", trader.auth)
    assert status == 200, body
    assert set(quantities(trader).values()) == {0}
    assert order_api.close_all_positions("", trader.auth)[1] == 200
    assert len(trader.orders()) == 7
    # Open orders are cancelled by a flag of our own command, never by the host's door.
    assert order_api.cancel_order(resting, trader.auth)[1] == 200
    # What was sold is bought back first: that frees the margin which the rest may need.
    closes = sorted(trader.orders(), key=lambda each: each.order_id)[4:]
    assert [each.request.side for each in closes] == ["BUY", "SELL", "SELL"]


@pytest.mark.parametrize("product", ["MTF", "MARGIN"])
def test_mstocks_own_products_are_shown_and_closed_as_such(
    trader: Trader, order: Order, product: str
) -> None:
    data = order(pricetype="MARKET", product=product)
    res, body, _ = order_api.place_order_api(data, trader.auth)
    if (product, trader.config.api_type) == ("MTF", "B"):  # which Type B does not take (4.1)
        assert res == (400,)
        assert "product" in body["message"]
        return
    (row,) = order_api.get_positions(trader.auth)
    assert (row["product"], row["quantity"]) == (product, 10)
    assert order_api.close_all_positions("", trader.auth)[1] == 200
    (row,) = order_api.get_positions(trader.auth)
    assert (row["product"], row["quantity"]) == (product, 0)
    assert {each.request.product.value for each in trader.orders()} == {product}


def test_a_product_that_is_not_known_is_closed_in_mstocks_word(
    trader: Trader, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_api.place_order_api(order(pricetype="MARKET"), trader.auth)
    read = OrderService.positions
    monkeypatch.setattr(
        OrderService, "positions", lambda self: [e._replace(product="Zz") for e in read(self)]
    )
    assert [row["product"] for row in order_api.get_positions(trader.auth)] == ["Zz"]
    body, status = order_api.close_all_positions("", trader.auth)
    assert status == 400
    assert "INFY on NSE, Zz: " in body["message"]
    assert "product" in body["message"].lower()  # mStock's own answer
    assert trader.sent() == 2


def test_close_all_names_the_leg_that_failed(trader: Trader, order: Order) -> None:
    open_positions(trader, order)
    trader.fault("orders/place", "too_many_requests_bare")
    body, status = order_api.close_all_positions("", trader.auth)
    assert status == 429
    left = [symbol for symbol, quantity in quantities(trader).items() if quantity]
    assert len(left) == 1
    assert f"{left[0]} on " in body["message"].partition("Closing")[0]
    assert order_api.close_all_positions("", trader.auth)[1] == 200
    assert set(quantities(trader).values()) == {0}


def test_an_unknown_outcome_of_one_leg_outweighs_refusals(
    trader: Trader, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_positions(trader, order)
    place = OrderService.place

    def place_badly(service: OrderService, request: OrderRequest, *args: Any, **more: Any) -> Any:
        kind = "too_many_requests_bare" if request.symbol == "ACC" else "reset"
        trader.fault("orders/place", kind, times=None, when="before")
        return place(service, request, *args, **more)

    monkeypatch.setattr(OrderService, "place", place_badly)
    body, status = order_api.close_all_positions("", trader.auth)
    assert status == 504
    assert body["message"].index("fewer calls") < body["message"].index("Outcome unknown")


def test_close_all_without_positions_that_can_be_read_fails(trader: Trader, order: Order) -> None:
    open_positions(trader, order)
    trader.fault("portfolio/positions", "bad_gateway", times=None)
    _, status = order_api.close_all_positions("", trader.auth)
    assert status == 502
    assert len(trader.orders()) == 3


@pytest.mark.parametrize(
    ("kind", "status", "word"),
    [
        ("dead_token", 401, "session"), ("expired_key", 403, "API key"),
        ("too_many_requests", 429, "fewer calls"),
    ],
)  # fmt: skip
def test_a_refusal_says_which(
    trader: Trader, order: Order, kind: str, status: int, word: str
) -> None:
    for route in ("orders/place", "orders", "user/fundsummary"):
        trader.fault(route, kind, times=None)
    res, body, order_id = order_api.place_order_api(order(), trader.auth)
    assert res is not None
    assert (res.status, order_id) == (status, None)
    assert word in body["message"]
    with pytest.raises(BrokerError):
        order_api.get_order_book(trader.auth)
    assert trader.orders() == []


@pytest.mark.parametrize(
    "read",
    [
        order_api.get_order_book, order_api.get_trade_book, order_api.get_positions,
        order_api.get_holdings,
    ],
)  # fmt: skip
def test_books_raise(trader: Trader, read: Callable[[str], Any]) -> None:
    trader.sim.faults.set("*", "bad_gateway")
    with pytest.raises(BrokerError):
        read(trader.auth)
    trader.sim.faults.clear()
    with pytest.raises(LogInAgain):
        read(None)  # type: ignore[arg-type]


def test_margin_of_a_leg_and_a_basket(trader: Trader, order: Order) -> None:
    leg = {**order(), "quantity": "5", "price": "2250", "product": "CNC", "symbol": "ACC"}
    res, body = margin_api.calculate_margin_api([leg], trader.auth)
    assert res.status == 200, body
    assert body["data"]["total_margin_required"] == 11250.0
    res, body = margin_api.calculate_margin_api([leg] * 3, trader.auth)
    assert body["data"]["total_margin_required"] == 33750.0
    assert ("note" in body["data"]) == (trader.config.api_type == "A")
    res, body = margin_api.calculate_margin_api([leg, {**leg, "symbol": "NO"}], trader.auth)
    assert res.status == 400
    assert "symbol NO" in body["message"]
    res, body = margin_api.calculate_margin_api([leg] * 50, trader.auth)
    assert (res.status, body["data"]["total_margin_required"]) == (200, 562500.0)
    assert margin_api.calculate_margin_api([leg] * 51, trader.auth)[0].status == 400
    assert margin_api.calculate_margin_api([], trader.auth)[0].status == 400


def bought(trader: Trader, order: Order) -> tuple[OrderService, Position, Instrument]:
    """A service, the position that an order has made, and its instrument."""
    service = trader.service()
    assert order_api.place_order_api(order(price=1250), trader.auth)[2]
    (row,) = service.positions()
    return service, row, order_api.lookup().instrument("INFY", "NSE")


def test_history_and_conversion(trader: Trader, order: Order) -> None:
    service, row, instrument = bought(trader, order)
    (order_id,) = (each.order_id for each in service.order_book())
    assert {each.status for each in service.history(order_id, "NSE")} >= {"complete"}
    with pytest.raises(InputException, match="quantity"):
        service.convert(row, instrument, 11, "CNC")
    service.convert(row, instrument, 4, "CNC")
    assert {each.product: each.quantity for each in service.positions()} == {"MIS": 6, "CNC": 4}
    trader.fault("portfolio/convertposition", "reset", when="after")
    (row,) = (each for each in service.positions() if each.product == "MIS")
    service.convert(row, instrument, 2, "CNC")
    assert {each.product: each.quantity for each in service.positions()} == {"MIS": 4, "CNC": 6}
    assert service.journal.unknown() == []


def test_a_lost_conversion_of_a_short_position_is_settled(trader: Trader, order: Order) -> None:
    data = order(
        symbol=NIFTY_CE.symbol, exchange="NFO", action="SELL", quantity=50, pricetype="MARKET"
    )
    assert order_api.place_order_api(data, trader.auth)[2]
    service = trader.service()
    (row,) = service.positions()
    instrument = order_api.lookup().instrument(NIFTY_CE.symbol, "NFO")
    trader.fault("portfolio/convertposition", "reset", when="after")
    service.convert(row, instrument, 25, "NRML")
    held = {each.product: each.quantity for each in service.positions()}
    assert held == {"MIS": -25, "NRML": -25}


def test_a_conversion_that_was_not_taken_is_unknown_and_not_repeated(
    trader: Trader, order: Order
) -> None:
    service, row, instrument = bought(trader, order)
    trader.fault("portfolio/convertposition", "reset", when="before")
    with pytest.raises(OutcomeUnknown, match="check the positions"):
        service.convert(row, instrument, 4, "CNC")
    assert trader.sent("portfolio/convertposition") == 1
    (entry,) = service.journal.unknown()
    assert (entry.kind, entry.quantity, entry.product) == ("convert", 4, "CNC")
    trader.fault("portfolio/positions", "bad_gateway", times=None)
    assert [row["orderid"] for row in order_api.get_order_book(trader.auth)]


def test_a_conversion_that_shows_late_is_settled_by_the_positions(
    trader: Trader, order: Order
) -> None:
    service, row, instrument = bought(trader, order)
    trader.fault("portfolio/convertposition", "reset", when="after")
    trader.fault("orders", "bad_gateway", times=None)
    with pytest.raises(OutcomeUnknown):
        service.convert(row, instrument, 4, "CNC")
    trader.sim.faults.clear()
    for work in trader.background:
        work()
    assert service.journal.unknown() == []


def test_positions_that_were_read_across_an_order_are_not_kept(
    trader: Trader, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = OrderService.positions

    def read_across_an_order(service: OrderService) -> list[Position]:
        rows = read(service)
        monkeypatch.setattr(OrderService, "positions", read)
        assert order_api.place_order_api(order(pricetype="MARKET"), trader.auth)[2]
        return rows

    monkeypatch.setattr(OrderService, "positions", read_across_an_order)
    where = ("INFY", "NSE", "MIS", trader.auth)
    assert [order_api.get_open_position(*where) for _ in range(2)] == ["0", "10"]


def test_positions_serve_for_a_second(
    trader: Trader, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program may trade, too."""
    monkeypatch.setattr(order_api, "time", SimpleNamespace(monotonic=trader.clock.monotonic))
    where = ("INFY", "NSE", "MIS", trader.auth)
    assert order_api.get_open_position(*where) == "0"
    instrument = order_api.lookup().instrument("INFY", "NSE")
    trader.service().place(read_order(order(pricetype="MARKET")), instrument)
    assert order_api.get_open_position(*where) == "0"
    trader.clock.advance(1.1)
    assert order_api.get_open_position(*where) == "10"


def test_an_exit_needs_no_master(trader: Trader, order: Order, monkeypatch: Any) -> None:
    from broker.mstock.orders.lookup import Lookup
    from broker.mstock.orders.service import NoInstrumentList

    order_api.place_order_api(order(pricetype="MARKET"), trader.auth)
    monkeypatch.setattr(order_api, "lookup_or_none", lambda: Lookup(NoInstrumentList()))
    body, status = order_api.close_all_positions("", trader.auth)
    assert status == 200, body
    assert [row["quantity"] for row in order_api.get_positions(trader.auth)] == [0]


def test_what_reduces_a_position_is_not_refused_by_the_master(
    trader: Trader, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The master may be wrong about a lot; it must not lock a trader in."""
    order_api.place_order_api(order(pricetype="MARKET"), trader.auth)
    find = StubInstruments.find
    monkeypatch.setattr(
        StubInstruments, "find", lambda *args: (row := find(*args)) and row._replace(lotsize=100)
    )
    for refused in ({"action": "BUY"}, {"action": "SELL", "quantity": "11"}):
        body = order_api.place_order_api(order(pricetype="MARKET", **refused), trader.auth)[1]
        assert body["message"].startswith("quantity must be a multiple of the lot size 100")
    far = order_api.place_order_api(order(action="SELL", price="1290"), trader.auth)[2]
    changed = order(orderid=far, action="SELL", price="1295", quantity="9")
    body, status = order_api.modify_order(changed, trader.auth)
    assert status == 200, body
    body, status = order_api.modify_order({**changed, "quantity": "12"}, trader.auth)
    assert (status, body["message"].split()[0]) == (400, "quantity")
    order_api.cancel_order(str(far), trader.auth)
    assert order_api.place_order_api(order(action="SELL", pricetype="MARKET"), trader.auth)[2]
    assert [row["quantity"] for row in order_api.get_positions(trader.auth)] == [0]


def test_cancels_and_closes_go_when_new_orders_have_used_their_share(
    trader: Trader, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RATE_LIMITS, "orders", (Rate(20, 60),))
    order_api.place_order_api(order(pricetype="MARKET"), trader.auth)
    resting = str(order_api.place_order_api(order(), trader.auth)[2])
    journal = trader.service().journal
    for _ in range(16):
        journal.begin(Entry(new_tag(), "modify", trader.clock.now()))
    assert order_api.place_order_api(order(), trader.auth)[0] == (429,)
    assert order_api.cancel_order(resting, trader.auth)[1] == 200
    assert order_api.close_all_positions("", trader.auth)[1] == 200
    assert quantities(trader) == {"INFY": 0}


def test_there_is_no_gtt_for_which_mstock_has_no_route() -> None:
    assert find_spec("broker.mstock.api.gtt_api") is None


def test_every_order_stands_in_the_journal(trader: Trader, order: Order) -> None:
    order_id = order_api.place_order_api(order(), trader.auth)[2]
    service = trader.service()
    (entry,) = service.journal.working("INFY", "NSE", "MIS") or [None]
    assert entry is None  # not a smart order's
    with service.journal._transaction() as connection:
        rows = connection.exec_driver_sql("select * from mstock_orders").mappings().all()
    (row,) = rows
    assert (row["order_id"], row["state"], row["quantity"]) == (order_id, State.DONE, 10)
    assert Decimal(row["price"]) == 1240
    assert trader.auth not in str(dict(row))
    assert ACC.token != row["token"]
