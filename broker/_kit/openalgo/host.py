"""Access to OpenAlgo's modules: imported when they are needed, checked before they are called.

A module, name or parameter that this OpenAlgo does not have is a `HostError` that names it and the
host's version. What a host function raises itself is passed through.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from broker._kit.errors import HostError

AUTH_DB = "database.auth_db"

_LANDMARKS = ("utils.version", AUTH_DB)


def is_present() -> bool:
    """True when OpenAlgo's modules can be imported, which need not mean that it runs."""
    try:
        return all(name in sys.modules or find_spec(name) is not None for name in _LANDMARKS)
    except (ImportError, AttributeError, ValueError):
        return False


def version() -> str:
    """The host's version, such as "2.0.2.1"; "" without a host or when it does not say."""
    with contextlib.suppress(Exception):
        return str(import_module("utils.version").get_version())
    return ""


def database_folder() -> Path:
    """Where the host's own databases are. Raises `HostError`."""
    return Path(attribute("utils.version", "__file__")).resolve().parents[1] / "db"


def logger(name: str) -> logging.Logger:
    """The host's logger of that name, or Python's."""
    made = None
    with contextlib.suppress(Exception):
        made = import_module("utils.logging").get_logger(name)
    return made if isinstance(made, logging.Logger) else logging.getLogger(name)


def attribute(module: str, name: str) -> Any:
    """Something in one of the host's modules. Raises `HostError`."""
    try:
        return getattr(import_module(module), name)
    except Exception as error:
        kind = type(error).__name__
    raise incompatible(f"has no usable {module}.{name} ({kind})")


def call(module: str, name: str, *values: Any, **named: Any) -> Any:
    """A host function's result. Raises `HostError` when it is missing or has other parameters."""
    function = attribute(module, name)
    try:
        inspect.signature(function).bind(*values, **named)
    except TypeError:
        wanted = f"expects other arguments in {module}.{name} than the plugin passes"
        raise incompatible(wanted) from None
    return function(*values, **named)


def column(model: Any, name: str) -> Any:
    """A column of the host's table of broker logins. Raises `HostError`."""
    found = getattr(model, name, None)
    if found is None:
        raise incompatible(f"has no {name} in {AUTH_DB}.Auth")
    return found


@contextlib.contextmanager
def scoped_session(module: str = AUTH_DB) -> Iterator[None]:
    """Release the host's thread-local database session where no request of the host will."""
    sessions = attribute(module, "db_session")
    registry = getattr(sessions, "registry", None)
    was_open = registry is None or registry.has()
    try:
        yield
    finally:
        if not was_open:
            sessions.remove()


def incompatible(what: str) -> HostError:
    """The error that says what this OpenAlgo lacks."""
    if not is_present():
        return HostError("This needs OpenAlgo, which is not here.", "Run it inside OpenAlgo.")
    return HostError(
        f"This OpenAlgo (version {version() or 'unknown'}) {what}.",
        "Update the plugin, or ask for an update that fits this version of OpenAlgo.",
    )


def adapter_base() -> type:
    """The base class of streaming adapters; `object` without it, and no error.

    The host imports the adapter when it starts: nothing here may stop that.
    """
    try:
        found = import_module("websocket_proxy.base_adapter").BaseBrokerWebSocketAdapter
    except Exception as error:
        found = object
        if is_present():
            kind = type(error).__name__
            logging.getLogger(__name__).warning("OpenAlgo's streaming has changed (%s)", kind)
    return found if isinstance(found, type) else object


def serves_prices() -> bool:
    """True when the host's proxy for live prices runs in this very process.

    It does under the development server; under gunicorn and in a container it is another process
    (contract 8.5).
    """
    module = sys.modules.get("websocket_proxy.app_integration")
    thread = getattr(module, "_websocket_thread", None)
    return thread is not None and bool(thread.is_alive())


def login_limits() -> str:
    """The host's limits on login attempts in Flask-Limiter's notation; "" when it has none."""
    with contextlib.suppress(Exception):
        config = import_module("utils.config")
        return f"{config.get_login_rate_limit_min()}; {config.get_login_rate_limit_hour()}"
    return ""
