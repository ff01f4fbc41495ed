"""mStock's order book, order details and trade book as typed rows, both API types; pure.

Source: protocol sections 6.10-6.13 and 7.10-7.12. No row is left out: an unknown word keeps
mStock's own spelling; only a row whose side or quantity cannot be read fails the book.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from itertools import takewhile
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

from broker.mstock.errors import DataException
from broker.mstock.mapping import vocabulary
from broker.mstock.mapping.rows import (
    Row,
    needed_quantity,
    needed_side,
    number,
    number_of,
    price,
    price_of,
    quantity_of,
    rows_of,
    text,
    text_of,
    unreadable,
    whole_of,
)

# Finds the host's symbol: (token, exchange) to a symbol, None when it is not in the master.
SymbolOf = Callable[[str, str], str | None]


class Order(NamedTuple):
    """One order of the book. Words are the host's where it has one; `time` is aware, in IST.

    `candidates` are the host's exchanges where its token may be found.
    """

    order_id: str
    token: str
    candidates: tuple[str, ...]
    symbol: str
    side: str
    product: str
    price_type: str
    validity: str
    quantity: int
    disclosed_quantity: int
    filled_quantity: int
    pending_quantity: int
    price: Decimal
    trigger_price: Decimal
    average_price: float
    status: str
    text: str
    time_text: str
    tag: str

    @property
    def time(self) -> datetime | None:
        """When mStock took it, None when the row does not say in a known form."""
        return vocabulary.parse_time(self.time_text)


_ZERO = Decimal(0)
# What is read of a row, in this order: mStock's keys in each API type. Two more may be missing.
_KEYS: dict[str, tuple[str, ...]] = {
    "A": (
        "order_id", "instrument_token", "tradingsymbol", "status_message", "order_timestamp",
        "exchange", "transaction_type", "product", "order_type", "validity", "status", "quantity",
        "disclosed_quantity", "filled_quantity", "pending_quantity", "price", "trigger_price",
        "average_price",
    ),
    "B": (
        "orderid", "symboltoken", "tradingsymbol", "text", "updatetime", "exchange",
        "transactiontype", "producttype", "ordertype", "duration", "status", "quantity",
        "disclosedquantity", "filledshares", "unfilledshares", "price", "triggerprice",
        "averageprice",
    ),
}  # fmt: skip
_TEXTS, _SIDE, _QUANTITY = 5, 6, 11  # how many texts come first; where side and quantity are
_KIND, _TAGS = "instrumenttype", {"A": "tag", "B": "ordertag"}
_ALL_OF = {api_type: itemgetter(*keys) for api_type, keys in _KEYS.items()}


def orders(api_type: str, data: Any, book: str = "order book") -> list[Order]:
    """The orders of a book or of one order's history, as mStock sends them."""
    return [_order(row, api_type, book) for row in rows_of(data, book)]


def _order(row: Row, api_type: str, book: str) -> Order:
    try:
        values = _ALL_OF[api_type](row)
    except KeyError:  # slower
        values = tuple(map(row.get, _KEYS[api_type]))
    kind, tag = row.get(_KIND), row.get(_TAGS[api_type])
    try:
        return _read(values, kind, tag, api_type, book)
    except TypeError:  # a list or an object stands in a field: it is taken as text
        values = tuple(each if isinstance(each, Hashable) else str(each) for each in values)
        return _read(values, str(kind), tag, api_type, book)


def _read(values: tuple[Any, ...], kind: object, tag: object, api_type: str, book: str) -> Order:
    order_id, token, symbol, message, time = [
        str(each).strip() if each and each != "None" else "" for each in values[:_TEXTS]
    ]
    (
        where, side, product, price_type, validity, status, count, disclosed, filled, pending,
        limit, trigger, average,
    ) = values[_TEXTS:]  # fmt: skip
    limit = number_of(limit) or _ZERO
    candidates, side, product, price_type, validity, status = _words(
        where, kind, side, product, price_type, bool(limit), validity, status
    )
    if not side:
        raise unreadable(book, _KEYS[api_type][_SIDE])
    quantity = whole_of(count)
    if quantity is None:
        raise unreadable(book, _KEYS[api_type][_QUANTITY])
    return Order(
        order_id,
        token,
        candidates,
        symbol,
        side,
        product,
        price_type,
        validity,
        quantity,
        quantity_of(disclosed),
        quantity_of(filled),
        quantity_of(pending),
        limit,
        number_of(trigger) or _ZERO,
        price_of(average),
        status,
        message,
        time,
        _tag(tag) if tag else "",
    )


def _tag(tag: object) -> str:
    if isinstance(tag, list) and len(tag) == 1:  # Type A's documents have a list here
        tag = tag[0]
    return tag if isinstance(tag, str) and tag != "None" else ""


@lru_cache(maxsize=1024)
def _words(
    exchange: object,
    kind: object,
    side: object,
    product: object,
    price_type: object,
    has_price: bool,
    validity: object,
    status: object,
) -> tuple[tuple[str, ...], str, str, str, str, str]:
    """A row's candidates, side ("" when it cannot be read), product, price type, validity, status.

    A book has few kinds of them.
    """
    where, kind = text_of(exchange).upper(), text_of(kind)
    if kind:
        where = vocabulary.host_exchange(where, kind)
    return (
        (where,) if kind else vocabulary.candidate_exchanges(where),
        vocabulary.SIDES.get(text_of(side).upper(), ""),
        vocabulary.host_product(text_of(product)),
        vocabulary.host_price_type(text_of(price_type), has_price),
        text_of(validity),
        vocabulary.host_status(text_of(status)),
    )


# How an update on the WebSocket is marked: the kind's key, the data's key, the API type.
_UPDATES = (("type", "data", "A"), ("order_status", "orderData", "B"))
_KINDS = ("order", "trade")
_CANCELLED = {"A": "cancelled_quantity", "B": "cancelsize"}


def order_update(text: str) -> Order | None:
    """The order of an update off the WebSocket, as the order stands after it; None for others.

    Source: protocol 10.7 and 11.5. All fields are optional there: an update without a side or a
    quantity tells nothing that the order book would not tell better, nor does one without a status
    or a complete one that is not filled. No source says whether a trade's figures are of the order
    or of that fill alone: they are taken when they add up with something that is pending still.
    """
    kind, row, api_type = _update(text)
    if not kind:
        return None
    try:
        order = _order(row, api_type, "order update")
    except DataException:
        return None
    if kind == "order":
        is_clear = order.status != "complete" or order.filled_quantity == order.quantity
    else:
        cancelled = number(row, _CANCELLED[api_type]) or 0
        counted = order.filled_quantity + order.pending_quantity + cancelled
        is_clear = order.pending_quantity > 0 and counted == order.quantity
    return order if order.status and is_clear else None


def is_about_orders(text: str) -> bool:
    """True for an update of an order or a trade, whatever can be read of it."""
    return bool(_update(text)[0])


def _update(text: str) -> tuple[str, Row, str]:
    try:
        message = json.loads(text, parse_float=Decimal)
    except ValueError:
        message = None
    for kind, data, api_type in _UPDATES if isinstance(message, dict) else ():
        row = message.get(data)
        if isinstance(row, dict) and message.get(kind) in _KINDS:
            return message[kind], row, api_type
    return "", {}, ""


class Trade(NamedTuple):
    """One fill of the day."""

    order_id: str
    trade_id: str
    token: str
    candidates: tuple[str, ...]
    symbol: str
    side: str
    product: str
    quantity: int
    price: float
    value: float
    time_text: str


def trades(data: Any) -> list[Trade]:
    """The trade book, whose rows are the same in both API types."""
    return [_trade(row) for row in rows_of(data, "trade book")]


def _trade(row: Row) -> Trade:
    book = "trade book"
    exchange = vocabulary.host_exchange(text(row, "EXCHANGE").upper(), text(row, "INSTRUMENT_NAME"))
    count, paid = needed_quantity(row, "QUANTITY", book), price(row, "PRICE")
    value = number(row, "TRADE_VALUE")
    return Trade(
        text(row, "ORDER_NUMBER"),
        text(row, "TRADE_NUMBER"),
        text(row, "SEC_ID"),
        (exchange,),
        text(row, "SYMBOL"),
        needed_side(row, "BUY_SELL", book, vocabulary.SIDES),
        vocabulary.host_product(text(row, "PRODUCT")),
        count,
        paid,
        round(count * paid, 2) if value is None else float(value),
        text(row, "ORDER_DATE_TIME"),
    )


# NIFTY2692229450CE, ACC25JANFUT, ACC-28Nov2024-FUT, NIFTY-07Nov2024-24000-CE
_DERIVATIVE = re.compile(r"\d-?[CP]E$|\d[A-Z]*-?FUT$")


class Located(Protocol):
    """A row of a book: its token, mStock's own name, and the exchanges it may be on."""

    @property
    def token(self) -> str: ...
    @property
    def symbol(self) -> str: ...
    @property
    def candidates(self) -> tuple[str, ...]: ...


def locate(row: Located, symbol_of: SymbolOf) -> tuple[str, str]:
    """The host's symbol and exchange of a row, by its token; mStock's own words if unknown.

    A token may stand on several exchanges: where the row does not say which (Type A), the symbol
    decides that begins most like mStock's own name, since the name alone is never trusted. But a
    derivative's name is never that of the share which has its token.
    """
    candidates = row.candidates
    if len(candidates) == 1:
        return symbol_of(row.token, candidates[0]) or row.symbol, candidates[0]
    name = row.symbol.upper()
    if _DERIVATIVE.search(name):
        candidates = candidates[1:]
    found = [(symbol, each) for each in candidates if (symbol := symbol_of(row.token, each))]
    if not found:
        return row.symbol, candidates[0]
    return max(found, key=lambda each: _alike(each[0], name))


def _alike(symbol: str, name: str) -> int:
    """With how many equal characters both begin."""
    pairs = zip(symbol, name, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
