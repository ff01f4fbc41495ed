"""Stores accounts' records inside OpenAlgo: in the user's row of its table of broker logins.

The token is the host's own, in its own column; the rest lies in two of the row's spare columns,
encrypted as the host encrypts, with the name of the account. Every write is the Flask process's:
the host caches the row there, and would not notice another's.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple, TypeVar

from broker._kit.broker import Broker
from broker._kit.errors import BrokerError, StoreError
from broker._kit.openalgo import auth_table
from broker._kit.openalgo.auth_table import AuthRow
from broker._kit.secret import Secret
from broker._kit.sessions.record import (
    AccountRecord,
    EndReason,
    LoginMethod,
    SessionRecord,
    from_json,
    to_json,
)
from broker._kit.sessions.store import MemoryStore
from broker._kit.sessions.token_guard import fingerprint
from broker._kit.settings import Account

T = TypeVar("T")

# Which spare columns hold the session but for its token, and all the rest.
_SESSION, _REST = 2, 3
_ENCRYPTED = "gAAAA"  # how every text begins that the host has encrypted


class _Part(NamedTuple):
    """What one column holds; `token` is the fingerprint of the token that it belongs to."""

    account: Account
    token: str
    record: AccountRecord


class OpenAlgoSessionStore:
    """The `Store` inside OpenAlgo; `may_write` in its Flask process and nowhere else.

    An account's row is the one that holds something of it, else the one that is logged in to the
    broker, else the only one, when it is logged out. Leases are in memory: there is one Flask
    process.
    """

    def __init__(self, broker: Broker, *, may_write: bool = False) -> None:
        self.broker = broker
        self._may_write = may_write
        self._lock = threading.RLock()
        self._leases = MemoryStore(broker)
        self.acquire_lease = self._leases.acquire_lease
        self.release_lease = self._leases.release_lease

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep others of this process from writing: between looking at a token and ending it."""
        with self._lock:
            yield

    def user_of(self, account: Account) -> str:
        """The host's user whose row it is; "" when there is none."""
        row = self._row(account)
        return row.user if row else ""

    def load(self, account: Account) -> AccountRecord:
        return self._read(self._row(account), account)

    @contextmanager
    def update(self, account: Account) -> Iterator[AccountRecord]:
        with self._writing():
            row = self._row(account)
            record = self._read(row, account)
            before = replace(record)
            yield record
            if record == before:
                return
            if row is None:
                raise StoreError(
                    "OpenAlgo has no broker login to store this with.",
                    f"Log in to {self.broker.title} in OpenAlgo once, and try again.",
                )
            self._write(row, account, before, record)

    def accounts(self) -> list[Account]:
        parts = (self._part(row, index) for row in _rows() for index in (_SESSION, _REST))
        return sorted({part.account for part in parts if part})

    def erase(self) -> list[str]:
        removed = []
        with self._writing():
            for row in _rows():
                gone: dict[str, str | None] = {}
                for index in (_SESSION, _REST):
                    lines = self._described(row, index)
                    if lines is not None:
                        gone[auth_table.AUX_COLUMNS[index]] = None
                        removed += lines
                if gone:
                    _ask(auth_table.write_aux, row.user, gone)
                if row.broker == self.broker.name and row.token and not row.is_revoked:
                    _ask(auth_table.revoke, self.broker, row.user)
                    removed.append(f"token of the {self.broker.title} login in OpenAlgo")
        return removed

    @contextmanager
    def _writing(self) -> Iterator[None]:
        if not self._may_write:
            raise StoreError(
                "What is stored inside OpenAlgo is written by OpenAlgo itself only.",
                f"Do it on its page /{self.broker.name}/auto-login while OpenAlgo runs.",
            )
        with self._lock:
            yield

    def _row(self, account: Account) -> AuthRow | None:
        rows = _rows()
        for row in rows:
            if any(part.account == account for part in self._readable(row)):
                return row
        ours = [row for row in rows if row.broker == self.broker.name]
        by_code = [row for row in ours if row.client_code == account.client_code]
        if by_code or ours:
            return (by_code or ours)[0]
        return rows[0] if len(rows) == 1 and not rows[0].broker else None

    def _read(self, row: AuthRow | None, account: Account) -> AccountRecord:
        if row is None:
            return AccountRecord()
        rest = self._part(row, _REST)
        record = rest.record if rest and rest.account == account else AccountRecord()
        return replace(record, session=self._session(row, account))

    def _session(self, row: AuthRow, account: Account) -> SessionRecord | None:
        """The host's token with what is stored about it; one without the other is half-written."""
        part = self._part(row, _SESSION)
        token = self._token(row, account)
        if token is None:
            stored = part.record.session if part and part.account == account else None
            end = stored and (stored.end_reason or EndReason.LOGGED_OUT_ELSEWHERE)
            return stored and stored._replace(end_reason=end)
        if part is None or part.token != fingerprint(token) or part.record.session is None:
            return SessionRecord(token, None, LoginMethod.ELSEWHERE)
        # The account that the host's own columns do not name may be another one.
        return part.record.session._replace(token=token) if part.account == account else None

    def _token(self, row: AuthRow, account: Account) -> Secret | None:
        is_ours = row.broker == self.broker.name and not row.is_revoked and row.token
        if not is_ours or row.client_code not in ("", account.client_code):
            return None
        token = _ask(auth_table.decrypt, row.token.reveal())
        if token is None:
            title = self.broker.title
            raise StoreError(
                f"The {title} token in OpenAlgo cannot be read.", f"Log in to {title}."
            )
        return token

    def _write(
        self, row: AuthRow, account: Account, before: AccountRecord, record: AccountRecord
    ) -> None:
        """The token last: whoever finds it finds what belongs to it."""
        token, old = (each.session and each.session.token for each in (record, before))
        is_other = row.broker not in ("", self.broker.name) and not row.is_revoked
        if token and is_other:
            raise StoreError(
                "OpenAlgo is logged in to another broker, which was left as it is.",
                "Log out of it in OpenAlgo first, or switch auto-login off.",
            )
        about = fingerprint(token) if token else ""
        session = record.session and record.session._replace(token=None)
        parts = {
            _SESSION: _Part(account, about, AccountRecord(session=session)),
            _REST: _Part(account, "", replace(record, session=None)),
        }
        if record.session == before.session:
            del parts[_SESSION]
        texts = {auth_table.AUX_COLUMNS[n]: self._sealed(row, n, part) for n, part in parts.items()}
        _ask(auth_table.write_aux, row.user, texts)
        if token and token != old:
            _ask(auth_table.store_token, self.broker, row.user, token, account.client_code)
        elif old and not token:
            _ask(auth_table.revoke, self.broker, row.user)

    def _sealed(self, row: AuthRow, index: int, part: _Part) -> str | None:
        if row.aux[index] and self._part(row, index) is None:
            raise StoreError(
                f"OpenAlgo's column {auth_table.AUX_COLUMNS[index]} holds something that is not "
                "this plugin's; it was left as it is.",
                "Another broker's plugin keeps it there: auto-login cannot be used beside it.",
            )
        if part.record.is_empty:
            return None
        inside = {"account": part.account, "token": part.token, "record": to_json(part.record)}
        return _ask(auth_table.encrypt, Secret(json.dumps({self.broker.name: inside})))

    def _part(self, row: AuthRow, index: int) -> _Part | None:
        """What a column holds; None for nothing and for what another broker's plugin left there.

        Raises `StoreError` for what is encrypted and cannot be read.
        """
        text = row.aux[index]
        if not text.startswith(_ENCRYPTED):
            return None
        opened = _ask(auth_table.decrypt, text)
        if opened is None:
            raise StoreError(
                f"What {self.broker.title} stores in OpenAlgo's database cannot be read; nothing "
                "was overwritten.",
                "If API_KEY_PEPPER or FERNET_SALT in OpenAlgo's .env was changed, put the old "
                "value back; otherwise erase what is stored, log in and enter it again.",
            )
        try:
            inside = json.loads(opened.reveal())[self.broker.name]
            account = Account(*map(str, inside["account"]))
            return _Part(account, str(inside["token"]), from_json(inside["record"]))
        except (ValueError, TypeError, KeyError):
            return None

    def _readable(self, row: AuthRow) -> Iterator[_Part]:
        for index in (_SESSION, _REST):
            try:
                part = self._part(row, index)
            except StoreError:
                continue  # it is told when it is asked for
            if part:
                yield part

    def _described(self, row: AuthRow, index: int) -> list[str] | None:
        """What erasing a column removes, in words; None when it is not ours."""
        try:
            part = self._part(row, index)
        except StoreError:
            return ["what could not be read"]
        return part.record.described(part.account) if part else None


def _rows() -> list[AuthRow]:
    return _ask(auth_table.auth_rows)


def _ask(function: Callable[..., T], *values: object) -> T:
    """What the host answers. Raises `StoreError` for what goes wrong inside it, `HostError`."""
    try:
        return function(*values)
    except BrokerError:
        raise
    except Exception as error:
        kind = type(error).__name__  # its text may quote the row
    raise StoreError(
        f"OpenAlgo's database did not store or give what was asked for ({kind}).",
        "Try again; if it stays so, look at OpenAlgo's log.",
    )
