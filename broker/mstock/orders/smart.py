"""Smart orders: what to trade so that a position ends at a target, and closing as its zero.

A lock per (symbol, exchange, product) is the caller's. The position counts together with what
earlier smart orders for it have sent and not yet filled, never with an order of another door.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from broker.mstock.mapping.orders import Order
from broker.mstock.mapping.positions import Position, located
from broker.mstock.mapping.transform_data import Instrument, OrderRequest
from broker.mstock.mapping.vocabulary import FINAL
from broker.mstock.orders.journal import OPEN, Entry
from broker.mstock.orders.lookup import Lookup
from broker.mstock.orders.placing import OrderService, Placed
from broker.mstock.orders.position_locks import PositionUnsure

DOOR = "smart"
_LOOKS = 20
_PAUSE_S = 0.25
_NOTHING_SENT = "Nothing was sent. Look in the order book, then send it again."


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


def standing(
    service: OrderService, lookup: Lookup, symbol: str, exchange: str, product: str
) -> Standing:
    """What is held and working now; the lock of that position must be held.

    Raises `PositionUnsure` while an earlier smart order is of unknown outcome or does not show in
    the order book, and other `BrokerError`s when a book cannot be read.
    """
    for n in range(_LOOKS):
        if n:
            service.clock.sleep(_PAUSE_S)
        earlier = service.journal.working(symbol, exchange, product)
        if any(each.state in OPEN for each in earlier):
            raise PositionUnsure(
                f"An earlier smart order for {symbol} is of unknown outcome.", _NOTHING_SENT
            )
        # The book, the position and the book again: equal books mean that no fill fell between.
        before = _live(service, earlier)
        if before is None:
            continue
        row = _row_of(service, lookup, symbol, exchange, product)
        held = row.quantity if row else 0
        if not before:
            return Standing(held, 0, row)
        after = {each.order_id: each for each in service.order_book()}
        if all(_fills(each) == _fills(after.get(each.order_id)) for each in before):
            return Standing(held, sum(map(_left, before)), row)
    raise PositionUnsure(
        f"Earlier smart orders for {symbol} are still on their way or being filled.", _NOTHING_SENT
    )


def _live(service: OrderService, earlier: list[Entry]) -> list[Order] | None:
    """Earlier orders that may still trade; None when one does not show in the book yet."""
    if not earlier:
        return []
    book = {each.order_id: each for each in service.order_book()}
    if any(each.order_id not in book for each in earlier):
        return None
    orders = [book[each.order_id] for each in earlier]
    service.journal.close_orders([each.order_id for each in orders if each.status in FINAL])
    return [each for each in orders if each.status not in FINAL]


def _row_of(
    service: OrderService, lookup: Lookup, symbol: str, exchange: str, product: str
) -> Position | None:
    for row in service.positions():
        if row.product == product and located(row, lookup.symbol_of) == (symbol, exchange):
            return row
    return None


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
    Raises `BrokerError`: then what was sent before it stands.
    """
    now = standing(service, lookup, request.symbol, request.exchange, request.product)
    trade = trade_to(target, now.held, now.working, request.action, quantity)
    if trade is None:
        return []
    side, count = trade
    is_exit = now.held * (1 if side == "SELL" else -1) >= count
    if is_exit and now.row is not None:
        instrument = exit_instrument(lookup, now.row, request.exchange)
    else:
        instrument = lookup.instrument(request.symbol, request.exchange)
    sent = []
    for part in pieces(count, instrument) if is_exit else (count,):
        order = request._replace(action=side, quantity=part)
        sent.append(service.place(order, instrument, door=DOOR, reduces=is_exit, urgent=is_exit))
    return sent
