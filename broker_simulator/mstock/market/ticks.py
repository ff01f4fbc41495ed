"""Every instrument's price by the second and by the minute, in ticks, moves by hand included."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from .instrument import Instrument
from .instruments import InstrumentMaster
from .price_model import (
    FIRST_EXTREME,
    SECOND_EXTREME,
    VOLATILITY,
    Bars,
    closing_price,
    future_price,
    inside_minute,
    key_of,
    option_price,
    spot_bars,
    unit,
    years_in_session,
    years_until,
)
from .trading_calendar import Session, latest_session, regular_session

MINUTE: Final = timedelta(minutes=1)
SECOND: Final = timedelta(seconds=1)
INSTANT: Final = timedelta(microseconds=1)
# So many (instrument, day) are kept, of 15 kB each.
KEPT_DAYS: Final = 4096
# Open, high, low and close in ticks, and volume.
Partial = tuple[int, int, int, int, int]
MOST_TICKS: Final = 2**31 - 1  # what a packet of the stream can say


class TickSource:
    """Prices in ticks for (instrument, time). Not thread-safe: the market holds its lock."""

    def __init__(self, master: InstrumentMaster, seed: int) -> None:
        self._master = master
        self._seed = seed
        self._spots: OrderedDict[tuple[Instrument, date], Bars] = OrderedDict()
        self._kept: OrderedDict[tuple[Instrument, date], Bars] = OrderedDict()
        # Moves by hand: their times, ascending, and what all up to each add up to.
        self._moves: dict[Instrument, tuple[list[datetime], list[int]]] = {}

    def price(self, instrument: Instrument, now: datetime) -> int:
        """Return the last traded price at a time, in ticks."""
        hours = self.last_session(instrument, now)
        at = min(now, hours.end - INSTANT)
        return max(1, self._raw(instrument, hours, at) + self._shift(instrument, at))

    def close(self, instrument: Instrument, hours: Session) -> int:
        """Return the last price of a session."""
        return self.price(instrument, hours.end - INSTANT)

    def quick_close(self, instrument: Instrument, hours: Session) -> int:
        """Return close(), without working out the session's minutes."""
        at = hours.end - INSTANT
        spot = self.underlying(instrument) if instrument.is_derivative else instrument
        rupees = closing_price(self._seed, spot.name, hours.start.date())
        tick = float(spot.tick_size)
        ticks = max(1, max(1, round(rupees / tick)) + self._shift(spot, at))
        if not instrument.is_derivative:
            return ticks
        value = self._pricing(instrument, spot)(ticks * tick, _years_left(instrument, at))
        return max(1, value + self._shift(instrument, at))

    def last_session(self, instrument: Instrument, now: datetime) -> Session:
        """Return the session that runs or ran last; for an expired contract, that of its expiry."""
        expiry = instrument.expiry
        if expiry is not None and expiry < now.date():
            now = regular_session(expiry).end
        return latest_session(now)

    def move(self, instrument: Instrument, ticks: int, now: datetime) -> None:
        """Make the price `ticks` from now on, and let it walk on from there.

        After a session it becomes that session's last price, so that candles go on agreeing.
        """
        change = ticks - self.price(instrument, now)
        at = min(now, self.last_session(instrument, now).end - INSTANT)
        times, totals = self._moves.setdefault(instrument, ([], []))
        # A clock that was set back takes the later moves back with it.
        keep = bisect_right(times, at)
        del times[keep:], totals[keep:]
        times.append(at)
        totals.append((totals[-1] if totals else 0) + change)
        self._kept.clear()

    def bars(self, instrument: Instrument, hours: Session) -> Bars:
        """Return all one-minute bars of a session, those to come included."""
        return _kept(
            self._kept,
            (instrument, hours.start.date()),
            lambda: self._moved(instrument, hours, self._raw_bars(instrument, hours)),
        )

    def partial(self, instrument: Instrument, hours: Session, now: datetime) -> Partial:
        """Return open, high, low, close and volume of the minute that runs at `now`."""
        minute, passed = divmod(now - hours.start, MINUTE)
        begin, second = hours.start + minute * MINUTE, passed // SECOND
        volume = self.bars(instrument, hours).volume[minute] * (second + 1) // 60
        if self._moves_between(instrument, begin, now):
            return *self._ends_between(instrument, begin, now), volume
        first, last = self.price(instrument, begin), self.price(instrument, now)
        if instrument.is_derivative:
            # As in a whole bar: the underlying's ends, at the minute's ends.
            spot = self.underlying(instrument)
            value, tick = self._pricing(instrument, spot), float(spot.tick_size)
            _, high, low, _, _ = self.partial(spot, hours, now)
            top, bottom = (low, high) if instrument.kind == "PE" else (high, low)
            shift = self._shift(instrument, now)
            ends = [
                max(1, value(top * tick, _years_left(instrument, begin)) + shift),
                max(1, value(bottom * tick, _years_left(instrument, now)) + shift),
            ]
        else:
            turns = (FIRST_EXTREME, SECOND_EXTREME)
            ends = [self.price(instrument, begin + s * SECOND) for s in turns if s <= second]
        return first, max(first, last, *ends), min(first, last, *ends), last, volume

    def underlying(self, instrument: Instrument) -> Instrument:
        """Return what a contract's price follows; a currency's rate is listed nowhere."""
        return self._master.underlying(instrument) or Instrument(
            instrument.exchange, f"spot {instrument.name}", instrument.name, instrument.name, "",
            "INDEX", None, None, 1, instrument.tick_size, None, "",
        )  # fmt: skip

    def _raw(self, instrument: Instrument, hours: Session, at: datetime) -> int:
        if instrument.is_derivative:
            spot = self.underlying(instrument)
            rupees = self.price(spot, at) * float(spot.tick_size)
            return self._pricing(instrument, spot)(rupees, _years_left(instrument, at))
        minute, rest = divmod(at - hours.start, MINUTE)
        return inside_minute(self._spot(instrument, hours), minute, rest.seconds)

    def _raw_bars(self, instrument: Instrument, hours: Session) -> Bars:
        if not instrument.is_derivative:
            return self._spot(instrument, hours)
        spot = self.underlying(instrument)
        tick, bars = float(spot.tick_size), self.bars(spot, hours)
        value = self._pricing(instrument, spot)
        begins, ends = _time_left(instrument, hours)
        # A price only falls with time, so the minute's ends bound whatever is inside it.
        tops, bottoms = (bars.high, bars.low)[:: -1 if instrument.kind == "PE" else 1]
        opens, highs, lows, closes = (
            [value(ticks * tick, left) for ticks, left in zip(prices, times, strict=True)]
            for prices, times in (
                (bars.open, begins), (tops, begins), (bottoms, ends), (bars.close, ends),
            )
        )  # fmt: skip
        return Bars(
            array("q", opens), array("q", map(max, opens, highs, closes)),
            array("q", map(min, opens, lows, closes)), array("q", closes),
            self._contracts_traded(instrument, hours),
        )  # fmt: skip

    def _spot(self, instrument: Instrument, hours: Session) -> Bars:
        return _kept(
            self._spots,
            (instrument, hours.start.date()),
            lambda: spot_bars(
                self._seed,
                instrument.name,
                f"{instrument.exchange}|{instrument.series}",
                hours,
                float(instrument.tick_size),
                traded=instrument.kind == "EQ",
            ),
        )

    def _contracts_traded(self, instrument: Instrument, hours: Session) -> array[int]:
        """Volume: whole lots, much where the share itself trades much."""
        key = key_of(self._seed, instrument.symbol)
        busy = 1 + 60 * unit(key, hours.start.toordinal())
        return array(
            "q",
            (int(busy * unit(key + 1, i)) * instrument.lot_size for i in range(hours.minutes)),
        )

    def _pricing(self, instrument: Instrument, spot: Instrument) -> Callable[[float, float], int]:
        """Return what turns the underlying's rupees and the years left into a contract's ticks."""
        tick = float(instrument.tick_size)
        if instrument.strike is None:
            return lambda rupees, years: max(1, round(future_price(rupees, years) / tick))
        kind, strike = instrument.kind, float(instrument.strike)
        volatility = VOLATILITY[spot.kind]
        return lambda rupees, years: max(
            1, round(option_price(kind, rupees, strike, years, volatility) / tick)
        )

    def _moved(self, instrument: Instrument, hours: Session, raw: Bars) -> Bars:
        """Return the bars with the moves by hand in them."""
        times, _ = self._moves.get(instrument, ((), ()))
        if not times or times[0] >= hours.end:
            return raw
        lists = [list(prices) for prices in raw[:4]]
        for minute in range(hours.minutes):
            begin = hours.start + minute * MINUTE
            shift = self._shift(instrument, begin)
            for prices in lists:
                prices[minute] = max(1, prices[minute] + shift)
        for at in times:
            if hours.start <= at < hours.end:
                minute = (at - hours.start) // MINUTE
                begin = hours.start + minute * MINUTE
                ends = self._ends_between(instrument, begin, begin + MINUTE - INSTANT)
                for prices, price in zip(lists, ends, strict=True):
                    prices[minute] = price
        opens, highs, lows, closes = (array("q", prices) for prices in lists)
        return Bars(opens, highs, lows, closes, raw.volume)

    def _ends_between(
        self, instrument: Instrument, begin: datetime, end: datetime
    ) -> tuple[int, int, int, int]:
        """Return open, high, low and close from every price there was, move by move."""
        moments = [begin + s * SECOND for s in range((end - begin) // SECOND + 1)]
        for moved in self._moves_between(instrument, begin, end):
            moments += [moved - INSTANT, moved]
        first, last = self.price(instrument, begin), self.price(instrument, end)
        prices = [first, last, *(self.price(instrument, at) for at in moments)]
        return first, max(prices), min(prices), last

    def _moves_between(
        self, instrument: Instrument, begin: datetime, end: datetime
    ) -> list[datetime]:
        times, _ = self._moves.get(instrument, ([], []))
        return times[bisect_right(times, begin) : bisect_right(times, end)]

    def _shift(self, instrument: Instrument, at: datetime) -> int:
        times, totals = self._moves.get(instrument, ((), ()))
        place = bisect_right(times, at)
        return totals[place - 1] if place else 0


def _years_left(instrument: Instrument, at: datetime) -> float:
    # By whole seconds, as all prices are.
    end = regular_session(instrument.expiry or date.max).end
    return years_until(end, at.replace(microsecond=0))


def _time_left(instrument: Instrument, hours: Session) -> tuple[list[float], list[float]]:
    return years_in_session(regular_session(instrument.expiry or date.max).end, hours)


def _kept(
    store: OrderedDict[tuple[Instrument, date], Bars],
    key: tuple[Instrument, date],
    make: Callable[[], Bars],
) -> Bars:
    """Return what is in the store, or make it; the one that was longest unused makes room."""
    found = store.get(key)
    if found is None:
        found = store[key] = make()
        if len(store) > KEPT_DAYS:
            store.popitem(last=False)
    else:
        store.move_to_end(key)
    return found


def in_rupees(ticks: int, instrument: Instrument) -> Decimal:
    """Return a price in ticks as rupees."""
    return ticks * instrument.tick_size


def in_ticks(price: Decimal, instrument: Instrument) -> int:
    """Return a price in rupees as whole ticks; ValueError when there is no such price."""
    ticks, rest = divmod(price, instrument.tick_size)
    if rest or not 1 <= ticks <= MOST_TICKS:
        raise ValueError(f"{instrument.symbol} moves in ticks of {instrument.tick_size}")
    return int(ticks)
