"""The simulator's one source of "now": Indian time that can be set, moved on or stopped."""

from __future__ import annotations

import threading
from datetime import datetime, time, timedelta, timezone

# India keeps one offset the whole year, so a fixed offset is exact and needs no zone database.
IST = timezone(timedelta(hours=5, minutes=30), "IST")


class Clock:
    """A clock in IST. It follows real time until it is told otherwise."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offset = timedelta(0)
        self._frozen_at: datetime | None = None

    def now(self) -> datetime:
        """Return the simulator's time as an aware datetime in IST."""
        with self._lock:
            return self._now()

    def set(self, when: datetime, frozen: bool = False) -> None:
        """Show `when` from here on: ticking on from it, or standing still if `frozen`.

        Raises ValueError for a naive datetime: a time without its zone is a guess.
        """
        if when.tzinfo is None:
            raise ValueError("the clock takes aware datetimes only (for example tzinfo=IST)")
        with self._lock:
            shown = when.astimezone(IST)
            self._frozen_at = shown if frozen else None
            self._offset = shown - datetime.now(IST)

    def advance(self, delta: timedelta) -> None:
        """Move the clock by `delta`; whether it ticks or stands still does not change."""
        with self._lock:
            if self._frozen_at is not None:
                self._frozen_at += delta
            self._offset += delta

    def freeze(self) -> None:
        """Stop the clock at what it shows now."""
        with self._lock:
            self._frozen_at = self._now()

    def follow(self) -> None:
        """Go back to following real time."""
        with self._lock:
            self._offset = timedelta(0)
            self._frozen_at = None

    @property
    def follows_real_time(self) -> bool:
        """True when nobody has set, moved or stopped the clock."""
        with self._lock:
            return self._frozen_at is None and not self._offset

    def _now(self) -> datetime:
        return self._frozen_at or datetime.now(IST) + self._offset


def next_midnight(moment: datetime) -> datetime:
    """Return the midnight (IST) that ends the day of `moment`: every token dies then (1.5)."""
    day = moment.astimezone(IST).date() + timedelta(days=1)
    return datetime.combine(day, time.min, tzinfo=IST)
