"""How often an address may send something to mStock through the login page."""

from __future__ import annotations

import math
import threading

from limits import parse_many
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from broker.mstock.clock import SYSTEM_CLOCK, Clock

OPENALGO_LIMITS = "5 per minute; 25 per hour"


class LoginLimits:
    """Counts what reaches mStock, per address, in moving windows.

    It stands on the engine of Flask-Limiter and not on an extension in the app, which may have a
    `Limiter` of its own and would count page visits too. `rules` is Flask-Limiter's notation.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK, rules: str = OPENALGO_LIMITS) -> None:
        self._clock = clock
        self._rules = parse_many(rules)
        self._window = MovingWindowRateLimiter(MemoryStorage())
        self._lock = threading.Lock()

    def take(self, address: str) -> int:
        """Take a place under every rule and return 0, or none and return the seconds to wait."""
        with self._lock:
            full = [rule for rule in self._rules if not self._window.test(rule, address)]
            if not full:
                # At the very edge of a window the engine's test and its hit can disagree.
                taken = [self._window.hit(rule, address) for rule in self._rules]
                return 0 if all(taken) else 1
            now = self._clock.now().timestamp()
            free_at = max(self._window.get_window_stats(rule, address).reset_time for rule in full)
            # A second more than the rest of the window, never less: the promise must hold.
            return max(1, math.floor(free_at - now) + 1)
