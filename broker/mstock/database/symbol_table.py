"""The table of instruments in SQL: look-ups, searches, and its replacement as a whole.

The same for OpenAlgo's `symtoken` and for the standalone SQLite file. A table of our own beside it,
written in the same transaction, says whose instruments are in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sql
from sqlalchemy import Column, Connection, Engine, Float, Integer, MetaData, String, Table

from broker.mstock.errors import DataException
from broker.mstock.mapping.symbols import COLUMNS, MONTHS, InstrumentRow, SymbolRow

# Fewer rows than this are no master of an exchange, whatever the answer looked like.
FEWEST_ROWS = 1000

_METADATA = MetaData()
_MARK = Table(
    "mstock_master",
    _METADATA,
    Column("source", String, primary_key=True),
    Column("rows", Integer, nullable=False),
    Column("last_id", Integer, nullable=False),
    Column("stored_at", String, nullable=False),
)
_TYPES = {"strike": Float, "lotsize": Integer, "tick_size": Float}


def _columns() -> list[Column[Any]]:
    return [Column(name, _TYPES.get(name, String)) for name in COLUMNS]


_STAGED = Table("mstock_new_master", MetaData(), *_columns(), prefixes=["TEMPORARY"])


def local_table() -> Table:
    """The table of the standalone file, with the host's columns."""
    return Table(
        "symtoken",
        MetaData(),
        Column("id", Integer, primary_key=True),
        *_columns(),
        sql.Index("symtoken_symbol", "symbol", "exchange"),
        sql.Index("symtoken_token", "token", "exchange"),
        sql.Index("symtoken_name", "name", "exchange", "expiry"),
    )


class Instruments(Protocol):
    """Where doors look instruments up, by the host's symbols and exchanges."""

    def find(self, symbol: str, exchange: str) -> InstrumentRow | None:
        """The instrument of a host symbol; None without one."""

    def by_token(self, token: str, exchange: str) -> InstrumentRow | None:
        """The instrument of a token on one of the host's exchanges; None without one."""

    def search(
        self, text: str, exchange: str | None = None, limit: int = 50
    ) -> list[InstrumentRow]:
        """Instruments whose symbol, name or token holds every word of the text, best first."""


class Mark(NamedTuple):
    """Whose master the table holds: `source` names the server and the API type."""

    source: str
    rows: int
    stored_at: datetime


class SymbolTable:
    """`Instruments` over one SQL table."""

    def __init__(self, engine: Engine, table: Table) -> None:
        self._engine = engine
        self._table = table
        self._fields = [table.c[name] for name in COLUMNS]
        self._kept: Connection | None = None

    def keep_open(self) -> None:
        """Look up over one connection from now on, in one thread at a time, until `close`.

        Where SQLite's last connection is closed, the file is tidied up: that is too slow for a
        thousand look-ups in a row.
        """
        if self._kept is None:
            self._kept = self._engine.connect()

    def close(self) -> None:
        """Close that connection."""
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.close()

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        if self._kept is None:
            with self._engine.connect() as connection:
                yield connection
        else:
            with self._kept.begin():  # each time its own snapshot
                yield self._kept

    def find(self, symbol: str, exchange: str) -> InstrumentRow | None:
        return self._first(self._table.c.symbol == symbol, exchange)

    def by_token(self, token: str, exchange: str) -> InstrumentRow | None:
        return self._first(self._table.c.token == token, exchange)

    def search(
        self, text: str, exchange: str | None = None, limit: int = 50
    ) -> list[InstrumentRow]:
        words = text.upper().split()
        if not words:
            return []
        columns = self._table.c
        query = sql.select(*self._fields)
        for word in words:
            query = query.where(
                columns.symbol.contains(word, autoescape=True)
                | sql.func.upper(columns.name).contains(word, autoescape=True)
                | (columns.token == word)
            )
        if exchange:
            query = query.where(columns.exchange == exchange)
        rank = sql.case(
            (columns.symbol == words[0], 0),
            (columns.symbol.startswith(words[0], autoescape=True), 1),
            else_=2,
        )
        # A share comes before its futures, they before its thousand options, an exact symbol before
        # a longer one, and of contracts the one that expires first.
        is_contract = sql.case((columns.expiry == "", 0), else_=1)
        shortest = sql.func.length(
            sql.case((columns.expiry == "", columns.symbol), else_=columns.name)
        )
        is_option = sql.case((columns.instrumenttype.in_(("CE", "PE")), 1), else_=0)
        year, day = (sql.func.substr(columns.expiry, start, 2) for start in (8, 1))
        month = sql.case(
            {name: n for n, name in enumerate(MONTHS)}, value=sql.func.substr(columns.expiry, 4, 3)
        )
        order = (rank, is_contract, shortest, is_option, year, month, day, columns.strike)
        return self._all(query.order_by(*order, columns.symbol).limit(limit))

    def expiries(self, name: str, exchange: str) -> list[str]:
        """The expiry dates (DD-MMM-YY) of an underlying's contracts, the nearest first."""
        columns = self._table.c
        query = (
            sql.select(columns.expiry)
            .distinct()
            .where(columns.name == name, columns.exchange == exchange, columns.expiry != "")
        )
        with self._connected() as connection:
            found = list(connection.execute(query).scalars())
        return sorted(found, key=_day)

    def contracts(self, name: str, exchange: str, expiry: str) -> list[InstrumentRow]:
        """An underlying's contracts of one expiry, by strike."""
        columns = self._table.c
        query = sql.select(*self._fields).where(
            columns.name == name, columns.exchange == exchange, columns.expiry == expiry
        )
        return self._all(query.order_by(columns.strike, columns.instrumenttype))

    def mark(self) -> Mark | None:
        """Whose master this is; None when none was stored, or another's is in its place."""
        with self._connected() as connection:
            if not sql.inspect(connection).has_table(_MARK.name):
                return None
            row = connection.execute(sql.select(_MARK)).first()
            # Another broker's plugin replaces the rows and knows nothing of the mark.
            if row is None or row.last_id != self._last_id(connection):
                return None
        return Mark(row.source, row.rows, datetime.fromisoformat(row.stored_at))

    def replace(self, pieces: Iterable[Sequence[SymbolRow]], source: str, now: datetime) -> int:
        """Put these rows in the place of all others, in one transaction; returns their number.

        They are collected beside the table first, so that readers and other writers wait for the
        exchange only, and a stop at any moment leaves the old rows or the new ones. Raises
        `DataException`, with the old rows in place, for fewer than a thousand rows or half of what
        this source had.
        """
        before = self.mark()
        with self._engine.connect() as connection:
            # A pooled connection may still have that of a run that failed.
            connection.execute(sql.schema.DropTable(_STAGED, if_exists=True))
            _STAGED.create(connection)
            added = _insert_statement(_STAGED, connection)
            rows = 0
            for piece in pieces:
                if piece:
                    connection.exec_driver_sql(added, piece)
                    rows += len(piece)
            _MARK.create(connection, checkfirst=True)
            # Its own snapshot: a longer one could not be written on once another has written.
            connection.commit()
            floor = before.rows // 2 if before and before.source == source else 0
            if rows < max(FEWEST_ROWS, floor):
                raise DataException(
                    f"mStock's instrument list holds only {rows} usable instruments; the old one "
                    "is kept.",
                    "Download it again later; if it comes back, report this.",
                )
            connection.execute(sql.delete(self._table))
            connection.execute(
                sql.insert(self._table).from_select(COLUMNS, sql.select(*_STAGED.columns))
            )
            connection.execute(sql.delete(_MARK))
            mark = {
                "source": source,
                "rows": rows,
                "last_id": self._last_id(connection),
                "stored_at": now.isoformat(),
            }
            connection.execute(sql.insert(_MARK), mark)
            connection.commit()
            _STAGED.drop(connection)
            connection.commit()
        return rows

    def _last_id(self, connection: Connection) -> int:
        last = connection.execute(sql.select(sql.func.max(self._table.c.id))).scalar()
        return int(last or 0)

    def _first(self, condition: sql.ColumnElement[bool], exchange: str) -> InstrumentRow | None:
        query = sql.select(*self._fields).where(condition, self._table.c.exchange == exchange)
        found = self._all(query.limit(1))
        return found[0] if found else None

    def _all(self, query: sql.Select[Any]) -> list[InstrumentRow]:
        with self._connected() as connection:
            return [InstrumentRow(*row) for row in connection.execute(query)]


def _insert_statement(table: Table, connection: Connection) -> str:
    """An INSERT in the driver's own words, which takes rows as plain tuples."""
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    return f"INSERT INTO {table.name} VALUES ({', '.join([mark] * len(COLUMNS))})"  # noqa: S608


def _day(expiry: str) -> datetime:
    return datetime.strptime(expiry, "%d-%b-%y")  # noqa: DTZ007  a date has no zone
