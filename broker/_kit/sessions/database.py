"""The tables of the SQL store and its engine: what SQLite and PostgreSQL want done differently."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool

from broker._kit.errors import StoreError
from broker._kit.secret import Secret
from broker._kit.settings import Account

WRITES = "broker_writes"  # the execution option of a connection whose transaction may write
_WAIT_S = 10  # for a lock or a connection
_DRIVERS = ("psycopg", "psycopg2")
_ADVISORY_LOCK = 0x6D53746F  # our number among PostgreSQL's advisory locks
_CORRECT = "Correct it in .env and start again."

tables = sa.MetaData()


def _account_columns() -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text, primary_key=True) for name in Account._fields]


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
    *_account_columns(),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
)
# `until` is in microseconds since 1970: exact in both databases.
leases = sa.Table(
    "broker_leases",
    tables,
    *_account_columns(),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("until", sa.BigInteger, nullable=False),
)


def open_engine(url: Secret) -> sa.Engine:
    """An engine for the address; nothing is connected yet. Raises `StoreError`.

    A transaction of a connection with the option `WRITES` is the only one that writes until it
    ends, among all programs.
    """
    parsed = _parsed(url)
    try:
        if parsed.get_backend_name() == "sqlite":
            return _sqlite_engine(parsed)
        return _postgresql_engine(parsed)
    except (ImportError, sa.exc.ArgumentError):
        raise StoreError(
            f"BROKER_STORE asks for {parsed.drivername}, which is not installed.",
            "For PostgreSQL, install the Python package psycopg: pip install 'psycopg[binary]'.",
        ) from None


def sqlite_path(engine: sa.Engine) -> str | None:
    """The file of an SQLite database, None for PostgreSQL."""
    return engine.url.database if engine.dialect.name == "sqlite" else None


def sqlite_url(path: str) -> Secret:
    """The address of an SQLite file."""
    return Secret(URL.create("sqlite", database=path).render_as_string(hide_password=False))


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
        # In memory nothing is stored, and a relative path is another file in each working folder.
        raise StoreError(
            "BROKER_STORE must name SQLite's file by its whole path, such as "
            "sqlite:////home/me/sessions.db or sqlite:///C:/Users/me/sessions.db.",
            _CORRECT,
        )
    # Without a pool no file stays open, so that it can be moved or removed.
    engine = sa.create_engine(
        url, poolclass=NullPool, hide_parameters=True, connect_args={"timeout": _WAIT_S}
    )

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver would begin its transactions too late
        connection.execute("PRAGMA synchronous=EXTRA")  # on the disk when a commit returns
        connection.execute("PRAGMA secure_delete=ON")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: sa.Connection) -> None:
        # A transaction that begins to write only after it has read may be refused for good.
        writes = connection.get_execution_options().get(WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql_engine(url: URL) -> sa.Engine:
    engine = sa.create_engine(
        url,
        hide_parameters=True,
        isolation_level="READ COMMITTED",  # whoever waited for the lock sees what was committed
        pool_pre_ping=True,
        connect_args={"connect_timeout": _WAIT_S},
    )

    @event.listens_for(engine, "begin")
    def _on_begin(connection: sa.Connection) -> None:
        if connection.get_execution_options().get(WRITES):
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_WAIT_S}s'")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")

    return engine
