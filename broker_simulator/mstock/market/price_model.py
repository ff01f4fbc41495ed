"""Prices as a pure function of seed, name and time: no state, so everything that shows them agrees.

A spot price walks from the day before's close to the day's own along one of some stored shapes, and
inside a minute through that minute's low and high. Futures and options are priced from the spot.
"""

from __future__ import annotations

import random
from array import array
from datetime import date, datetime, timedelta
from functools import lru_cache
from math import erfc, log, sqrt
from typing import Final, NamedTuple
from zlib import crc32

from .trading_calendar import Session, previous_trading_day

MASK: Final = (1 << 64) - 1
YEAR: Final = timedelta(days=365).total_seconds()
CARRY: Final = 0.065
SQRT1_2: Final = sqrt(0.5)
# Volatility by which options are priced: index options, and those on everything else.
VOLATILITY: Final = {"INDEX": 0.14, "EQ": 0.28}

# Roughly what they cost in 2026; every other name draws its price from the seed.
BASE_PRICES: Final = {
    "NIFTY": 25000, "BANKNIFTY": 57000, "FINNIFTY": 26500, "MIDCPNIFTY": 13200,
    "NIFTYNXT50": 68000, "INDIAVIX": 13.5, "SENSEX": 82000, "BANKEX": 64000, "SNSX50": 25800,
    "SNXT50": 86000, "MIDSEL": 16200, "BSE CG": 68500, "BSE IT": 35200,
    "INFY": 1480, "RELIANCE": 1410, "SBIN": 870, "ACC": 1840, "M&M": 3520, "BAJAJ-AUTO": 8900,
    "IDEA": 8.4, "SUZLON": 54, "RVNL": 340, "GOLDSTAR": 11.5, "91D101220": 98.6, "USDINR": 88.4,
}  # fmt: skip

# Of the change of a closing price: period in days, and share of the base price.
OCTAVES: Final = ((257, 0.09), (61, 0.05), (17, 0.025), (5, 0.01), (1, 0.005))
SHAPE_MINUTES: Final = 375
SHAPES: Final = 48


class Bars(NamedTuple):
    """A session's one-minute bars: prices in ticks, volumes in units, one entry a minute."""

    open: array[int]
    high: array[int]
    low: array[int]
    close: array[int]
    volume: array[int]


class Shape(NamedTuple):
    """How a day wanders between its ends (-1..1), its wicks and its volumes (0..1)."""

    path: list[float]
    up: list[float]
    down: list[float]
    volume: list[float]


def unit(key: int, number: int) -> float:
    """Return a number in [0, 1) that depends on both arguments and looks random."""
    x = (key * 0x9E3779B97F4A7C15 + number * 0xBF58476D1CE4E5B9 + 0x94D049BB133111EB) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return (x ^ (x >> 31)) / (MASK + 1)


@lru_cache(maxsize=65536)
def key_of(seed: int, *words: str) -> int:
    """Return the number by which a name draws its random figures."""
    text = "|".join((str(seed), *words)).encode()
    return crc32(text) << 32 | crc32(text[::-1])


@lru_cache(maxsize=65536)
def closing_price(seed: int, name: str, day: date) -> float:
    """Return a name's closing spot price in rupees on a trading day."""
    key = key_of(seed, name)
    base = BASE_PRICES.get(name) or round(20 * 100 ** unit(key, 1), 2)
    number = day.toordinal()
    change = 0.0
    for period, share in OCTAVES:
        step, rest = divmod(number, period)
        before, after = (2 * unit(key + period, step + i) - 1 for i in (0, 1))
        change += share * (before + (after - before) * rest / period)
    return base * (1 + change)


@lru_cache(maxsize=SHAPES)
def _shape(number: int) -> Shape:
    draw = random.Random(number)
    walk = [0.0]
    for _ in range(SHAPE_MINUTES):
        walk.append(walk[-1] + draw.gauss(0, 1))
    bridge = [value - walk[-1] * i / SHAPE_MINUTES for i, value in enumerate(walk)]
    widest = max(map(abs, bridge))
    middle = SHAPE_MINUTES / 2
    return Shape(
        [value / widest for value in bridge],
        [draw.random() ** 2 for _ in range(SHAPE_MINUTES)],
        [draw.random() ** 2 for _ in range(SHAPE_MINUTES)],
        # Much is traded at the open and at the close, little at noon.
        [
            (0.3 + draw.random()) * (0.4 + 1.6 * ((i - middle) / middle) ** 2)
            for i in range(SHAPE_MINUTES)
        ],
    )


def spot_bars(seed: int, name: str, venue: str, hours: Session, tick: float, traded: bool) -> Bars:
    """Return the one-minute bars of a spot price. `venue`: two exchanges differ during the day."""
    day, count = hours.start.date(), hours.minutes
    key, number = key_of(seed, name, venue), day.toordinal()
    before = closing_price(seed, name, previous_trading_day(day))
    first = before * (1 + 0.006 * (unit(key, number) - 0.5)) / tick
    last = closing_price(seed, name, day) / tick
    shape = _shape(int(unit(key + 1, number) * SHAPES))
    swing = first * 0.007 * (0.4 + unit(key + 2, number))
    scale = SHAPE_MINUTES / count
    slope = (last - first) / count
    at = [int(i * scale) for i in range(count + 1)]
    points = [max(1, round(first + slope * i + swing * shape.path[j])) for i, j in enumerate(at)]
    wick = swing * 0.12
    size = 0.0 if not traded else 20_000 * 40 ** unit(key + 3, 0) * (0.5 + unit(key + 3, number))
    return Bars(
        array("q", points[:-1]),
        array("q", [
            max(a, b) + int(wick * shape.up[j])
            for a, b, j in zip(points, points[1:], at, strict=False)
        ]),
        array("q", [
            max(1, min(a, b) - int(wick * shape.down[j]))
            for a, b, j in zip(points, points[1:], at, strict=False)
        ]),
        array("q", points[1:]),
        array("q", [int(size * shape.volume[j]) for j in at[:-1]]),
    )  # fmt: skip


# The seconds at which a minute is at its first extreme, at its second, and at its close.
FIRST_EXTREME, SECOND_EXTREME, LAST_SECOND = 20, 40, 59


def inside_minute(bars: Bars, minute: int, second: int) -> int:
    """Return the price in ticks at a second of a minute: open, one extreme, the other, close."""
    begin, end = bars.open[minute], bars.close[minute]
    extremes = bars.low[minute], bars.high[minute]
    one, other = extremes if end >= begin else extremes[::-1]
    if second < FIRST_EXTREME:
        return begin + round((one - begin) * second / FIRST_EXTREME)
    if second < SECOND_EXTREME:
        return one + round((other - one) * (second - FIRST_EXTREME) / FIRST_EXTREME)
    return other + round((end - other) * (second - SECOND_EXTREME) / (LAST_SECOND - SECOND_EXTREME))


def future_price(spot: float, years: float) -> float:
    """Return a future's price in rupees: spot and the cost of carrying it to the expiry."""
    return spot * (1 + CARRY * years)


def option_price(kind: str, spot: float, strike: float, years: float, volatility: float) -> float:
    """Return an option's price in rupees by Black and Scholes without interest.

    Without interest it only rises with the time left, so that a bar's ends bound what is inside.
    """
    sign = 1 if kind == "CE" else -1
    if years <= 0:
        return max(0.0, sign * (spot - strike))
    deviation = volatility * sqrt(years)
    d1 = log(spot / strike) / deviation + deviation / 2
    # Both halves are the normal distribution's, and sqrt(1/2) turns it into erfc's argument.
    return (
        sign
        * (spot * erfc(-sign * d1 * SQRT1_2) - strike * erfc(-sign * (d1 - deviation) * SQRT1_2))
        / 2
    )


def years_until(expiry: datetime, moment: datetime) -> float:
    """Return the time left to an expiry in years, 0 when it has passed."""
    return max(0.0, (expiry - moment).total_seconds()) / YEAR


@lru_cache(maxsize=256)
def years_in_session(expiry: datetime, hours: Session) -> tuple[list[float], list[float]]:
    """Return the time left at the first second of each of a session's minutes, and at the last."""
    first = years_until(expiry, hours.start)
    begins = [max(0.0, first - i * 60 / YEAR) for i in range(hours.minutes)]
    return begins, [max(0.0, years - LAST_SECOND / YEAR) for years in begins]
