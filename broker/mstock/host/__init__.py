"""The one room that knows OpenAlgo's own modules: each behind a small name of ours.

Nothing of the host is imported before it is needed. Without the host (`is_present` is False) a name
does what is harmless, nothing, or says that it needs the host. With the host, a function that is
missing or takes other arguments than it did is a `HostError` that names it and the host's version.
What goes wrong inside one of the host's functions comes out as it is.
"""

from __future__ import annotations

from broker.mstock.host.logins import (
    DEVICE,
    finish_login,
    login_limits,
    prepare_contract,
    register_device,
    tell_browsers,
)
from broker.mstock.host.markets import (
    adapter_base,
    broker_symbol,
    instrument_token,
    openalgo_symbol,
)
from broker.mstock.host.rows import (
    AUX_COLUMNS,
    AuthRow,
    auth_rows,
    current_token,
    decrypt,
    encrypt,
    on_revoked,
    revoke,
    store_token,
    write_aux,
)
from broker.mstock.host.way import BROKER, is_present, logger, version

__all__ = [
    "AUX_COLUMNS",
    "BROKER",
    "DEVICE",
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
    "store_token",
    "tell_browsers",
    "version",
    "write_aux",
]
