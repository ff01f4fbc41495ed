"""On which days the exchange trades, from a table that ships with the plugin and can be corrected.

The exchange announces a year's holidays in the December before it, and may add a special session
or move a holiday at short notice. Then a new line goes into `trading_days.json`, or, without
waiting for a new version of the plugin, into the user's own `trading-days.json`.
"""

from __future__ import annotations

import json
import os.path
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any, NamedTuple

from broker._kit.clock import IST
from broker._kit.errors import SettingError

USERS_FILE = "trading-days.json"

# Where the table does not say when a special session ends: they are held in the early evening.
_EVENING = time(20)
_PACKAGED = os.path.join(os.path.dirname(__file__), "trading_days.json")
_LARGEST = 256 * 1024
_SATURDAY = 5


class Hours(NamedTuple):
    """When the exchange opens and closes (IST); None where it has not said when it opens."""

    opens: time | None
    closes: time


# Source: NSE, normal market hours.
_USUAL = Hours(time(9, 15), time(15, 30))


class Calendar(NamedTuple):
    """The exchange's trading days; in years that the table does not hold, Monday to Friday.

    `specials` has the days of a special session.
    """

    years: frozenset[int]
    holidays: frozenset[date]
    specials: Mapping[date, Hours]

    @property
    def ends(self) -> date:
        """The table's last day."""
        return date(max(self.years), 12, 31)

    def is_trading_day(self, day: date) -> bool:
        """True on weekdays that are no holiday, and on the days of a special session."""
        return day in self.specials or (day.weekday() < _SATURDAY and day not in self.holidays)

    def opening(self, day: date) -> time | None:
        """When the exchange opens (IST); None on other days, and where the table does not say."""
        return self.specials.get(day, _USUAL).opens if self.is_trading_day(day) else None

    def closing(self, day: date) -> time | None:
        """When the exchange closes (IST); None when this is no trading day."""
        return self.specials.get(day, _USUAL).closes if self.is_trading_day(day) else None

    def is_open(self, now: datetime) -> bool:
        """Whether the exchange trades at this moment; False where the table does not say."""
        there = now.astimezone(IST)
        opens, closes = self.opening(there.date()), self.closing(there.date())
        return opens is not None and closes is not None and opens <= there.time() < closes


def load_calendar(home: str | None = None) -> Calendar:
    """The packaged table, with the user's `trading-days.json` in `home` over it.

    The user's file looks like the packaged one and needs only what differs: `years` are added, and
    so are `holidays` and `special_sessions`; a date with `null` takes a line away. Raises
    `SettingError`, which names the file, when it cannot be used.
    """
    years, holidays, specials = _read(_PACKAGED)
    users = os.path.join(home or "", USERS_FILE)
    if home is not None and os.path.exists(users):
        more = _read(users)
        years, holidays, specials = years | more[0], holidays | more[1], specials | more[2]
    return Calendar(
        frozenset(years),
        frozenset(day for day, name in holidays.items() if name is not None),
        {day: hours for day, hours in specials.items() if hours is not None},
    )


# One file's years, holidays and special sessions; a None takes a line of an earlier file away.
_Table = tuple[set[int], dict[date, str | None], dict[date, Hours | None]]


def _read(path: str) -> _Table:
    what = "is not a table of trading days"
    try:
        with open(path, encoding="utf-8-sig") as file:
            table = json.loads(file.read(_LARGEST))
        years, names = table.get("years", []), table.get("holidays", {})
        if not (type(years) is list and all(type(n) is int and 2000 < n < 3000 for n in years)):
            raise ValueError("years is a list, such as [2027]")
        if not all(isinstance(name, str | None) for name in names.values()):
            raise ValueError("a holiday has a date and a name")
        holidays = {date.fromisoformat(day): name for day, name in names.items()}
        specials = table.get("special_sessions", {}).items()
        return set(years), holidays, {date.fromisoformat(day): _hours(of) for day, of in specials}
    except OSError:
        what = "cannot be read"
    except ValueError as error:
        what += f": {error}"
    except (TypeError, AttributeError, RecursionError):
        pass  # lists, braces and texts in the wrong places
    raise SettingError(f"{path} {what}.", "Correct it or remove it.")


def _hours(entry: dict[str, Any] | None) -> Hours | None:
    """When a special session begins and ends; its name is for the file's reader."""
    if entry is None:
        return None
    opens, closes = entry.get("opens"), entry.get("closes")
    return Hours(
        None if opens is None else time.fromisoformat(opens),
        _EVENING if closes is None else time.fromisoformat(closes),
    )
