"""One tradable thing: a share, an index, a future or an option, and how its symbol is written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Final

DERIVATIVES: Final = ("FUT", "CE", "PE")
# A weekly contract's month is one character (8.3).
MONTHS: Final = "123456789OND"


@dataclass(frozen=True, slots=True)
class Instrument:
    """One row of the masters. `strike` and `tick_size` are rupees, `freeze_quantity` units.

    `symbol` is the whole trading symbol (`INFY-EQ`, `NIFTY26NOV25000CE`), `name` its base or
    underlying (`INFY`, `NIFTY`), `kind` EQ, FUT, CE, PE or INDEX, `series` the group of a share.
    """

    exchange: str
    token: str
    symbol: str
    name: str
    series: str
    kind: str
    expiry: date | None
    strike: Decimal | None
    lot_size: int
    tick_size: Decimal
    freeze_quantity: int | None
    isin: str

    def __hash__(self) -> int:
        return hash((self.exchange, self.token))

    @property
    def is_derivative(self) -> bool:
        """True for futures and options."""
        return self.kind in DERIVATIVES


def with_series(instrument: Instrument) -> str:
    """Return the symbol as the newer documents key quotes: `ACC-EQ`, on BSE `ACC-A` (6.20)."""
    if instrument.exchange == "BSE" and instrument.series:
        return f"{instrument.symbol}-{instrument.series}"
    return instrument.symbol


def bare_symbol(instrument: Instrument) -> str:
    """Return the symbol as the older rows of Type A's master write it: `ACC` (8.1)."""
    return instrument.symbol.removesuffix(f"-{instrument.series}")


def contract_symbol(
    name: str, expiry: date, strike: Decimal | None, kind: str, weekly: bool = False
) -> str:
    """Return the trading symbol of a contract (8.3): `NIFTY26N2425000CE`, `NIFTY26NOVFUT`."""
    return f"{name}{_expiry_part(expiry, weekly)}{'' if strike is None else plain(strike)}{kind}"


@lru_cache(maxsize=1024)
def _expiry_part(expiry: date, weekly: bool) -> str:
    if weekly:
        return f"{expiry:%y}{MONTHS[expiry.month - 1]}{expiry:%d}"
    return f"{expiry:%y%b}".upper()


@lru_cache(maxsize=65536)
def plain(number: Decimal) -> str:
    """Return a number without exponent and without zeros at its end: `7.5`, `25000`."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
