"""Orders whose answer is lost: found in the book, or said to be unknown; never sent twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from broker._kit.errors import OutcomeUnknown, StoreError
from broker.mstock.api import order_api
from broker.mstock.mapping.transform_data import Instrument, read_order
from broker.mstock.orders.journal import State
from broker.mstock.orders.placing import LOOK_UP_S
from broker.mstock.orders.settler import BACKGROUND_PAUSE_S
from tests.orders.conftest import Trader

Order = Callable[..., dict[str, Any]]
LOST = (
    "reset", "disconnect", "bad_gateway", "gateway_timeout", "html_page", "empty_body",
    "truncated_body", "reset_mid_body", "not_http", "no_order_id", "garbage", "timeout",
    "false_with_order_id", "json_scalar", "redirect", "general_error", "service_unavailable",
    "refusal_with_500",
)  # fmt: skip
AFTER_ONLY = ("truncated_body", "reset_mid_body", "no_order_id", "false_with_order_id")


@pytest.mark.parametrize("kind", LOST)
def test_accepted_and_the_answer_lost_is_found(trader: Trader, order: Order, kind: str) -> None:
    trader.fault("orders/place", kind, when="after")
    res, body, order_id = order_api.place_order_api(order(), trader.auth)
    (placed,) = trader.orders()
    assert res == (200,), body
    assert order_id == placed.order_id
    assert trader.sent() == 1
    assert trader.service().journal.unknown() == []


@pytest.mark.parametrize("kind", [kind for kind in LOST if kind not in AFTER_ONLY])
def test_lost_before_it_was_accepted_is_unknown(trader: Trader, order: Order, kind: str) -> None:
    trader.fault("orders/place", kind, when="before")
    started = trader.clock.now()
    res, body, order_id = order_api.place_order_api(order(), trader.auth)
    assert res is not None
    assert (res.status, order_id) == (504, None)
    assert trader.clock.now() - started <= timedelta(seconds=LOOK_UP_S)
    (entry,) = trader.service().journal.unknown()
    assert "Outcome unknown, check the order book" in body["message"]
    assert entry.tag in body["message"]
    assert trader.orders() == []
    assert trader.sent() == 1
    assert len(trader.background) == 1


@pytest.mark.parametrize("seconds", [1, 14])
def test_a_late_book_is_waited_for(trader: Trader, order: Order, seconds: int) -> None:
    trader.sim.exchange.behaviour.delay_book(seconds, seconds)
    trader.fault("orders/place", "reset", when="after")
    res, _, order_id = order_api.place_order_api(order(), trader.auth)
    assert res == (200,)
    assert order_id == trader.orders()[0].order_id


def test_a_very_late_book_settles_in_the_background(trader: Trader, order: Order) -> None:
    trader.sim.exchange.behaviour.delay_book(60, 60)
    trader.fault("orders/place", "reset", when="after")
    assert order_api.place_order_api(order(), trader.auth)[0] == (504,)
    (work,) = trader.background
    work()
    with trader.service().journal._transaction() as connection:
        row = connection.exec_driver_sql("select state, order_id from mstock_orders").one()
    assert tuple(row) == (State.DONE, trader.orders()[0].order_id)
    assert max(trader.clock.slept) == BACKGROUND_PAUSE_S


def test_a_rejection_in_the_book_is_told(trader: Trader, order: Order) -> None:
    trader.fault("orders/place", "reset", when="after")
    data = order(quantity=10_000_000, pricetype="MARKET")
    res, body, order_id = order_api.place_order_api(data, trader.auth)
    assert res is not None
    assert (res.status, order_id) == (400, None)
    assert "Not enough funds" in body["message"]


def test_a_refused_twin_does_not_settle_a_late_order(trader: Trader, order: Order) -> None:
    data = order(quantity=10_000_000, pricetype="MARKET")
    order_api.place_order_api(data, trader.auth)  # rejected, and stands in the book as such
    trader.sim.exchange.behaviour.delay_book(60, 60)
    trader.fault("orders/place", "reset", when="after")
    assert order_api.place_order_api(data, trader.auth)[0] == (504,)


def test_two_equal_orders_on_purpose_stay_two(trader: Trader, order: Order) -> None:
    first = order_api.place_order_api(order(), trader.auth)[2]
    trader.fault("orders/place", "reset", when="after")
    second = order_api.place_order_api(order(), trader.auth)[2]
    assert {first, second} == {each.order_id for each in trader.orders()}
    assert first != second


def test_two_equal_lost_orders_are_both_unknown(trader: Trader, order: Order) -> None:
    trader.sim.exchange.behaviour.delay_book(20, 20)
    for _ in range(2):
        trader.fault("orders/place", "reset", when="after")
        assert order_api.place_order_api(order(), trader.auth)[0] == (504,)
    trader.clock.advance(60)
    service = trader.service()
    service.settler.look()
    assert len(service.journal.unknown()) == 2


def test_an_equal_order_of_before_is_not_taken_for_it(trader: Trader, order: Order) -> None:
    trader.client.place()  # by another door, equal in all the book shows
    trader.clock.advance(2)
    trader.fault("orders/place", "reset", when="before")
    assert order_api.place_order_api(order(), trader.auth)[0] == (504,)


def test_an_order_that_was_changed_since_is_still_the_one_that_it_was(
    trader: Trader, order: Order
) -> None:
    other = str(order_api.place_order_api(order(quantity=5), trader.auth)[2])
    trader.fault("orders/place", "reset", when="before")
    # In the same second, and with the quantity of the lost one now.
    assert order_api.modify_order(order(orderid=other), trader.auth)[1] == 200
    res, body, order_id = order_api.place_order_api(order(), trader.auth)
    assert (res, order_id) == ((504,), None), body


def test_a_slow_or_fast_clock_of_ours_does_not_matter(trader: Trader, order: Order) -> None:
    for minutes in (-7, 7):
        trader.clock.error = timedelta(minutes=minutes)
        service = trader.service()
        request = read_order(order(price=1240 + minutes / 4))
        instrument = order_api.lookup().instrument("INFY", "NSE")
        trader.fault("orders/place", "reset", when="after")
        placed = service.place(request, instrument)
        assert placed.order_id in {each.order_id for each in trader.orders()}


def test_what_never_left_may_be_repeated(trader: Trader, order: Order) -> None:
    trader.sim.stop()
    res, body, order_id = order_api.place_order_api(order(), trader.auth)
    assert res is not None
    assert (res.status, order_id) == (502, None)
    assert "Nothing was sent" in body["message"]
    assert trader.service().journal.unknown() == []


@pytest.mark.parametrize(("when", "status"), [("after", 200), ("before", 504)])
def test_modify_and_cancel_are_settled_by_the_orders_state(
    trader: Trader, order: Order, when: str, status: int
) -> None:
    order_id = str(order_api.place_order_api(order(), trader.auth)[2])
    trader.fault("orders/modify", "bad_gateway", when=when)
    changed = order(orderid=order_id, price=1241)
    assert order_api.modify_order(changed, trader.auth)[1] == status
    assert trader.sent(method="PUT", path=order_id) == 1
    trader.fault("orders/cancel", "reset", when=when)
    assert order_api.cancel_order(order_id, trader.auth)[1] == status
    assert trader.sent(method="DELETE", path=order_id) == 1
    (placed,) = trader.orders()
    assert (placed.request.price == 1241) is (when == "after")


@pytest.mark.parametrize(
    ("placed", "changed"),
    [
        ({}, {"pricetype": "MARKET"}),
        ({"pricetype": "SL", "trigger_price": 1260, "price": 1262}, {"price": 1262}),
    ],
)  # fmt: skip
def test_a_change_of_the_price_type_that_was_not_taken_is_not_called_done(
    trader: Trader, order: Order, placed: dict[str, Any], changed: dict[str, Any]
) -> None:
    order_id = order_api.place_order_api(order(**placed), trader.auth)[2]
    trader.fault("orders/modify", "bad_gateway", when="before")
    assert order_api.modify_order(order(orderid=order_id, **changed), trader.auth)[1] == 504


def test_without_a_journal_no_order_but_a_cancel(trader: Trader, order: Order) -> None:
    order_id = str(order_api.place_order_api(order(), trader.auth)[2])
    journal = Path(trader.service().journal.file)
    journal.write_bytes(b"this is no database" * 100)
    res, body, _ = order_api.place_order_api(order(), trader.auth)
    assert res is not None
    assert res.status == 403
    assert str(journal) in body["message"]
    assert len(trader.orders()) == 1
    trader.fault("orders/cancel", "reset", when="after")
    assert order_api.cancel_order(order_id, trader.auth) == (
        {"status": "success", "orderid": order_id},
        200,
    )


def test_an_order_that_was_taken_is_told_though_the_journal_broke(
    trader: Trader, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = trader.service()

    def broken(*_: object, **__: object) -> None:
        raise StoreError("gone")

    monkeypatch.setattr(service.journal, "finish", broken)
    instrument = order_api.lookup().instrument("INFY", "NSE")
    assert service.place(read_order(order()), instrument).order_id


def test_others_cannot_read_the_journal(trader: Trader, order: Order) -> None:
    order_api.place_order_api(order(), trader.auth)
    assert Path(trader.service().journal.file).stat().st_mode & 0o077 == 0


def test_many_threads_with_lost_answers(trader: Trader, order: Order) -> None:
    found: list[tuple[int, str | None]] = []

    def place(n: int) -> None:
        if n % 3 == 0:
            trader.fault("orders/place", "reset", when="after")
        data = order(price=1200 + n * 0.05)
        res, _, order_id = order_api.place_order_api(data, trader.auth)
        found.append((res.status if res else 0, order_id))

    threads = [threading.Thread(target=place, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    placed = {each.order_id for each in trader.orders()}
    assert len(placed) == 20
    assert sorted(order_id for _, order_id in found if order_id) == sorted(placed)


def test_tags_settle_equal_orders_where_they_are_echoed(trader: Trader, order: Order) -> None:
    trader.sim.settings.tags = "book"
    trader.sim.exchange.behaviour.delay_book(20, 20)
    for _ in range(2):
        trader.fault("orders/place", "reset", when="after")
        assert order_api.place_order_api(order(), trader.auth)[0] == (504,)
    trader.clock.advance(60)
    service = trader.service()
    service.settler.look()
    assert service.journal.unknown() == []


def test_an_unknown_outcome_is_an_error_with_the_tag(trader: Trader, order: Order) -> None:
    trader.fault("orders/place", "reset", when="before")
    instrument = Instrument("1594", "INFY-EQ", "NSE")
    with pytest.raises(OutcomeUnknown, match=r"tag oa[0-9a-f]{16}"):
        trader.service().place(read_order(order()), instrument)
