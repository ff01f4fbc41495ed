"""What is news among order updates and rows of the order book; pure.

The same change may come over the WebSocket, again after a reconnect, and in a book that was read
meanwhile, and late ones may come after newer ones. Each is told once, and never an older state
after a newer one.
"""

from __future__ import annotations

from collections.abc import Iterable

from broker.mstock.mapping.orders import Order
from broker.mstock.mapping.vocabulary import FINAL

_RANKS = {"trigger pending": 0, "open": 1}
_SHORT_S = 10.0
_MOST_SHORT = 3


class OrderChanges:
    """Remembers each order's newest state."""

    def __init__(self) -> None:
        self._known: dict[str, Order] = {}
        self._has_book = False

    def take(self, order: Order) -> bool:
        """True when this is a change that has not been told."""
        known = self._known.get(order.order_id)
        if not order.order_id or (known and (_state(order) == _state(known))):
            return False
        if known and _is_older(order, known):
            return False
        self._known[order.order_id] = order
        return True

    def take_book(self, orders: Iterable[Order]) -> list[Order]:
        """The changes that a book shows, in its order.

        The first book is where the telling begins: of an order that was never heard of it tells
        nothing, since that may be hours old.
        """
        heard_of, is_first = set(self._known), not self._has_book
        self._has_book = True
        changed = [order for order in orders if self.take(order)]
        return [each for each in changed if each.order_id in heard_of] if is_first else changed


def _state(order: Order) -> tuple[object, ...]:
    """What makes two updates the same one. Not the time: two ways may write it differently."""
    return (
        order.status,
        order.filled_quantity,
        order.quantity,
        order.price_type,
        order.price,
        order.trigger_price,
    )


def _is_older(order: Order, known: Order) -> bool:
    is_final, was_final = order.status in FINAL, known.status in FINAL
    if is_final != was_final:
        return was_final
    if order.filled_quantity != known.filled_quantity:
        return order.filled_quantity < known.filled_quantity
    time, known_time = order.time, known.time
    if time and known_time and time != known_time:
        return time < known_time
    return _RANKS.get(order.status, 1) < _RANKS.get(known.status, 1)


class ShortLives:
    """Counts connections in a row that ended soon after their login.

    That is how it looks when mStock allows one connection and another one is made again and again.
    """

    def __init__(self) -> None:
        self._since: float | None = None
        self._count = 0

    def connected(self, now: float) -> None:
        """A connection has logged in."""
        self._since = now

    def ended(self, now: float) -> bool:
        """It has ended, or there is still none; True when one was evicted too often."""
        if self._since is not None:
            self._count = self._count + 1 if now - self._since < _SHORT_S else 0
            self._since = None
        return self._count >= _MOST_SHORT
