"""When the simulated exchanges trade: regular hours, holidays, special and short sessions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Final, NamedTuple

from broker_simulator.mstock.clock import IST

REGULAR: Final = (time(9, 15), time(15, 30))
SUNDAY_EVENING: Final = (time(18, 0), time(19, 0))
SATURDAY: Final = 5
ONE_DAY: Final = timedelta(days=1)

# As NSE published them for 2025 and 2026; 2027 is what the religious calendars let expect.
HOLIDAYS: Final = frozenset(
    date(year, int(day[:2]), int(day[3:]))
    for year, days in {
        2025: "02-26 03-14 03-31 04-10 04-14 04-18 05-01 08-15 08-27 10-02 10-21 10-22 11-05 12-25",
        2026: "01-15 01-26 03-03 03-26 03-31 04-03 04-14 05-01 05-28 06-26 09-14 10-02 10-20 11-10 "
        "11-24 12-25",
        2027: "01-26 03-10 03-22 03-26 04-14 04-15 04-19 05-17 06-16 10-29",
    }.items()
    for day in days.split()
)
# Budget days at a weekend are whole days; muhurat trading on a holiday is one hour.
SPECIAL_SESSIONS: Final = {
    date(2025, 2, 1): REGULAR,
    date(2025, 10, 21): (time(13, 45), time(14, 45)),
    date(2026, 2, 1): REGULAR,
    date(2026, 11, 8): SUNDAY_EVENING,
    date(2027, 10, 29): SUNDAY_EVENING,
}
# Every other year has only the holidays that never move (a rule of the simulator's own).
YEARLY_HOLIDAYS: Final = frozenset({(1, 26), (5, 1), (8, 15), (10, 2), (12, 25)})
YEARS_WITH_HOLIDAYS: Final = frozenset(day.year for day in HOLIDAYS)


class Session(NamedTuple):
    """One day's trading: aware start and end in IST; the end itself is no trading minute."""

    start: datetime
    end: datetime

    @property
    def minutes(self) -> int:
        """How many one-minute candles the day has."""
        return (self.end - self.start) // timedelta(minutes=1)


@cache
def session(day: date) -> Session | None:
    """Return the trading hours of a day, None when there is no trading."""
    hours = SPECIAL_SESSIONS.get(day)
    if hours is None:
        if day.weekday() >= SATURDAY or day in HOLIDAYS:
            return None
        if day.year not in YEARS_WITH_HOLIDAYS and (day.month, day.day) in YEARLY_HOLIDAYS:
            return None
        hours = REGULAR
    return _between(day, hours)


@cache
def regular_session(day: date) -> Session:
    """Return a day's regular hours, whether it is a trading day or not."""
    return _between(day, REGULAR)


def _between(day: date, hours: tuple[time, time]) -> Session:
    return Session(*(datetime.combine(day, hour, tzinfo=IST) for hour in hours))


def is_open(now: datetime) -> bool:
    """True while orders are matched."""
    today = session(now.astimezone(IST).date())
    return today is not None and today.start <= now < today.end


def latest_session(now: datetime) -> Session:
    """Return the session that runs, or else the last one that has run."""
    day = now.astimezone(IST).date()
    while (found := session(day)) is None or now < found.start:
        day -= ONE_DAY
    return found


@cache
def previous_trading_day(day: date) -> date:
    """Return the last day before `day` with any trading, a short session included."""
    day -= ONE_DAY
    while session(day) is None:
        day -= ONE_DAY
    return day


def session_before(hours: Session) -> Session:
    """Return the session before one."""
    return latest_session(hours.start - timedelta(seconds=1))


def trading_day_until(day: date) -> date:
    """Return the day itself, or the trading day before it: what an expiry on a holiday becomes."""
    regular = session(day)
    return day if regular and regular.start.time() == REGULAR[0] else previous_trading_day(day)


def trading_sessions(first: date, last: date) -> Iterator[Session]:
    """Yield the sessions of all trading days, from `first` to `last`, both included."""
    while first <= last:
        if found := session(first):
            yield found
        first += ONE_DAY
