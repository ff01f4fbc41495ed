"""OpenAlgo's table of broker logins and its encryption.

SQLAlchemy is imported where it is used: the streaming adapter imports this package without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from broker._kit.broker import Broker
from broker._kit.errors import HostError
from broker._kit.openalgo.host import (
    AUTH_DB,
    attribute,
    call,
    column,
    logger,
    scoped_session,
)
from broker._kit.secret import Secret

# Columns that the host has for the plugins' use.
AUX_COLUMNS = ("aux_param1", "aux_param2", "aux_param3", "aux_param4")

log = logger(__name__)


class AuthRow(NamedTuple):
    """A user's broker login; `token` and `aux` are encrypted, "" where there is nothing.

    `broker` is "" after a logout.
    """

    user: str
    token: Secret
    broker: str
    client_code: str
    is_revoked: bool
    aux: tuple[str, ...]


def encrypt(value: Secret) -> str:
    """A text as the host encrypts secrets. Raises `HostError`."""
    return str(call(AUTH_DB, "encrypt_token", value.reveal()))


def decrypt(text: str) -> Secret | None:
    """What `encrypt` was given; None for a text that was tampered with or has another key."""
    value = call(AUTH_DB, "decrypt_token", text)
    return Secret(value) if isinstance(value, str) else None


def auth_rows() -> list[AuthRow]:
    """Every user's row, read past the host's caches in a database session of ours."""
    from sqlalchemy import select

    model = attribute(AUTH_DB, "Auth")
    names = ("name", "auth", "broker", "user_id", "is_revoked", *AUX_COLUMNS)
    query = select(*(column(model, name) for name in names)).order_by(column(model, "id"))
    with _own_session() as database:
        found = database.execute(query).all()
    return [
        AuthRow(
            user=name,
            token=Secret(token or ""),
            broker=broker or "",
            client_code=code or "",
            is_revoked=bool(is_revoked),
            aux=tuple(text or "" for text in aux),
        )
        for name, token, broker, code, is_revoked, *aux in found
    ]


def write_aux(user: str, texts: Mapping[str, str | None]) -> None:
    """Write encrypted texts into the spare columns of the user's row."""
    from sqlalchemy import update

    model = attribute(AUTH_DB, "Auth")
    change = update(model).where(column(model, "name") == user).values(dict(texts))
    with _own_session() as database, database.begin():
        database.execute(change)


def store_token(broker: Broker, user: str, token: Secret, client_code: str) -> None:
    """Make this the user's broker token, everywhere in the host. Raises `HostError`."""
    with scoped_session():
        row = call(AUTH_DB, "upsert_auth", user, token.reveal(), broker.name, user_id=client_code)
    if row is None:
        raise HostError(f"OpenAlgo did not store the {broker.title} token.", "See OpenAlgo's log.")


def revoke(broker: Broker, user: str) -> None:
    """Revoke the user's broker token: the host then says that the broker session expired."""
    with scoped_session():
        call(AUTH_DB, "upsert_auth", user, "", broker.name, revoke=True)


def on_revoked(broker: Broker, notify: Callable[[str, str], None]) -> None:
    """Have `notify(user, encrypted token)` called whenever the host revokes a token of the broker.

    It is called while the host writes its row, before the commit, so it must be quick; what it
    raises is logged. Raises `HostError`.
    """
    from sqlalchemy import event
    from sqlalchemy import inspect as state_of

    model = attribute(AUTH_DB, "Auth")

    def before(target: Any, name: str) -> Any:
        past = state_of(target).attrs[name].history.deleted
        return past[0] if past else getattr(target, name)

    def look(_mapper: Any, _connection: Any, target: Any) -> None:
        try:
            token = before(target, "auth")
            is_ours = before(target, "broker") == broker.name
            if is_ours and token and target.is_revoked and not before(target, "is_revoked"):
                notify(target.name, token)
        except Exception as error:
            log.warning(f"{broker.title}: missed a logout in OpenAlgo ({type(error).__name__})")

    for name in ("auth", "broker", "is_revoked"):
        # Without a listener SQLAlchemy need not load the value that is being replaced.
        event.listen(column(model, name), "set", lambda *_: None, active_history=True)
    event.listen(model, "before_update", look)


def _own_session() -> Any:
    """A database session of ours, which leaves the host's own alone in mid-request."""
    from sqlalchemy.orm import Session

    return Session(attribute(AUTH_DB, "engine"))
