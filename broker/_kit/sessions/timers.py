"""Timer threads: a job after a while, and auto-login's tick every few seconds."""

from __future__ import annotations

import threading
from collections.abc import Callable

Later = Callable[[float, Callable[[], None]], None]


def run_later(seconds: float, job: Callable[[], None]) -> None:
    """Run the job after that many seconds on a thread that does not keep the process alive."""
    timer = threading.Timer(seconds, job)
    timer.daemon = True
    timer.start()


def start_ticking(tick: Callable[[], object], every: float = 20.0) -> Callable[[], None]:
    """Call `tick`, which raises nothing, every so many seconds on a thread; returns what stops it.

    Ticks do not overlap. Stopping waits for a tick that is under way.
    """
    over = threading.Event()

    def loop() -> None:
        while not over.wait(every):
            tick()

    thread = threading.Thread(target=loop, name="auto-login", daemon=True)
    thread.start()

    def stop() -> None:
        over.set()
        thread.join()

    return stop
