"""The host's doors to orders and books, behind which nothing is built yet: each says so.

An order is refused with 501 and never with 200, which the host takes for "placed"; a book is an
exception, since the host shows an error that is returned as an empty book. The host's own static
test `test/test_smartorder_logic.py` looks for the locks of a working smart order in this file and
fails for mstock until there is one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from broker.mstock.not_implemented import (
    IN_THE_APP,
    OPEN_POSITIONS,
    ORDERS,
    NotYet,
    refuse_books,
)

_NOT_IMPLEMENTED = 501


class Refusal(NamedTuple):
    """The `res` that the host looks at; any status but 200 is a failure to it."""

    status: int = _NOT_IMPLEMENTED


Placed = tuple[Refusal, dict[str, str], None]
Changed = tuple[dict[str, str], int]


def place_order_api(data: dict[str, Any], auth: str) -> Placed:
    """Refused: `(res, body, None)` with `res.status` 501 and the reason in `body["message"]`."""
    return Refusal(), _error(ORDERS), None


def modify_order(data: dict[str, Any], auth: str) -> Changed:
    """Refused: `(body, 501)`."""
    return _error(ORDERS), _NOT_IMPLEMENTED


def close_all_positions(current_api_key: str, auth: str) -> Changed:
    """Refused: `(body, 501)`; with 200 the host would announce that all is squared off."""
    return _error(f"{ORDERS} {OPEN_POSITIONS}", next_step=""), _NOT_IMPLEMENTED


def cancel_all_orders_api(data: dict[str, Any], auth: str) -> tuple[list[str], list[str]]:
    """Raises `NotYet`: the host would announce any two lists as a success."""
    raise NotYet(ORDERS)


place_smartorder_api = place_order_api
cancel_order = modify_order
get_open_position = refuse_books  # a position that is not known must not be taken for zero
get_order_book = refuse_books
get_trade_book = refuse_books
get_positions = refuse_books
get_holdings = refuse_books


def _error(words: str, next_step: str = IN_THE_APP) -> dict[str, str]:
    return {"status": "error", "message": f"{words} {next_step}".rstrip()}
