"""Lets a form be sent once: a double click shares one answer, a later repeat is turned away."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


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
                mine: Future[T] = Future()
                self._running[form] = mine
                self._used[form] = None
                while len(self._used) > self._capacity:
                    self._used.popitem(last=False)
        if first is not None:
            try:
                return first.result(patience)
            except TimeoutError:
                raise AlreadySubmitted from None
        try:
            result = work()
        except BaseException:
            # The fault itself goes to the one who did the work, and only there.
            mine.set_exception(AlreadySubmitted())
            raise
        else:
            mine.set_result(result)
            return result
        finally:
            # The result may hold the day's token: it is not kept.
            with self._lock:
                del self._running[form]
