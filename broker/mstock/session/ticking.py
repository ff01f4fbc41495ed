"""Calls auto-login every few seconds, in the background."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from broker.mstock.clock import IST


class Ticking(Protocol):
    """What can be told that time has passed."""

    def tick(self) -> object:
        """Do what is due; raises nothing."""


def start_ticking(auto: Ticking, every: float = 20.0) -> Callable[[], None]:
    """Have `auto.tick()` called every so many seconds, on a thread; returns what stops it.

    Ticks do not overlap, and those that were missed (the computer slept) count as one. The
    stopping waits for a tick that is under way.
    """
    from apscheduler.schedulers.background import BackgroundScheduler  # type: ignore[import-untyped]
    from apscheduler.triggers.interval import IntervalTrigger  # type: ignore[import-untyped]

    scheduler = BackgroundScheduler(timezone=IST, daemon=True)
    scheduler.add_job(
        auto.tick,
        IntervalTrigger(seconds=every, timezone=IST),
        coalesce=True,
        max_instances=1,
        misfire_grace_time=None,
    )
    scheduler.start()
    is_over = False

    def stop() -> None:
        nonlocal is_over
        if not is_over:
            is_over = True
            scheduler.shutdown(wait=True)

    return stop
