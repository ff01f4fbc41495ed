"""The host's doors to orders and books.

What places, changes or cancels answers with a status of its own and raises nothing: the host
would lose the reason. 200 means that mStock gave an order id, 504 that the outcome is unknown.
Books raise: the host takes an empty answer for an empty book. No order is sent twice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, TypeVar

from broker._kit.errors import BrokerError, OutcomeUnknown
from broker._kit.faults import guarded
from broker._kit.secret import Secret
from broker.mstock.mapping import order_data
from broker.mstock.mapping.positions import (
    Position,
    find_position,
    holding_rows,
    position_rows,
)
from broker.mstock.mapping.transform_data import (
    OrderRequest,
    read_order,
    read_order_id,
    read_target,
)
from broker.mstock.market_data.last_prices import prices_of
from broker.mstock.orders.exits import cancel_all, close_all
from broker.mstock.orders.placing import OrderService
from broker.mstock.orders.service import lookup, lookup_or_none, order_service
from broker.mstock.orders.smart import move_to
from broker.mstock.orders.statuses import OK, status_of
from broker.mstock.settings import Config

Body = dict[str, Any]
T = TypeVar("T")


class Result(NamedTuple):
    """The `res` that the host looks at."""

    status: int


Placed = tuple[Result | None, Body, str | None]
Changed = tuple[Body, int]

# How long positions that were read serve `get_open_position`; an order of ours ends it at once.
_POSITIONS_LIFE_S = 1.0

_cached_positions: dict[Secret, tuple[float, list[Position]]] = {}
_cache_lock = threading.Lock()
_orders_sent = 0  # so that positions read across an order are not kept


def place_order_api(data: Body, auth: str) -> Placed:
    """Place an order: `(res, body, order id)`.

    `res.status` is 200 with an order id; without one 400 refused, 401 session over, 403 key,
    address or settings, 429 too many orders, 502 mStock not reached, 504 outcome unknown; the
    body's `message` says why.
    """

    def place() -> Placed:
        request = read_order(data)
        instrument = lookup().instrument(request.symbol, request.exchange)
        placed = _service(auth).place(request, instrument)
        return _placed(placed.order_id)

    return _never_raising(place, auth)


def place_smartorder_api(data: Body, auth: str) -> Placed:
    """Trade a position to `position_size`: as `place_order_api`, or `(None, body, None)` with
    "No action needed" when it stands there already.

    409 when it cannot be told how much is held or still on its way: nothing was sent.
    """

    def place() -> Placed:
        target, quantity = read_target(data)
        request = read_order({**data, "quantity": quantity or 1})
        service = _service(auth)
        symbol_lock = _get_symbol_lock(service, request)
        with symbol_lock:  # what is held is read after this, and nobody else trades it meanwhile
            sent = move_to(service, lookup_or_none(), request, target, quantity)
        if sent:
            return _placed(sent[-1].order_id)
        words = "No action needed: the position stands at its target, or is on its way there."
        return None, {"status": "success", "message": words}, None

    return _never_raising(place, auth)


def modify_order(data: Body, auth: str) -> Changed:
    """Modify an open order: `(body, status)`, statuses as of `place_order_api`."""

    def modify() -> Changed:
        order_id, request = read_order_id(data), read_order(data)
        instrument = lookup().instrument(request.symbol, request.exchange)
        _service(auth).modify(order_id, request, instrument)
        return {"status": "success", "orderid": order_id}, OK

    return _changed(modify, auth)


def cancel_order(orderid: str, auth: str) -> Changed:
    """Cancel an open order: `(body, status)`; an unknown or finished one is an error."""

    def cancel() -> Changed:
        order_id = read_order_id({"orderid": orderid})
        _service(auth).cancel(order_id)
        return {"status": "success", "orderid": order_id}, OK

    return _changed(cancel, auth)


def cancel_all_orders_api(data: Body, auth: str) -> tuple[list[str], list[str]]:
    """Cancel every open order: ids that were cancelled, and "id: why not" of the others.

    Raises `BrokerError` when the order book cannot be read: two empty lists would be a success.
    """
    done, failed = _trading(lambda: cancel_all(_service(auth)), auth)
    return done, list(map(str, failed))


def close_all_positions(current_api_key: str, auth: str) -> Changed:
    """Send a market order against every open position: `(body, status)`.

    200 only when the positions were read and every order was taken; otherwise the body names what
    stays open, and the status is 504 where an outcome is unknown, else that of the first failure.
    """

    def close() -> Changed:
        done, failed = close_all(_service(auth), lookup_or_none())
        closing = f"Closing {', '.join(done)}." if done else ""
        if not failed:
            return {"status": "success", "message": closing or "No open position."}, OK
        errors = sorted(
            (each.error for each in failed), key=lambda error: not isinstance(error, OutcomeUnknown)
        )
        words = f"Not every position is being closed. {' '.join(map(str, failed))} {closing}"
        return _error(words.rstrip()), status_of(errors[0])

    return _changed(close, auth)


def get_order_book(auth: str) -> list[Body]:
    """Today's orders, rows of contract 4.6; what the journal does not know is settled by the way.

    Raises `BrokerError`.
    """
    return guarded(
        lambda: order_data.order_rows(_service(auth).settler.look(), lookup_or_none().symbol_of)
    )


def get_trade_book(auth: str) -> list[Body]:
    """Today's fills. Raises `BrokerError`."""
    return guarded(
        lambda: order_data.trade_rows(_service(auth).trade_book(), lookup_or_none().symbol_of)
    )


def get_positions(auth: str) -> list[Body]:
    """Net positions; `ltp` and `pnl` are left out where no last price is known. Raises
    `BrokerError`."""

    def read() -> list[Body]:
        rows, master = _service(auth).positions(), lookup_or_none()
        prices = prices_of(Config.from_env(), _secret(auth), rows, master.symbol_of)
        return position_rows(rows, master.symbol_of, prices)

    return guarded(read)


def get_holdings(auth: str) -> list[Body]:
    """Holdings with their P&L. Raises `BrokerError`."""

    def read() -> list[Body]:
        config = Config.from_env()
        found = _service(auth).holdings()
        return holding_rows(config.api_type, found, lookup_or_none().symbol_of)

    return guarded(read)


def get_open_position(tradingsymbol: str, exchange: str, producttype: str, auth: str) -> str:
    """The net quantity, signed, as a text; "0" without a position. Raises `BrokerError`."""

    def read() -> str:
        where = (tradingsymbol, exchange, producttype)
        row = find_position(_get_cached_positions(auth), lookup_or_none().symbol_of, where)
        return str(row.quantity) if row else "0"

    return guarded(read)


def _get_symbol_lock(service: OrderService, request: OrderRequest) -> AbstractContextManager[None]:
    """The lock under which one position is read and traded by smart orders and closes."""
    return service.position_lock(request.symbol, request.exchange, request.product)


def _get_cached_positions(auth: str) -> list[Position]:
    """Positions that were read at most a second ago, after the last order from here.

    Smart orders do not use it: they read what is held after their lock is held.
    """
    token, now = _secret(auth), time.monotonic()  # noqa: TID251 - the host's test greps for `time`
    with _cache_lock:
        (read_at, rows), sent = _cached_positions.get(token, (0.0, [])), _orders_sent
    if read_at and now - read_at <= _POSITIONS_LIFE_S:
        return rows
    rows = _service(auth).positions()
    with _cache_lock:
        if sent == _orders_sent:
            _cached_positions.clear()
            _cached_positions[token] = (now, rows)
    return rows


def _invalidate_position_cache(auth: str) -> None:
    """Forget positions that were read, or began to be read, before an order."""
    global _orders_sent
    with _cache_lock:
        _orders_sent += 1
        _cached_positions.pop(_secret(auth), None)


def _service(auth: str) -> OrderService:
    return order_service(Config.from_env(), _secret(auth))


def _secret(auth: object) -> Secret:
    # The host may hold None here; what is no text is no token, and the client says so.
    return Secret(auth if isinstance(auth, str) else "")


def _placed(order_id: str) -> Placed:
    return Result(OK), {"status": "success", "orderid": order_id}, order_id


def _trading(work: Callable[[], T], auth: str) -> T:
    try:
        return guarded(work)
    finally:
        _invalidate_position_cache(auth)


def _never_raising(work: Callable[[], Placed], auth: str) -> Placed:
    try:
        return _trading(work, auth)
    except BrokerError as error:
        return Result(status_of(error)), _error(str(error)), None


def _changed(work: Callable[[], Changed], auth: str) -> Changed:
    try:
        return _trading(work, auth)
    except BrokerError as error:
        return _error(str(error)), status_of(error)


def _error(words: str) -> Body:
    return {"status": "error", "message": words}
