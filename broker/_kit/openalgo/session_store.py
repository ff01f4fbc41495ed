"""Stores accounts' records inside OpenAlgo: in the user's row of its table of broker logins.

The token is the host's own, in its own column; the rest lies in one of the row's spare columns,
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
    SessionRecord,
    from_json,
    to_json,
)
from broker._kit.sessions.store import MemoryStore
from broker._kit.sessions.token_guard import fingerprint
from broker._kit.settings import Account

T = TypeVar("T")

_COLUMN = 3  # the spare column that is this plugin's
_NAME = auth_table.AUX_COLUMNS[_COLUMN]
_ENCRYPTED = "gAAAA"  # how every text begins that the host has encrypted


class _Stored(NamedTuple):
    """What a row's column holds; `token` is the fingerprint of the token that belongs to it."""

    account: Account
    token: str
    record: AccountRecord


class _Login(NamedTuple):
    """A user's row and what is stored in it: None for nothing of ours, or why it is not known."""

    row: AuthRow
    found: _Stored | StoreError | None

    def stored(self) -> _Stored | None:
        if isinstance(self.found, StoreError):
            raise self.found
        return self.found

    def is_of(self, account: Account) -> bool:
        return isinstance(self.found, _Stored) and self.found.account == account


class OpenAlgoSessionStore:
    """The `Store` inside OpenAlgo; `may_write` in its Flask process and nowhere else.

    An account's row is the one that holds something of it, else the one that is logged in to the
    broker, else the only one, when it is logged out. Leases are in memory: there is one Flask
    process.
    """

    def __init__(self, broker: Broker, *, may_write: bool = False) -> None:
        self.broker = broker
        self._may_write = may_write
        # Keeps others of this process from writing, such as between a look at a token and its end.
        self.alone = threading.RLock()
        leases = MemoryStore(broker)
        self.acquire_lease, self.release_lease = leases.acquire_lease, leases.release_lease

    def user_of(self, account: Account) -> str:
        """The host's user whose row it is; "" when there is none."""
        login = self._login(account)
        return login.row.user if login else ""

    def load(self, account: Account) -> AccountRecord:
        return self._read(self._login(account), account)

    @contextmanager
    def update(self, account: Account) -> Iterator[AccountRecord]:
        with self._writing():
            login = self._login(account)
            record = self._read(login, account)
            before = replace(record)
            yield record
            if record == before:
                return
            if login is None:
                raise StoreError(
                    "OpenAlgo has no broker login to store this with.",
                    f"Log in to {self.broker.title} in OpenAlgo once, and try again.",
                )
            self._write(login, account, before, record)

    def accounts(self) -> list[Account]:
        found = (login.stored() for login in self._logins())
        return sorted({stored.account for stored in found if stored})

    @contextmanager
    def _writing(self) -> Iterator[None]:
        if not self._may_write:
            raise StoreError(
                "What is stored inside OpenAlgo is written by OpenAlgo itself only.",
                f"Do it on its page /{self.broker.name}/auto-login while OpenAlgo runs.",
            )
        with self.alone:
            yield

    def _logins(self) -> list[_Login]:
        return [_Login(row, self._opened(row.aux[_COLUMN])) for row in _ask(auth_table.auth_rows)]

    def _login(self, account: Account) -> _Login | None:
        logins = self._logins()

        def rank(login: _Login) -> tuple[bool, bool, bool]:
            is_ours = login.row.broker == self.broker.name
            by_code = is_ours and login.row.client_code == account.client_code
            return login.is_of(account), by_code, is_ours

        best = max(logins, key=rank, default=None)
        if best is None or any(rank(best)):
            return best
        return best if len(logins) == 1 and not best.row.broker else None

    def _read(self, login: _Login | None, account: Account) -> AccountRecord:
        if login is None:
            return AccountRecord()
        stored = login.stored()
        is_mine = stored is not None and stored.account == account
        record = stored.record if stored and is_mine else AccountRecord()
        token = self._token(login.row, account)
        # The host's token with what is stored about it; one without the other is half-written.
        session = record.session
        if token is None:
            if session is not None:
                reason = session.end_reason or EndReason.LOGGED_OUT_ELSEWHERE
                session = session._replace(end_reason=reason)
        elif stored is None or stored.token != fingerprint(token):
            session = SessionRecord(token)
        elif is_mine:
            session = (session or SessionRecord())._replace(token=token)
        return replace(record, session=session)

    def _token(self, row: AuthRow, account: Account) -> Secret | None:
        is_logged_in = row.broker == self.broker.name and row.token and not row.is_revoked
        if not is_logged_in or row.client_code not in ("", account.client_code):
            return None
        token = _ask(auth_table.decrypt, row.token.reveal())
        if token is None:
            title = self.broker.title
            raise StoreError(
                f"The {title} token in OpenAlgo cannot be read.", f"Log in to {title}."
            )
        return token

    def _write(
        self, login: _Login, account: Account, before: AccountRecord, record: AccountRecord
    ) -> None:
        """The token last: whoever finds it finds what belongs to it."""
        row = login.row
        token, old = (each.session and each.session.token for each in (record, before))
        if token and row.broker not in ("", self.broker.name) and not row.is_revoked:
            raise StoreError(
                "OpenAlgo is logged in to another broker, which was left as it is.",
                "Log out of it in OpenAlgo first, or switch auto-login off.",
            )
        if row.aux[_COLUMN] and login.stored() is None:
            raise StoreError(
                f"OpenAlgo's column {_NAME} holds something that is not this plugin's; it was left "
                "as it is.",
                "Another broker's plugin keeps it there: auto-login cannot be used beside it.",
            )
        session = record.session and record.session._replace(token=None)
        # Of a session that another program made there is nothing to store.
        record = replace(record, session=None if session == SessionRecord() else session)
        text = None
        if not record.is_empty:
            about = fingerprint(token) if token else ""
            inside = {"account": account, "token": about, "record": to_json(record)}
            text = _ask(auth_table.encrypt, Secret(json.dumps({self.broker.name: inside})))
        _ask(auth_table.write_aux, row.user, {_NAME: text})
        if token and token != old:
            _ask(auth_table.store_token, self.broker, row.user, token, account.client_code)
        elif old and not token:
            _ask(auth_table.revoke, self.broker, row.user)

    def _opened(self, text: str) -> _Stored | StoreError | None:
        """None for nothing and for what another broker's plugin left there."""
        if not text.startswith(_ENCRYPTED):
            return None
        try:
            opened = _ask(auth_table.decrypt, text)
        except StoreError as error:
            return error
        if opened is None:
            return StoreError(
                f"What {self.broker.title} stores in OpenAlgo's database cannot be read; nothing "
                "was overwritten.",
                "If API_KEY_PEPPER or FERNET_SALT in OpenAlgo's .env was changed, put the old "
                f"value back; otherwise empty the column {_NAME} of its table auth, and enter "
                "everything again.",
            )
        try:
            inside = json.loads(opened.reveal())[self.broker.name]
            account = Account(*map(str, inside["account"]))
            return _Stored(account, str(inside["token"]), from_json(inside["record"]))
        except (ValueError, TypeError, KeyError):
            return None


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
