"""Counts calls against a broker's rate limits, over moving windows, for all threads."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple


class Rate(NamedTuple):
    """At most so many calls in so many seconds."""

    calls: int
    seconds: int


class RateLimiter:
    """The calls of one account by class of limit; safe to use from several threads."""

    def __init__(self, limits: Mapping[str, tuple[Rate, ...]]) -> None:
        self._limits = limits
        self._sent = {
            name: deque[float](maxlen=max(rate.calls for rate in rates))
            for name, rates in limits.items()
        }
        self._lock = threading.Lock()

    def reserve(self, name: str, now: float) -> float:
        """Count one call of this class at `now`, in monotonic seconds, and return 0.0.

        When a limit is used up nothing is counted, and the seconds until it is not are returned.
        """
        sent = self._sent[name]
        with self._lock:
            wait = max(
                sent[-rate.calls] + rate.seconds - now if len(sent) >= rate.calls else 0.0
                for rate in self._limits[name]
            )
            if wait > 0:
                return wait
            sent.append(now)
            return 0.0
