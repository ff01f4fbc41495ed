"""mStock's order book, order details and trade book as typed rows, both API types; pure.

Source: protocol sections 6.10-6.13 and 7.10-7.12. No row is left out: an unknown word keeps
mStock's own spelling; only a row whose side or quantity cannot be read fails the book.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from broker.mstock.errors import DataException
from broker.mstock.mapping import vocabulary
from broker.mstock.mapping.rows import (
    Row,
    needed_quantity,
    needed_side,
    number,
    price,
    quantity,
    rows_of,
    text,
)

# Finds the host's symbol: (token, exchange) to a symbol, None when it is not in the master.
SymbolOf = Callable[[str, str], str | None]


class Order(NamedTuple):
    """One order of the book. Words are the host's where it has one; `time` is aware, in IST.

    `exchange` is the host's as far as the row tells: `candidates` are where its token may be found.
    """

    order_id: str
    exchange_order_id: str
    token: str
    exchange: str
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
    cancelled_quantity: int
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
# Our field: mStock's key, in each API type.
_KEYS: dict[str, dict[str, str]] = {
    "A": {
        "order_id": "order_id",
        "exchange_order_id": "exchange_order_id",
        "token": "instrument_token",
        "symbol": "tradingsymbol",
        "side": "transaction_type",
        "product": "product",
        "price_type": "order_type",
        "validity": "validity",
        "disclosed": "disclosed_quantity",
        "filled": "filled_quantity",
        "pending": "pending_quantity",
        "cancelled": "cancelled_quantity",
        "trigger": "trigger_price",
        "average": "average_price",
        "text": "status_message",
        "time": "order_timestamp",
        "tag": "tag",
    },
    "B": {
        "order_id": "orderid",
        "exchange_order_id": "exchangeorderid",
        "token": "symboltoken",
        "symbol": "tradingsymbol",
        "side": "transactiontype",
        "product": "producttype",
        "price_type": "ordertype",
        "validity": "duration",
        "disclosed": "disclosedquantity",
        "filled": "filledshares",
        "pending": "unfilledshares",
        "cancelled": "cancelsize",
        "trigger": "triggerprice",
        "average": "averageprice",
        "text": "text",
        "time": "updatetime",
        "tag": "ordertag",
    },
}


def orders(api_type: str, data: Any, book: str = "order book") -> list[Order]:
    """The orders of a book or of one order's history, as mStock sends them."""
    keys = _KEYS[api_type]
    return [_order(row, keys, book) for row in rows_of(data, book)]


def _order(row: Row, keys: dict[str, str], book: str) -> Order:
    exchange = text(row, "exchange").upper()
    kind = text(row, "instrumenttype")
    limit = number(row, "price") or _ZERO
    if kind:
        exchange = vocabulary.host_exchange(exchange, kind)
    tag = row.get(keys["tag"])
    if isinstance(tag, list) and len(tag) == 1:  # Type A's documents have a list here
        tag = tag[0]
    return Order(
        text(row, keys["order_id"]),
        text(row, keys["exchange_order_id"]),
        text(row, keys["token"]),
        exchange,
        (exchange,) if kind else vocabulary.candidate_exchanges(exchange),
        text(row, keys["symbol"]),
        needed_side(row, keys["side"], book, vocabulary.SIDES),
        vocabulary.host_product(text(row, keys["product"])),
        vocabulary.host_price_type(text(row, keys["price_type"]), bool(limit)),
        text(row, keys["validity"]),
        needed_quantity(row, "quantity", book),
        quantity(row, keys["disclosed"]),
        quantity(row, keys["filled"]),
        quantity(row, keys["pending"]),
        quantity(row, keys["cancelled"]),
        limit,
        number(row, keys["trigger"]) or _ZERO,
        price(row, keys["average"]),
        vocabulary.host_status(text(row, "status")),
        text(row, keys["text"]),
        text(row, keys["time"]),
        tag if isinstance(tag, str) and tag != "None" else "",
    )


# How an update on the WebSocket is marked: the kind's key, the data's key, the API type.
_UPDATES = (("type", "data", "A"), ("order_status", "orderData", "B"))
_KINDS = ("order", "trade")


def order_update(text: str) -> Order | None:
    """The order of an update off the WebSocket, as the order stands after it; None for others.

    Source: protocol 10.7 and 11.5. All fields are optional there: an update without a side or a
    quantity tells nothing that the order book would not tell better. No source says whether a
    trade's figures are of the order or of that fill alone: they are taken when they add up.
    """
    kind, row, api_type = _update(text)
    if not kind:
        return None
    try:
        order = _order(row, _KEYS[api_type], "order update")
    except DataException:
        return None
    counted = order.filled_quantity + order.pending_quantity + order.cancelled_quantity
    return order if kind == "order" or counted == order.quantity else None


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
    exchange: str
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
        exchange,
        (exchange,),
        text(row, "SYMBOL"),
        needed_side(row, "BUY_SELL", book, vocabulary.SIDES),
        vocabulary.host_product(text(row, "PRODUCT")),
        count,
        paid,
        round(count * paid, 2) if value is None else float(value),
        text(row, "ORDER_DATE_TIME"),
    )


def locate(row: Order | Trade, symbol_of: SymbolOf) -> tuple[str, str]:
    """The host's symbol and exchange of a row, by its token; mStock's own words if unknown.

    A token may stand on several exchanges: where the row does not say which (Type A), one whose
    symbol begins with mStock's own name is preferred, since the name alone is never trusted.
    """
    found = [(symbol, each) for each in row.candidates if (symbol := symbol_of(row.token, each))]
    if len(found) > 1:
        bare = row.symbol.split("-")[0].upper()
        found.sort(key=lambda each: not each[0].upper().startswith(bare))
    return found[0] if found else (row.symbol, row.exchange)
