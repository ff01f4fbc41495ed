"""The tables of the SQL store and its engine: what SQLite and PostgreSQL want done differently."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from typing import Any, NoReturn

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateTable

from broker._kit.errors import StoreError
from broker._kit.files import told
from broker._kit.secret import Secret

WRITES = "mstock_writes"  # the execution option of a connection whose transaction changes something
_WAIT = 10  # seconds for a lock or a connection
_DRIVERS = ("psycopg", "psycopg2")
_OURS = 0x6D53746F  # the number of our lock among PostgreSQL's advisory locks
_CORRECT = "Correct it in .env and start again."

_tables = sa.MetaData()


def _account_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column(name, sa.Text, primary_key=True)
        for name in ("rest_url", "api_type", "client_code")
    ]


# One row: which key seals this database.
vault = sa.Table(
    "mstock_vault",
    _tables,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("key_id", sa.Text, nullable=False),
)
kept = sa.Table(
    "mstock_kept",
    _tables,
    *_account_columns(),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
)
# `until` is in microseconds since 1970: exact in both databases.
leases = sa.Table(
    "mstock_leases",
    _tables,
    *_account_columns(),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("until", sa.BigInteger, nullable=False),
)


def open_engine(url: Secret) -> sa.Engine:
    """An engine for the address; nothing is connected yet. Raises `StoreError`."""
    parsed = _parsed(url)
    is_sqlite = parsed.get_backend_name() == "sqlite"
    try:
        if is_sqlite:
            return _sqlite_engine(parsed)
        return _postgresql_engine(parsed)
    except (ImportError, sa.exc.ArgumentError):
        raise StoreError(
            f"BROKER_STORE asks for {parsed.drivername}, which is not installed.",
            "For PostgreSQL, install the Python package psycopg: pip install 'psycopg[binary]'.",
        ) from None


def make_tables(engine: sa.Engine) -> None:
    """Create what is missing, also while others do so."""
    path = sqlite_path(engine)
    if path is not None:
        # SQLite itself would let everybody read it.
        with told(path, "written"), contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with engine.connect().execution_options(**{WRITES: True}) as talk, talk.begin():
        there = set(sa.inspect(talk).get_table_names())
        missing = [table for table in _tables.sorted_tables if table.name not in there]
        if missing:
            alone(talk)
        for table in missing:
            talk.execute(CreateTable(table, if_not_exists=True))


def alone(talk: sa.Connection) -> None:
    """Let no other do what must be done by one at a time, until this transaction ends.

    In SQLite a transaction that writes is alone as it is.
    """
    if talk.dialect.name == "postgresql":
        talk.execute(sa.select(sa.func.pg_advisory_xact_lock(_OURS)))


def sqlite_path(engine: sa.Engine) -> str | None:
    """The file of an SQLite database, None for PostgreSQL."""
    return engine.url.database if engine.dialect.name == "sqlite" else None


def raise_alone(error: StoreError) -> NoReturn:
    """Raise it without the one that is being handled, in which a driver keeps the password."""
    try:
        raise error
    except StoreError:
        error.__context__ = None
        raise


def insert(talk: sa.Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can be told what to do about a row that is there."""
    if talk.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def _parsed(url: Secret) -> URL:
    parsed = None
    # Not passed on, not even as a context: the complaint may quote the password.
    with contextlib.suppress(Exception):
        parsed = make_url(url.reveal())
    if parsed is None:
        raise StoreError("BROKER_STORE is not the address of a database.", _CORRECT)
    if parsed.drivername == "postgresql":
        found = (name for name in _DRIVERS if importlib.util.find_spec(name))
        parsed = parsed.set(drivername=f"postgresql+{next(found, _DRIVERS[0])}")
    return parsed


def _sqlite_engine(url: URL) -> sa.Engine:
    if not os.path.isabs(url.database or ""):
        # In memory nothing is kept, and a relative path is another file in each working folder.
        raise StoreError(
            "BROKER_STORE must name SQLite's file by its whole path, such as "
            "sqlite:////home/me/mstock.db or sqlite:///C:/Users/me/mstock.db.",
            _CORRECT,
        )
    # Without a pool no file stays open, so that it can be moved or removed.
    engine = sa.create_engine(
        url, poolclass=NullPool, hide_parameters=True, connect_args={"timeout": _WAIT}
    )

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver would begin its transactions too late
        connection.execute("PRAGMA synchronous=EXTRA")  # kept for good when a commit returns

    @event.listens_for(engine, "begin")
    def _on_begin(talk: sa.Connection) -> None:
        # A transaction that begins to write only after it has read may be refused for good.
        writes = talk.get_execution_options().get(WRITES)
        talk.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql_engine(url: URL) -> sa.Engine:
    engine = sa.create_engine(
        url,
        hide_parameters=True,
        isolation_level="READ COMMITTED",  # a compare-and-set that waited sees what it waited for
        pool_pre_ping=True,
        connect_args={"connect_timeout": _WAIT},
    )

    @event.listens_for(engine, "begin")
    def _on_begin(talk: sa.Connection) -> None:
        if talk.get_execution_options().get(WRITES):
            talk.exec_driver_sql(f"SET LOCAL lock_timeout = '{_WAIT}s'")

    return engine
