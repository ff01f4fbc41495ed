"""A broker login as OpenAlgo makes it, from a page and without one, and what follows it."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from broker._kit.errors import HostError
from broker._kit.openalgo.host.modules import AUTH, BROKER, borrowed, call, is_present, name_of
from broker._kit.secret import Secret

# How our own log-in shows among the user's devices.
DEVICE = "mStock auto-login"

_CONTRACT = "database.master_contract_status_db"
_UTILS = "utils.auth_utils"

log = logging.getLogger(__name__)


def finish_login(token: Secret, user: str, client_code: str) -> Any:
    """Hand a new token to the host, which answers the browser. Raises `HostError`."""
    return call(
        _UTILS,
        "handle_auth_success",
        token.reveal(),
        user,
        BROKER,
        feed_token=None,  # the host would put it into the browser's cookie
        user_id=client_code,
    )


def register_device(user: str) -> None:
    """Note a login of our own among the user's devices; nothing without a host.

    Without it the first request of yesterday's browser tab makes the host revoke whatever token is
    stored. The last one of ours makes way: the host keeps five, and drops the oldest of all.
    """
    if not is_present():
        return
    with borrowed():
        for each in call(AUTH, "get_active_sessions", user):
            if each.get("device_info") == DEVICE:
                call(AUTH, "remove_session", each.get("session_id"))
        is_noted = call(
            AUTH,
            "register_session",
            username=user,
            session_id=secrets.token_hex(32),
            device_info=DEVICE,
            ip_address=None,  # an address would replace that device's row
            broker=BROKER,
        )
    if not is_noted:
        raise HostError("OpenAlgo did not note the automatic login.", "Look at OpenAlgo's log.")


def prepare_contract() -> None:
    """Load the list of instruments as the host does after a login, on a thread of its own."""
    if not is_present():
        return
    with borrowed():
        call(_CONTRACT, "init_broker_status", BROKER)
        is_due, _ = call(_UTILS, "should_download_master_contract", BROKER)
    name = "async_master_contract_download" if is_due else "load_existing_master_contract"
    load = name_of(_UTILS, name)
    threading.Thread(target=load, args=(BROKER,), name="mstock-contract", daemon=True).start()


def login_limits() -> str:
    """How many tries the host allows, in Flask-Limiter's notation; "" when it does not say."""
    try:
        config = import_module("utils.config")
        return f"{config.get_login_rate_limit_min()}; {config.get_login_rate_limit_hour()}"
    except Exception:
        return ""


def tell_browsers(event: str, data: Mapping[str, Any]) -> None:
    """Send an event to the host's open pages; nothing without a host, and no error."""
    try:
        import_module("extensions").socketio.emit(event, dict(data))
    except Exception as error:
        log.debug("mStock: no event was sent: %s", type(error).__name__)
