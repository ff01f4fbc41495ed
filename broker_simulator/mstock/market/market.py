"""The market: last prices, quotes with depth, candles, and a call to whoever follows a price."""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from broker_simulator.mstock.clock import IST, Clock

from . import trading_calendar
from .candles import DAY, Candle, Row, session_rows, to_candle
from .instrument import Instrument
from .instruments import InstrumentMaster
from .price_model import key_of, unit
from .ticks import MINUTE, SECOND, TickSource, in_rupees, in_ticks
from .trading_calendar import Session

LEVELS: Final = 5
# All orders together are so many times what the five levels show.
UNSEEN: Final = 9
# A contract is traded for so long before it expires.
LISTED_FOR: Final = timedelta(days=100)
# How many instruments advance() looks at: those whose price was asked for last.
FOLLOWED: Final = 4096
KEPT_DAILY: Final = 50_000
SHARE_BAND: Final = Decimal("0.2")
CONTRACT_BAND: Final = Decimal("0.1")


class Level(NamedTuple):
    """One line of the depth."""

    price: Decimal
    quantity: int
    orders: int


@dataclass(frozen=True, slots=True)
class Quote:
    """What is known of an instrument at a moment: rupees and units.

    Open, high, low, average price and volume are those of the session that runs, or ran last;
    `close` is the close of the session before. `buy_quantity` and `sell_quantity` are all that is
    wanted and offered, of which the depth shows the best. `oi` is None for shares and indices, both
    bands for indices. Fewer than five bids stand where the price is within five ticks of zero; an
    index has no depth.
    """

    ltp: Decimal
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int
    oi: int | None
    upper_band: Decimal | None
    lower_band: Decimal | None
    last_traded_at: datetime
    last_quantity: int
    average_price: Decimal
    buy_quantity: int
    sell_quantity: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


OnPrice = Callable[[Instrument, Quote], None]


class Market:
    """Prices of all instruments by the simulator's clock; the same for the same seed and time."""

    def __init__(self, master: InstrumentMaster, clock: Clock, seed: int) -> None:
        self.master = master
        self._clock = clock
        self._seed = seed
        self._ticks = TickSource(master, seed)
        self._lock = threading.RLock()
        self._followed: OrderedDict[Instrument, int] = OrderedDict()
        self._daily: OrderedDict[tuple[Instrument, Session], Row] = OrderedDict()
        self._callbacks: dict[int, OnPrice] = {}
        self._numbers = itertools.count()

    def is_open(self, now: datetime) -> bool:
        """True while orders are matched: 09:15-15:30 IST, or a special session's hours."""
        return trading_calendar.is_open(now)

    def ltp(self, instrument: Instrument) -> Decimal:
        """Return the last traded price; when nothing is traded, the last close."""
        with self._lock:
            price = self._ticks.price(instrument, self._clock.now())
            self._follow(instrument, price)
            return in_rupees(price, instrument)

    def quote(self, instrument: Instrument) -> Quote:
        """Return price, day's figures and depth as of now."""
        with self._lock:
            return self._quote(instrument, self._clock.now())

    def set_price(self, instrument: Instrument, price: Decimal) -> None:
        """Make a price the last traded one; it walks on from there, and contracts follow it.

        ValueError when the price is no multiple of the tick size, or below one tick.
        """
        ticks = in_ticks(price, instrument)
        with self._lock:
            self._follow(instrument, self._ticks.price(instrument, self._clock.now()))
            self._ticks.move(instrument, ticks, self._clock.now())
            self._daily.clear()
        self.advance()

    def subscribe(self, callback: OnPrice) -> Callable[[], None]:
        """Have `callback(instrument, quote)` called on price changes; returns what ends that.

        It is called from advance() and set_price(), without the market's lock, for instruments
        whose price somebody has asked for. Errors of a callback go to the caller of those two.
        """
        with self._lock:
            number = next(self._numbers)
            self._callbacks[number] = callback

        def unsubscribe() -> None:
            self._callbacks.pop(number, None)

        return unsubscribe

    def advance(self) -> None:
        """Tell the subscribers what has changed since the last time, by the clock."""
        with self._lock:
            callbacks = list(self._callbacks.values())
            now = self._clock.now()
            changed = []
            for instrument, before in list(self._followed.items()) if callbacks else ():
                price = self._ticks.price(instrument, now)
                if price != before:
                    self._followed[instrument] = price
                    changed.append((instrument, self._quote(instrument, now)))
        for callback, (instrument, quote) in itertools.product(callbacks, changed):
            callback(instrument, quote)

    def followed(self) -> list[Instrument]:
        """Return the instruments whose price was asked for, the latest first."""
        with self._lock:
            return list(self._followed)[::-1]

    def candles(
        self,
        instrument: Instrument,
        interval: int,
        start: datetime,
        end: datetime,
        limit: int | None = None,
    ) -> list[Candle]:
        """Return the candles of `interval` minutes (or DAY) with start <= stamp <= end, ascending.

        The running candle is the last one. A daily candle counts when its session touches the
        range. At most the first `limit` of them.
        """
        now = self._clock.now()
        first, last = start.astimezone(IST).date(), min(end, now).astimezone(IST).date()
        if instrument.expiry:
            first = max(first, instrument.expiry - LISTED_FOR)
            last = min(last, instrument.expiry)
        found: list[Candle] = []
        for hours in trading_calendar.trading_sessions(first, last):
            if interval == DAY and not (hours.start <= end and start < hours.end):
                continue
            with self._lock:
                rows = self._rows(instrument, hours, interval, now)
            length = min(interval, hours.minutes)
            for row in rows:
                stop = min(hours.start + (row[0] + length) * MINUTE, hours.end, now)
                candle = to_candle(row, instrument, hours, interval, self.oi(instrument, stop))
                if interval == DAY or start <= candle.at <= end:
                    found.append(candle)
                    if len(found) == limit:
                        return found
        return found

    def year_range(self, instrument: Instrument) -> tuple[Decimal, Decimal]:
        """Return the highest and the lowest close of the last 52 weeks, today's included.

        By closes, because a day's own range takes its 375 minutes, and the stream wants this of
        thousands of instruments.
        """
        today = self._clock.now().astimezone(IST).date()
        first, last = today - timedelta(weeks=52), min(today, instrument.expiry or today)
        if instrument.expiry:
            first = max(first, instrument.expiry - LISTED_FOR)
        with self._lock:
            closes = [
                self._ticks.quick_close(instrument, hours)
                for hours in trading_calendar.trading_sessions(first, last)
            ]
        return in_rupees(max(closes), instrument), in_rupees(min(closes), instrument)

    def oi(self, instrument: Instrument, at: datetime) -> int | None:
        """Return the open interest at a time in units; None for what has none."""
        if not instrument.is_derivative:
            return None
        key = key_of(self._seed, instrument.symbol, "oi")
        day = at.astimezone(IST).date().toordinal()
        before, after = (1000 + 40_000 * unit(key, day // 7 + i) for i in (0, 1))
        share = (day % 7 + (at.hour * 60 + at.minute) / DAY) / 7
        return int(before + (after - before) * share) * instrument.lot_size

    def _rows(
        self, instrument: Instrument, hours: Session, interval: int, now: datetime
    ) -> list[Row]:
        if interval != DAY or now < hours.end:
            return session_rows(self._ticks, instrument, hours, interval, now)
        key = (instrument, hours)
        if key not in self._daily:
            (self._daily[key],) = session_rows(self._ticks, instrument, hours, interval, now)
            if len(self._daily) > KEPT_DAILY:
                self._daily.popitem(last=False)
        return [self._daily[key]]

    def _quote(self, instrument: Instrument, now: datetime) -> Quote:
        price = self._ticks.price(instrument, now)
        self._follow(instrument, price)
        hours = self._ticks.last_session(instrument, now)
        ((_, first, high, low, _, volume),) = self._rows(instrument, hours, DAY, now)
        before = trading_calendar.session_before(hours)
        close = in_rupees(self._ticks.close(instrument, before), instrument)
        upper, lower = self._bands(instrument, close, before)
        bids, asks = self._depth(instrument, price)
        return Quote(
            ltp=in_rupees(price, instrument),
            open=in_rupees(first, instrument),
            high=in_rupees(high, instrument),
            low=in_rupees(low, instrument),
            close=close,
            volume=volume,
            oi=self.oi(instrument, min(now, hours.end)),
            upper_band=upper,
            lower_band=lower,
            last_traded_at=min(now.replace(microsecond=0), hours.end - SECOND),
            last_quantity=asks[0].quantity if asks else 0,
            average_price=in_rupees((first + high + low + price) // 4, instrument),
            buy_quantity=sum(level.quantity for level in bids) * UNSEEN,
            sell_quantity=sum(level.quantity for level in asks) * UNSEEN,
            bids=bids,
            asks=asks,
        )

    def _bands(
        self, instrument: Instrument, close: Decimal, before: Session
    ) -> tuple[Decimal | None, Decimal | None]:
        if instrument.kind == "INDEX":
            return None, None
        reach = close * SHARE_BAND
        if instrument.is_derivative:
            spot = self._ticks.underlying(instrument)
            reach = in_rupees(self._ticks.close(spot, before), spot) * CONTRACT_BAND
        steps = reach // instrument.tick_size
        tick = instrument.tick_size
        return close + steps * tick, max(tick, close - steps * tick)

    def _depth(
        self, instrument: Instrument, price: int
    ) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        if instrument.kind == "INDEX":
            return (), ()
        key = key_of(self._seed, instrument.exchange, instrument.token, "depth")

        def level(ticks: int) -> Level:
            drawn = unit(key, ticks)
            quantity = (1 + int(drawn * 40)) * instrument.lot_size
            return Level(in_rupees(ticks, instrument), quantity, 1 + int(drawn * 8))

        steps = range(1, LEVELS + 1)
        return (
            tuple(level(price - step) for step in steps if price > step),
            tuple(level(price + step) for step in steps),
        )

    def _follow(self, instrument: Instrument, price: int) -> None:
        """Have advance() look at an instrument; what it was last told of stays as it is."""
        self._followed.setdefault(instrument, price)
        self._followed.move_to_end(instrument)
        if len(self._followed) > FOLLOWED:
            self._followed.popitem(last=False)
