"""Cancel all and close all: one by one, whatever single ones fail, and every failure is named."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from broker._kit.errors import BrokerError
from broker._kit.faults import guarded
from broker.mstock.mapping.orders import locate
from broker.mstock.mapping.transform_data import OrderRequest
from broker.mstock.mapping.vocabulary import FINAL
from broker.mstock.orders.lookup import Lookup
from broker.mstock.orders.placing import OrderService, Placed
from broker.mstock.orders.smart import move_to


class Failed(NamedTuple):
    """What was not done: of what, and why."""

    what: str
    error: BrokerError

    def __str__(self) -> str:
        return f"{self.what}: {self.error}"


class Results(NamedTuple):
    """Order ids, or positions ("INFY on NSE, MIS") for which orders were sent; and what failed."""

    done: list[str]
    failed: list[Failed]


def cancel_all(
    service: OrderService, wanted: Callable[[str, str], bool] = lambda _token, _product: True
) -> Results:
    """Cancel every order that is not known to be over, or those of wanted tokens and products.

    Raises `BrokerError` when the order book cannot be read.
    """
    return cancel_orders(
        service,
        [
            order.order_id
            for order in service.order_book()
            if order.status not in FINAL and wanted(order.token, order.product)
        ],
    )


def cancel_orders(service: OrderService, order_ids: Iterable[str]) -> Results:
    """Cancel these."""
    found = Results([], [])
    for order_id in order_ids:
        try:
            guarded(partial(service.cancel, order_id))
            found.done.append(order_id)
        except BrokerError as error:
            found.failed.append(Failed(order_id, error))
    return found


def close_all(service: OrderService, lookup: Lookup) -> Results:
    """Send a market order against every open position.

    Raises `BrokerError` when the positions cannot be read.
    """
    found = Results([], [])
    for row in service.positions():
        if not row.quantity:
            continue
        symbol, exchange = locate(row, lookup.symbol_of)
        where = (symbol, exchange, row.product)
        what = f"{symbol} on {exchange}, {row.product}"
        try:
            sent = guarded(partial(close, service, lookup, where))
        except BrokerError as error:
            found.failed.append(Failed(what, error))
        else:
            if sent:
                found.done.append(what)
    return found


def close(service: OrderService, lookup: Lookup, where: tuple[str, str, str]) -> list[Placed]:
    """Send what brings one position to zero; nothing when that is on its way already."""
    symbol, exchange, product = where
    with service.position_lock(*where):
        request = OrderRequest(symbol, exchange, "SELL", 0, product=product)
        return move_to(service, lookup, request, 0, 0)
