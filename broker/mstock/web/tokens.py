"""Where the standalone app keeps the day's tokens: in memory, a few at most, until midnight IST."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from broker.mstock.clock import SYSTEM_CLOCK, Clock, session_end
from broker.mstock.config import Config
from broker.mstock.secret import Secret
from broker.mstock.web.later import Later, on_a_thread

# A timer stands still while a laptop sleeps; so that a token does not outlive midnight by a whole
# night's sleep, the time is looked at this often, in seconds.
_LOOK_EVERY = 300.0


@dataclass(frozen=True, slots=True)
class DaySession:
    """A logged-in account: its token, the settings it was made with, and when it ends."""

    token: Secret
    config: Config
    ends_at: datetime


class TokenShelf:
    """Sessions by a random id, which is all that the browser gets to hold."""

    def __init__(
        self, clock: Clock = SYSTEM_CLOCK, capacity: int = 8, later: Later = on_a_thread
    ) -> None:
        self._clock = clock
        self._capacity = capacity
        self._later = later
        self._lock = threading.Lock()
        self._sessions: OrderedDict[str, DaySession] = OrderedDict()
        self._is_watched = False

    def put(self, token: Secret, config: Config) -> tuple[str, DaySession]:
        """Keep a token until midnight IST; the oldest session makes room when the shelf is full.

        A token that is here already, from the first of a double click's two, keeps its place.
        """
        held = DaySession(token, config, session_end(self._clock.now()))
        key = secrets.token_urlsafe(32)
        with self._lock:
            for known, session in self._sessions.items():
                if session.token == token:
                    return known, session
            self._sessions[key] = held
            while len(self._sessions) > self._capacity:
                self._sessions.popitem(last=False)
            is_watched, self._is_watched = self._is_watched, True
            wait = self._next_look()
        if not is_watched:
            self._later(wait, self._watch)
        return key, held

    def get(self, key: str) -> DaySession | None:
        """The session, None when it is unknown, logged out or over."""
        with self._lock:
            self._sweep()
            return self._sessions.get(key)

    def drop(self, key: str) -> DaySession | None:
        """Forget a session; returns it, None when there was none."""
        with self._lock:
            self._sweep()
            return self._sessions.pop(key, None)

    def __len__(self) -> int:
        with self._lock:
            return len(self._sessions)

    def _watch(self) -> None:
        with self._lock:
            self._sweep()
            self._is_watched = bool(self._sessions)
            wait = self._next_look()
        if wait:
            self._later(wait, self._watch)

    # What follows is called with the lock held.

    def _next_look(self) -> float:
        now = self._clock.now()
        rests = [(held.ends_at - now).total_seconds() + 1 for held in self._sessions.values()]
        return min(_LOOK_EVERY, *rests) if rests else 0.0

    def _sweep(self) -> None:
        now = self._clock.now()
        for key in [key for key, held in self._sessions.items() if now >= held.ends_at]:
            del self._sessions[key]
