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
OPENS = time(9, 15)
# Minutes of a trading day and its opening, where they are not the stock exchanges' own.
SESSION_MINUTES = {"MCX": 895, "CDS": 465, "BCD": 465}
STOCK_MINUTES = 375
EARLY_OPENS = {"MCX": time(9), "CDS": time(9), "BCD": time(9)}
_REPORT = "Nothing was guessed. Try again; if it comes back, report this."


# The start of the candle that a moment belongs to, given the opening of its session.
Group = Callable[[datetime, datetime], datetime]


class Interval(NamedTuple):
    """One of the host's intervals: what is asked of mStock, and what is built from that.

    `minutes` is the length of mStock's candle, 0 for a day. `group` gives the start of the candle
    to build that a candle belongs to, None where mStock's own is served as it stands.
    """

    words: dict[str, str]
    minutes: int
    group: Group | None = None


def _span(minutes: int) -> Group:
    """Candles of that many minutes, counted from the opening of the session."""

    def start(moment: datetime, opening: datetime) -> datetime:
        return opening + (moment - opening) // timedelta(minutes=minutes) * timedelta(
            minutes=minutes
        )

    return start


def _week(moment: datetime, _opening: datetime) -> datetime:
    return moment - timedelta(days=moment.weekday())


def _month(moment: datetime, _opening: datetime) -> datetime:
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
    minutes: int,
    first: date,
    last: date,
    is_trading_day: Callable[[date], bool],
    session_minutes: int = STOCK_MINUTES,
) -> Iterator[tuple[date, date]]:
    """Ranges of days, both ends included, each of which holds fewer candles than mStock's cap.

    Together they are the whole range: the calendar, which may not know a special session at a
    weekend, only says how long each may be.
    """
    a_day = 1 if not minutes else -(-session_minutes // minutes)
    most = max(1, (MOST_ROWS - 1) // a_day)
    start, count, day = first, 0, first
    while day <= last:
        if is_trading_day(day):
            if count == most:
                yield start, day - timedelta(days=1)
                start, count = day, 0
            count += 1
        day += timedelta(days=1)
    if first <= last:
        yield start, last


def whole_periods(name: str, first: date, last: date) -> tuple[date, date]:
    """A range widened to whole weeks or months where the interval is one of them."""
    if name == "W":
        return first - timedelta(days=first.weekday()), last + timedelta(days=6 - last.weekday())
    if name == "M":
        next_month = last.replace(day=28) + timedelta(days=4)
        return first.replace(day=1), next_month.replace(day=1) - timedelta(days=1)
    return first, last


def halves(first: date, last: date) -> tuple[tuple[date, date], tuple[date, date]]:
    """A range that came back cut, in two. Raises `DataException` for a single day."""
    if first >= last:
        raise DataException(
            f"mStock gave {MOST_ROWS} candles for one day, so some may be missing.", _REPORT
        )
    middle = first + (last - first) // 2
    return (first, middle), (middle + timedelta(days=1), last)


def rows(data: Any) -> list[Any]:
    """The rows of an answer's `data` as mStock gave them; none for an empty answer.

    Raises `DataException` when it holds no list.
    """
    if isinstance(data, list) and len(data) == 1 and isinstance(data[0], dict):
        data = data[0]
    found = data.get("candles") if isinstance(data, dict) else data
    if found in (None, "", "success"):  # mStock's ways to say that there are none
        return []
    if not isinstance(found, list):
        raise DataException("mStock's answer holds no list of candles.", _REPORT)
    return found


def candles(given: Iterable[Any], *, is_daily: bool) -> list[Candle]:
    """The candles of an answer's `rows`, ascending and each once; without a price it is none.

    Raises `DataException` for a row that cannot be read: a gap must not be silent.
    """
    return join([[each for row in given if (each := _candle(row, is_daily)).high]])


def join(parts: Iterable[Iterable[Candle]]) -> list[Candle]:
    """Parts as one list, ascending; of two candles of one moment the later part's counts."""
    by_start = {candle.start: candle for part in parts for candle in part}
    return [by_start[start] for start in sorted(by_start)]


def build(
    found: list[Candle],
    interval: Interval,
    opening: Callable[[date], time | None] = lambda _day: OPENS,
) -> list[Candle]:
    """The interval's candles out of mStock's; what mStock serves itself stays as it is.

    `opening` gives the opening of a day's session (IST); where it is None, the day's first candle
    is the opening.
    """
    group = interval.group
    if group is None:
        return found
    built = []
    for day, of_day in groupby(found, lambda candle: candle.start.date()):
        members = list(of_day)
        opens = opening(day)
        first = members[0].start
        start = first if opens is None else min(first, datetime.combine(day, opens, IST))
        parts = groupby(members, lambda candle: group(candle.start, start))  # noqa: B023
        built += [_joined(begin, list(part)) for begin, part in parts]
    if interval.minutes:
        return built
    whole = groupby(built, lambda candle: candle.start)
    return [_joined(begin, list(part)) for begin, part in whole]


def day_candle(found: list[Candle]) -> list[Candle]:
    """One day's candles as the day's own; none for none."""
    if not found:
        return []
    return [_joined(found[0].start.replace(hour=0, minute=0), found)]


def _joined(start: datetime, group: list[Candle]) -> Candle:
    return Candle(
        start,
        group[0].open,
        max(each.high for each in group),
        min(each.low for each in group),
        group[-1].close,
        sum(each.volume for each in group),
    )


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
        prices = float(opened), float(high), float(low), float(close)
        if any(prices) and min(prices) <= 0:
            raise ValueError("a price is missing")
        return Candle(start, *prices, int(volume or 0))
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
