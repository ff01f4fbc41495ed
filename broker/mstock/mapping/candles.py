"""mStock's candles as the host wants them: times, joins, and intervals built from finer ones; pure.

Source: protocol 4.3, 5.2, 6.18, 6.19, 7.18 and 7.19 for mStock, contract 5.2 for the host.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple

from broker._kit.clock import IST
from broker.mstock.errors import DataException

# Rows that mStock gives at most; as many or more are taken as cut off.
MOST_ROWS = 1000
_SESSION_MINUTES = 375
_OPEN = time(9, 15)
_REPORT = "Nothing was guessed. Try again; if it comes back, report this."


class Interval(NamedTuple):
    """One of the host's intervals: what is asked of mStock, and what is built from that.

    `minutes` is the length of mStock's candle, 0 for a day. `group` gives the start of the candle
    to build that a candle belongs to, None where mStock's own is served as it stands.
    """

    words: dict[str, str]
    minutes: int
    group: Callable[[datetime], datetime] | None = None


def _span(minutes: int) -> Callable[[datetime], datetime]:
    """Candles of that many minutes, counted from the opening of the day."""

    def start(moment: datetime) -> datetime:
        opening = datetime.combine(moment.date(), _OPEN, IST)
        if moment < opening:  # a special session in the morning has its own start
            opening = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        steps = (moment - opening) // timedelta(minutes=minutes)
        return opening + steps * timedelta(minutes=minutes)

    return start


def _week(moment: datetime) -> datetime:
    return moment - timedelta(days=moment.weekday())


def _month(moment: datetime) -> datetime:
    return moment.replace(day=1)


def _words(type_a: str, type_b: str) -> dict[str, str]:
    return {"A": type_a, "B": type_b}


_1M, _10M = _words("minute", "ONE_MINUTE"), _words("10minute", "TEN_MINUTE")
_15M, _DAY = _words("15minute", "FIFTEEN_MINUTE"), _words("day", "ONE_DAY")

INTERVALS: dict[str, Interval] = {
    "1m": Interval(_1M, 1),
    "2m": Interval(_1M, 1, _span(2)),
    "3m": Interval(_words("3minute", "THREE_MINUTE"), 3),
    "5m": Interval(_words("5minute", "FIVE_MINUTE"), 5),
    "10m": Interval(_10M, 10),
    "15m": Interval(_15M, 15),
    "20m": Interval(_10M, 10, _span(20)),
    "30m": Interval(_words("30minute", "THIRTY_MINUTE"), 30),
    "1h": Interval(_words("60minute", "ONE_HOUR"), 60),
    # mStock's hours may start at 09:15 or at 09:45 (protocol 15): longer ones are built from
    # quarters of an hour, which both grids are made of.
    "2h": Interval(_15M, 15, _span(120)),
    "3h": Interval(_15M, 15, _span(180)),
    "4h": Interval(_15M, 15, _span(240)),
    "D": Interval(_DAY, 0),
    "W": Interval(_DAY, 0, _week),
    "M": Interval(_DAY, 0, _month),
}


class Candle(NamedTuple):
    """`start` is aware, in IST; a day's is its midnight. Prices in rupees."""

    start: datetime
    open: float
    high: float
    low: float
    close: float
    volume: int


def chunks(
    minutes: int, first: date, last: date, is_trading_day: Callable[[date], bool]
) -> Iterator[tuple[date, date]]:
    """Ranges of days, both ends included, each of which holds fewer candles than mStock's cap.

    Days without trading cost nothing; where none is in the range, nothing is asked.
    """
    a_day = 1 if not minutes else -(-_SESSION_MINUTES // minutes)
    most = max(1, (MOST_ROWS - 1) // a_day)
    start, count, last_seen = None, 0, first
    day = first
    while day <= last:
        if is_trading_day(day):
            if start is not None and count == most:
                yield start, last_seen
                start, count = None, 0
            start, count, last_seen = start or day, count + 1, day
        day += timedelta(days=1)
    if start is not None:
        yield start, last_seen


def halves(first: date, last: date) -> tuple[tuple[date, date], tuple[date, date]]:
    """A range that came back cut, in two. Raises `DataException` for a single day."""
    if first >= last:
        raise DataException(
            f"mStock gave {MOST_ROWS} candles for one day, so some may be missing.", _REPORT
        )
    middle = first + (last - first) // 2
    return (first, middle), (middle + timedelta(days=1), last)


def candles(data: Any, *, is_daily: bool) -> list[Candle]:
    """The candles of an answer's `data`, ascending and each once; none for an empty answer.

    Raises `DataException` for a row that cannot be read: a gap must not be silent.
    """
    rows = data.get("candles") if isinstance(data, dict) else data
    if rows in (None, "", [], "success"):  # mStock's ways to say that there are none
        return []
    if not isinstance(rows, list):
        raise DataException("mStock's answer holds no list of candles.", _REPORT)
    found = [_candle(row, is_daily) for row in rows]
    return join([found])


def join(parts: Iterable[Iterable[Candle]]) -> list[Candle]:
    """Parts as one list, ascending; of two candles of one moment the later part's counts."""
    by_start = {candle.start: candle for part in parts for candle in part}
    return [by_start[start] for start in sorted(by_start)]


def build(found: list[Candle], interval: Interval) -> list[Candle]:
    """The interval's candles out of mStock's; what mStock serves itself stays as it is."""
    if interval.group is None:
        return found
    built = []
    for start, members in groupby(found, lambda candle: interval.group(candle.start)):  # type: ignore[misc]
        group = list(members)
        built.append(
            Candle(
                start,
                group[0].open,
                max(each.high for each in group),
                min(each.low for each in group),
                group[-1].close,
                sum(each.volume for each in group),
            )
        )
    return built


def epoch(start: datetime, *, is_daily: bool) -> int:
    """The host's time stamp in seconds: the true moment, or midnight UTC of a day's date."""
    if is_daily:
        return int(datetime(start.year, start.month, start.day, tzinfo=UTC).timestamp())
    return int(start.timestamp())


def _candle(row: Any, is_daily: bool) -> Candle:
    try:
        stamp, opened, high, low, close, volume = row[:6]
        start = parse_start(str(stamp))
        if is_daily:  # whether mStock stamps a day 00:00 or 09:15 is not known: the date counts
            start = start.replace(hour=0, minute=0)
        return Candle(start, float(opened), float(high), float(low), float(close), int(volume or 0))
    except (TypeError, ValueError, ArithmeticError):
        raise DataException("mStock gave a candle that cannot be read.", _REPORT) from None


_STAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T +](\d\d):(\d\d)(?::(\d\d))?(?:\+05(?::?30)?)?|(\d{4})-(\d\d)-(\d\d)"
)


@lru_cache(maxsize=65536)
def parse_start(text: str) -> datetime:
    """A candle's time, always IST: mStock's `+05` is its truncated `+05:30` (5.2).

    Raises `ValueError`.
    """
    found = _STAMP.fullmatch(text.strip())
    if found is None:
        raise ValueError("not a candle's time")
    year, month, day, hour, minute, second, *bare = found.groups()
    if year is None:
        return datetime(*map(int, bare), tzinfo=IST)  # type: ignore[misc, arg-type]
    whole = map(int, (year, month, day, hour, minute, second or 0))
    return datetime(*whole, tzinfo=IST)  # type: ignore[misc, arg-type]
