"""On which days the exchange trades, from a table that ships with the plugin and can be mended."""

from __future__ import annotations

from datetime import date, time


class Calendar:
    """The exchange's trading days; beyond the table's end Monday to Friday."""

    ends: date

    def is_trading_day(self, day: date) -> bool:
        """True on weekdays that are no holiday, and on the days of a special session."""
        raise NotImplementedError

    def opening(self, day: date) -> time | None:
        """When the exchange opens (IST); None on other days, and where the table does not say."""
        raise NotImplementedError

    def closing(self, day: date) -> time | None:
        """When the exchange closes (IST); None as for `opening`."""
        raise NotImplementedError

    def covers(self, day: date) -> bool:
        """True when the table holds the day's year."""
        raise NotImplementedError


def load_calendar(home: str | None = None) -> Calendar:
    """The packaged table, with the user's `trading-days.json` in `home` over it.

    Raises `SettingError`, which names the file, when the user's table cannot be used.
    """
    raise NotImplementedError
