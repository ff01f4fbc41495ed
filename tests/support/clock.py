"""A clock for tests: the wall time is set by hand, sleeping is written down and takes no time."""

from __future__ import annotations

from datetime import datetime, timedelta

from broker._kit.clock import IST


class FakeClock:
    """Starts at 09:00 IST on a Monday; `sleep` moves both the wall time and the monotonic one."""

    def __init__(self, start: datetime | None = None) -> None:
        self.wall = start or datetime(2026, 11, 23, 9, 0, tzinfo=IST)
        self.ticks = 1000.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.ticks

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self.ticks += seconds
        self.wall += timedelta(seconds=seconds)
