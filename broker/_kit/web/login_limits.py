"""How often a form may be sent, once, and how often an address may send one to the broker."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Generic, TypeVar

from limits import parse_many
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import CertificateError, SettingError, Unreachable

T = TypeVar("T")

OPENALGO_LIMITS = "5 per minute; 25 per hour"
# What a login's calls raise when nothing has reached the broker.
_NOT_SENT = (Unreachable, CertificateError, SettingError)


class AlreadySubmitted(Exception):
    """This form was sent before; nothing was done this time."""


class SingleSubmit(Generic[T]):
    """Remembers which forms have been used, up to `capacity`, the oldest forgotten first.

    Only a form that was really sent takes a place, so that opening pages crowds out nothing.
    """

    def __init__(self, capacity: int = 4096) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._used: OrderedDict[Hashable, None] = OrderedDict()
        self._running: dict[Hashable, Future[T]] = {}

    def run(self, form: Hashable, work: Callable[[], T], patience: float) -> T:
        """Do the work, or wait for the equal form that is doing it and take its result.

        A browser shows the answer to the last click only, so the second click of a double click
        must get what the first one earned. Raises `AlreadySubmitted` when the form was used
        up before, or when the one under way fails or takes longer than `patience` seconds.
        """
        with self._lock:
            first = self._running.get(form)
            if first is None:
                if form in self._used:
                    raise AlreadySubmitted
                mine = self._running[form] = Future()
                self._used[form] = None
                if len(self._used) > self._capacity:
                    self._used.popitem(last=False)
        if first is not None:
            try:
                return first.result(patience)
            except TimeoutError:
                raise AlreadySubmitted from None
        try:
            result = work()
            mine.set_result(result)
            return result
        except BaseException:
            # The fault itself goes to the one who did the work, and only there.
            mine.set_exception(AlreadySubmitted())
            raise
        finally:
            # The result may hold the day's token: it is not kept.
            with self._lock:
                del self._running[form]


class LimitReached(Exception):
    """This address has to wait for `seconds`."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds


class LoginLimits:
    """Counts what reaches the broker, per address, in moving windows.

    On the engine of Flask-Limiter and not as an extension of the app, which may have a `Limiter` of
    its own and would count page visits too. `rules` is Flask-Limiter's notation; its engine knows
    the wall clock only. The account's login lock keeps its callers one at a time.
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
        counted = self._rules
        try:
            yield
        except _NOT_SENT:
            counted = []
            raise
        finally:
            for rule in counted:
                self._window.hit(rule, address)
