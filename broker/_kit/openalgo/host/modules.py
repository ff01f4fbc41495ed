"""The way to OpenAlgo's modules: imported when they are needed, checked before they are called."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from broker._kit.errors import HostError


BROKER = "mstock"
AUTH = "database.auth_db"

_LANDMARKS = ("utils.version", AUTH)
_TRY = "Update the mStock plugin, or ask for an update that fits this version of OpenAlgo."


def is_present() -> bool:
    """True when OpenAlgo's modules are there to be imported, which need not mean that it runs."""
    from importlib.util import find_spec

    try:
        return all(name in sys.modules or find_spec(name) is not None for name in _LANDMARKS)
    except (ImportError, AttributeError, ValueError):
        return False


def version() -> str:
    """The host's version, such as "2.0.2.1"; "" without a host or when it does not say."""
    try:
        return str(import_module("utils.version").get_version())
    except Exception:
        return ""


def logger(name: str) -> logging.Logger:
    """The host's logger of that name, or Python's."""
    try:
        made = import_module("utils.logging").get_logger(name)
    except Exception:
        made = None
    return made if isinstance(made, logging.Logger) else logging.getLogger(name)


def name_of(module: str, name: str) -> Any:
    """Something of the host's by its name. Raises `HostError`."""
    try:
        return getattr(import_module(module), name)
    except Exception as error:
        kind = type(error).__name__
    raise unfit(f"has no usable {module}.{name} ({kind})")


def call(module: str, name: str, *values: Any, **named: Any) -> Any:
    """A host function's answer; `HostError` when it is missing or takes other arguments now."""
    import inspect  # slow to load, and this module is on the way of every login

    function = name_of(module, name)
    try:
        inspect.signature(function).bind(*values, **named)
    except TypeError:
        fits = False
    except ValueError:  # it does not say what it takes
        fits = True
    else:
        fits = True
    if not fits:
        raise unfit(f"calls for other arguments in {module}.{name} than the plugin gives")
    return function(*values, **named)


def column_of(model: Any, name: str) -> Any:
    column = getattr(model, name, None)
    if column is None:
        raise unfit(f"has no {name} in {AUTH}.Auth")
    return column


def own_session() -> Any:
    """A database session of ours, so that the host's own is not disturbed in mid-request."""
    engine = name_of(AUTH, "engine")
    from sqlalchemy.orm import Session

    return Session(engine)


@contextlib.contextmanager
def borrowed() -> Iterator[None]:
    """Give the host's thread-bound session back where no request of the host's will do so."""
    kept = name_of(AUTH, "db_session")
    registry = getattr(kept, "registry", None)
    was_there = registry is None or registry.has()
    try:
        yield
    finally:
        if not was_there:
            kept.remove()


def unfit(what: str) -> HostError:
    """The error that says what is amiss with the host."""
    from broker._kit.errors import HostError  # not before: OpenAlgo's start has no use for it

    if not is_present():
        return HostError("This needs OpenAlgo, which is not here.", "Run it inside OpenAlgo.")
    return HostError(f"This OpenAlgo (version {version() or 'unknown'}) {what}.", _TRY)
