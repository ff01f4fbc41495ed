"""A tiny market for tests of the exchange: a few instruments whose prices stand still until set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal

OPENS, CLOSES = time(9, 15), time(15, 30)
FRIDAY = 4


@dataclass(frozen=True)
class StubInstrument:
    exchange: str
    token: str
    symbol: str
    name: str
    series: str = ""
    kind: str = "EQ"
    expiry: date | None = None
    strike: Decimal | None = None
    lot_size: int = 1
    tick_size: Decimal = Decimal("0.05")
    freeze_quantity: int | None = None
    isin: str = ""


@dataclass(frozen=True)
class StubQuote:
    ltp: Decimal
    close: Decimal
    lower_band: Decimal | None
    upper_band: Decimal | None
    bids: tuple[tuple[Decimal, int, int], ...]
    asks: tuple[tuple[Decimal, int, int], ...]


INFY = StubInstrument("NSE", "1594", "INFY-EQ", "INFY", "EQ", isin="INE009A01021")
ACC = StubInstrument("NSE", "22", "ACC-EQ", "ACC", "EQ", isin="INE012A01025")
EXPIRY = date(2025, 1, 30)
NIFTY_CE = StubInstrument(
    "NFO", "50374", "NIFTY25JAN24000CE", "NIFTY", kind="CE", expiry=EXPIRY,
    strike=Decimal(24000), lot_size=25, freeze_quantity=1800,
)  # fmt: skip
ACC_FUT = StubInstrument(
    "NFO", "61001", "ACC25JANFUT", "ACC", kind="FUT", expiry=EXPIRY, lot_size=300
)
SENSEX = StubInstrument("BSE", "51", "SENSEX", "SENSEX", kind="INDEX")

PRICES = {INFY: "1250", ACC: "2250", NIFTY_CE: "800", ACC_FUT: "2260", SENSEX: "80000"}
BAND = Decimal("0.2")


@dataclass
class StubMaster:
    rows: tuple[StubInstrument, ...] = tuple(PRICES)

    @property
    def listed(self) -> tuple[StubInstrument, ...]:
        return self.rows

    def get(self, exchange: str, token: str) -> StubInstrument | None:
        return self._first(exchange, "token", token)

    def by_symbol(self, exchange: str, symbol: str) -> StubInstrument | None:
        return self._first(exchange, "symbol", symbol)

    def find(self, exchange: str, words: str) -> StubInstrument | None:
        return self.by_symbol(exchange, words) or self.by_symbol(exchange, f"{words}-EQ")

    def _first(self, exchange: str, name: str, value: str) -> StubInstrument | None:
        fitting = (r for r in self.rows if r.exchange == exchange and getattr(r, name) == value)
        return next(fitting, None)


@dataclass
class StubMarket:
    """Best bid and offer stand at the last price, `depth` units each; the bands at 20 %."""

    depth: int = 1_000_000
    master: StubMaster = field(default_factory=StubMaster)
    prices: dict[StubInstrument, Decimal] = field(
        default_factory=lambda: {row: Decimal(price) for row, price in PRICES.items()}
    )
    callbacks: list[Callable[[StubInstrument, StubQuote], None]] = field(default_factory=list)

    def ltp(self, instrument: StubInstrument) -> Decimal:
        return self.prices[instrument]

    def quote(self, instrument: StubInstrument) -> StubQuote:
        ltp, close = self.prices[instrument], Decimal(PRICES[instrument])
        side = ((ltp, self.depth, 1),)
        return StubQuote(ltp, close, close * (1 - BAND), close * (1 + BAND), side, side)

    def set_price(self, instrument: StubInstrument, price: Decimal | int | str) -> None:
        self.prices[instrument] = Decimal(price)
        for callback in tuple(self.callbacks):
            callback(instrument, self.quote(instrument))

    def advance(self) -> None:
        """Time moves no price here."""

    def followed(self) -> list[StubInstrument]:
        return []

    def is_open(self, now: datetime) -> bool:
        return now.weekday() <= FRIDAY and OPENS <= now.time() < CLOSES

    def subscribe(
        self, callback: Callable[[StubInstrument, StubQuote], None]
    ) -> Callable[[], None]:
        self.callbacks.append(callback)
        return lambda: self.callbacks.remove(callback)
