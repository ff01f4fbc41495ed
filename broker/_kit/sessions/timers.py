"""Runs a clean-up after a while, so that a secret goes on time even when nobody calls again."""

from __future__ import annotations

import threading
from collections.abc import Callable

Later = Callable[[float, Callable[[], None]], None]


def on_a_thread(seconds: float, job: Callable[[], None]) -> None:
    """Run the job after that many seconds on a thread that does not keep the process alive."""
    timer = threading.Timer(seconds, job)
    timer.daemon = True
    timer.start()
