"""Cancel all and close all: each by itself, whatever others do, and every failure is named."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple, TypeVar

from broker._kit.errors import BrokerError, OutcomeUnknown, StoreError
from broker._kit.faults import guarded
from broker.mstock.mapping.orders import locate
from broker.mstock.mapping.transform_data import OrderRequest
from broker.mstock.mapping.vocabulary import FINAL
from broker.mstock.orders.journal import Entry
from broker.mstock.orders.lookup import Lookup
from broker.mstock.orders.placing import OrderService, Placed
from broker.mstock.orders.settler import LOOKED_FOR
from broker.mstock.orders.smart import move_to

log = logging.getLogger(__name__)

_AT_ONCE = 5  # calls; mStock takes 30 orders a second

T = TypeVar("T")


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


def _each(work: Callable[[T], object], wanted: Mapping[str, T]) -> Results:
    """Do it for each, some at a time: a lost answer is looked up for 15 s and holds up no other.

    What gives an empty list had nothing to do.
    """
    found = Results([], [])
    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        begun = {what: pool.submit(guarded, partial(work, each)) for what, each in wanted.items()}
        for what, future in begun.items():
            try:
                if future.result() != []:
                    found.done.append(what)
            except BrokerError as error:
                found.failed.append(Failed(what, error))
    finally:
        pool.shutdown(cancel_futures=True)  # an interruption stops what has not begun
    return found


def cancel_all(
    service: OrderService, wanted: Callable[[str, str], bool] = lambda _token, _product: True
) -> Results:
    """Cancel every order that is not known to be over, or those of wanted tokens and products.

    One that was just sent and is not in the book yet is cancelled by its id; without an id it is
    named. Raises `BrokerError` when the order book cannot be read.
    """
    book = {order.order_id: order for order in service.settler.look()}
    late = [
        entry
        for entry in _just_sent(service)
        if entry.order_id not in book and wanted(entry.token, entry.product)
    ]
    resting = [
        order.order_id
        for order in book.values()
        if order.status not in FINAL and wanted(order.token, order.product)
    ]
    found = cancel_orders(service, resting + [each.order_id for each in late if each.order_id])
    found.failed.extend(
        Failed(f"{each.side} {each.quantity} {each.symbol} (tag {each.tag})", _unknown())
        for each in late
        if not each.order_id
    )
    return found


def _just_sent(service: OrderService) -> list[Entry]:
    try:
        return service.journal.sent_within(LOOKED_FOR)
    except StoreError as error:  # cancels go without the journal
        log.error("Orders that the book does not show yet are not cancelled. %s", error)
        return []


def _unknown() -> OutcomeUnknown:
    return OutcomeUnknown(
        "not cancelled: its outcome is unknown, and it may show in the order book yet.",
        "Look there again.",
    )


def cancel_orders(service: OrderService, order_ids: Iterable[str]) -> Results:
    """Cancel these."""
    return _each(service.cancel, {each: each for each in order_ids})


def close_all(service: OrderService, lookup: Lookup) -> Results:
    """Send a market order against every open position, the short ones first: that frees margin.

    Raises `BrokerError` when the positions cannot be read.
    """
    sides: tuple[dict[str, tuple[str, str, str]], ...] = ({}, {})  # short, long
    for row in service.positions():
        if row.quantity:
            where = (*locate(row, lookup.symbol_of), row.product)
            sides[row.quantity > 0]["{} on {}, {}".format(*where)] = where
    short, long = (_each(partial(close, service, lookup), side) for side in sides)
    return Results(short.done + long.done, short.failed + long.failed)


def close(service: OrderService, lookup: Lookup, where: tuple[str, str, str]) -> list[Placed]:
    """Send what brings one position to zero; nothing when that is on its way already."""
    symbol, exchange, product = where
    with service.position_lock(*where):
        request = OrderRequest(symbol, exchange, "SELL", 0, product=product)
        return move_to(service, lookup, request, 0, 0)
