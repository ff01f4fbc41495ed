"""What OpenAlgo's start needs of us, and no more: it is all that is loaded then."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib import import_module
from typing import Any

from broker._kit.openalgo.host.modules import AUTH, BROKER, column_of, is_present, name_of

log = logging.getLogger(__name__)

_follow: Callable[[Any, Any], None] | None = None


def adapter_base() -> type:
    """The class that streaming adapters are made from; a plain one without it, and no error.

    The host imports the adapter when it starts: nothing here may stop that.
    """
    try:
        found = import_module("websocket_proxy.base_adapter").BaseBrokerWebSocketAdapter
    except Exception as error:
        if is_present():
            log.warning("mStock: OpenAlgo's streaming has changed (%s)", type(error).__name__)
        return object
    return found if isinstance(found, type) else object


def when_session_ends(follow: Callable[[Any, Any], None] | None) -> None:
    """Have `follow(account, token)` called when mStock has ended a session; None: nobody."""
    global _follow
    _follow = follow


def session_ended(account: Any, token: Any) -> None:
    """Tell whoever wants to know; here, because this is loaded long before the one who learns."""
    if _follow is not None:
        _follow(account, token)


def on_revoked(told: Callable[[str, str], None]) -> None:
    """Have `told(user, encrypted token)` called whenever the host takes an mStock token away.

    It is called while the host writes its row, before the write is certain, so it must be quick;
    what it raises is swallowed. Does nothing without a host. Raises `HostError`.
    """
    if not is_present():
        return
    model = name_of(AUTH, "Auth")
    from sqlalchemy import event
    from sqlalchemy import inspect as state_of

    def before(target: Any, column: str) -> Any:
        past = state_of(target).attrs[column].history.deleted
        return past[0] if past else getattr(target, column)

    def look(_mapper: Any, _connection: Any, target: Any) -> None:
        try:
            token = before(target, "auth")
            is_ours = before(target, "broker") == BROKER
            if is_ours and token and target.is_revoked and not before(target, "is_revoked"):
                told(target.name, token)
        except Exception as error:
            log.warning("mStock: a logout in OpenAlgo was not noticed: %s", type(error).__name__)

    for column in ("auth", "broker", "is_revoked"):
        # Without a listener SQLAlchemy need not load the value that is being replaced.
        event.listen(column_of(model, column), "set", _keep_the_past, active_history=True)
    event.listen(model, "before_update", look)


def _keep_the_past(*_: Any) -> None:
    """Being there is enough."""
