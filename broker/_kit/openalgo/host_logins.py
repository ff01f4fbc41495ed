"""A broker login as OpenAlgo makes it, with a browser and without one."""

from __future__ import annotations

import secrets
import threading
from typing import Any

from broker._kit.broker import Broker
from broker._kit.errors import HostError
from broker._kit.openalgo.host import AUTH_DB, attribute, call, scoped_session
from broker._kit.secret import Secret

_CONTRACT_STATUS = "database.master_contract_status_db"
_AUTH_UTILS = "utils.auth_utils"


def device_name(broker: Broker) -> str:
    """How an automatic login is listed among the user's devices."""
    return f"{broker.title} auto-login"


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
    device = device_name(broker)
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
    """Load the list of instruments on a thread, as the host does after a login of its own."""
    with scoped_session():
        call(_CONTRACT_STATUS, "init_broker_status", broker.name)
        is_due, _ = call(_AUTH_UTILS, "should_download_master_contract", broker.name)
    name = "async_master_contract_download" if is_due else "load_existing_master_contract"
    load = attribute(_AUTH_UTILS, name)
    threading.Thread(
        target=load, args=(broker.name,), name=f"{broker.name}-contract", daemon=True
    ).start()
