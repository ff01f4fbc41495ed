"""Which browsers have logged in: each holds an id that leads to its account's stored session.

A browser stays known when the session is over, so that it may use the one that auto-login gets for
the same account on the next day.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from broker._kit.broker import Broker, BrokerSettings
from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import BrokerError
from broker._kit.secret import Secret
from broker._kit.sessions.store import MemoryStore, Store
from broker._kit.sessions.stored_session import (
    LoginMethod,
    StoredSession,
    delete_session,
    live_session,
    mark_revoked,
    save_session,
)
from broker._kit.sessions.token_guard import fingerprint


class DaySession(NamedTuple):
    """A logged-in account: its token, the settings it was made with, and when it ends."""

    token: Secret
    config: BrokerSettings
    ends_at: datetime


class BrowserSessions:
    """Browsers by a random id, which is all that a browser gets to hold; `capacity` at most.

    A token that `store` does not hold, because there is none or it cannot be used, stays in memory.
    """

    def __init__(
        self,
        broker: Broker,
        store: Store | None = None,
        clock: Clock = SYSTEM_CLOCK,
        capacity: int = 8,
    ) -> None:
        self._broker = broker
        self._memory = MemoryStore(broker)
        self._stores: list[Store] = [self._memory, *([store] if store is not None else [])]
        self._clock = clock
        self._capacity = capacity
        self._lock = threading.Lock()
        self._browsers: dict[str, tuple[BrokerSettings, str]] = {}

    def put(
        self, token: Secret, config: BrokerSettings, instead_of: str = ""
    ) -> tuple[str, DaySession]:
        """A browser has logged in; the oldest one makes room when there are too many.

        The second click of a double click gets the first one's id. `instead_of` is the id under
        which the browser was known.
        """
        now = self._clock.now()
        if not any(stored.token == token for stored in self._stored(config)):
            save_session(self._memory, config.account, token, now, LoginMethod.ELSEWHERE)
        place = (config, fingerprint(token))
        with self._lock:
            key = next((known for known, other in self._browsers.items() if other == place), "")
            if not key:
                self._browsers.pop(instead_of, None)
                key = secrets.token_urlsafe(32)
            self._browsers[key] = place
            if len(self._browsers) > self._capacity:
                del self._browsers[next(iter(self._browsers))]
        return key, DaySession(token, config, self._broker.session_end(now))

    def get(self, key: str) -> DaySession | None:
        """The session, None when the browser is unknown or its account is not logged in."""
        config = self.whose(key)
        stored = next(self._stored(config), None) if config else None
        if config is None or stored is None:
            return None
        ends_at = stored.life.ends_at or self._broker.session_end(self._clock.now())
        return DaySession(stored.token, config, ends_at)

    def whose(self, key: str) -> BrokerSettings | None:
        """The settings with which this browser logged in, also when its session is over.

        None when it did not log in or has logged out.
        """
        return self._browsers.get(key, (None,))[0]

    def end(self, key: str, token: Secret) -> None:
        """The broker has ended this session; the browser stays known."""
        if config := self.whose(key):
            for store in self._stores:
                with contextlib.suppress(BrokerError):
                    mark_revoked(store, config.account, token)

    def drop(self, key: str, session: DaySession) -> None:
        """Forget a browser and its session; deleting it from the store is the caller's."""
        with self._lock:
            self._browsers.pop(key, None)
        delete_session(self._memory, session.config.account, session.token)

    def _stored(self, config: BrokerSettings) -> Iterator[StoredSession]:
        """The account's live sessions; a store that cannot be read has none."""
        for store in self._stores:
            with contextlib.suppress(BrokerError):
                if session := live_session(store, config.account, self._clock.now()):
                    yield session
