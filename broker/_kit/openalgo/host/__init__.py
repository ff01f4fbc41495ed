"""The one room that knows OpenAlgo's own modules: each behind a small name of ours.

Nothing of the host is imported before it is needed. Without the host (`is_present` is False) a name
does what is harmless, nothing, or says that it needs the host. With the host, a function that is
missing or takes other arguments than it did is a `HostError` that names it and the host's version.
What goes wrong inside one of the host's functions comes out as it is.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from broker._kit.openalgo.host.modules import BROKER, is_present, logger, version
from broker._kit.openalgo.host.startup import (
    adapter_base,
    on_revoked,
    session_ended,
    when_session_ends,
)

if TYPE_CHECKING:
    from broker._kit.openalgo.host.auth_table import (
        AUX_COLUMNS,
        RENEWAL_COLUMN,
        AuthRow,
        auth_rows,
        current_token,
        decrypt,
        encrypt,
        revoke,
        store_token,
        write_aux,
    )
    from broker._kit.openalgo.host.logins import (
        DEVICE,
        finish_login,
        login_limits,
        prepare_contract,
        register_device,
        tell_browsers,
    )
    from broker._kit.openalgo.host.symbols import broker_symbol, instrument_token, openalgo_symbol

__all__ = [
    "AUX_COLUMNS",
    "BROKER",
    "DEVICE",
    "RENEWAL_COLUMN",
    "AuthRow",
    "adapter_base",
    "auth_rows",
    "broker_symbol",
    "current_token",
    "decrypt",
    "encrypt",
    "finish_login",
    "instrument_token",
    "is_present",
    "logger",
    "login_limits",
    "on_revoked",
    "openalgo_symbol",
    "prepare_contract",
    "register_device",
    "revoke",
    "session_ended",
    "store_token",
    "tell_browsers",
    "version",
    "when_session_ends",
    "write_aux",
]

_ROOMS = ("auth_table", "logins", "symbols")


def __getattr__(name: str) -> Any:
    """Load the rest when it is first asked for: OpenAlgo's start needs none of it."""
    if name in __all__:
        for room in _ROOMS:
            module = import_module(f"{__name__}.{room}")
            if hasattr(module, name):
                value = globals()[name] = getattr(module, name)
                return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
