"""One at a time trades a position to a target, among all threads and processes of a journal."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from zlib import crc32

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from broker._kit import files
from broker._kit.clock import SYSTEM_CLOCK
from broker._kit.errors import ManualCheckRequired, StoreError

# Positions that fall into one slot wait for each other; so there are that many lock files at most.
_SLOTS = 64
_LONGEST_WAIT_S = 60.0
_PAUSE_S = 0.01
_OURS = 0x6D53  # of PostgreSQL's advisory locks with two numbers


class PositionUnsure(ManualCheckRequired):
    """How much is held cannot be told at this moment, so nothing was sent."""


class PositionLocks:
    """The locks of one account's positions.

    Beside an SQLite journal they are locks on files, in PostgreSQL advisory locks: a process that
    dies lets go of either. `file` is the journal's, "" for PostgreSQL; `engine` is for the locks
    alone, since whoever holds one needs further connections.
    """

    def __init__(self, engine: sa.Engine, file: str, account: tuple[str, ...]) -> None:
        self._engine, self._file, self._account = engine, file, account
        # In one process they queue; only one of its threads asks the others.
        self._slots = [threading.Lock() for _ in range(_SLOTS)]

    @contextmanager
    def hold(self, symbol: str, exchange: str, product: str) -> Iterator[None]:
        """Hold a position's lock.

        Raises `PositionUnsure` when another has it for a minute, `StoreError`.
        """
        # The real clock, which is the one that others let time pass by.
        end = SYSTEM_CLOCK.monotonic() + _LONGEST_WAIT_S
        slot = crc32("\0".join((*self._account, symbol, exchange, product)).encode()) % _SLOTS
        take = self._take_file if self._file else self._take_advisory_lock
        if not self._slots[slot].acquire(timeout=_LONGEST_WAIT_S):
            raise _busy(symbol)
        with ExitStack() as stack:
            stack.callback(self._slots[slot].release)
            while not take(slot, stack):
                if SYSTEM_CLOCK.monotonic() > end:
                    raise _busy(symbol)
                SYSTEM_CLOCK.sleep(_PAUSE_S)
            yield

    def _take_file(self, slot: int, stack: ExitStack) -> bool:
        try:
            stack.enter_context(files.locked(f"{self._file}-{slot}.lock"))
        except files.LockBusy:
            return False
        return True

    def _take_advisory_lock(self, slot: int, stack: ExitStack) -> bool:
        try:
            connection = self._engine.connect()
            is_ours = connection.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(_OURS, slot)))
            if is_ours:
                stack.callback(_close, connection)
            else:
                connection.close()
            return bool(is_ours)
        except SQLAlchemyError as error:
            fault = type(getattr(error, "orig", None) or error).__name__
        raise StoreError(  # out here: a driver's own error may quote the database's password
            f"The database in BROKER_STORE cannot lock a position ({fault}). Nothing was sent.",
            "See that it runs, then send it again.",
        )


def _close(connection: sa.Connection) -> None:
    # What was sent was sent, whatever the database says now.
    with suppress(SQLAlchemyError):
        connection.close()


def _busy(symbol: str) -> PositionUnsure:
    return PositionUnsure(
        f"Another order for {symbol} is under way for a minute. Nothing was sent.",
        "Look in the order book, then send it again.",
    )
