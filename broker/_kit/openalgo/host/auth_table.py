"""OpenAlgo's secrets, and its table of broker logins, where this plugin keeps what it keeps."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import NamedTuple

from broker._kit.errors import HostError
from broker._kit.openalgo.host.modules import (
    AUTH,
    BROKER,
    borrowed,
    call,
    column_of,
    is_present,
    name_of,
    own_session,
)
from broker._kit.secret import Secret

AUX_COLUMNS = ("aux_param1", "aux_param2", "aux_param3", "aux_param4")
# Where, among these, it stands whether an account logs in by itself.
RENEWAL_COLUMN = 3

log = logging.getLogger(__name__)


class AuthRow(NamedTuple):
    """A user's row in the host's table of broker logins; `token` and `aux` are encrypted texts.

    They are "" where there is nothing. `broker` is "" after a logout.
    """

    user: str
    token: Secret
    broker: str
    client_code: str
    is_revoked: bool
    aux: tuple[str, str, str, str]


def encrypt(value: Secret) -> str:
    """A text as the host keeps secrets. Raises `HostError`, without a host too."""
    return str(call(AUTH, "encrypt_token", value.reveal()))


def decrypt(text: str) -> Secret | None:
    """What `encrypt` was given; None for what was tampered with or belongs to another key."""
    value = call(AUTH, "decrypt_token", text)
    return Secret(value) if isinstance(value, str) else None


def current_token(user: str) -> Secret | None:
    """The user's broker token as the host would use it now; None without one, or a host."""
    if not is_present():
        return None
    value = call(AUTH, "get_auth_token", user)
    return Secret(value) if value else None


def auth_rows() -> list[AuthRow]:
    """Every user's row, read past the host's caches; none without a host."""
    if not is_present():
        return []
    model = name_of(AUTH, "Auth")
    columns = ("name", "auth", "broker", "user_id", "is_revoked", *AUX_COLUMNS)
    from sqlalchemy import select

    with own_session() as database:
        found = database.execute(
            select(*(column_of(model, name) for name in columns)).order_by(column_of(model, "id"))
        ).all()
    return [
        AuthRow(
            user=name,
            token=Secret(token or ""),
            broker=broker or "",
            client_code=code or "",
            is_revoked=bool(is_revoked),
            aux=tuple(each or "" for each in aux),  # type: ignore[arg-type]
        )
        for name, token, broker, code, is_revoked, *aux in found
    ]


def write_aux(user: str, texts: Mapping[str, str | None]) -> bool:
    """Put encrypted texts into the row's spare columns; False when the user has no row."""
    model = name_of(AUTH, "Auth")
    from sqlalchemy import update

    with own_session() as database, database.begin():
        done = database.execute(
            update(model).where(column_of(model, "name") == user).values(dict(texts))
        )
        return bool(getattr(done, "rowcount", 0))


def store_token(user: str, token: Secret, client_code: str) -> None:
    """Make this the user's broker token, everywhere in the host. Raises `HostError`."""
    with borrowed():
        row = call(AUTH, "upsert_auth", user, token.reveal(), BROKER, user_id=client_code)
    if row is None:
        raise HostError("OpenAlgo did not store the mStock token.", "Look at OpenAlgo's log.")


def revoke(user: str) -> None:
    """Take the user's broker token away, so that the host says that the broker session expired."""
    with borrowed():
        call(AUTH, "upsert_auth", user, "", BROKER, revoke=True)
