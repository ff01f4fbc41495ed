"""How often an address may send something to mStock through the login page."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from limits import RateLimitItem, parse_many
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import CertificateError, SettingError, Unreachable

OPENALGO_LIMITS = "5 per minute; 25 per hour"
# What a login's calls raise when nothing has reached mStock.
_NOT_SENT = (Unreachable, CertificateError, SettingError)


class Full(Exception):
    """No place is free for this address; one will be in `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"no place for {seconds} s")
        self.seconds = seconds


class LoginLimits:
    """Counts what reaches mStock, per address, in moving windows; safe to use from many threads.

    It stands on the engine of Flask-Limiter and not on an extension in the app, which may have a
    `Limiter` of its own and would count page visits too. `rules` is Flask-Limiter's notation.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK, rules: str = OPENALGO_LIMITS) -> None:
        self._clock = clock
        self._rules = parse_many(rules)
        self._storage = MemoryStorage()
        self._window = MovingWindowRateLimiter(self._storage)
        self._lock = threading.Lock()
        self._under_way: Counter[str] = Counter()

    @contextmanager
    def place(self, address: str) -> Iterator[None]:
        """Hold a place while something is sent; an error that says nothing was sent gives it back.

        Raises `Full` when an address has none left under one of the rules.
        """
        wait = self._begin(address)
        if wait:
            raise Full(wait)
        reached = True
        try:
            yield
        except _NOT_SENT:
            reached = False
            raise
        finally:
            self._end(address, reached)

    def _begin(self, address: str) -> int:
        """Note that something is under way and return 0; or return the seconds to wait."""
        with self._lock:
            wanted = self._under_way[address] + 1
            full = [
                rule for rule in self._rules if not self._window.test(rule, address, cost=wanted)
            ]
            wait = self._wait(full, address) if full else 0
            if not wait:
                self._under_way[address] = wanted
            return wait

    def _end(self, address: str, reached: bool) -> None:
        with self._lock:
            self._under_way[address] -= 1
            if not self._under_way[address]:
                del self._under_way[address]
            if reached:
                for rule in self._rules:
                    self._window.hit(rule, address)

    def _wait(self, full: list[RateLimitItem], address: str) -> int:
        now = self._clock.now().timestamp()
        free_at = max(self._window.get_window_stats(rule, address).reset_time for rule in full)
        if free_at - now > max(rule.get_expiry() for rule in full) + 1:
            # The engine knows the wall clock only, and that was set back: begin anew, since a
            # day's clock change must not lock a trader out for a day.
            self._storage.reset()
            return 0
        # A second more than the rest of the window, never less: the promise must hold.
        return max(1, math.floor(free_at - now) + 1)
