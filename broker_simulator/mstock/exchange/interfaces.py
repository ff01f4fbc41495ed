"""What the exchange needs of the market: instruments, quotes, prices that move."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

# Price, quantity, number of orders.
DepthLevel = tuple[Decimal, int, int]


class Instrument(Protocol):
    """One row of the instrument master. `kind`: EQ, FUT, CE, PE or INDEX; `name`: the base."""

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


class Quote(Protocol):
    """What the market says about one instrument at one moment. `close` is the previous day's."""

    ltp: Decimal
    close: Decimal
    lower_band: Decimal | None
    upper_band: Decimal | None
    bids: Sequence[DepthLevel]
    asks: Sequence[DepthLevel]


class Master(Protocol):
    """The instrument master."""

    def get(self, exchange: str, token: str) -> Instrument | None:
        """Return an instrument by its token on an exchange."""

    def by_symbol(self, exchange: str, symbol: str) -> Instrument | None:
        """Return an instrument by its trading symbol on an exchange."""


class Market(Protocol):
    """The market: one price for each instrument, the same for everybody."""

    master: Master

    def ltp(self, instrument: Instrument) -> Decimal:
        """Return the last traded price."""

    def quote(self, instrument: Instrument) -> Quote:
        """Return price, bands and depth."""

    def is_open(self, now: datetime) -> bool:
        """True while orders reach the exchange."""

    def subscribe(self, callback: Callable[[Instrument, Quote], None]) -> Callable[[], None]:
        """Call back on every price change; the result ends it."""


# Where the derivatives of a cash exchange trade; the books name the cash exchange (4.2).
DERIVATIVES = {"NSE": ("NFO", "CDS"), "BSE": ("BFO", "BCD")}
CASH = {there: here for here, others in DERIVATIVES.items() for there in others}


def find(market: Market, exchange: str, token: str) -> Instrument | None:
    """Return an instrument by token, given its exchange or the cash exchange the books name."""
    for name in (exchange, *DERIVATIVES.get(exchange, ())):
        if found := market.master.get(name, token):
            return found
    return None


def find_symbol(market: Market, exchange: str, symbol: str) -> Instrument | None:
    """Return an instrument by trading symbol: `INFY-EQ`, or bare `INFY` (6.6)."""
    for name in (symbol, f"{symbol}-EQ", symbol.removesuffix("-EQ")):
        if found := market.master.by_symbol(exchange, name):
            return found
    return None
