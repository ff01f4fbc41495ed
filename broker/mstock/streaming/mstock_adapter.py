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
    inside = {"__module__": __name__}
    try:
        from broker._kit.openalgo.host import adapter_base

        adapter = type(_NAME, (_NotYet, adapter_base()), inside)
    except Exception:
        # A half-copied plugin, or a base class that cannot be derived from.
        adapter = type(_NAME, (_NotYet,), inside)
    globals()[_NAME] = adapter
    return adapter


class _NotYet:
    """Says at `connect` and `subscribe` that streaming is not available yet.

    `initialize` succeeds, because the host loses the words of one that does not.
    """

    def initialize(
        self, broker_name: str, user_id: str, auth_data: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        return {"status": "success", "message": "Nothing to prepare."}

    def connect(self) -> dict[str, Any]:
        return {"status": "error", "code": "NOT_AVAILABLE", "message": _reason()}

    def subscribe(
        self, symbol: str, exchange: str, mode: int = 2, depth_level: int = 5
    ) -> dict[str, Any]:
        return self.connect()

    def unsubscribe(self, symbol: str, exchange: str, mode: int = 2) -> dict[str, Any]:
        return {"status": "success", "message": "Nothing was subscribed."}

    def disconnect(self) -> None:
        getattr(self, "cleanup_zmq", lambda: None)()


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
