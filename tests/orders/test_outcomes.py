"""Whether the book can tell what became of an order."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker._kit.clock import IST
from broker.mstock.mapping.orders import Order, orders
from broker.mstock.orders.journal import Entry
from broker.mstock.orders.outcomes import find_sent

NOW = datetime(2026, 11, 23, 9, 15, 7, 400_000, tzinfo=IST)
FIRST, SECOND = "21612611230001", "21612611230002"
SENT = Entry(
    "t1", "place", NOW, token="22", side="BUY", quantity=20, price_type="LIMIT", product="MIS",
    price=Decimal("2400.5"),
)  # fmt: skip


def row(**changed: Any) -> dict[str, Any]:
    return {
        "ordertype": "LIMIT",
        "producttype": "INTRADAY",
        "duration": "DAY",
        "price": "2400.50",
        "triggerprice": "0",
        "quantity": "20",
        "tradingsymbol": "ACC",
        "transactiontype": "BUY",
        "exchange": "NSE",
        "symboltoken": "22",
        "instrumenttype": "EQUITY",
        "orderid": FIRST,
        "text": "CONFIRMED",
        "status": "Pending",
        "updatetime": "2026-Nov-23 09:15:07",
    } | changed


def book(*rows: dict[str, Any]) -> list[Order]:
    return orders("B", list(rows))


def found(*rows: dict[str, Any], owned: frozenset[str] = frozenset(), **given: Any) -> str | None:
    order = find_sent(SENT, book(*rows), owned=owned, rivals=given.pop("rivals", ()), **given)
    return order and order.order_id


def test_the_one_like_it_is_it_to_the_whole_second() -> None:
    assert found(row()) == FIRST


@pytest.mark.parametrize(
    "changed",
    [
        {"symboltoken": "1594"},
        {"transactiontype": "SELL"},
        {"quantity": "40"},
        {"ordertype": "MARKET"},
        {"producttype": "DELIVERY"},
        {"price": "2400.55"},
        {"updatetime": "2026-Nov-23 09:15:06"},
        {"updatetime": "2026-Nov-24 09:15:07"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_another_is_not_it(changed: dict[str, str]) -> None:
    assert found(row(**changed)) is None


def test_not_in_the_book_is_never_taken_for_not_placed() -> None:
    assert found() is None


def test_two_like_it_leave_a_doubt() -> None:
    assert found(row(), row(orderid=SECOND)) is None


def test_one_that_another_order_of_ours_owns_does_not_count() -> None:
    owned = frozenset({FIRST})
    assert found(row(), owned=owned) is None
    assert found(row(), row(orderid=SECOND), owned=owned) == SECOND


def test_one_that_another_unsettled_order_could_own_leaves_a_doubt() -> None:
    rival = SENT._replace(tag="t2", at=NOW - timedelta(seconds=5))
    assert found(row(), rivals=[rival]) is None
    assert found(row(), rivals=[rival._replace(at=NOW - timedelta(days=1))]) == FIRST
    other = rival._replace(quantity=40)
    assert found(row(), rivals=[other]) == FIRST


def test_a_time_that_cannot_be_read_leaves_a_doubt() -> None:
    assert found(row(updatetime="")) is None


class TestTags:
    def test_count_for_nothing_where_they_were_never_seen(self) -> None:
        assert found(row(ordertag="t2")) == FIRST

    def test_confirm_one_of_several(self) -> None:
        rows = (row(ordertag="t2"), row(ordertag="t1", orderid="9"))
        assert found(*rows, echoes_tags=True) == "9"

    def test_exclude_one_of_another(self) -> None:
        assert found(row(ordertag="t2"), echoes_tags=True) is None


@given(
    quantity=st.integers(1, 3),
    side=st.sampled_from(["BUY", "SELL"]),
    late=st.integers(-3, 3),
    count=st.integers(0, 3),
)
def test_never_placed_without_exactly_one_order_that_could_be_it(
    quantity: int, side: str, late: int, count: int
) -> None:
    when = f"{NOW + timedelta(seconds=late):%Y-%b-%d %H:%M:%S}"
    rows = [
        row(quantity=str(10 * quantity), transactiontype=side, updatetime=when, orderid=str(n))
        for n in range(count)
    ]
    expected = count == 1 and quantity == 2 and side == "BUY" and late >= 0
    assert (found(*rows) is not None) is expected
