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
        self._storage = MemoryStorage()
        self._window = MovingWindowRateLimiter(self._storage)
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
            if free_at - now > max(rule.get_expiry() for rule in full) + 1:
                # The engine knows the wall clock only, and that was set back: begin anew, since a
                # day's clock change must not lock a trader out for a day.
                self._storage.reset()
                for rule in self._rules:
                    self._window.hit(rule, address)
                return 0
            # A second more than the rest of the window, never less: the promise must hold.
            return max(1, math.floor(free_at - now) + 1)
