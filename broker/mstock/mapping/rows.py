"""Reads single fields of mStock's book rows; pure.

Type A sends JSON numbers, Type B strings; nothing is `null`, "" or the text "None" (5.3).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from broker.mstock.errors import DataException

Row = Mapping[str, Any]

_NOTHING = (None, "", "None")
_REPORT = "Nothing was guessed. Compare with the mStock app, and report this."


def rows_of(data: Any, book: str) -> list[Row]:
    """The rows of a book; none for an empty one, which mStock sends as null.

    Raises `DataException` for anything else that is no list of rows.
    """
    if data in _NOTHING:
        return []
    if isinstance(data, list) and all(isinstance(row, dict) for row in data):
        return data
    raise DataException(f"mStock's {book} cannot be read: it is not a list of rows.", _REPORT)


def text_of(value: object) -> str:
    """A field's value as a text without blanks around it; "" for nothing."""
    return "" if value in _NOTHING else str(value).strip()


def text(row: Row, key: str) -> str:
    """A text without blanks around it; "" for nothing."""
    return text_of(row.get(key))


@lru_cache(maxsize=32768, typed=True)
def number_of(value: object) -> Decimal | None:
    """A field's value as a number; None for nothing and for what is none."""
    if value in _NOTHING or isinstance(value, bool):
        return None
    try:
        found = Decimal(value)  # type: ignore[arg-type]
    except (InvalidOperation, TypeError, ValueError):
        return None
    return found if found.is_finite() else None


@lru_cache(maxsize=32768, typed=True)
def price_of(value: object) -> float:
    """A field's value as a price in rupees, 0.0 where there is none."""
    return float(number_of(value) or 0)


@lru_cache(maxsize=32768, typed=True)
def quantity_of(value: object) -> int:
    """A field's value as a count of units, 0 where there is none."""
    return int(number_of(value) or 0)


@lru_cache(maxsize=32768, typed=True)
def whole_of(value: object) -> int | None:
    """A field's value as a whole number; None for what is none."""
    found = number_of(value)
    return int(found) if found is not None and found == found.to_integral_value() else None


def number(row: Row, key: str) -> Decimal | None:
    """A number; None for nothing and for what is none."""
    value = row.get(key)
    return number_of(value) if isinstance(value, Hashable) else None


def price(row: Row, key: str) -> float:
    """A price in rupees, 0.0 where there is none: a market order's, an unfilled one's average."""
    return float(number(row, key) or 0)


def needed_quantity(row: Row, key: str, book: str) -> int:
    """A count without which the row means nothing. Raises `DataException` naming the field."""
    value = row.get(key)
    found = whole_of(value) if isinstance(value, Hashable) else None
    if found is None:
        raise unreadable(book, key)
    return found


def needed_side(row: Row, key: str, book: str, sides: Mapping[str, str]) -> str:
    """BUY or SELL. Raises `DataException` naming the field."""
    side = sides.get(text(row, key).upper())
    if side is None:
        raise unreadable(book, key)
    return side


def unreadable(book: str, key: str) -> DataException:
    """The error of a book with a row that means nothing without that field."""
    return DataException(f"mStock's {book} has a row without a readable {key}.", _REPORT)
