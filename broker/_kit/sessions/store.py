"""What is kept between runs, by account and by name; where it lies is a small strategy."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from broker._kit.secret import Secret, masked
from broker._kit.settings import Account


class Item(StrEnum):
    """The names under which an account's secrets and records are kept."""

    PASSWORD = "password"
    TOTP_SECRET = "totp_secret"
    API_KEY = "api_key"  # only where one store serves many accounts; otherwise it is in .env
    TOKEN = "token"
    SESSION = "session"  # JSON: when and how the token was got; see held.py
    RENEWAL = "renewal"  # JSON: whether and when to log in by itself; see renewal.py


# Seconds; no login takes as long. A lease that ends later was taken by a clock that ran ahead, and
# holds nobody up.
LONGEST_LEASE = 3600.0


def is_over(until: datetime, now: datetime) -> bool:
    """Whether a lease that ends then holds nobody up now."""
    return not now < until <= now + timedelta(seconds=LONGEST_LEASE)


class Store(Protocol):
    """Texts by account and name, safe to use from several threads, and processes where it says so.

    Every method raises `StoreError` when what is kept cannot be read, is torn, was tampered with
    or belongs to another key; nothing is overwritten then.
    """

    def get(self, account: Account, name: Item) -> Secret | None:
        """The text, None when there is none."""

    def set(self, account: Account, name: Item, value: Secret) -> None:
        """Keep a text; it is kept for good when this returns."""

    def delete(self, account: Account, name: Item, *, only: Secret | None = None) -> bool:
        """Forget a text, with `only` just while it is still that one; True when it was there."""

    def accounts(self) -> list[Account]:
        """The accounts of which anything is kept, in a steady order."""

    def erase(self) -> list[str]:
        """Remove everything, the key too; one line for each thing that was removed."""

    def lease(self, account: Account, holder: str, now: datetime, seconds: float) -> bool:
        """Take, or renew, the sole right to log this account in; False while another holds it.

        For an hour at most, `LONGEST_LEASE`.
        """

    def release(self, account: Account, holder: str) -> None:
        """Give the right back before its time; nothing happens when another holds it."""


class MemoryStore:
    """Keeps everything in this process's memory and nowhere else."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[Account, Item], Secret] = {}
        self._leases: dict[Account, tuple[str, datetime]] = {}

    def get(self, account: Account, name: Item) -> Secret | None:
        with self._lock:
            return self._kept.get((account, name))

    def set(self, account: Account, name: Item, value: Secret) -> None:
        with self._lock:
            self._kept[account, name] = value

    def delete(self, account: Account, name: Item, *, only: Secret | None = None) -> bool:
        with self._lock:
            held = self._kept.get((account, name))
            if held is None or (only is not None and held != only):
                return False
            del self._kept[account, name]
            return True

    def accounts(self) -> list[Account]:
        with self._lock:
            return sorted({account for account, _ in self._kept})

    def erase(self) -> list[str]:
        with self._lock:
            removed = [described(account, name) for account, name in sorted(self._kept)]
            self._kept.clear()
            self._leases.clear()
        return removed

    def lease(self, account: Account, holder: str, now: datetime, seconds: float) -> bool:
        with self._lock:
            held = self._leases.get(account)
            if held is not None and held[0] != holder and not is_over(held[1], now):
                return False
            self._leases[account] = (holder, now + timedelta(seconds=seconds))
            return True

    def release(self, account: Account, holder: str) -> None:
        with self._lock:
            if self._leases.get(account, ("",))[0] == holder:
                del self._leases[account]


_WORDS: dict[str, str] = {
    Item.PASSWORD: "password",
    Item.TOTP_SECRET: "TOTP secret",
    Item.API_KEY: "API key",
    Item.TOKEN: "token",
    Item.SESSION: "record of the session",
    Item.RENEWAL: "auto-login settings and history",
}


def described(account: Account, name: str) -> str:
    """What a kept text is, in words that hold nothing of it."""
    return f"{_WORDS.get(name, name)} of {masked(account.client_code)}, API type {account.api_type}"
