"""Smart orders: the host's table, and that many of them together end exactly at the target."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker._kit.errors import StoreError
from broker.mstock.api import order_api
from broker.mstock.mapping.transform_data import Instrument, read_order
from broker.mstock.orders import lookup
from broker.mstock.orders.journal import Journal
from broker.mstock.orders.placing import OrderService
from broker.mstock.orders.smart import move_to, pieces, trade_to
from tests.orders.conftest import Trader
from tests.support.stub_market import INFY, NIFTY_CE

Order = Callable[..., dict[str, Any]]
# action, quantity, position_size, held: side and quantity (contract 4.4, the host's own table)
TABLE = [
    ("BUY", 100, 0, 0, ("BUY", 100)), ("BUY", 100, 100, -100, ("BUY", 200)),
    ("BUY", 100, 100, 100, None), ("BUY", 100, 200, 100, ("BUY", 100)),
    ("SELL", 100, 0, 0, ("SELL", 100)), ("SELL", 100, -100, 100, ("SELL", 200)),
    ("SELL", 100, -100, -100, None), ("SELL", 100, -200, -100, ("SELL", 100)),
    ("BUY", 5, 0, 5, ("SELL", 5)), ("SELL", 5, 0, -5, ("BUY", 5)),
    ("BUY", 0, 0, 0, None), ("BUY", 0, 100, 100, None),
]  # fmt: skip


@pytest.mark.parametrize(("action", "quantity", "target", "held", "expected"), TABLE)
def test_the_hosts_table(
    action: str, quantity: int, target: int, held: int, expected: tuple[str, int] | None
) -> None:
    assert trade_to(target, held, 0, action, quantity) == expected


counts = st.integers(-1000, 1000)


@given(counts, counts, counts)
def test_the_trade_ends_at_the_target(target: int, held: int, working: int) -> None:
    trade = trade_to(target, held, working, "BUY", 0)
    change = 0 if trade is None else trade[1] * (1 if trade[0] == "BUY" else -1)
    assert held + working + change == target


@given(st.integers(1, 5000), st.integers(1, 50), st.integers(1, 2000) | st.none())
def test_pieces_add_up_in_whole_lots(lots: int, lot: int, freeze: int | None) -> None:
    instrument = Instrument("1", "X", "NFO", lot, None, freeze)
    found = list(pieces(lots * lot, instrument))
    assert sum(found) == lots * lot
    assert all(each > 0 and each % lot == 0 for each in found)
    if freeze is not None and freeze >= lot:
        assert max(found) <= freeze


def smart(trader: Trader, data: dict[str, Any]) -> tuple[int | None, dict[str, Any], str | None]:
    res, body, order_id = order_api.place_smartorder_api(data, trader.auth)
    return (res.status if res else None), body, order_id


def held(trader: Trader) -> int:
    rows = order_api.get_positions(trader.auth)
    return sum(row["quantity"] for row in rows if row["symbol"] == "INFY")


def test_to_a_target_and_back(trader: Trader, order: Order) -> None:
    data = order(pricetype="MARKET", quantity="0", price="0")
    for target in (25, -10, 0):
        status, body, order_id = smart(trader, {**data, "position_size": str(target)})
        assert status == 200, body
        assert order_id
        assert held(trader) == target
    for quantity in ("0", 0):
        status, body, order_id = smart(trader, {**data, "quantity": quantity, "position_size": "0"})
        assert (status, order_id) == (None, None)
        assert body["status"] == "success"
        assert "No action needed" in body["message"]


def test_without_target_and_position_the_order_itself_is_meant(
    trader: Trader, order: Order
) -> None:
    data = order(pricetype="MARKET", action="SELL", quantity=7, position_size=0.0)
    assert smart(trader, data)[0] == 200
    assert held(trader) == -7


@pytest.mark.parametrize("size", ["", "many", "1.5", "NaN", "inf", None, "1e400", -1e20])
def test_a_target_that_is_no_number_is_refused(trader: Trader, order: Order, size: Any) -> None:
    status, body, _ = smart(trader, order(position_size=size))
    assert status == 400
    assert body["message"].startswith("position_size")
    assert trader.sent() == 0


def test_what_is_on_its_way_counts(trader: Trader, order: Order) -> None:
    data = order(price=1200, position_size=30)  # rests below the market
    assert smart(trader, data)[0] == 200
    assert smart(trader, data)[0] is None
    (resting,) = trader.orders()
    trader.sim.exchange.fill(trader.sim.demo.client_code, resting.order_id, 12)
    assert smart(trader, data)[0] is None
    assert smart(trader, {**data, "position_size": 40})[0] == 200
    assert [each.request.quantity for each in reversed(trader.orders())] in ([30, 10], [10, 30])
    trader.sim.exchange.cancel(trader.sim.demo.client_code, resting.order_id)
    assert smart(trader, {**data, "position_size": 40})[0] == 200
    quantities = sorted(each.request.quantity for each in trader.orders())
    assert quantities == [10, 18, 30]


@pytest.mark.parametrize("reads", [3, 1000])
def test_a_fill_that_the_positions_do_not_show_yet_is_not_traded_again(
    trader: Trader, order: Order, monkeypatch: pytest.MonkeyPatch, reads: int
) -> None:
    data = order(pricetype="MARKET", quantity="0", price="0", position_size=25)
    assert smart(trader, data)[0] == 200
    read, stale = OrderService.positions, iter(range(reads))
    monkeypatch.setattr(
        OrderService, "positions", lambda self: read(self) if next(stale, None) is None else []
    )
    status, body, order_id = smart(trader, data)
    assert (status, order_id) == ((None, None) if reads == 3 else (409, None)), body
    trader.clock.sleep(10)  # by then they are what is held, whoever has traded meanwhile
    monkeypatch.setattr(OrderService, "positions", read)
    assert order_api.close_all_positions("", trader.auth)[1] == 200
    assert [each.request.quantity for each in trader.orders()] == [25, 25]
    assert held(trader) == 0


def test_a_fill_between_two_readings_is_not_counted_twice(
    trader: Trader, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = order(price=1200, position_size=30)
    assert smart(trader, data)[0] == 200
    (resting,) = trader.orders()
    read, fills = OrderService.positions, iter([12])

    def read_after_a_fill(service: OrderService) -> Any:
        for quantity in fills:
            trader.sim.exchange.fill(trader.sim.demo.client_code, resting.order_id, quantity)
        return read(service)

    monkeypatch.setattr(OrderService, "positions", read_after_a_fill)
    assert smart(trader, data)[0] is None
    assert len(trader.orders()) == 1


def test_orders_of_other_doors_do_not_count(trader: Trader, order: Order) -> None:
    assert order_api.place_order_api(order(price=1200, quantity=30), trader.auth)[0] == (200,)
    assert smart(trader, order(price=1200, position_size=30))[0] == 200
    assert len(trader.orders()) == 2


def test_refused_when_the_position_cannot_be_read(trader: Trader, order: Order) -> None:
    trader.fault("portfolio/positions", "bad_gateway", times=None)
    status, _, order_id = smart(trader, order(position_size=10))
    assert (status, order_id) == (502, None)
    assert trader.orders() == []


def test_refused_while_an_earlier_one_is_unknown(trader: Trader, order: Order) -> None:
    data = order(price=1200, position_size=10)
    trader.sim.exchange.behaviour.delay_book(60, 60)
    trader.fault("orders/place", "reset", when="after")
    assert smart(trader, data)[0] == 504
    status, body, _ = smart(trader, data)
    assert status == 409
    assert "Nothing was sent" in body["message"]
    trader.clock.advance(60)
    (work,) = trader.background
    work()
    assert smart(trader, data)[0] is None
    assert len(trader.orders()) == 1


def test_an_order_that_never_showed_does_not_lock_the_position_for_the_day(
    trader: Trader, order: Order
) -> None:
    data = order(pricetype="MARKET", position_size=10)
    trader.fault("orders/place", "bad_gateway", when="before")
    assert smart(trader, data)[0] == 504
    trader.clock.advance(60)
    status, body, _ = smart(trader, data)
    assert status == 409
    assert "ordinary order" in body["message"]
    trader.clock.advance(20 * 60)
    assert smart(trader, data)[0] == 200
    assert held(trader) == 10


def test_one_that_may_still_trade_locks_it_as_long_as_it_rests(
    trader: Trader, order: Order
) -> None:
    data = order(price=1200, position_size=10)
    trader.client.place(price="1200")  # an equal one from elsewhere: which is ours cannot be told
    trader.fault("orders/place", "reset", when="after")
    assert smart(trader, data)[0] == 504
    trader.clock.advance(30 * 60)
    assert smart(trader, data)[0] == 409
    for each in trader.orders():
        trader.sim.exchange.cancel(trader.sim.demo.client_code, each.order_id)
    assert smart(trader, data)[0] == 200


def test_orders_of_the_day_before_do_not_count(trader: Trader, order: Order) -> None:
    assert smart(trader, order(price=1200, position_size=30))[0] == 200
    trader.clock.advance(23.5 * 3600)  # mStock's book is empty, and the token another
    trader.client = type(trader.client)(trader.sim)
    service, lookup = trader.service(), order_api.lookup()
    request = read_order(order(price=1200))
    assert move_to(service, lookup, request, 30, 0)


def test_an_outcome_that_could_not_be_written_down_does_not_lock_the_position(
    trader: Trader, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StoreError("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "finish", full)
        assert smart(trader, order(pricetype="MARKET", position_size=10))[0] == 200
    trader.clock.advance(3 * 60)
    trader.service().settler.look()
    assert smart(trader, order(pricetype="MARKET", position_size=0, quantity=0))[0] == 200
    assert held(trader) == 0


@pytest.mark.parametrize("target", [0, 10])
def test_an_unknown_symbol_does_not_stand_at_its_target(
    trader: Trader, order: Order, target: int
) -> None:
    status, body, _ = smart(trader, order(symbol="INFYY", quantity=0, position_size=target))
    assert status == 400
    assert body["message"].startswith("symbol")


def test_a_position_of_no_product_leaves_a_doubt(
    trader: Trader, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Type A's documents show one."""
    assert smart(trader, order(pricetype="MARKET", position_size=10))[0] == 200
    read = OrderService.positions
    monkeypatch.setattr(
        OrderService,
        "positions",
        lambda service: [each._replace(product="") for each in read(service)],
    )
    status, body, _ = smart(trader, order(pricetype="MARKET", position_size=10))
    assert status == 409, body
    assert len(trader.orders()) == 1
    monkeypatch.setattr(
        OrderService,
        "positions",
        lambda service: [each._replace(product="", quantity=0) for each in read(service)],
    )
    trader.clock.advance(10)
    assert smart(trader, order(pricetype="MARKET", position_size=10))[0] == 200


def test_fifty_towards_one_target_with_partial_fills(trader: Trader, order: Order) -> None:
    trader.sim.exchange.behaviour.largest_fill = 3
    results: list[tuple[int | None, dict[str, Any]]] = []
    over = threading.Event()

    def fill() -> None:
        while not over.wait(0.02):
            trader.sim.exchange.match()

    def send() -> None:
        status, body, _ = smart(trader, order(pricetype="MARKET", position_size=50))
        results.append((status, body))

    filler = threading.Thread(target=fill)
    filler.start()
    threads = [threading.Thread(target=send) for _ in range(50)]
    random.Random(1).shuffle(threads)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _ in range(50):
        trader.sim.exchange.match()
    over.set()
    filler.join()
    assert [status for status, _ in results].count(200) >= 1
    assert {status for status, _ in results} <= {200, None, 409}
    assert held(trader) == 50
    assert not [each for each in trader.book() if each.status == "open"]


def test_a_close_is_split_at_the_freeze_quantity(
    trader: Trader, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = order(
        symbol=NIFTY_CE.symbol, exchange="NFO", product="NRML", quantity=75, pricetype="MARKET"
    )
    assert order_api.place_order_api(data, trader.auth)[0] == (200,)
    monkeypatch.setattr(lookup, "freeze_quantity", lambda _symbol, _exchange: 60)
    assert order_api.close_all_positions("", trader.auth)[1] == 200
    sent = [each.request.quantity for each in trader.orders() if each.request.side == "SELL"]
    assert sorted(sent) == [25, 50]
    assert [row["quantity"] for row in order_api.get_positions(trader.auth)] == [0]


def test_a_close_that_breaks_off_says_what_was_sent(
    trader: Trader, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = order(
        symbol=NIFTY_CE.symbol, exchange="NFO", product="NRML", quantity=75, pricetype="MARKET"
    )
    assert order_api.place_order_api(data, trader.auth)[0] == (200,)
    monkeypatch.setattr(lookup, "freeze_quantity", lambda _symbol, _exchange: 25)
    place = OrderService.place

    def place_and_break(*args: Any, **more: Any) -> Any:
        placed = place(*args, **more)
        trader.fault("orders/place", "too_many_requests_bare")
        return placed

    monkeypatch.setattr(OrderService, "place", place_and_break)
    body, status = order_api.close_all_positions("", trader.auth)
    assert status == 429
    sold = next(each for each in trader.orders() if each.request.side == "SELL")
    assert f"25 of 75 were sent ({sold.order_id})" in body["message"]
    assert "nothing" not in body["message"].lower()
    assert [row["quantity"] for row in order_api.get_positions(trader.auth)] == [50]


def test_an_exit_is_not_refused_for_what_was_to_be_disclosed(trader: Trader, order: Order) -> None:
    data = order(pricetype="MARKET", quantity=100, disclosed_quantity=30)
    assert smart(trader, {**data, "position_size": 100})[0] == 200
    for target in (20, 0):
        status, body, _ = smart(trader, {**data, "position_size": target})
        assert status == 200, body
    assert held(trader) == 0


def test_two_closes_at_once_do_not_turn_the_position(trader: Trader, order: Order) -> None:
    assert order_api.place_order_api(order(pricetype="MARKET"), trader.auth)[0] == (200,)
    trader.sim.exchange.behaviour.matching = False
    for _ in range(2):
        assert order_api.close_all_positions("", trader.auth)[1] == 200
    assert [each.request.instrument for each in trader.orders()] == [INFY, INFY]


def test_two_closes_in_two_threads_do_not_turn_the_position(
    trader: Trader, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert order_api.place_order_api(order(pricetype="MARKET"), trader.auth)[0] == (200,)
    place, pause = OrderService.place, threading.Event()

    def place_late(*args: Any, **more: Any) -> Any:
        pause.wait(0.3)  # long enough for another to read the position, if it may
        return place(*args, **more)

    monkeypatch.setattr(OrderService, "place", place_late)
    threads = [
        threading.Thread(target=order_api.close_all_positions, args=("", trader.auth))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert held(trader) == 0
    assert len(trader.orders()) == 2


def test_the_hosts_static_test_finds_what_it_greps() -> None:
    text = Path(order_api.__file__).read_text("utf-8")
    for name in (
        "_get_cached_positions", "_invalidate_position_cache", "_get_symbol_lock", "symbol_lock",
        "import threading", "import time",
    ):  # fmt: skip
        assert name in text
    body = re.search(r"def get_open_position\(.*?(?=\ndef )", text, re.S)
    assert body is not None
    assert "_get_cached_positions" in body[0]
