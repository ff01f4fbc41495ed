"""Proofs that a browser may go on with a stored session: a key from before, or an address once.

Of a browser's key only the hash is stored, with the account; a logout, `erase` and 30 days end it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from datetime import datetime, timedelta

from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.sessions.record import KnownBrowser
from broker._kit.sessions.store import Store
from broker._kit.settings import Account

LIFE = timedelta(days=30)
ADDRESS_LIFE_S = 300.0
_MOST = 8  # browsers of an account; the oldest makes room


def remember(store: Store, account: Account, now: datetime, instead_of: str = "") -> str:
    """A new key for a browser that has logged in, in place of its old one. Raises `StoreError`."""
    key, old = secrets.token_urlsafe(32), _hash(instead_of)
    with store.update(account) as record:
        kept = [each for each in record.browsers if _is_alive(each, now) and each.key_hash != old]
        record.browsers = (*kept, KnownBrowser(_hash(key), now))[-_MOST:]
    return key


def is_known(store: Store, account: Account, key: str, now: datetime) -> bool:
    """Whether a browser with this key may go on. Raises `StoreError`."""
    given = _hash(key)
    known = [each for each in store.load(account).browsers if _is_alive(each, now)]
    return any(hmac.compare_digest(each.key_hash, given) for each in known)


class OneTimeKey:
    """The key of an address that works once and for five minutes; making one ends the other."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._current: tuple[str, float] = ("", 0.0)

    def make(self) -> str:
        """A new key, fit for an address."""
        key = secrets.token_urlsafe(32)
        with self._lock:
            self._current = (key, self._clock.monotonic() + ADDRESS_LIFE_S)
        return key

    def use(self, key: str) -> bool:
        """Whether this is the key, in time and unused; it is used up then."""
        with self._lock:
            known, until = self._current
            is_right = bool(known) and hmac.compare_digest(known.encode(), key.encode())
            if not is_right or self._clock.monotonic() >= until:
                return False
            self._current = ("", 0.0)
        return True


def _is_alive(browser: KnownBrowser, now: datetime) -> bool:
    return now - LIFE < browser.since <= now + timedelta(days=1)


def _hash(key: str) -> str:
    return hashlib.sha256(b"known browser " + key.encode()).hexdigest()
