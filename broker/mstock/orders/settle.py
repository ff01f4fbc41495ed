"""What became of an order whose answer was lost, as far as the order book can tell; pure.

mStock echoes tags in no documented book. So an order is recognised by what it is: the same token,
side, quantity, price type, product and price, taken not before it was sent, and not another of
ours. Where that leaves a doubt, the outcome stays unknown: a wrong "placed" would hide a doubled
or a lost order, a wrong "not placed" would cause one.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from broker.mstock.mapping.orders import Order

_PRICED = frozenset({"LIMIT", "SL"})
_TRIGGERED = frozenset({"SL", "SL-M"})


class SentOrder(NamedTuple):
    """An order as it was sent; words are the host's, `sent_at` is by mStock's own clock."""

    tag: str
    token: str
    side: str
    quantity: int
    price_type: str
    product: str
    price: Decimal
    trigger_price: Decimal
    sent_at: datetime

    @property
    def likeness(self) -> tuple[object, ...]:
        """Equal for orders that the book could not tell apart."""
        return (
            self.token,
            self.side,
            self.quantity,
            self.price_type,
            self.product,
            self.price if self.price_type in _PRICED else None,
            self.trigger_price if self.price_type in _TRIGGERED else None,
        )


class Outcome(StrEnum):
    """What the book says of one sent order."""

    PLACED = "placed"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


class Settlement(NamedTuple):
    """The outcome, with the book's row where there is one match, and why it is unknown."""

    outcome: Outcome
    order: Order | None = None
    reason: str = ""


def settle(
    sent: SentOrder,
    book: Iterable[Order],
    *,
    owned: frozenset[str],
    rivals: Iterable[SentOrder],
    echoes_tags: bool = False,
) -> Settlement:
    """Look for a sent order in a book that was read after it was sent.

    `owned` are the ids of our other orders, `rivals` our other orders whose outcome is not known.
    `echoes_tags` only where this account has been seen to echo tags: then a tag confirms or
    excludes; nowhere does the absence of a tag prove anything.
    """
    candidates = [each for each in book if each.order_id not in owned and _could_be(sent, each)]
    if echoes_tags:
        tagged = [each for each in candidates if each.tag == sent.tag]
        if len(tagged) == 1:
            return _settled(tagged[0])
        candidates = [each for each in candidates if not each.tag]
    if not candidates:
        return Settlement(Outcome.UNKNOWN, reason="it is not in the order book yet")
    if len(candidates) > 1:
        return Settlement(Outcome.UNKNOWN, reason="several orders in the book could be it")
    if candidates[0].time is None:
        return Settlement(Outcome.UNKNOWN, reason="the book does not say when the order was taken")
    if any(each.likeness == sent.likeness for each in rivals if each.tag != sent.tag):
        return Settlement(
            Outcome.UNKNOWN, reason="another order like it is not settled, and could be the one"
        )
    return _settled(candidates[0])


def _could_be(sent: SentOrder, order: Order) -> bool:
    """Whether a row of the book may be the sent order; the book's times are whole seconds."""
    if (order.token, order.side, order.quantity) != sent.likeness[:3]:
        return False
    if (order.price_type, order.product) != (sent.price_type, sent.product):
        return False
    if sent.price_type in _PRICED and order.price != sent.price:
        return False
    if sent.price_type in _TRIGGERED and order.trigger_price != sent.trigger_price:
        return False
    return order.time is None or order.time >= sent.sent_at.replace(microsecond=0)


def _settled(order: Order) -> Settlement:
    is_rejected = order.status == "rejected"
    return Settlement(Outcome.REJECTED if is_rejected else Outcome.PLACED, order)
