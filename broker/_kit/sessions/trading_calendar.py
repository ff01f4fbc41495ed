"""On which days the exchange trades, from a table that ships with the plugin and can be corrected.

The exchange announces a year's holidays in the December before it, and may add a special session
or move a holiday at short notice. Then a new line goes into `trading_days.json`, or, without
waiting for a new version of the plugin, into the user's own `trading-days.json`.
"""

from __future__ import annotations

import json
import os.path
from collections.abc import Mapping
from datetime import date, time
from typing import Any, NamedTuple

from broker._kit.errors import SettingError

# The exchange's ordinary day. Source: NSE, normal market hours.
OPENS, CLOSES = time(9, 15), time(15, 30)
USERS_FILE = "trading-days.json"

_PACKAGED = os.path.join(os.path.dirname(__file__), "trading_days.json")
_LARGEST = 256 * 1024
_SATURDAY = 5


class Special(NamedTuple):
    """A session outside the ordinary: its times (IST) are None where the table does not say."""

    name: str
    opens: time | None = None
    closes: time | None = None


class Calendar:
    """The exchange's trading days; in years that the table does not hold, Monday to Friday."""

    def __init__(
        self,
        years: frozenset[int],
        holidays: Mapping[date, str],
        specials: Mapping[date, Special],
    ) -> None:
        if not years:
            raise ValueError("a calendar holds at least one year")
        self._years = years
        self._holidays = dict(holidays)
        self._specials = dict(specials)

    @property
    def ends(self) -> date:
        """The table's last day."""
        return date(max(self._years), 12, 31)

    def covers(self, day: date) -> bool:
        """True when the table holds the day's year."""
        return day.year in self._years

    def is_trading_day(self, day: date) -> bool:
        """True on weekdays that are no holiday, and on the days of a special session."""
        if day in self._specials:
            return True
        return day.weekday() < _SATURDAY and day not in self._holidays

    def name(self, day: date) -> str:
        """What the day is: a holiday's or special session's name, "" for any other."""
        special = self._specials.get(day)
        return special.name if special else self._holidays.get(day, "")

    def opening(self, day: date) -> time | None:
        """When the exchange opens (IST); None on other days, and where the table does not say."""
        special = self._specials.get(day, Special("", OPENS))
        return special.opens if self.is_trading_day(day) else None

    def closing(self, day: date) -> time | None:
        """When the exchange closes (IST); None as for `opening`."""
        special = self._specials.get(day, Special("", None, CLOSES))
        return special.closes if self.is_trading_day(day) else None


def load_calendar(home: str | None = None) -> Calendar:
    """The packaged table, with the user's `trading-days.json` in `home` over it.

    The user's file looks like the packaged one and needs only what differs: `years` are added, and
    so are `holidays` and `special_sessions`; a date with `null` takes a line away. Raises
    `SettingError`, which names the file, when it cannot be used.
    """
    tables = [_read(_PACKAGED)]
    if home is not None:
        path = os.path.join(home, USERS_FILE)
        if os.path.exists(path):
            tables.append(_read(path))
    years: set[int] = set()
    holidays: dict[date, str] = {}
    specials: dict[date, Special] = {}
    for table in tables:
        years |= table.years
        _lay_over(holidays, table.holidays)
        _lay_over(specials, table.specials)
    return Calendar(frozenset(years), holidays, specials)


class _Table(NamedTuple):
    """One file's content; a None takes a line of an earlier file away."""

    years: set[int]
    holidays: dict[date, str | None]
    specials: dict[date, Special | None]


def _lay_over(below: dict[date, Any], above: Mapping[date, Any]) -> None:
    for day, value in above.items():
        if value is None:
            below.pop(day, None)
        else:
            below[day] = value


def _read(path: str) -> _Table:
    try:
        with open(path, encoding="utf-8-sig") as file:
            return _table(json.loads(file.read(_LARGEST)))
    except OSError:
        what = "cannot be read"
    except (ValueError, TypeError, RecursionError) as error:
        # Of JSON's own errors only the place; the rest are this room's words.
        at = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else f": {error}"
        what = f"is not a table of trading days{at}"
    raise SettingError(f"{path} {what}.", "Correct it or remove it.")


def _table(value: Any) -> _Table:
    table = _object(value, "the file")
    years = table.get("years", [])
    if not isinstance(years, list) or not all(type(y) is int and 2000 < y < 3000 for y in years):
        raise ValueError("years is a list of years, such as [2027]")
    holidays = _object(table.get("holidays", {}), "holidays")
    specials = _object(table.get("special_sessions", {}), "special_sessions")
    return _Table(
        set(years),
        {_day(day): None if name is None else _text(name, day) for day, name in holidays.items()},
        {_day(day): _special(entry, day) for day, entry in specials.items()},
    )


def _special(entry: Any, day: str) -> Special | None:
    if entry is None:
        return None
    fields = _object(entry, day)
    name = _text(fields.get("name", "special session"), day)
    return Special(name, _time(fields.get("opens"), day), _time(fields.get("closes"), day))


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{name} must hold names and values in braces")
    return value


def _text(value: Any, day: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"the name for {day[:10]} must be a text")
    return value


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError("a date must look like 2026-11-08") from None


def _time(value: Any, day: str) -> time | None:
    if value is None:
        return None
    try:
        return time.fromisoformat(value)
    except (ValueError, TypeError):
        raise ValueError(f"a time for {day[:10]} must look like 09:15, or be null") from None
