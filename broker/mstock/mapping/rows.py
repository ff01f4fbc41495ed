"""Reads single fields of mStock's book rows; pure.

Type A sends JSON numbers, Type B strings; nothing is `null`, "" or the text "None" (5.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
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
    if isinstance(data, list) and all(isinstance(row, Mapping) for row in data):
        return data
    raise DataException(f"mStock's {book} cannot be read: it is not a list of rows.", _REPORT)


def text(row: Row, key: str) -> str:
    """A text without blanks around it; "" for nothing."""
    value = row.get(key)
    return "" if value in _NOTHING else str(value).strip()


def number(row: Row, key: str) -> Decimal | None:
    """A number; None for nothing and for what is none."""
    value = row.get(key)
    if value in _NOTHING or isinstance(value, bool):
        return None
    try:
        found = Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        return None
    return found if found.is_finite() else None


def price(row: Row, key: str) -> float:
    """A price in rupees, 0.0 where there is none: a market order's, an unfilled one's average."""
    return float(number(row, key) or 0)


def quantity(row: Row, key: str) -> int:
    """A count of units, 0 where there is none."""
    return int(number(row, key) or 0)


def needed_quantity(row: Row, key: str, book: str) -> int:
    """A count without which the row means nothing. Raises `DataException` naming the field."""
    found = number(row, key)
    if found is None or found != found.to_integral_value():
        raise DataException(f"mStock's {book} has a row without a readable {key}.", _REPORT)
    return int(found)


def needed_side(row: Row, key: str, book: str, sides: Mapping[str, str]) -> str:
    """BUY or SELL. Raises `DataException` naming the field."""
    side = sides.get(text(row, key).upper())
    if side is None:
        raise DataException(f"mStock's {book} has a row without a readable {key}.", _REPORT)
    return side
