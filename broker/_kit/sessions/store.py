"""Where accounts' records are stored: the protocol, a store in memory, and the settings' own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Protocol

from broker._kit.broker import Broker
from broker._kit.sessions.record import AccountRecord
from broker._kit.settings import Account, ServiceSettings


class Store(Protocol):
    """The records of one broker's accounts; safe to use from several threads and processes.

    Every method raises `StoreError` when what is stored cannot be read, is torn, was tampered with
    or belongs to another key; nothing is overwritten then.
    """

    @property
    def broker(self) -> Broker:
        """Whose accounts these are."""

    def load(self, account: Account) -> AccountRecord:
        """The account's record; an empty one when nothing is stored."""

    def update(self, account: Account) -> AbstractContextManager[AccountRecord]:
        """The record, to be changed in the `with` block; stored for good when the block is left.

        No other thread or process updates anything meanwhile, so the block does not wait for
        anything. Nothing is written when nothing was changed or when the block raises.
        """

    def accounts(self) -> list[Account]:
        """The accounts of which anything is stored, in a steady order."""

    def acquire_lease(self, account: Account, holder: str, now: datetime, seconds: float) -> bool:
        """Take, or renew, the sole right to log this account in; False while another holds it."""

    def release_lease(self, account: Account, holder: str) -> None:
        """Give the right back before its time; nothing happens when another holds it."""


class OwnStore(Store, Protocol):
    """A store that is this program's alone."""

    def erase(self) -> list[str]:
        """Remove everything, the key too; one line for each thing that was removed."""


class MemoryStore:
    """Stores everything in this process's memory and nowhere else."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self._lock = threading.RLock()
        self._records: dict[Account, AccountRecord] = {}
        self._leases: dict[Account, tuple[str, datetime]] = {}

    def load(self, account: Account) -> AccountRecord:
        with self._lock:
            return replace(self._records.get(account, AccountRecord()))

    @contextmanager
    def update(self, account: Account) -> Iterator[AccountRecord]:
        with self._lock:
            record = self.load(account)
            yield record
            self._records[account] = replace(record)
            if record.is_empty:
                del self._records[account]

    def accounts(self) -> list[Account]:
        with self._lock:
            return sorted(self._records)

    def erase(self) -> list[str]:
        with self._lock:
            removed = [line for key in self.accounts() for line in self.load(key).described(key)]
            self._records.clear()
            self._leases.clear()
        return removed

    def acquire_lease(self, account: Account, holder: str, now: datetime, seconds: float) -> bool:
        with self._lock:
            other, until = self._leases.get(account, (holder, now))
            if other != holder and until > now:
                return False
            self._leases[account] = (holder, now + timedelta(seconds=seconds))
            return True

    def release_lease(self, account: Account, holder: str) -> None:
        with self._lock:
            if self._leases.get(account, ("",))[0] == holder:
                del self._leases[account]


@lru_cache(maxsize=8)
def open_store(broker: Broker, settings: ServiceSettings) -> OwnStore:
    """An SQLite file in the program's home, or BROKER_STORE; the same one for the same settings.

    Nothing is made before something is stored. Raises `StoreError` when BROKER_STORE cannot be
    used; what is wrong with the files is said when something is read or written.
    """
    # SQLAlchemy takes its time to load.
    from broker._kit.sessions.encryption import key_for
    from broker._kit.sessions.sql_store import SqlStore

    key = key_for(settings.home, settings.uses_keyring)
    return SqlStore(broker, settings.home, key, settings.store_url)
