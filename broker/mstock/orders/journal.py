"""The journal: every order call stands here, with a tag of its own, before it is sent.

Its rows settle what became of an order whose answer was lost, also after this process has ended,
and they are the count against mStock's limits for all processes that share them. No row holds a
secret. Rows older than a week are removed.
"""

from __future__ import annotations

import logging
import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from glob import glob
from math import ceil
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from broker._kit import files
from broker._kit.clock import IST, SYSTEM_CLOCK, Clock, session_end
from broker._kit.errors import StoreError
from broker._kit.http.wire_errors import rate_limited
from broker._kit.secret import Secret
from broker._kit.sessions.sql_store import WRITES, open_engine
from broker._kit.settings import Account, ServiceSettings
from broker.mstock.client.routes import RATE_LIMITS
from broker.mstock.orders.position_locks import PositionLocks
from broker.mstock.orders.process import has_ended, this_process

log = logging.getLogger(__name__)

FILE = "mstock_orders.db"
_KEPT = timedelta(days=7)
# What a call takes at most, by the longest deadline that can be set: nobody waits for an older one.
_LONGEST_CALL = timedelta(minutes=2)
_LONGEST_PAUSE = 1.0  # seconds that a call waits for its turn
_SHARE = Decimal("0.9")  # of each limit; the rest is kept for cancels and closes
_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_tables = sa.MetaData()


class State(StrEnum):
    """Where a call stands."""

    SENDING = "sending"
    UNKNOWN = "unknown"
    DONE = "done"  # mStock took it
    REFUSED = "refused"
    UNSENT = "unsent"  # it certainly never left


OPEN = (State.SENDING, State.UNKNOWN)

_TEXTS = (
    "rest_url", "api_type", "client_code", "kind", "door", "state", "process", "order_id", "token",
    "symbol", "exchange", "side", "price_type", "product", "price", "trigger_price", "note",
)  # fmt: skip
_NUMBERS = ("at", "quantity", "held")  # `at` by our clock, in microseconds since 1970
_rows = sa.Table(
    "mstock_orders",
    _tables,
    sa.Column("tag", sa.String(20), primary_key=True),
    *(sa.Column(name, sa.Text, nullable=False) for name in _TEXTS),
    *(sa.Column(name, sa.BigInteger, nullable=False) for name in _NUMBERS),
    sa.Column("closed", sa.Boolean, nullable=False),
    sa.Index("mstock_orders_by_time", "client_code", "at"),
    sa.Index("mstock_orders_by_token", "client_code", "token"),
    sa.Index("mstock_orders_by_state", "client_code", "state"),
)
_MAY_TRADE = (
    _rows.c.kind == "place",
    sa.not_(_rows.c.closed),
    _rows.c.state.in_((*OPEN, State.DONE)),
)


class Entry(NamedTuple):
    """One call in the journal. Words are the host's; `at` is our clock's, in IST.

    `kind` is "place", "modify", "cancel" or "convert"; `door` is "smart" for a smart order's.
    `closed` when the order is known to trade no more. `held` is a signed quantity from
    before the call: of a smart order what was held, of a conversion what its new product had.
    """

    tag: str
    kind: str
    at: datetime
    door: str = ""
    state: State = State.SENDING
    closed: bool = False
    process: str = ""
    order_id: str = ""
    token: str = ""
    symbol: str = ""
    exchange: str = ""
    side: str = ""
    quantity: int = 0
    price_type: str = ""
    product: str = ""
    price: Decimal = Decimal(0)
    trigger_price: Decimal = Decimal(0)
    held: int = 0
    note: str = ""

    def by_mstocks_clock(self, offset: timedelta) -> Entry:
        """The same with its time as mStock's clock had it, which the order book's rows have."""
        return self._replace(at=self.at + offset)


def new_tag() -> str:
    """A tag that no other order has: 18 letters and digits."""
    return f"oa{secrets.token_hex(8)}"


class Journal:
    """One account's rows in a database; safe for several threads and processes.

    `url` is an SQLAlchemy address; `file` the SQLite file that it names, "" for PostgreSQL. Every
    method raises `StoreError`, whose message names the file.
    """

    def __init__(self, url: Secret, account: Account, clock: Clock = SYSTEM_CLOCK) -> None:
        self._engine = open_engine(url)
        self.file = (self._engine.url.database or "") if self._engine.name == "sqlite" else ""
        self._lock_engine = open_engine(url)
        self.position_locks = PositionLocks(self._lock_engine, self.file, account)
        self._account = account
        self._clock = clock
        self._prepared_on: date | None = None
        # SQLite lets waiting writers poll, and some of many threads starve: here they queue.
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the connections to a server."""
        self._engine.dispose()
        self._lock_engine.dispose()

    def begin(self, entry: Entry, *, urgent: bool = False) -> None:
        """Write a call down before it is sent, and count it against mStock's limits.

        Waits up to a second for its turn; then raises `RateLimited`. Only what is `urgent`, a
        cancel or a close, may use a limit up. Rows of calls that never left do not count.
        """
        last = self._clock.monotonic() + _LONGEST_PAUSE
        while wait := self._begin(entry, urgent):
            if self._clock.monotonic() + wait > last:
                what = "mStock's limit for orders is used up. Nothing was sent."
                raise rate_limited(what, wait, None, ceil(wait))
            self._clock.sleep(wait)

    def _begin(self, entry: Entry, urgent: bool) -> float:
        with self._transaction(writes=True) as connection:
            wait = self._wait(connection, urgent)
            if wait <= 0:
                row = entry._asdict() | self._account._asdict() | {"process": this_process()}
                row |= {name: str(row[name]) for name in ("price", "trigger_price")}
                # Not the time at which it began to wait for its turn.
                row["at"] = _micros(self._clock.now())
                connection.execute(sa.insert(_rows).values(row))
        return max(wait, 0.0)

    def _wait(self, connection: sa.Connection, urgent: bool) -> float:
        now, waits = _micros(self._clock.now()), [0.0]
        for rate in RATE_LIMITS["orders"]:
            most = rate.calls if urgent else int(rate.calls * _SHARE)
            window = rate.seconds * 1_000_000
            query = (
                sa.select(_rows.c.at)
                .where(self._mine(), _rows.c.at > now - window, _rows.c.state != State.UNSENT)
                .order_by(_rows.c.at.desc())
                .offset(most - 1)
                .limit(1)
            )
            at = connection.scalar(query)
            if at is not None:
                waits.append((at + window - now) / 1_000_000)
        return max(waits)

    def finish(self, tag: str, state: State, *, order_id: str = "", note: str = "") -> None:
        """Write down what became of a call that was still open."""
        is_open = sa.and_(_rows.c.tag == tag, _rows.c.state.in_(OPEN))
        values = {"state": state, "note": note}
        if order_id:
            values["order_id"] = order_id
        with self._transaction(writes=True) as connection:
            connection.execute(sa.update(_rows).where(self._mine(), is_open).values(values))

    def close_orders(self, order_ids: list[str]) -> None:
        """These orders trade no more."""
        if order_ids:
            which = _rows.c.order_id.in_(order_ids)
            with self._transaction(writes=True) as connection:
                connection.execute(sa.update(_rows).where(self._mine(), which).values(closed=True))

    def entry(self, tag: str) -> Entry | None:
        """The call of that tag."""
        return next(iter(self._read(_rows.c.tag == tag)), None)

    def open(self) -> list[Entry]:
        """Calls of the day whose outcome is not known, oldest first: unknown, or being sent."""
        return self._read(_rows.c.state.in_(OPEN))

    def unknown(self) -> list[Entry]:
        """Those that nobody works on: unknown, or left open by a process that has ended."""
        return [entry for entry in self.open() if not self.is_being_sent(entry)]

    def is_being_sent(self, entry: Entry) -> bool:
        """Whether a process may wait for this call's answer.

        Not one that lives but waits no more: its outcome could not be written down.
        """
        is_young = entry.at + _LONGEST_CALL > self._clock.now()
        return entry.state is State.SENDING and is_young and not has_ended(entry.process)

    def orders_of(self, token: str) -> list[Entry]:
        """The day's orders of a token, in any quantity: that may have been modified since."""
        return self._read(
            _rows.c.kind == "place", _rows.c.token == token, _rows.c.state != State.UNSENT
        )

    def working(self, symbol: str, exchange: str, product: str) -> list[Entry]:
        """Today's smart orders for that position which may still trade; mStock ends them daily."""
        midnight = session_end(self._clock.now()) - _DAY
        return self._read(
            _rows.c.at >= _micros(midnight),
            _rows.c.door == "smart",
            _rows.c.symbol == symbol,
            _rows.c.exchange == exchange,
            _rows.c.product == product,
            *_MAY_TRADE,
        )

    def sent_within(self, span: timedelta) -> list[Entry]:
        """Orders of any door, sent so recently, that are not known to be over."""
        return self._read(_rows.c.at > _micros(self._clock.now() - span), *_MAY_TRADE)

    def _read(self, *conditions: sa.ColumnElement[bool]) -> list[Entry]:
        since = _rows.c.at > _micros(self._clock.now() - _DAY)
        query = sa.select(_rows).where(self._mine(), since, *conditions).order_by(_rows.c.at)
        with self._transaction() as connection:
            return [_entry(row._mapping) for row in connection.execute(query)]

    def _mine(self) -> sa.ColumnElement[bool]:
        return sa.and_(*(_rows.c[name] == value for name, value in self._account._asdict().items()))

    @contextmanager
    def _transaction(self, writes: bool = False) -> Iterator[sa.Connection]:
        fault = ""
        try:
            with self._lock:
                self._prepare()
                connection = self._engine.connect().execution_options(**{WRITES: writes})
                with connection, connection.begin():
                    yield connection
        except (SQLAlchemyError, sqlite3.Error) as error:
            fault = type(getattr(error, "orig", None) or error).__name__
        if fault:  # raised out here: a driver's own error may quote the database's password
            place = f"the file {self.file}" if self.file else "the database in BROKER_STORE"
            raise StoreError(
                f"The order journal, {place}, cannot be used ({fault}). No order is placed "
                "without it; cancels still go.",
                "See that the disk has room and that the file and its folder belong to the user "
                "who runs this program.",
            )

    def _prepare(self) -> None:
        now = self._clock.now()
        if self._prepared_on == now.date() and (not self.file or os.path.exists(self.file)):
            return
        if self.file:
            # SQLite itself would let everybody read it.
            with files.store_errors(self.file, "written"), suppress(FileExistsError):
                os.close(os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        old = _rows.c.at < _micros(now - _KEPT)
        connection = self._engine.connect().execution_options(**{WRITES: True})
        with connection, connection.begin():
            _tables.create_all(connection)
            connection.execute(sa.delete(_rows).where(old))
        self._prepared_on = now.date()


def file_url(folder: str) -> Secret:
    """The address of the journal's SQLite file in a folder."""
    url = sa.URL.create("sqlite", database=os.path.join(folder, FILE))
    return Secret(url.render_as_string(hide_password=False))


def erase_journals(settings: ServiceSettings) -> list[str]:
    """Remove the journal of a program's own folder, and the rows in BROKER_STORE; what it was."""
    removed: list[str] = []
    journal = os.path.join(settings.home, FILE)
    gone = [files.remove(path) for path in glob(f"{journal}*")]  # the files of its locks too
    if any(gone):
        removed.append(f"the order journal {journal}")
    if settings.store_url is not None:
        engine = open_engine(settings.store_url)
        try:
            connection = engine.connect().execution_options(**{WRITES: True})
            with connection, connection.begin():
                _tables.drop_all(connection)
        except (SQLAlchemyError, sqlite3.Error) as error:
            log.error("The order journal was not erased (%s).", type(error).__name__)
        else:
            removed.append("the order journal in the database of BROKER_STORE")
        finally:
            engine.dispose()
    return removed


def _entry(row: Any) -> Entry:
    values = {name: row[name] for name in Entry._fields}
    values["state"] = State(values["state"])
    values["at"] = (_EPOCH + timedelta(microseconds=values["at"])).astimezone(IST)
    values |= {name: Decimal(values[name]) for name in ("price", "trigger_price")}
    return Entry(**values)


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
