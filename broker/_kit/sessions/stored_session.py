"""The stored session of an account: saved after a login, loaded for a call, ended with a reason."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from broker._kit.broker import Broker
from broker._kit.clock import IST
from broker._kit.secret import Secret
from broker._kit.sessions.record import EndReason as EndReason
from broker._kit.sessions.record import LoginMethod as LoginMethod
from broker._kit.sessions.record import SessionRecord
from broker._kit.sessions.store import Store
from broker._kit.sessions.token_guard import Life, life_of
from broker._kit.settings import Account


class StoredSession(NamedTuple):
    """A session with its token. `logged_in_at` is None when it is not known here.

    `end_reason` says why the token is dead, None while it may be alive.
    """

    token: Secret
    life: Life
    logged_in_at: datetime | None
    method: LoginMethod
    end_reason: EndReason | None = None

    @property
    def is_over(self) -> bool:
        """True when the token is dead for certain: by the time, or by the broker's word."""
        return self.end_reason is not None


def session_of(broker: Broker, record: SessionRecord | None, now: datetime) -> StoredSession | None:
    """The session that a record holds, dead or alive; None when it has no token."""
    if record is None or not record.token:
        return None
    life = life_of(broker, record.token, record.logged_in_at)
    end = record.end_reason or (EndReason.EXPIRED if life.is_over(now) else None)
    return StoredSession(record.token, life, record.logged_in_at, record.method, end)


def load_session(store: Store, account: Account, now: datetime) -> StoredSession | None:
    """The stored session, dead or alive; None when there is none. Raises `StoreError`."""
    return session_of(store.broker, store.load(account).session, now)


def live_session(store: Store, account: Account, now: datetime) -> StoredSession | None:
    """The stored session that may be alive; None when there is none. Raises `StoreError`."""
    session = load_session(store, account, now)
    return None if session is None or session.is_over else session


def end_reason(store: Store, account: Account, now: datetime) -> EndReason | None:
    """Why the account's last session ended, also after its token was deleted.

    None while it may be alive, and when there was none. Raises `StoreError`.
    """
    record = store.load(account).session
    session = session_of(store.broker, record, now)
    return session.end_reason if session else record.end_reason if record else None


def save_session(
    store: Store, account: Account, token: Secret, now: datetime, method: LoginMethod
) -> None:
    """Replace the account's session with a new one. Raises `StoreError`."""
    with store.update(account) as record:
        record.session = SessionRecord(token, now.astimezone(IST), method)


def mark_revoked(store: Store, account: Account, token: Secret) -> bool:
    """Note that the broker has ended this session; False if it is not the stored, live one.

    A late refusal of yesterday's token must not end today's session.
    """
    with store.update(account) as record:
        session = record.session
        if session is None or session.token != token or session.end_reason is not None:
            return False
        record.session = session._replace(end_reason=EndReason.REFUSED)
    return True


def delete_session(
    store: Store,
    account: Account,
    token: Secret | None = None,
    reason: EndReason = EndReason.LOGGED_OUT,
) -> bool:
    """Delete the stored token, with `token` only if it is still that one; True when it was there.

    Why the session ended stays: `reason`, unless the broker had ended it before. A logout ends the
    browsers' right to go on without a login, too.
    """
    with store.update(account) as record:
        session = record.session
        stored = session.token if session else None
        if stored is not None and token not in (None, stored):
            return False
        if reason is EndReason.LOGGED_OUT:
            record.browsers = ()
        if session is not None and stored is not None:
            ended = session.end_reason or reason
            record.session = session._replace(token=None, end_reason=ended)
    return stored is not None
