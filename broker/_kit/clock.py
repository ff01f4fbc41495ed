"""The one source of "now": aware times in IST, from a clock that tests can replace."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

IST = ZoneInfo("Asia/Kolkata")


class Clock:
    """The machine's own clock; a test's has the same three methods."""

    def now(self) -> datetime:
        """The wall-clock time, aware, in IST."""
        return datetime.now(IST)

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps; only differences mean anything."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


SYSTEM_CLOCK = Clock()


def session_end(login: datetime) -> datetime:
    """The midnight IST that follows a login, at which Indian brokers' tokens of that day die."""
    day = login.astimezone(IST).replace(hour=0, minute=0, second=0, microsecond=0)
    return day + timedelta(days=1)
