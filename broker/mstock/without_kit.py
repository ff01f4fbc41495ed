"""Doors that say what is missing, in the place of the real ones, which cannot be imported then."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn

from broker import mstock

_DOORS = {
    "api": ("auth_api", "data", "funds", "margin_api", "order_api"),
    "database": ("master_contract_db",),
    "mapping": ("margin_data", "order_data", "transform_data"),
}
_UNAVAILABLE = 503


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
        login = ("authenticate_broker", "authenticate_with_totp")
        placing = ("place_order_api", "place_smartorder_api")
        changing = ("modify_order", "cancel_order", "close_all_positions")
        self._problem = problem
        self._answers: dict[str, Any] = {
            **dict.fromkeys(login, (None, None, problem)),
            **dict.fromkeys(placing, (SimpleNamespace(status=_UNAVAILABLE), body, None)),
            **dict.fromkeys(changing, (body, _UNAVAILABLE)),
            "test_auth_token": (False, problem),
        }

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name == "BrokerData":
            return type(name, (), {"__getattr__": self._refuse, "__init__": _ignore})
        return (lambda *_, **__: self._answers[name]) if name in self._answers else self._refuse

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError(self._problem)


def _ignore(
    self: Any, auth_token: str, feed_token: str | None = None, user_id: str | None = None
) -> None:
    """OpenAlgo counts the arguments of a `BrokerData`."""
