"""Smart orders: what to trade so that a position ends at a target, and closing as its zero.

A lock per (symbol, exchange, product) is the caller's. The position counts together with what
earlier smart orders for it have sent and not yet filled, never with an order of another door.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from broker._kit.errors import BrokerError
from broker.mstock.mapping.orders import Order
from broker.mstock.mapping.positions import Position, find_position
from broker.mstock.mapping.transform_data import Instrument, OrderRequest
from broker.mstock.mapping.vocabulary import FINAL
from broker.mstock.orders.journal import OPEN, Entry
from broker.mstock.orders.lookup import Lookup
from broker.mstock.orders.placing import OrderService, Placed
from broker.mstock.orders.position_locks import PositionUnsure

DOOR = "smart"
_LOOKS = 20
_PAUSE_S = 0.25
# For so long after an order was sent, mStock's positions may lack a fill that its book shows.
_LAG = timedelta(seconds=10)
_NOTHING_SENT = "Nothing was sent."


class Standing(NamedTuple):
    """Signed quantities: what is held, and what earlier smart orders may still add to it.

    `row` is the position's row, None when mStock has none.
    """

    held: int
    working: int
    row: Position | None


def trade_to(
    target: int, held: int, working: int, action: str, quantity: int
) -> tuple[str, int] | None:
    """Side and quantity that lead to the target; None when there is nothing to do.

    Without a target and a position the order itself is meant: `action` and `quantity`.
    """
    gap = target - held - working
    if gap:
        return ("BUY" if gap > 0 else "SELL"), abs(gap)
    is_flat = not (target or held or working)
    return (action, quantity) if is_flat and quantity else None


def standing(service: OrderService, lookup: Lookup, where: tuple[str, str, str]) -> Standing:
    """What is held and working now at (symbol, exchange, product), whose lock must be held.

    Raises `PositionUnsure` while an earlier smart order of unknown outcome may still trade, or one
    does not show in the order book, and other `BrokerError`s when a book cannot be read.
    """
    for n in range(_LOOKS):
        if n:
            service.clock.sleep(_PAUSE_S)
        # The book, the position and the book again: equal books mean that no fill fell between.
        earlier = _earlier(service, where)
        if earlier is None:
            continue
        row = _row_of(service, lookup, where)
        held = row.quantity if row else 0
        if any(_may_be_missing(service, held, *each) for each in earlier):
            continue
        service.journal.close_orders([o.order_id for _, o in earlier if o.status in FINAL])
        before = [order for _, order in earlier if order.status not in FINAL]
        if not before:
            return Standing(held, 0, row)
        after = {each.order_id: each for each in service.order_book()}
        if all(_fills(each) == _fills(after.get(each.order_id)) for each in before):
            return Standing(held, sum(map(_left, before)), row)
    raise PositionUnsure(
        f"Earlier smart orders for {where[0]} are still on their way or being filled.",
        f"{_NOTHING_SENT} Look in the order book, then send it again.",
    )


def _earlier(
    service: OrderService, where: tuple[str, str, str]
) -> list[tuple[Entry, Order]] | None:
    """Earlier orders that were not known to be over; None when one is not in the book yet."""
    if not service.journal.working(*where):
        return []
    found = service.settler.look()
    book = {each.order_id: each for each in found}
    earlier = service.journal.working(*where)  # as that look has settled them
    unknown = [each for each in earlier if each.state in OPEN]
    if any(service.settler.may_still_trade(each, found) for each in unknown):
        raise PositionUnsure(
            f"An earlier smart order for {where[0]} is of unknown outcome.",
            f"{_NOTHING_SENT} Look in the order book; an ordinary order still goes.",
        )
    known = [each for each in earlier if each not in unknown]
    if not all(each.order_id in book for each in known):
        return None
    return [(each, book[each.order_id]) for each in known]


def _may_be_missing(service: OrderService, held: int, entry: Entry, order: Order) -> bool:
    """Whether a fill that the order book shows may be missing in the positions yet: what is held
    is what was held when that order was sent."""
    is_recent = entry.at + _LAG > service.clock.now()
    return is_recent and order.filled_quantity > 0 and held == entry.held


def _row_of(service: OrderService, lookup: Lookup, where: tuple[str, str, str]) -> Position | None:
    rows = service.positions()
    found = find_position(rows, lookup.symbol_of, where)
    nameless = find_position(rows, lookup.symbol_of, (*where[:2], ""))
    if found is None and nameless is not None and nameless.quantity:
        raise PositionUnsure(
            f"mStock shows a position of {where[0]} without its product, which may be this one.",
            f"{_NOTHING_SENT} Look in the mStock app; an ordinary order still goes.",
        )
    return found


def _fills(order: Order | None) -> tuple[object, ...]:
    return (order.status, order.quantity, order.filled_quantity) if order else ()


def _left(order: Order) -> int:
    left = order.quantity - order.filled_quantity
    return left if order.side == "BUY" else -left


def exit_instrument(lookup: Lookup, row: Position, exchange: str) -> Instrument:
    """What an exit needs, from the master or else from the position's own row."""
    found = lookup.by_token(row.token, exchange)
    return found or Instrument(row.token, row.symbol, exchange)


def pieces(quantity: int, instrument: Instrument) -> Iterator[int]:
    """A quantity in orders of at most the freeze quantity, in whole lots."""
    freeze, lot = instrument.freeze_quantity or quantity, instrument.lot_size or 1
    largest = max(freeze - freeze % lot, min(lot, quantity))
    while quantity > 0:
        yield min(largest, quantity)
        quantity -= largest


def move_to(
    service: OrderService, lookup: Lookup, request: OrderRequest, target: int, quantity: int
) -> list[Placed]:
    """Trade a position to the target; the orders that this took, none when it stands there.

    `request` carries symbol, exchange, product, price type and prices; its action and `quantity`
    count where there is neither target nor position. The lock of that position must be held.
    Raises `BrokerError`, which names what was sent before it and stands.
    """
    where = (request.symbol, request.exchange, request.product)
    now = standing(service, lookup, where)
    if now.row is None:  # "no position" of a symbol that nobody knows would be no answer
        lookup.instrument(request.symbol, request.exchange)
    trade = trade_to(target, now.held, now.working, request.action, quantity)
    if trade is None:
        return []
    side, count = trade
    is_exit = now.held * (1 if side == "SELL" else -1) >= count
    if is_exit and now.row is not None:
        instrument = exit_instrument(lookup, now.row, request.exchange)
    else:
        instrument = lookup.instrument(request.symbol, request.exchange)
    if is_exit:  # what was to be disclosed of another quantity must not keep a trader in
        request = request._replace(disclosed_quantity=0)
    sent: list[Placed] = []
    left = count
    for part in pieces(count, instrument) if is_exit else (count,):
        order = request._replace(action=side, quantity=part)
        try:
            placed = service.place(order, instrument, door=DOOR, held=now.held, urgent=is_exit)
        except BrokerError as error:
            if sent:
                ids = ", ".join(each.order_id for each in sent)
                error.message = (
                    f"{count - left} of {count} were sent ({ids}), then: {error.message}"
                )
            raise
        sent.append(placed)
        left -= part
    return sent
