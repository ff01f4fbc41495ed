"""Calls of mStock's limited classes: one that is too early waits for its turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from broker._kit.clock import Clock
from broker._kit.errors import RateLimited

T = TypeVar("T")

PATIENCE_S = 60.0


def paced(call: Callable[[], T], clock: Clock) -> T:
    """The call's value; while a limit is used up it is made again, for at most a minute.

    Only for reads. Raises what the call raises.
    """
    end = clock.monotonic() + PATIENCE_S
    while True:
        try:
            return call()
        except RateLimited as error:
            wait = max(1, error.retry_after or 1)
            if clock.monotonic() + wait > end:
                raise
        clock.sleep(wait)
