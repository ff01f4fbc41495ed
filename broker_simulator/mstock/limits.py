"""mStock's limits on calls of a kind (1.4), counted for each customer over sliding windows."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from .refusals import Reason, Refused

# Of each class: how many calls in how many seconds.
Limits = Mapping[str, Sequence[tuple[int, int]]]

DOCUMENTED: Final[Limits] = {
    "orders": ((30, 1), (250, 60), (1000, 3600)),
    "data": ((1, 1), (1000, 60), (5000, 3600)),
    "quote": ((20, 1),),
}


class RateLimiter:
    """Counts calls in real time: the simulator's own clock may stand still or jump."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._calls: dict[tuple[str, str], deque[float]] = {}

    def count(self, client: str, rate_class: str, limits: Sequence[tuple[int, int]]) -> None:
        """Count a call; Refused(RATE) when it is one too many, and then it does not count."""
        now = self._monotonic()
        with self._lock:
            calls = self._calls.setdefault((client, rate_class), deque())
            while calls and calls[0] <= now - max(seconds for _, seconds in limits):
                calls.popleft()
            for most, seconds in limits:
                # The call that must have left the window for this one to come in.
                if len(calls) >= most and calls[-most] > now - seconds:
                    raise Refused(Reason.RATE)
            calls.append(now)
