"""Calls auto-login every few seconds, in the background."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from broker._kit.clock import IST, SYSTEM_CLOCK


class Ticking(Protocol):
    """What can be told that time has passed."""

    def tick(self) -> object:
        """Do what is due; raises nothing."""


def start_ticking(auto: Ticking, every: float = 20.0) -> Callable[[], None]:
    """Have `auto.tick()` called every so many seconds, on a thread; returns what stops it.

    Ticks do not overlap, and those that were missed (the computer slept) count as one. A clock
    that is put back holds up no tick: APScheduler alone would wait until it shows the old time
    again. The stopping waits for a tick that is under way.
    """
    from apscheduler.schedulers.background import BackgroundScheduler  # type: ignore[import-untyped]
    from apscheduler.triggers.interval import IntervalTrigger  # type: ignore[import-untyped]

    scheduler = BackgroundScheduler(timezone=IST, daemon=True)
    job = scheduler.add_job(
        auto.tick,
        IntervalTrigger(seconds=every, timezone=IST),
        coalesce=True,
        max_instances=1,
        misfire_grace_time=None,
    )
    scheduler.start()
    over = threading.Event()

    def keep_up() -> None:
        while not over.wait(every):
            now = SYSTEM_CLOCK.now()
            if job.next_run_time > now + timedelta(seconds=2 * every):
                job.modify(next_run_time=now)

    keeping_up = threading.Thread(target=keep_up, name="mstock-ticks", daemon=True)
    keeping_up.start()

    def stop() -> None:
        if not over.is_set():
            over.set()
            keeping_up.join()
            scheduler.shutdown(wait=True)

    return stop
