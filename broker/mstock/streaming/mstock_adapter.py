"""The host's door to streaming: `MstockWebSocketAdapter`.

OpenAlgo imports this module when it starts, without a guard, for every broker. So nothing of ours
is imported here, the class is made when it is asked for, without a base class if need be, and what
stands behind it is loaded at its first use.
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
    return type(_NAME, (_Door, base), {"__module__": __name__})


class _Door:
    """The five methods of the host's contract (8.2), each handed to `host_adapter.HostStream`."""

    _stream: Any = None

    @property
    def connected(self) -> bool:
        """True while logged in at mStock on an open connection."""
        return self._stream is not None and bool(self._stream.connected)

    @connected.setter
    def connected(self, _value: bool) -> None:
        """The host's base class sets it at the start; the feed alone knows."""

    def initialize(
        self, broker_name: str, user_id: str, auth_data: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        # Always a success: the host loses the words of one that is none.
        self._ask("initialize", user_id)
        return {"status": "success", "message": "mStock's live prices are ready to connect."}

    def connect(self) -> dict[str, Any]:
        return self._ask("connect")

    def subscribe(
        self, symbol: str, exchange: str, mode: int = 2, depth_level: int = 5
    ) -> dict[str, Any]:
        return self._ask("subscribe", symbol, exchange, mode, depth_level)

    def unsubscribe(self, symbol: str, exchange: str, mode: int = 2) -> dict[str, Any]:
        return self._ask("unsubscribe", symbol, exchange, mode)

    def disconnect(self) -> None:
        if self._stream is not None:
            self._stream.disconnect()
        clean_up = getattr(self, "cleanup_zmq", None)
        if clean_up is not None:
            clean_up()

    def _ask(self, method: str, *given: Any) -> dict[str, Any]:
        if self._stream is None:
            stream = _stream_class()
            if isinstance(stream, str):
                return {"status": "error", "code": "NOT_AVAILABLE", "message": stream}
            self._stream = stream(self)
        answer: dict[str, Any] = getattr(self._stream, method)(*given)
        return answer


def _stream_class() -> Any:
    """What stands behind the door, or the sentence that says why nothing does."""
    try:
        from broker.mstock import kit_problem

        if problem := kit_problem():
            return problem
        from broker.mstock.streaming.host_adapter import HostStream
    except Exception:
        return (
            "The mStock plugin in OpenAlgo is incomplete. Stop OpenAlgo and run `install` of the "
            "mStock release again."
        )
    return HostStream


def _base_class() -> type:
    try:
        from broker._kit.openalgo import host

        return host.adapter_base()
    except Exception:
        # A half-copied plugin or a changed host must not stop OpenAlgo's start.
        return object
