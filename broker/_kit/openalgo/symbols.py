"""OpenAlgo's table of instruments, which all brokers share; the only file that imports it."""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING, Any

from broker._kit.errors import HostError
from broker._kit.openalgo.host import attribute, call, is_present, logger, scoped_session

if TYPE_CHECKING:
    from sqlalchemy import Engine, Table

_SYMBOL = "database.symbol"
_TOKEN_DB = "database.token_db"

log = logger(__name__)


def symbol_table() -> tuple[Engine, Table]:
    """The host's engine and its table `symtoken`. Raises `HostError`."""
    return attribute(_SYMBOL, "engine"), attribute(_SYMBOL, "SymToken").__table__


def symbol_info(symbol: str, exchange: str) -> Any:
    """The host's row of an instrument, from its cache or its table; None without one."""
    with scoped_session(_SYMBOL):
        return call(_TOKEN_DB, "get_symbol_info", symbol, exchange)


def symbol_of_token(token: str, exchange: str) -> str | None:
    """The host's symbol for a token, by the host's exchange; None without one."""
    with scoped_session(_SYMBOL):
        found = call(_TOKEN_DB, "get_symbol", token, exchange)
    return found if isinstance(found, str) else None


def freeze_quantity(symbol: str, exchange: str) -> int | None:
    """The exchange's largest order of a contract as the host's table has it; None without one.

    The host answers 1 where it has none.
    """
    if exchange not in ("NFO", "BFO", "CDS", "BCD", "MCX") or not is_present():
        return None
    try:
        found = int(call("database.qty_freeze_db", "get_freeze_qty", symbol, exchange))
    except (HostError, TypeError, ValueError):
        return None
    return found if found > 1 else None


def clear_cache() -> None:
    """Have the host read its table again: its cache may hold what was replaced. Raises nothing."""
    try:
        call(_TOKEN_DB, "clear_cache")
    except Exception as error:
        log.warning(f"OpenAlgo's cache of symbols was not cleared ({type(error).__name__})")


def announce_download(status: str, message: str) -> None:
    """Tell the host's pages how a download went ("success" or "error"). Raises nothing."""
    try:
        extension = attribute("extensions", "socketio")
        extension.emit("master_contract_download", {"status": status, "message": message})
    except Exception as error:
        log.debug(f"OpenAlgo's pages were not told of the download ({type(error).__name__})")


def may_download() -> bool:
    """True in the host's own process; the streaming process is a child that must not write."""
    return multiprocessing.parent_process() is None


def download_again(broker_name: str) -> None:
    """Have the host run a broker's download as it does after a login; returns when it is over."""
    call("utils.auth_utils", "async_master_contract_download", broker_name)
