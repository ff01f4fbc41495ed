"""Stores records in an SQL database: SQLite, or PostgreSQL for many accounts on several computers.

A record is one row, encrypted as a whole with a key that is not in the database and bound to its
account, so that rows cannot be swapped. Addresses, client codes and leases are in clear. Nothing
guards against somebody who may write there and puts an old row back.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from broker._kit import files
from broker._kit.broker import Broker
from broker._kit.errors import StoreError
from broker._kit.secret import Secret
from broker._kit.sessions.database import (
    WRITES,
    keys,
    leases,
    open_engine,
    records,
    sqlite_path,
    sqlite_url,
    tables,
)
from broker._kit.sessions.encryption import Key, Seal
from broker._kit.sessions.record import AccountRecord, described, from_json, to_json
from broker._kit.settings import Account

FILE = "sessions.db"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _DamagedFile(StoreError):
    """The SQLite file is not a database any more."""


class SqlStore:
    """A `Store` in the tables `broker_records`, `broker_leases` and `broker_key` of a database.

    Without `url` it is an SQLite file in the folder `home`. Programs on several computers share one
    database by having the same key.
    """

    def __init__(self, broker: Broker, home: str, key: Key, url: Secret | None = None) -> None:
        self.broker = broker
        self._home = home
        self._key = key
        self._engine = open_engine(url or sqlite_url(os.path.join(home, FILE)))
        self._path = sqlite_path(self._engine)
        self._has_tables = False
        self._erase = f"python -m broker.{broker.name} erase"

    def load(self, account: Account) -> AccountRecord:
        if not self._exists():
            return AccountRecord()
        with self._transaction() as connection:
            return self._read(connection, self._seal(connection), account)

    @contextmanager
    def update(self, account: Account) -> Iterator[AccountRecord]:
        with self._transaction(writes=True) as connection:
            seal = self._seal(connection)
            record = self._read(connection, seal, account)
            before = record.copy()
            yield record
            if record == before:
                return
            connection.execute(sa.delete(records).where(_is(records, account)))
            if not record.is_empty:
                seal = seal or self._first_seal(connection)
                sealed = seal.close(to_json(record).encode("ascii"), _about(account))
                row = {**account._asdict(), "sealed": sealed}
                connection.execute(sa.insert(records).values(row))

    def accounts(self) -> list[Account]:
        if not self._exists():
            return []
        columns = [records.c[name] for name in Account._fields]
        with self._transaction() as connection:
            return sorted(Account(*row) for row in connection.execute(sa.select(*columns)))

    def erase(self) -> list[str]:
        """Works on what cannot be read any more, too: it is the way out of that."""
        removed: list[str] = []
        try:
            if self._exists():
                with self._transaction(writes=True) as connection:
                    for row in connection.execute(
                        sa.select(records).order_by(*records.primary_key)
                    ).all():
                        removed += self._described(connection, Account(*row[:-1]))
                    for table in tables.sorted_tables:
                        connection.execute(sa.delete(table))
                    # Before others may write: whoever begins again must not find the old key.
                    return removed + self._remove_key()
        except _DamagedFile:
            for path in (f"{self._path}-journal", str(self._path)):
                if files.remove(path):
                    removed.append(f"the damaged file {path}")
        return removed + self._remove_key()

    def acquire_lease(self, account: Account, holder: str, now: datetime, seconds: float) -> bool:
        until = _micros(now + timedelta(seconds=seconds))
        is_free = (leases.c.holder == holder) | (leases.c.until <= _micros(now))
        with self._transaction(writes=True) as connection:
            connection.execute(sa.delete(leases).where(_is(leases, account), is_free))
            if connection.scalar(sa.select(leases.c.holder).where(_is(leases, account))):
                return False
            row = {**account._asdict(), "holder": holder, "until": until}
            connection.execute(sa.insert(leases).values(row))
        return True

    def release_lease(self, account: Account, holder: str) -> None:
        is_mine = leases.c.holder == holder
        with self._transaction(writes=True) as connection:
            connection.execute(sa.delete(leases).where(_is(leases, account), is_mine))

    def close(self) -> None:
        """End the connections that are kept open."""
        self._engine.dispose()

    def _exists(self) -> bool:
        return self._path is None or os.path.exists(self._path)

    @contextmanager
    def _transaction(self, writes: bool = False) -> Iterator[sa.Connection]:
        """One transaction; what the database refuses comes out as a `StoreError`."""
        try:
            self._prepare()
            connection = self._engine.connect().execution_options(**{WRITES: writes})
            with connection, connection.begin():
                yield connection
        except (SQLAlchemyError, sqlite3.Error) as error:
            _raise_without_context(self._refusal(error))

    def _prepare(self) -> None:
        if self._has_tables and self._exists():
            return
        if self._path is not None:
            folder = os.path.dirname(self._path)
            if folder == self._home:
                files.make_private_folder(folder)
            # SQLite itself would let everybody read it, and leave an administrator's to him.
            with files.store_errors(self._path, "written"), suppress(FileExistsError):
                os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
                files.give(self._path, folder)
        connection = self._engine.connect().execution_options(**{WRITES: True})
        with connection, connection.begin():
            tables.create_all(connection)
        self._has_tables = True

    def _seal(self, connection: sa.Connection) -> Seal | None:
        """The seal of this database, None when it has none yet."""
        key_id = connection.scalar(sa.select(keys.c.key_id))
        if key_id is None:
            return None
        key = self._key.load()
        seal = Seal(key) if key else None
        if seal is not None and seal.id == key_id:
            return seal
        fault = "was encrypted with another key than" if seal else "is there, but not"
        raise StoreError(
            f"The database of sessions {fault} {self._key.place}. Nothing was changed.",
            "Put the key back; if BROKER_KEYRING or BROKER_HOME was changed, set it back. The "
            "computer on which the database was set up has the key. If no computer has it any "
            f"more, {self._erase} removes all accounts from the database.",
        )

    def _first_seal(self, connection: sa.Connection) -> Seal:
        seal = Seal(self._key.load() or self._key.make())
        connection.execute(sa.insert(keys).values(id=1, key_id=seal.id))
        return seal

    def _read(
        self, connection: sa.Connection, seal: Seal | None, account: Account
    ) -> AccountRecord:
        sealed = connection.scalar(sa.select(records.c.sealed).where(_is(records, account)))
        if sealed is None:
            return AccountRecord()
        text = seal.open(sealed, _about(account)) if seal else None
        with suppress(ValueError):
            if text is not None:
                return from_json(text.decode("ascii"))
        raise StoreError(
            f"What is stored of {described(account, 'the account')[4:]} is damaged, or was changed "
            "by another program. Nothing was overwritten.",
            "Put that row of the table broker_records back from a backup, or delete it and log "
            f"that account in again; {self._erase} removes all accounts.",
        )

    def _described(self, connection: sa.Connection, account: Account) -> list[str]:
        try:
            return self._read(connection, self._seal(connection), account).described(account)
        except StoreError:
            return [described(account, "what could not be read")]

    def _remove_key(self) -> list[str]:
        place = self._key.place
        return [place] if self._key.remove() else []

    def _refusal(self, error: Exception) -> StoreError:
        # Its own words stay out: they may name hosts, users and statements.
        kind = type(getattr(error, "orig", None) or error)
        if kind is sqlite3.DatabaseError:
            return _DamagedFile(
                f"The file {self._path} is damaged. Nothing was overwritten.",
                f"Put it back from a backup, or run {self._erase} and set everything up again.",
            )
        return StoreError(
            f"The database of sessions does not answer or refuses ({kind.__name__}).",
            "See that it runs, that its address is right, and that its user may create and "
            "change tables there; then try again.",
        )


def _raise_without_context(error: StoreError) -> NoReturn:
    """Raise it without the one that is being handled, in which a driver keeps the password."""
    try:
        raise error
    except StoreError:
        error.__context__ = None
        raise


def _about(account: Account) -> bytes:
    """What a record is bound to."""
    return json.dumps(["broker-record 1", *account]).encode()


def _is(table: sa.Table, account: Account) -> sa.ColumnElement[bool]:
    return sa.and_(*(table.c[column] == value for column, value in account._asdict().items()))


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
