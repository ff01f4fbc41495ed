"""The day's session as it is kept: put away after a login, taken out for a call, marked dead once.

The token and its record are two texts in the store; the record names its token by a fingerprint,
so that a record of yesterday's says nothing about today's.
"""

from __future__ import annotations

import json
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from broker._kit.clock import IST
from broker._kit.secret import Secret
from broker._kit.sessions.store import Item, Store
from broker._kit.sessions.token_life import Life, fingerprint, is_ahead, life_from, life_of
from broker._kit.settings import Account


class LoginMethod(StrEnum):
    """How a session came about."""

    OTP = "otp"
    TOTP = "totp"
    AUTO = "auto-login"
    ELSEWHERE = "elsewhere"


class StoredSession(NamedTuple):
    """A kept session: its token, its times, when this computer logged in (None if it is not known).

    `is_over` is True when the token is dead for certain: by the time, or by mStock's word.
    """

    token: Secret
    life: Life
    logged_in_at: datetime | None
    how: LoginMethod
    is_over: bool


def save_session(
    store: Store, account: Account, token: Secret, now: datetime, how: LoginMethod
) -> None:
    """Put a new session in the place of the last one."""
    record = {"of": fingerprint(token), "at": now.astimezone(IST).isoformat(), "how": how.value}
    store.set(account, Item.SESSION, Secret(json.dumps(record)))
    store.set(account, Item.TOKEN, token)


def load_session(store: Store, account: Account, now: datetime) -> StoredSession | None:
    """The kept session, dead or alive; None when there is none. Raises `StoreError`."""
    token = store.get(account, Item.TOKEN)
    if not token:
        return None
    record = _record(store, account, token)
    at = _time(record.get("at"))
    life = life_of(token, now)
    how = next((how for how in LoginMethod if how == record.get("how")), LoginMethod.ELSEWHERE)
    if at is not None and is_ahead(at, now):
        at = None  # the clock was wrong then and has been put right: its word means nothing now
    if at is not None and (life.ends_at is None or life.is_over(at)):
        # The token does not say, or was over when it was new: then the clock was wrong, and what
        # this computer's clock said at the login is the better measure.
        life = life_from(at, life.claimed_end)
    is_dead = record.get("dead") is True
    return StoredSession(token, life, at, how, is_dead or life.is_over(now))


def mark_revoked(store: Store, account: Account, token: Secret) -> bool:
    """Note that mStock has ended this session; False, and nothing done, if it is not the kept one.

    A late refusal of yesterday's token must not end today's session.
    """
    if store.get(account, Item.TOKEN) != token:
        return False
    record = _record(store, account, token)
    if record.get("dead") is True:
        return False
    record |= {"of": fingerprint(token), "dead": True}
    store.set(account, Item.SESSION, Secret(json.dumps(record)))
    return True


def delete_session(store: Store, account: Account, token: Secret | None = None) -> bool:
    """Drop the kept session, with `token` only if it is still that one."""
    record = store.get(account, Item.SESSION)
    was_there = store.delete(account, Item.TOKEN, only=token)
    if was_there and record is not None:
        # Only that record: a new login, made meanwhile, has put its own there.
        store.delete(account, Item.SESSION, only=record)
    return was_there


def _record(store: Store, account: Account, token: Secret) -> dict[str, object]:
    text = store.get(account, Item.SESSION)
    try:
        record = json.loads(text.reveal()) if text else {}
    except ValueError:
        return {}
    is_its = isinstance(record, dict) and record.get("of") == fingerprint(token)
    return record if is_its else {}


def _time(value: object) -> datetime | None:
    try:
        then = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return then if then is not None and then.tzinfo else None
