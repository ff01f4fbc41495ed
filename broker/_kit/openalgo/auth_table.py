"""OpenAlgo's broker logins: its table, its encryption, and a login as OpenAlgo itself makes it.

SQLAlchemy is imported where it is used: the streaming adapter imports this package without it.
"""

from __future__ import annotations

import secrets
import threading
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

_CONTRACT_STATUS, _AUTH_UTILS = "database.master_contract_status_db", "utils.auth_utils"

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
        return [
            AuthRow(
                user,
                Secret(token or ""),
                broker or "",
                code or "",
                bool(is_revoked),
                tuple(text or "" for text in aux),
            )
            for user, token, broker, code, is_revoked, *aux in database.execute(query)
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


def on_stored(broker: Broker, notify: Callable[[], None]) -> None:
    """Have `notify()` called whenever the host stores a new token of the broker.

    As `on_revoked`: before the commit, so it must be quick. Raises `HostError`.
    """
    from sqlalchemy import event
    from sqlalchemy import inspect as state_of

    def look(_mapper: Any, _connection: Any, target: Any) -> None:
        is_new = state_of(target).attrs["auth"].history.has_changes()
        if target.broker == broker.name and target.auth and not target.is_revoked and is_new:
            notify()

    model = attribute(AUTH_DB, "Auth")
    for moment in ("before_insert", "before_update"):
        event.listen(model, moment, look)


def finish_login(broker: Broker, token: Secret, user: str, client_code: str) -> Any:
    """Hand a new token to the host, whose answer is for the browser. Raises `HostError`."""
    return call(
        _AUTH_UTILS,
        "handle_auth_success",
        token.reveal(),
        user,
        broker.name,
        feed_token=None,  # the host would put it into the browser's cookie
        user_id=client_code,
    )


def register_device(broker: Broker, user: str) -> None:
    """List an automatic login among the user's devices. Raises `HostError`.

    Without it the first request of yesterday's browser tab makes the host revoke whatever token is
    stored. It replaces the automatic login before it: the host keeps five devices and drops the
    oldest.
    """
    device = f"{broker.title} auto-login"
    with scoped_session():
        for each in call(AUTH_DB, "get_active_sessions", user):
            if each.get("device_info") == device:
                call(AUTH_DB, "remove_session", each.get("session_id"))
        is_registered = call(
            AUTH_DB,
            "register_session",
            username=user,
            session_id=secrets.token_hex(32),
            device_info=device,
            ip_address=None,  # an address would replace the row of the device that has it
            broker=broker.name,
        )
    if not is_registered:
        raise HostError("OpenAlgo did not list the automatic login.", "See OpenAlgo's log.")


def prepare_contract(broker: Broker) -> None:
    """Load the instrument list on a thread, as the host does after a login of its own."""
    with scoped_session():
        call(_CONTRACT_STATUS, "init_broker_status", broker.name)
        is_due, _ = call(_AUTH_UTILS, "should_download_master_contract", broker.name)
    load = attribute(
        _AUTH_UTILS,
        "async_master_contract_download" if is_due else "load_existing_master_contract",
    )
    threading.Thread(target=load, args=(broker.name,), daemon=True).start()


def _own_session() -> Any:
    """A database session of ours, which leaves the host's own alone in mid-request."""
    from sqlalchemy.orm import Session

    return Session(attribute(AUTH_DB, "engine"))
