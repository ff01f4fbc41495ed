"""What became of a call whose answer was lost, as far as the books can tell; pure.

mStock echoes tags in no documented book. So an order is recognised by what it is: the same token,
side, quantity, price type, product and price, taken not before it was sent, and not another of
ours. Where that leaves a doubt, the outcome stays unknown: a wrong "placed" would hide a doubled
or a lost order, a wrong "not placed" would cause one.
"""

from __future__ import annotations

from collections.abc import Iterable

from broker.mstock.mapping.orders import Order
from broker.mstock.mapping.refusals import readable_refusal
from broker.mstock.mapping.transform_data import NEEDS_PRICE, NEEDS_TRIGGER
from broker.mstock.orders.journal import Entry


def _terms(order: Order | Entry) -> tuple[object, ...]:
    """What a modification may change of an order, without the prices that its type has not."""
    kind = order.price_type
    return (
        order.quantity,
        kind,
        order.price if kind in NEEDS_PRICE else None,
        order.trigger_price if kind in NEEDS_TRIGGER else None,
    )


def has_terms(order: Order, wanted: Entry) -> bool:
    """Whether the book shows an order with these."""
    return _terms(order) == _terms(wanted)


def likeness(sent: Entry) -> tuple[object, ...]:
    """Equal for orders that the book of one day could not tell apart."""
    return sent.at.date(), sent.token, sent.side, sent.product, *_terms(sent)


def could_be(sent: Entry, order: Order) -> bool:
    """Whether a row of the book may be the sent order; the book's times are whole seconds."""
    if (order.token, order.side, order.product) != (sent.token, sent.side, sent.product):
        return False
    time, sent_at = order.time, sent.at.replace(microsecond=0)
    return has_terms(order, sent) and (
        time is None or (time >= sent_at and time.date() == sent_at.date())
    )


def find_sent(
    sent: Entry,
    book: Iterable[Order],
    *,
    owned: frozenset[str],
    rivals: Iterable[Entry],
    echoes_tags: bool = False,
) -> Order | None:
    """The row of a sent order in a book that was read after it was sent; None where that is in
    doubt, or it is not there (yet).

    `sent` and `rivals` are by mStock's clock. `owned` are the ids of our other orders, `rivals` our
    other orders whose outcome is not known. `echoes_tags` only where this account has been seen to
    echo tags: then a tag confirms or excludes; nowhere does the absence of a tag prove anything.
    """
    candidates = [each for each in book if each.order_id not in owned and could_be(sent, each)]
    if echoes_tags:
        tagged = [each for each in candidates if each.tag == sent.tag]
        if len(tagged) == 1:
            return tagged[0]
        candidates = [each for each in candidates if not each.tag]
    if len(candidates) != 1 or candidates[0].time is None:
        return None
    if any(likeness(each) == likeness(sent) for each in rivals if each.tag != sent.tag):
        return None
    return candidates[0]


def rejection(order: Order) -> str:
    """Why an order was rejected, as a sentence."""
    return readable_refusal(order.text) or "mStock rejected the order and gave no reason."
