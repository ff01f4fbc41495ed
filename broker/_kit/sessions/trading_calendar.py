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

    def is_trading_day(self, day: date) -> bool:
        """True on weekdays that are no holiday, and on the days of a special session."""
        if day in self._specials:
            return True
        return day.weekday() < _SATURDAY and day not in self._holidays

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
    paths = [_PACKAGED]
    if home is not None and os.path.exists(os.path.join(home, USERS_FILE)):
        paths.append(os.path.join(home, USERS_FILE))
    years: set[int] = set()
    holidays: dict[date, str | None] = {}
    specials: dict[date, Special | None] = {}
    for path in paths:
        table = _read(path)
        years |= table[0]
        holidays |= table[1]
        specials |= table[2]
    return Calendar(
        frozenset(years),
        {day: name for day, name in holidays.items() if name is not None},
        {day: special for day, special in specials.items() if special is not None},
    )


# One file's years, holidays and special sessions; a None takes a line of an earlier file away.
_Table = tuple[set[int], dict[date, str | None], dict[date, Special | None]]


def _read(path: str) -> _Table:
    try:
        with open(path, encoding="utf-8-sig") as file:
            return _table(json.loads(file.read(_LARGEST)))
    except OSError:
        what = "cannot be read"
    except (ValueError, TypeError, RecursionError) as error:
        # Of JSON's own errors only the place; the rest are this module's words.
        at = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else f": {error}"
        what = f"is not a table of trading days{at}"
    raise SettingError(f"{path} {what}.", "Correct it or remove it.")


def _table(value: Any) -> _Table:
    table = _typed(value, dict, "the file must hold names and values in braces")
    years = _typed(table.get("years", []), list, "years is a list of years, such as [2027]")
    if not all(type(year) is int and 2000 < year < 3000 for year in years):
        raise ValueError("years is a list of years, such as [2027]")
    parts = (("holidays", _holiday), ("special_sessions", _special))
    holidays, specials = (
        {
            _day(day): None if entry is None else read(entry)
            for day, entry in _typed(table.get(name, {}), dict, f"{name} must be in braces").items()
        }
        for name, read in parts
    )
    return set(years), holidays, specials


def _holiday(entry: Any) -> Any:
    return _typed(entry, str, "a holiday's name must be a text")


def _special(entry: Any) -> Any:
    fields = _typed(entry, dict, "a special session must be in braces")
    name = _typed(fields.get("name", "special session"), str, "a session's name must be a text")
    return Special(name, _time(fields.get("opens")), _time(fields.get("closes")))


def _typed(value: Any, kind: type, words: str) -> Any:
    if not isinstance(value, kind):
        raise TypeError(words)
    return value


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError("a date must look like 2026-11-08") from None


def _time(value: Any) -> time | None:
    try:
        return None if value is None else time.fromisoformat(value)
    except (ValueError, TypeError):
        raise ValueError("a time must look like 09:15, or be null") from None
