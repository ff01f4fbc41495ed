"""The doors behind which nothing is built: refusals in the host's terms, no false success."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from broker.mstock.api import margin_api, order_api
from broker.mstock.api.data import BrokerData
from broker.mstock.mapping import order_data
from broker.mstock.not_implemented import OPEN_POSITIONS, NotYet

ORDER = {"symbol": "INFY", "exchange": "NSE", "action": "BUY", "quantity": "1"}

REFUSED_BY_STATUS: list[Callable[[], tuple[dict[str, str], int]]] = [
    lambda: _of(order_api.place_order_api(ORDER, "token")),
    lambda: _of(order_api.place_smartorder_api(ORDER, "token")),
    lambda: order_api.modify_order({"orderid": "1"}, "token"),
    lambda: order_api.cancel_order("1", "token"),
    lambda: order_api.close_all_positions("", "token"),
]
REFUSED_BY_EXCEPTION: list[Callable[[], object]] = [
    lambda: order_api.cancel_all_orders_api({}, "token"),
    lambda: order_api.get_open_position("INFY", "NSE", "MIS", "token"),
    lambda: order_api.get_order_book("token"),
    lambda: order_api.get_trade_book("token"),
    lambda: order_api.get_positions("token"),
    lambda: order_api.get_holdings("token"),
    lambda: order_data.map_order_data(order_data=[]),
    lambda: order_data.calculate_order_statistics([]),
    lambda: order_data.transform_order_data([]),
    lambda: order_data.map_trade_data(trade_data=[]),
    lambda: order_data.transform_tradebook_data([]),
    lambda: order_data.map_position_data([]),
    lambda: order_data.transform_positions_data([]),
    lambda: order_data.map_portfolio_data([]),
    lambda: order_data.calculate_portfolio_statistics([]),
    lambda: order_data.transform_holdings_data([]),
    lambda: margin_api.calculate_margin_api([ORDER], "token"),
]


def _of(placed: tuple[order_api.Refusal, dict[str, str], None]) -> tuple[dict[str, str], int]:
    res, body, order_id = placed
    assert order_id is None
    return body, res.status


@pytest.mark.parametrize("ask", REFUSED_BY_STATUS)
def test_an_order_is_refused_with_501_and_words(
    ask: Callable[[], tuple[dict[str, str], int]],
) -> None:
    body, status = ask()
    assert status == 501
    assert body["status"] == "error"
    assert "not available yet" in body["message"]
    assert "nothing was sent" in body["message"]
    assert "No action needed" not in body["message"]  # the host takes that for a success


@pytest.mark.parametrize("ask", REFUSED_BY_EXCEPTION)
def test_everything_else_raises(ask: Callable[[], object]) -> None:
    with pytest.raises(NotYet, match="not available yet"):
        ask()


def test_closing_positions_says_where_to_close_them() -> None:
    assert OPEN_POSITIONS in order_api.close_all_positions("", "token")[0]["message"]


def test_the_margin_service_answers_501_to_it() -> None:
    assert issubclass(NotYet, NotImplementedError)


def test_the_hosts_count_of_arguments() -> None:
    assert BrokerData.__init__.__code__.co_argcount == 4
