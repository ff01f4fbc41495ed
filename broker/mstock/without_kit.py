"""Doors that say what is missing, in the place of the real ones, which cannot be imported then."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, NamedTuple, NoReturn

from broker import mstock

_DOORS = {
    "api": ("auth_api", "data", "funds", "margin_api", "order_api"),
    "database": ("master_contract_db",),
    "mapping": ("margin_data", "order_data", "transform_data"),
}
_UNAVAILABLE = 503


class IncompletePlugin(NotImplementedError):
    """The plugin's two folders do not belong together; nothing was sent to mStock."""


class _Refused(NamedTuple):
    status: int = _UNAVAILABLE


def close_doors(package: str) -> None:
    """Let the doors of a package such as `broker.mstock.api` refuse, unless the kit fits.

    An update of OpenAlgo puts its own plugin's files between ours: those are left to work.
    """
    problem = mstock.kit_problem() if hasattr(mstock, "kit_problem") else ""
    for name in _DOORS[package.rpartition(".")[2]] if problem else ():
        door = sys.modules[f"{package}.{name}"] = _Door(f"{package}.{name}", problem)
        setattr(sys.modules[package], name, door)


class _Door(ModuleType):
    """A module whose every function refuses, in the shape that OpenAlgo wants of it."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(name, problem)
        body = {"status": "error", "message": problem}
        not_placed, not_changed = (_Refused(), body, None), (body, _UNAVAILABLE)
        self._answers: dict[str, Any] = {
            "authenticate_broker": (None, None, problem),
            "authenticate_with_totp": (None, None, problem),
            "place_order_api": not_placed,
            "place_smartorder_api": not_placed,
            "modify_order": not_changed,
            "cancel_order": not_changed,
            "close_all_positions": not_changed,
            "test_auth_token": (False, problem),
        }
        self._problem = problem

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name == "BrokerData":
            return type(name, (), {"__getattr__": self._refuse, "__init__": _ignore})
        if name in self._answers:
            return lambda *_, **__: self._answers[name]
        return self._refuse

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise IncompletePlugin(self._problem)


def _ignore(
    self: Any, auth_token: str, feed_token: str | None = None, user_id: str | None = None
) -> None:
    """OpenAlgo counts the arguments of a `BrokerData`."""
