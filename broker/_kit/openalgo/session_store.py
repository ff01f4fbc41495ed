"""Keeps what is kept inside OpenAlgo: in the user's row of its table of broker logins.

The token is the host's own, in its own column; the rest lies in the row's four spare columns,
encrypted as the host encrypts, each text with the name of its account. Every write is the Flask
process's: the host caches the row there, and would not notice another's.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple, NoReturn, TypeVar

from broker._kit.broker import Broker
from broker._kit.errors import BrokerError, StoreError
from broker._kit.openalgo import auth_table
from broker._kit.openalgo.auth_table import AuthRow
from broker._kit.secret import Secret
from broker._kit.sessions.store import Item, MemoryStore, described
from broker._kit.sessions.token_life import fingerprint
from broker._kit.settings import Account

T = TypeVar("T")

_COLUMNS = dict(
    zip(
        (Item.PASSWORD, Item.TOTP_SECRET, Item.SESSION, Item.RENEWAL),
        auth_table.AUX_COLUMNS,
        strict=True,
    )
)
# How every text begins that the host has encrypted.
_ENCRYPTED = "gAAAA"
_KEY_CHANGED = (
    "If API_KEY_PEPPER or FERNET_SALT in OpenAlgo's .env was changed, put the old value back; "
    "otherwise erase what mStock keeps here, log in to mStock and enter it again."
)


class _Kept(NamedTuple):
    account: Account
    text: Secret


class OpenAlgoSessionStore:
    """The `Store` inside OpenAlgo; `may_write` in its Flask process and nowhere else.

    An account's row is the one that holds something of it, else the one that is logged in to
    mStock, else the only one, when it is logged out. Leases are kept in memory: there is one Flask
    process.
    """

    def __init__(self, broker: Broker, *, may_write: bool = False) -> None:
        self._broker = broker
        self._may_write = may_write
        self._lock = threading.RLock()
        self._leases = MemoryStore()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep others of this process from writing: between looking at a token and ending it."""
        with self._lock:
            yield

    def user_of(self, account: Account) -> str:
        """The host's user whose row it is; "" when there is none."""
        row = self._row(account)
        return row.user if row else ""

    def get(self, account: Account, name: Item) -> Secret | None:
        row = self._row(account)
        if row is None:
            return None
        if name is Item.TOKEN:
            return self._token(row, account)
        kept = _open(row, name)
        return kept.text if kept and kept.account == account else None

    def set(self, account: Account, name: Item, value: Secret) -> None:
        with self._writing():
            row = self._row(account)
            if row is None:
                raise StoreError(
                    "OpenAlgo has no broker login to keep this with.",
                    "Log in to mStock in OpenAlgo once, and try again.",
                )
            if name is Item.TOKEN:
                if row.broker not in ("", self._broker.name) and not row.is_revoked:
                    raise StoreError(
                        "OpenAlgo is logged in to another broker, which was left as it is.",
                        "Log out of it in OpenAlgo first, or switch auto-login off.",
                    )
                if self._token(row, account) != value:
                    _asked(
                        lambda: auth_table.store_token(
                            self._broker, row.user, value, account.client_code
                        )
                    )
                return
            if name not in _COLUMNS:
                raise StoreError(
                    "OpenAlgo keeps the API key in its .env, so it is not kept twice.",
                    "Enter it on OpenAlgo's page of broker credentials.",
                )
            if _open(row, name) is None and _text(row, name):
                _foreign(name)
            text = json.dumps({"mstock": list(account), "text": value.reveal()})
            _asked(
                lambda: auth_table.write_aux(
                    row.user, {_COLUMNS[name]: auth_table.encrypt(Secret(text))}
                )
            )

    def delete(self, account: Account, name: Item, *, only: Secret | None = None) -> bool:
        with self._writing():
            row = self._row(account)
            held = self.get(account, name)
            if row is None or held is None or (only is not None and held != only):
                return False
            if name is Item.TOKEN:
                _asked(lambda: auth_table.revoke(self._broker, row.user))
            else:
                _asked(lambda: auth_table.write_aux(row.user, {_COLUMNS[name]: None}))
            return True

    def accounts(self) -> list[Account]:
        kept = (_open(row, name) for row in _rows() for name in _COLUMNS)
        return sorted({each.account for each in kept if each})

    def erase(self) -> list[str]:
        removed = []
        with self._writing():
            for row in _rows():
                gone: dict[str, str | None] = {}
                for name, column in _COLUMNS.items():
                    words = _told(row, name)
                    if words:
                        gone[column] = None
                        removed.append(words)
                if gone:
                    _asked(lambda user=row.user, gone=gone: auth_table.write_aux(user, gone))  # type: ignore[misc]
                if row.broker == self._broker.name and row.token and not row.is_revoked:
                    _asked(lambda user=row.user: auth_table.revoke(self._broker, user))  # type: ignore[misc]
                    removed.append("token of the mStock login in OpenAlgo")
        return removed

    def lease(self, account: Account, holder: str, now: datetime, seconds: float) -> bool:
        return self._leases.lease(account, holder, now, seconds)

    def release(self, account: Account, holder: str) -> None:
        self._leases.release(account, holder)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        if not self._may_write:
            raise StoreError(
                "What is kept inside OpenAlgo is written by OpenAlgo itself only.",
                "Do it on its page /mstock/auto-login while OpenAlgo runs.",
            )
        with self._lock:
            yield

    def _row(self, account: Account) -> AuthRow | None:
        rows = _rows()
        for row in rows:
            if any(kept.account == account for kept in _readable(row)):
                return row
        ours = [row for row in rows if row.broker == self._broker.name]
        by_code = [row for row in ours if row.client_code == account.client_code]
        if by_code or ours:
            return (by_code or ours)[0]
        return rows[0] if len(rows) == 1 and not rows[0].broker else None

    def _token(self, row: AuthRow, account: Account) -> Secret | None:
        if row.is_revoked or row.broker != self._broker.name or not row.token:
            return None
        if row.client_code and row.client_code != account.client_code:
            return None
        token = _asked(lambda: auth_table.decrypt(row.token.reveal()))
        if token is None:
            raise StoreError("The mStock token in OpenAlgo cannot be read.", "Log in to mStock.")
        for kept in _readable(row):
            # The record of the session names the account that the host's own columns do not.
            if kept.account != account and f'"{fingerprint(token)}"' in kept.text.reveal():
                return None
        return token


def _rows() -> list[AuthRow]:
    return _asked(auth_table.auth_rows)


def _asked(work: Callable[[], T]) -> T:
    """What the host answers. Raises `StoreError` for what goes wrong inside it, `HostError`."""
    try:
        return work()
    except BrokerError:
        raise
    except Exception as error:
        kind = type(error).__name__  # its text may quote the row
    raise StoreError(
        f"OpenAlgo's database did not keep or give what was asked for ({kind}).",
        "Try again; if it stays so, look at OpenAlgo's log.",
    )


def _text(row: AuthRow, name: Item) -> str:
    return row.aux[auth_table.AUX_COLUMNS.index(_COLUMNS[name])]


def _open(row: AuthRow, name: Item) -> _Kept | None:
    """What lies under a name; None for nothing and for what another broker's plugin left there.

    Raises `StoreError` for what is encrypted and cannot be read.
    """
    text = _text(row, name) if name in _COLUMNS else ""
    if not text.startswith(_ENCRYPTED):
        return None
    opened = _asked(lambda: auth_table.decrypt(text))
    if opened is None:
        raise StoreError(
            "What mStock keeps in OpenAlgo's database cannot be read; nothing was overwritten.",
            _KEY_CHANGED,
        )
    return _parsed(opened)


def _parsed(opened: Secret) -> _Kept | None:
    try:
        inside = json.loads(opened.reveal())
        account, text = inside["mstock"], inside["text"]
        rest_url, api_type, client_code = account
    except (ValueError, TypeError, KeyError):
        return None
    if not all(isinstance(each, str) for each in (rest_url, api_type, client_code, text)):
        return None
    return _Kept(Account(rest_url, api_type, client_code), Secret(text))


def _readable(row: AuthRow) -> list[_Kept]:
    found = []
    for name in _COLUMNS:
        try:
            kept = _open(row, name)
        except StoreError:
            continue  # it is told when it is asked for
        if kept:
            found.append(kept)
    return found


def _told(row: AuthRow, name: Item) -> str:
    """What erasing removes under a name, in words; "" when it is not ours."""
    try:
        kept = _open(row, name)
    except StoreError:
        return f"{name.value.replace('_', ' ')} that could not be read"
    return described(kept.account, name) if kept else ""


def _foreign(name: Item) -> NoReturn:
    raise StoreError(
        f"OpenAlgo's column {_COLUMNS[name]} holds something that is not mStock's; it was left "
        "as it is.",
        "Another broker's plugin keeps it there: auto-login cannot be used beside it.",
    )
