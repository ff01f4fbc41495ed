"""Reads order fields of either dialect: numbers, words from a table, instruments, dates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Final, TypeVar

from . import literals
from .exchange.lookup import find_symbol
from .exchange.orders import OrderType, Side
from .market import Instrument
from .refusals import Reason, Refused
from .world import World

Word = TypeVar("Word")

SIDES: Final = {side.value: side for side in Side}
VALIDITIES: Final = {"DAY": False, "IOC": True}
# Each type's words for the stop types, with the older documents' spelling (4.1).
_COMMON_TYPES: Final = {
    "MARKET": OrderType.MARKET,
    "LIMIT": OrderType.LIMIT,
    "STOP_LOSS": OrderType.STOP_LIMIT,
    "STOP_LOSS_MARKET": OrderType.STOP_MARKET,
}
ORDER_TYPES_A: Final = {
    **_COMMON_TYPES,
    "SL": OrderType.STOP_LIMIT,
    "SL-M": OrderType.STOP_MARKET,
}
ORDER_TYPES_B: Final = {
    **_COMMON_TYPES,
    "STOPLOSS_LIMIT": OrderType.STOP_LIMIT,
    "STOPLOSS_MARKET": OrderType.STOP_MARKET,
}
DATE_FORMATS: Final = ("%Y-%m-%d", "%d-%m-%Y")


def whole(fields: Mapping[str, str], name: str) -> int:
    """Return a quantity; a missing one is 0."""
    text = fields.get(name) or "0"
    if not (text.isascii() and text.isdigit()):
        raise Refused(Reason.ORDER_FIELD, text=f"Enter valid {name}.")
    return int(text)


def rupees(fields: Mapping[str, str], name: str) -> Decimal:
    """Return a price; a missing one is 0."""
    try:
        price = Decimal(fields.get(name) or "0")
    except InvalidOperation:
        price = Decimal("NaN")
    if not price.is_finite() or price < 0:
        raise Refused(Reason.ORDER_FIELD, text=f"Enter valid {name}.")
    return price


def word(
    fields: Mapping[str, str],
    name: str,
    table: Mapping[str, Word],
    reason: Reason = Reason.ORDER_FIELD,
) -> Word:
    """Return what a word stands for; a word that is not in the table is refused."""
    found = table.get(fields.get(name, ""))
    if found is None:
        raise Refused(reason, text=f"Invalid {name}.")
    return found


def by_token(world: World, exchange: str, token: str) -> Instrument:
    """Return the instrument with this token on this very exchange."""
    return known(world.market.master.get(exchange, token))


def by_symbol(world: World, exchange: str, symbol: str) -> Instrument:
    """Return the instrument with this trading symbol on this very exchange."""
    return known(find_symbol(world.market, exchange, symbol))


def day(fields: Mapping[str, str], name: str) -> date:
    """Return a date, `2025-01-31`; `31-01-2025` is taken as well (15 row 27)."""
    for layout in DATE_FORMATS:
        try:
            # A date alone needs no zone.
            return datetime.strptime(fields[name], layout).date()  # noqa: DTZ007
        except ValueError:
            continue
    raise Refused(Reason.ORDER_FIELD, text=f"Enter valid {name}.")


def known(found: Instrument | None) -> Instrument:
    """Return what was found; refuse an order for what is nowhere."""
    if found is None:
        raise Refused(Reason.ORDER_FIELD, text=literals.NOT_FOUND)
    return found
