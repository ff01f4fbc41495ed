"""The faults of the WebSocket, and the board on which they wait for a connection."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class StreamKind:
    """One sort of fault. `lasting`: it stays with the connection until it is cleared."""

    name: str
    title: str
    lasting: bool = False


@dataclass
class StreamFault:
    """A fault as set: so many more connections or events; None: until it is cleared."""

    kind: StreamKind
    times: int | None
    # Connections that a lasting fault has got hold of.
    held: set[int] = field(default_factory=set)


KINDS: Final[dict[str, StreamKind]] = {
    kind.name: kind
    for kind in (
        StreamKind("bad_gateway", "upgrade: 502 with the gateway's HTML page"),
        StreamKind("service_unavailable", "upgrade: 503"),
        StreamKind("unauthorized", "upgrade: 401, whatever the token"),
        StreamKind("upgrade_silent", "upgrade: no answer", lasting=True),
        StreamKind("login_refused", "LOGIN: refused, then closed"),
        StreamKind("login_silent", "LOGIN: no answer", lasting=True),
        StreamKind("stall", "silent stall: pongs, but no data", lasting=True),
        StreamKind("half_open", "half-open: no data, no pongs", lasting=True),
        StreamKind("cut_frame", "half of a frame, then disconnected, at once"),
        StreamKind("disconnect", "disconnected at once, without a close frame"),
        StreamKind("reset", "connection reset, at once"),
        StreamKind("token_expired", "the token dies, at once"),
        StreamKind("repeat", "every data frame twice", lasting=True),
        StreamKind("reorder", "data frames in pairs, the later one first", lasting=True),
        StreamKind("senseless", "a senseless frame before every data frame", lasting=True),
    )
}

# These keep data back, and those change how it is sent.
MUTE: Final = ("stall", "half_open")
SPOILT: Final = ("repeat", "reorder", "senseless")


class StreamFaults:
    """Which faults are on. Several kinds may be on together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._on: dict[str, StreamFault] = {}
        self.changed: Callable[[], None] = lambda: None

    def set(self, name: str, times: int | None = None) -> None:
        """Switch a fault on for so many connections or events; None: until it is cleared.

        What happens "at once", stalls and spoilt data take open connections first, the oldest
        before the others, and then those that log in; a lasting fault stays with its connections.
        ValueError for an unknown fault or a wrong number.
        """
        kind = KINDS.get(name)
        if kind is None:
            raise ValueError(f"unknown fault; there are: {', '.join(KINDS)}")
        if times is not None and times < 1:
            raise ValueError("times is 1 or more or None")
        with self._lock:
            self._on[name] = StreamFault(kind, times)
        self.changed()

    def clear(self, name: str | None = None) -> None:
        """Switch off all faults, or one; connections that one held go on."""
        with self._lock:
            if name is None:
                self._on.clear()
            else:
                self._on.pop(name, None)
        self.changed()

    def take(self, name: str, connection: int) -> bool:
        """True when the fault acts on this connection now; it is counted."""
        if name not in self._on:  # the usual case, without the lock
            return False
        with self._lock:
            fault = self._on.get(name)
            if fault is None:
                return False
            if connection in fault.held:
                return True
            if fault.times == 0:
                return False
            if fault.times is not None:
                fault.times -= 1
            if fault.kind.lasting:
                fault.held.add(connection)
            elif fault.times == 0:
                del self._on[name]
            return True

    @property
    def active(self) -> list[StreamFault]:
        """The faults that wait for a connection, or hold one."""
        with self._lock:
            return list(self._on.values())
