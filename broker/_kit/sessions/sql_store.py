"""Stores records in an SQL database: SQLite, or PostgreSQL for many accounts on several computers.

A record is one row, encrypted as a whole with a key that is not in the database and bound to its
account, so that rows cannot be swapped. Addresses, client codes and leases are in clear. Nothing
guards against somebody who may write there and puts an old row back.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from broker._kit import files
from broker._kit.broker import Broker
from broker._kit.errors import StoreError
from broker._kit.secret import Secret
from broker._kit.sessions.encryption import Key, Seal
from broker._kit.sessions.record import AccountRecord, described, from_json, to_json
from broker._kit.settings import Account

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WRITES = "broker_writes"  # the execution option of a connection whose transaction may write
_WAIT_S = 10  # for a lock or a connection
_DRIVERS = ("psycopg", "psycopg2")
_ADVISORY_LOCK = 0x6D53746F  # our number among PostgreSQL's advisory locks
_CORRECT = "Correct it in .env and start again."

tables = sa.MetaData()
# One row: which key encrypts this database.
keys = sa.Table(
    "broker_key",
    tables,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("key_id", sa.Text, nullable=False),
)
records = sa.Table(
    "broker_records",
    tables,
    *(sa.Column(name, sa.Text, primary_key=True) for name in Account._fields),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
)
# `until` is in microseconds since 1970: exact in both databases.
leases = sa.Table(
    "broker_leases",
    tables,
    *(sa.Column(name, sa.Text, primary_key=True) for name in Account._fields),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("until", sa.BigInteger, nullable=False),
)


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
        own = URL.create("sqlite", database=os.path.join(home, "sessions.db"))
        self._engine = open_engine(url or own)
        # The file of an SQLite database, None for PostgreSQL.
        self._path = self._engine.url.database if self._engine.name == "sqlite" else None
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
            before = replace(record)
            yield record
            if record == before:
                return
            connection.execute(sa.delete(records).filter_by(**account._asdict()))
            if not record.is_empty:
                if seal is None:
                    seal = Seal(self._key.load() or self._key.make())
                    connection.execute(sa.insert(keys).values(id=1, key_id=seal.id))
                sealed = seal.close(to_json(record).encode("ascii"), _about(account))
                connection.execute(sa.insert(records).values((*account, sealed)))

    def accounts(self) -> list[Account]:
        if not self._exists():
            return []
        with self._transaction() as connection:
            return _accounts(connection)

    def erase(self) -> list[str]:
        """Works on what cannot be read any more, too: it is the way out of that."""
        removed: list[str] = []
        try:
            if self._exists():
                with self._transaction(writes=True) as connection:
                    for account in _accounts(connection):
                        removed += self._described(connection, account)
                    for table in tables.sorted_tables:
                        connection.execute(sa.delete(table))
                    # Before others may write: whoever begins again must not find the old key.
                    return removed + self._remove_key()
        except _DamagedFile:
            paths = (f"{self._path}-journal", str(self._path))
            removed = [f"the damaged file {path}" for path in paths if files.remove(path)]
        return removed + self._remove_key()

    def acquire_lease(self, account: Account, holder: str, now: datetime, seconds: float) -> bool:
        until = _micros(now + timedelta(seconds=seconds))
        is_free = (leases.c.holder == holder) | (leases.c.until <= _micros(now))
        with self._transaction(writes=True) as connection:
            connection.execute(sa.delete(leases).filter_by(**account._asdict()).where(is_free))
            if connection.scalar(sa.select(leases.c.holder).filter_by(**account._asdict())):
                return False
            connection.execute(sa.insert(leases).values((*account, holder, until)))
        return True

    def release_lease(self, account: Account, holder: str) -> None:
        mine = sa.delete(leases).filter_by(**account._asdict(), holder=holder)
        with self._transaction(writes=True) as connection:
            connection.execute(mine)

    def close(self) -> None:
        """End the connections that are kept open."""
        self._engine.dispose()

    def _exists(self) -> bool:
        return self._path is None or os.path.exists(self._path)

    @contextmanager
    def _transaction(self, writes: bool = False) -> Iterator[sa.Connection]:
        """One transaction; what the database refuses comes out as a `StoreError`."""
        try:
            is_new = not (self._has_tables and self._exists())
            if is_new:
                self._make_file()
            options = {WRITES: writes or is_new}
            connection = self._engine.connect().execution_options(**options)
            with connection, connection.begin():
                if is_new:
                    tables.create_all(connection)
                yield connection
            self._has_tables = True
        except (SQLAlchemyError, sqlite3.Error) as error:
            try:
                raise self._refusal(error)
            except StoreError as refusal:
                refusal.__context__ = None  # the driver's error holds the password
                raise

    def _make_file(self) -> None:
        """SQLite itself would let everybody read it, and leave an administrator's to him."""
        if self._path is not None:
            folder = os.path.dirname(self._path)
            if folder == self._home:
                files.make_private_folder(folder)
            with files.store_errors(self._path, "written"), suppress(FileExistsError):
                os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
                files.give(self._path, folder)

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

    def _read(
        self, connection: sa.Connection, seal: Seal | None, account: Account
    ) -> AccountRecord:
        row = sa.select(records.c.sealed).filter_by(**account._asdict())
        sealed = connection.scalar(row)
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
        return [self._key.place] if self._key.remove() else []

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


def _parsed(url: Secret) -> URL:
    # Not passed on, not even as a context: the complaint may quote the password.
    with suppress(Exception):
        parsed = make_url(url.reveal())
        if parsed.drivername == "postgresql":
            found = (name for name in _DRIVERS if importlib.util.find_spec(name))
            return parsed.set(drivername=f"postgresql+{next(found, _DRIVERS[0])}")
        return parsed
    raise StoreError("BROKER_STORE is not the address of a database.", _CORRECT)


def open_engine(address: Secret | URL) -> sa.Engine:
    """An engine for the address; nothing is connected yet. Raises `StoreError`.

    A transaction of a connection with the option `WRITES` is the only one that writes until it
    ends, among all programs.
    """
    url = address if isinstance(address, URL) else _parsed(address)
    is_sqlite = url.get_backend_name() == "sqlite"
    if is_sqlite and not os.path.isabs(url.database or ""):
        # In memory nothing is stored, and a relative path is another file in each working folder.
        raise StoreError(
            "BROKER_STORE must name SQLite's file by its whole path, such as "
            "sqlite:////home/me/sessions.db or sqlite:///C:/Users/me/sessions.db.",
            _CORRECT,
        )
    # Without a pool no file stays open, so that it can be moved or removed. With PostgreSQL's
    # isolation, whoever waited for the lock sees what was committed.
    options: dict[str, Any] = (
        {"poolclass": NullPool, "connect_args": {"timeout": _WAIT_S}}
        if is_sqlite
        else {
            "isolation_level": "READ COMMITTED",
            "pool_pre_ping": True,
            "connect_args": {"connect_timeout": _WAIT_S},
        }
    )
    try:
        engine = sa.create_engine(url, hide_parameters=True, **options)
    except (ImportError, ArgumentError):
        raise StoreError(
            f"BROKER_STORE asks for {url.drivername}, which is not installed.",
            "For PostgreSQL, install the Python package psycopg: pip install 'psycopg[binary]'.",
        ) from None
    if is_sqlite:
        event.listen(engine, "connect", _on_sqlite_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def _on_sqlite_connect(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver would begin its transactions too late
    connection.execute("PRAGMA synchronous=EXTRA")  # on the disk when a commit returns
    connection.execute("PRAGMA secure_delete=ON")


def _on_begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get(WRITES)
    if connection.dialect.name == "sqlite":
        # A transaction that begins to write only after it has read may be refused for good.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
    elif writes:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_WAIT_S}s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")


def _accounts(connection: sa.Connection) -> list[Account]:
    return sorted(Account._make(row) for row in connection.execute(sa.select(*records.primary_key)))


def _about(account: Account) -> bytes:
    """What a record is bound to."""
    return json.dumps(["broker-record 1", *account]).encode()


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
