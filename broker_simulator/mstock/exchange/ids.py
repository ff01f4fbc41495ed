"""Order ids, exchange order ids and trade numbers in mStock's shapes (5.1)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

# Fourteen digits as seen live in 2025: four digits, YYMMDD, a sequence of four.
FIRST_PREFIX: Final = 2161
SEQUENCE_SIZE: Final = 10_000


class IdMaker:
    """Numbers that never repeat."""

    def __init__(self) -> None:
        self._day: date | None = None
        self._orders = self._exchange_orders = self._trades = 0

    def order(self, now: datetime) -> str:
        """Return a client order id: `21612506100001`."""
        if now.date() != self._day:
            self._day, self._orders = now.date(), 0
        self._orders += 1
        prefix, sequence = divmod(self._orders, SEQUENCE_SIZE)
        return f"{FIRST_PREFIX + prefix}{now:%y%m%d}{sequence:04}"

    def exchange_order(self, exchange: str) -> str:
        """Return an exchange order id of 16 digits."""
        self._exchange_orders += 1
        start = 13 if exchange == "NSE" else 10
        return f"{start}{self._exchange_orders:014}"

    def trade(self) -> str:
        """Return a trade number of nine digits."""
        self._trades += 1
        return f"{206_000_000 + self._trades}"
