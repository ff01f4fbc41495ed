"""The host's door to streaming, behind which nothing is built yet.

OpenAlgo imports this module when it starts, without a guard, for every broker. So nothing of ours
is imported here, and the class is made when it is asked for; without a base class if need be.
"""

from __future__ import annotations

from typing import Any

_NAME = "MstockWebSocketAdapter"


def __getattr__(name: str) -> Any:
    """Make the adapter class at its first use.

    Importing this module first must not import the host's proxy, which imports this module again.
    """
    if name != _NAME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        adapter = _adapter(_base_class())
    except Exception:
        # The host has made its base class one that cannot be derived from, or not like this.
        adapter = _adapter(object)
    globals()[_NAME] = adapter
    return adapter


def _adapter(base: type) -> type:
    return type(_NAME, (_NotYet, base), {"__module__": __name__})


class _NotYet:
    """Says at `connect` and `subscribe` that streaming is not available yet.

    `initialize` succeeds, because the host loses the words of one that does not.
    """

    def initialize(
        self, broker_name: str, user_id: str, auth_data: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        return {"status": "success", "message": "Nothing to prepare."}

    def connect(self) -> dict[str, Any]:
        return _refusal()

    def subscribe(
        self, symbol: str, exchange: str, mode: int = 2, depth_level: int = 5
    ) -> dict[str, Any]:
        return _refusal()

    def unsubscribe(self, symbol: str, exchange: str, mode: int = 2) -> dict[str, Any]:
        return {"status": "success", "message": "Nothing was subscribed."}

    def disconnect(self) -> None:
        clean_up = getattr(self, "cleanup_zmq", None)
        if clean_up is not None:
            clean_up()


def _refusal() -> dict[str, Any]:
    return {"status": "error", "code": "NOT_AVAILABLE", "message": _reason()}


def _base_class() -> type:
    try:
        from broker._kit.openalgo import host

        return host.adapter_base()
    except Exception:
        # A half-copied plugin or a changed host must not stop OpenAlgo's start.
        return object


def _reason() -> str:
    try:
        from broker.mstock import kit_problem

        if problem := kit_problem():
            return problem
        from broker.mstock.not_implemented import STREAMING
    except Exception:
        return (
            "The mStock plugin in OpenAlgo is incomplete. Stop OpenAlgo and run `install` of the "
            "mStock release again."
        )
    return STREAMING
