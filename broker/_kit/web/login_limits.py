"""How often an address may send something to the broker through the login page."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from limits import parse_many
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import CertificateError, SettingError, Unreachable

OPENALGO_LIMITS = "5 per minute; 25 per hour"
# What a login's calls raise when nothing has reached the broker.
_NOT_SENT = (Unreachable, CertificateError, SettingError)


class LimitReached(Exception):
    """This address has to wait for `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"{seconds} s")
        self.seconds = seconds


class LoginLimits:
    """Counts what reaches the broker, per address, in moving windows.

    It stands on the engine of Flask-Limiter and not on an extension in the app, which may have a
    `Limiter` of its own and would count page visits too. `rules` is Flask-Limiter's notation. The
    engine knows the wall clock only. The account's login lock keeps its callers one at a time.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK, rules: str = OPENALGO_LIMITS) -> None:
        self._clock = clock
        self._rules = parse_many(rules)
        self._window = MovingWindowRateLimiter(MemoryStorage())

    @contextmanager
    def counted(self, address: str) -> Iterator[None]:
        """Count what is sent within, unless an error says that nothing was.

        Raises `LimitReached` when an address has used up one of the rules.
        """
        used_up = [rule for rule in self._rules if not self._window.test(rule, address)]
        if used_up:
            now = self._clock.now().timestamp()
            free_at = max(self._window.get_window_stats(rule, address)[0] for rule in used_up)
            # A second more than the rest of the window, never less: the promise must hold.
            raise LimitReached(max(1, math.floor(free_at - now) + 1))
        is_sent = True
        try:
            yield
        except _NOT_SENT:
            is_sent = False
            raise
        finally:
            for rule in self._rules if is_sent else ():
                self._window.hit(rule, address)
