"""Which browsers have logged in, and the session that each may use now: in memory, a few at most.

A session is let go of at midnight IST. That its browser had logged in is remembered, so that it may
use the session that auto-login gets for the same account on the next day.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from broker._kit.broker import BrokerSettings
from broker._kit.clock import SYSTEM_CLOCK, Clock, session_end
from broker._kit.errors import BrokerError
from broker._kit.secret import Secret
from broker._kit.sessions.store import Store
from broker._kit.sessions.stored_session import load_session
from broker._kit.sessions.timers import Later, on_a_thread
from broker._kit.sessions.token_life import fingerprint

# A timer stands still while a laptop sleeps; so that a token does not outlive midnight by a whole
# night's sleep, the time is looked at this often, in seconds.
_LOOK_EVERY = 300.0


@dataclass(frozen=True, slots=True)
class DaySession:
    """A logged-in account: its token, the settings it was made with, and when it ends."""

    token: Secret
    config: BrokerSettings
    ends_at: datetime


# The account's kept session if it is alive, None if there is none.
Newer = Callable[[BrokerSettings], DaySession | None]


def nothing_newer(config: BrokerSettings) -> DaySession | None:
    """Where nothing is kept."""
    return None


def newer_in(store: Store, clock: Clock) -> Newer:
    """Looks into the store; what cannot be read counts as nothing."""

    def look(config: BrokerSettings) -> DaySession | None:
        now = clock.now()
        try:
            kept = load_session(store, config.account, now)
        except BrokerError:
            return None
        if kept is None or kept.is_over:
            return None
        return DaySession(kept.token, config, kept.life.ends_at or session_end(now))

    return look


@dataclass(slots=True)
class _Place:
    """One browser's: `last` is the fingerprint of its last token, which is not taken up again."""

    config: BrokerSettings
    session: DaySession | None
    last: str


class BrowserSessions:
    """Sessions by a random id, which is all that the browser gets to hold."""

    def __init__(
        self,
        clock: Clock = SYSTEM_CLOCK,
        capacity: int = 8,
        later: Later = on_a_thread,
        newer: Newer = nothing_newer,
    ) -> None:
        self._clock = clock
        self._capacity = capacity
        self._later = later
        self._newer = newer
        self._lock = threading.Lock()
        self._places: OrderedDict[str, _Place] = OrderedDict()
        self._is_watched = False

    def put(
        self, token: Secret, config: BrokerSettings, instead_of: str = ""
    ) -> tuple[str, DaySession]:
        """Keep a token until midnight IST; the oldest browser makes room when the shelf is full.

        A token that is here already, from the first of a double click's two, keeps its place.
        `instead_of` is the id under which the browser was known, if its session is over.
        """
        session = DaySession(token, config, session_end(self._clock.now()))
        key = secrets.token_urlsafe(32)
        with self._lock:
            for known, place in self._places.items():
                if place.session is not None and place.session.token == token:
                    return known, place.session
            before = self._places.get(instead_of)
            if before is not None and before.session is None:
                del self._places[instead_of]
            self._places[key] = _Place(config, session, fingerprint(token))
            while len(self._places) > self._capacity:
                self._places.popitem(last=False)
        self._watch_on()
        return key, session

    def get(self, key: str) -> DaySession | None:
        """The session, None when it is unknown, logged out or over with nothing newer kept."""
        with self._lock:
            self._sweep()
            place = self._places.get(key)
            if place is None:
                return None
            if place.session is not None:
                return place.session
        newer = self._newer(place.config)  # may read a file: the lock is not held
        if newer is None or fingerprint(newer.token) == place.last:
            return None
        with self._lock:
            if self._places.get(key) is not place:
                return None  # logged out meanwhile
            place.session, place.last = newer, fingerprint(newer.token)
        self._watch_on()
        return newer

    def whose(self, key: str) -> BrokerSettings | None:
        """The settings with which this browser logged in, None when it did not or has logged out.

        Its session may be over.
        """
        with self._lock:
            place = self._places.get(key)
            return place.config if place is not None else None

    def end(self, key: str, token: Secret) -> None:
        """Let go of a session that mStock has ended; the browser stays known."""
        with self._lock:
            place = self._places.get(key)
            if place is not None and place.session is not None and place.session.token == token:
                place.session = None

    def drop(self, key: str) -> DaySession | None:
        """Forget a browser; returns its session, None when there was none.

        Other browsers that use the same session have lost it too.
        """
        with self._lock:
            self._sweep()
            place = self._places.pop(key, None)
            session = place.session if place is not None else None
            for other in self._places.values():
                if session and other.session and other.session.token == session.token:
                    other.session = None
            return session

    def __len__(self) -> int:
        with self._lock:
            return sum(place.session is not None for place in self._places.values())

    def _watch_on(self) -> None:
        with self._lock:
            is_watched, self._is_watched = self._is_watched, True
            wait = self._next_look()
        if not is_watched:
            self._later(wait, self._watch)

    def _watch(self) -> None:
        with self._lock:
            self._sweep()
            wait = self._next_look()
            self._is_watched = bool(wait)
        if wait:
            self._later(wait, self._watch)

    # What follows is called with the lock held.

    def _next_look(self) -> float:
        now = self._clock.now()
        rests = [
            (place.session.ends_at - now).total_seconds() + 1
            for place in self._places.values()
            if place.session is not None
        ]
        return min(_LOOK_EVERY, *rests) if rests else 0.0

    def _sweep(self) -> None:
        now = self._clock.now()
        for place in self._places.values():
            if place.session is not None and now >= place.session.ends_at:
                place.session = None
