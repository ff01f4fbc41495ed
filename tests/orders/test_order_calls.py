"""What is read of an answer to an order call, and what the dates of answers say of the clocks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any

import pytest

from broker._kit.clock import IST
from broker._kit.errors import OutcomeUnknown
from broker._kit.secret import Secret
from broker.mstock.client.order_calls import OrderCalls

TEN = datetime(2025, 1, 1, 10, tzinfo=IST)


class Answers:
    """A client whose every call has the next of these answers: `data` and our time then.

    mStock's clock is ten seconds behind ours, and its dates are in whole seconds.
    """

    def __init__(self, *answers: tuple[Any, datetime]) -> None:
        self._answers: Iterator[tuple[Any, datetime]] = iter(answers)
        self._now = TEN

    def now(self) -> datetime:
        return self._now

    def _ask(self, *_args: Any, **_fields: Any) -> Any:
        data, self._now = next(self._answers)
        date = (self._now - timedelta(seconds=10)).replace(microsecond=0)
        return SimpleNamespace(data=data, date=format_datetime(date))


def calls(*answers: tuple[Any, datetime]) -> OrderCalls:
    client: Any = Answers(*answers)
    return OrderCalls(client, "B", client)


@pytest.mark.parametrize(
    ("data", "order_id"),
    [
        ({"order_id": "1131"}, "1131"), ([{"orderid": 1131}], "1131"),
        ({"order_id": " 10"}, "10"), ({"order_id": "0", "orderid": "7"}, "7"),
        ({"orderid": "0"}, None), ({"orderid": 0}, None), ({"orderid": " 00 "}, None),
        ({"orderid": ""}, None), ({"orderid": None}, None), ([], None), (None, None),
    ],
)  # fmt: skip
def test_an_order_without_a_real_id_is_no_success(data: Any, order_id: str | None) -> None:
    found = calls((data, TEN))
    if order_id is None:
        with pytest.raises(OutcomeUnknown):
            found.place(Secret("t"), "", {})
    else:
        assert found.place(Secret("t"), "", {}) == order_id


def test_the_closest_reading_of_mstocks_clock_counts() -> None:
    """An earlier one would let an older order be taken for the one that was sent."""
    seconds = (0.9, 1.1, 2.5)
    found = calls(*((None, TEN + timedelta(seconds=each)) for each in seconds))
    assert found.clock_offset == timedelta(0)
    for _ in seconds:
        found.order_book(Secret("t"))
    assert found.clock_offset == timedelta(seconds=-10.1)
