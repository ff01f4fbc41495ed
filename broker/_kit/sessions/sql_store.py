"""Keeps everything in an SQL database, SQLite or PostgreSQL; for whoever runs many accounts.

Texts are sealed with a key that is not in the database, each bound to its account and name, so
that rows cannot be swapped. Addresses, client codes, leases and the number of texts are in the
clear. Nothing guards against somebody who may write there and puts an old row back in its place.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from broker._kit import files
from broker._kit.errors import StoreError
from broker._kit.secret import Secret
from broker._kit.sessions.database import (
    WRITES,
    alone,
    insert,
    kept,
    leases,
    make_tables,
    open_engine,
    raise_alone,
    sqlite_path,
    vault,
)
from broker._kit.sessions.encryption import ERASE, Key, Seal, key_is_another, key_is_lost
from broker._kit.sessions.store import LONGEST_LEASE, Item, described
from broker._kit.settings import Account

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_VAULT = "The database of BROKER_STORE"
# Not to erase at once: another computer may work on it all the time.
_WAY_OUT = (
    "The computer on which the database was set up has it. If no computer has it any more, "
    f"{ERASE} removes all accounts from the database."
)


class SqlStore:
    """A `Store` in the tables `mstock_vault`, `mstock_kept` and `mstock_leases` of a database.

    `key` lies in the folder `home`; programs on several computers share one database by having
    the same key.
    """

    def __init__(self, url: Secret, home: str, key: Key) -> None:
        self._engine = open_engine(url)
        self._key = key
        self._home = home
        self._lock = files.FolderLock(os.path.join(home, "database.lock"))
        self._has_tables = False

    def get(self, account: Account, name: Item) -> Secret | None:
        with self._talk() as talk:
            seal = self._seal(talk)
            return self._read(talk, seal, account, name)

    def set(self, account: Account, name: Item, value: Secret) -> None:
        with self._talk(writes=True) as talk:
            seal = self._seal(talk) or self._first_seal(talk)
            self._read(talk, seal, account, name)  # what cannot be read is not overwritten
            sealed = seal.close(_bytes(value), _about(account, name))
            new = insert(talk, kept).values(**account._asdict(), name=str(name), sealed=sealed)
            key = [column.name for column in kept.primary_key]
            talk.execute(new.on_conflict_do_update(index_elements=key, set_={"sealed": sealed}))

    def delete(self, account: Account, name: Item, *, only: Secret | None = None) -> bool:
        """Without `only` the text is not looked at: so one that cannot be read can be dropped."""
        row = _row(account, name)
        with self._talk(writes=True) as talk:
            seal = self._seal(talk)  # another vault's rows are left alone
            if only is not None:
                sealed = talk.scalar(sa.select(kept.c.sealed).where(row))
                if sealed is None or self._opened(seal, account, name, sealed) != only:
                    return False
                # No text is sealed twice to the same bytes: this is still the one that was read.
                row &= kept.c.sealed == sealed
            return talk.execute(sa.delete(kept).where(row)).rowcount == 1

    def accounts(self) -> list[Account]:
        columns = (kept.c.rest_url, kept.c.api_type, kept.c.client_code)
        with self._talk() as talk:
            return sorted(Account(*row) for row in talk.execute(sa.select(*columns).distinct()))

    def erase(self) -> list[str]:
        """Works on what cannot be read any more, too: it is the way out of that."""
        with self._talk(writes=True) as talk:
            alone(talk)
            talk.execute(sa.delete(vault))  # waits for every writer that has begun
            rows = talk.execute(sa.select(kept).order_by(*kept.primary_key)).all()
            talk.execute(sa.delete(kept))
            talk.execute(sa.delete(leases))
            removed = [described(Account(*row[:3]), row.name) for row in rows]
            # Before the transaction ends: whoever begins anew then must not find the old key.
            place = self._key.place
            if self._key.remove():
                removed.append(place)
        if os.path.isdir(self._home):
            with self._lock.held():
                self._lock.remove()
        return removed

    def lease(self, account: Account, holder: str, now: datetime, seconds: float) -> bool:
        until = _micros(now + timedelta(seconds=seconds))
        longest = _micros(now + timedelta(seconds=LONGEST_LEASE))
        is_over = (leases.c.until <= _micros(now)) | (leases.c.until > longest)
        is_mine_or_over = (leases.c.holder == holder) | is_over
        with self._talk(writes=True) as talk:
            # The database lets one of many do this; the others then find a lease that is not over.
            taken = talk.execute(
                sa.update(leases)
                .where(_of(leases, account), is_mine_or_over)
                .values(holder=holder, until=until)
            )
            if taken.rowcount:
                return True
            new = insert(talk, leases).values(**account._asdict(), holder=holder, until=until)
            counted = {"preserve_rowcount": True}  # SQLAlchemy forgets an INSERT's otherwise
            added = talk.execute(new.on_conflict_do_nothing(), execution_options=counted)
            return added.rowcount == 1

    def release(self, account: Account, holder: str) -> None:
        is_mine = leases.c.holder == holder
        with self._talk(writes=True) as talk:
            talk.execute(sa.delete(leases).where(_of(leases, account), is_mine))

    def close(self) -> None:
        """End the connections that are kept open."""
        self._engine.dispose()

    @contextmanager
    def _talk(self, writes: bool = False) -> Iterator[sa.Connection]:
        """One transaction; what the database refuses comes out as a `StoreError`."""
        try:
            self._prepare()
            with self._engine.connect().execution_options(**{WRITES: writes}) as talk, talk.begin():
                yield talk
        except SQLAlchemyError as error:
            raise_alone(_refusal(error))

    def _prepare(self) -> None:
        path = sqlite_path(self._engine)
        if self._has_tables and (path is None or os.path.exists(path)):
            return
        make_tables(self._engine)
        self._has_tables = True

    def _seal(self, talk: sa.Connection) -> Seal | None:
        """The seal of this database, None when it has none yet.

        A writer keeps others from erasing until its transaction ends.
        """
        which = sa.select(vault.c.key_id)
        if talk.get_execution_options().get(WRITES):
            which = which.with_for_update(read=True)
        key_id = talk.scalar(which)
        if key_id is None:
            return None
        key = self._key.load()
        if key is None:
            raise key_is_lost(_VAULT, self._key, _WAY_OUT)
        seal = Seal(key)
        if seal.id != key_id:
            raise key_is_another(_VAULT, self._key, _WAY_OUT)
        return seal

    def _first_seal(self, talk: sa.Connection) -> Seal:
        alone(talk)
        files.make_folder(self._home)
        with self._lock.held():
            seal = Seal(self._key.load() or self._key.make())
        talk.execute(insert(talk, vault).values(id=1, key_id=seal.id).on_conflict_do_nothing())
        # Another computer may have been first, with its own key.
        return self._seal(talk) or seal

    def _read(
        self, talk: sa.Connection, seal: Seal | None, account: Account, name: Item
    ) -> Secret | None:
        sealed = talk.scalar(sa.select(kept.c.sealed).where(_row(account, name)))
        return None if sealed is None else self._opened(seal, account, name, sealed)

    def _opened(self, seal: Seal | None, account: Account, name: Item, sealed: bytes) -> Secret:
        text = seal.open(sealed, _about(account, name)) if seal else None
        if text is None:
            raise StoreError(
                f"{_VAULT} has a damaged row, or one that another program changed: the "
                f"{described(account, name)}. Nothing was changed.",
                "Put that row of the table mstock_kept back from a backup, or delete it and log "
                f"that account in anew; {ERASE} removes all accounts.",
            )
        return Secret(text.decode("utf-8", "surrogatepass"))


def _refusal(error: SQLAlchemyError) -> StoreError:
    # Its own words stay out: they may name hosts, users and statements.
    kind = type(getattr(error, "orig", None) or error).__name__
    return StoreError(
        f"{_VAULT} does not answer or refuses ({kind}).",
        "See that it runs, that its address is right, and that its user may create and "
        "change tables there; then try again.",
    )


def _bytes(value: Secret) -> bytes:
    return value.reveal().encode("utf-8", "surrogatepass")


def _about(account: Account, name: Item) -> bytes:
    return json.dumps(["mstock-kept 1", *account, str(name)]).encode()


def _of(table: sa.Table, account: Account) -> sa.ColumnElement[bool]:
    return sa.and_(*(table.c[column] == value for column, value in account._asdict().items()))


def _row(account: Account, name: Item) -> sa.ColumnElement[bool]:
    return _of(kept, account) & (kept.c.name == str(name))


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
