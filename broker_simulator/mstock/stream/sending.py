"""What goes out to a client: data as the faults let it pass, at most what the queue holds."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, Final, Protocol

from .connection import Connection
from .faults import MUTE, StreamFaults
from .frames import Opcode, frame
from .loop import SocketLoop
from .settings import StreamSettings

HEARTBEAT: Final = frame(Opcode.BINARY, b"\0")
SENSELESS: Final = frame(Opcode.BINARY, b"\xff" * 67)


class End(Protocol):
    """What ends a connection and says why."""

    def __call__(
        self, connection: Connection, verdict: str, code: int | None = None, reset: bool = False
    ) -> None: ...


class Sender:
    """Writes to connections, in the loop's thread."""

    def __init__(
        self,
        loop: SocketLoop[Connection],
        settings: StreamSettings,
        faults: StreamFaults,
        end: End,
    ) -> None:
        self._loop = loop
        self._settings = settings
        self._faults = faults
        self._end = end

    def packets(self, connection: Connection, packets: list[bytes]) -> None:
        """Send packets of ticks, numbered for this connection."""
        dialect = connection.dialect
        if dialect is None:
            return
        numbered = []
        for packet in packets:
            connection.sequence += 1
            numbered.append(dialect.numbered(packet, connection.sequence))
        for payload in dialect.frames(numbered, self._settings):
            self._data(connection, frame(Opcode.BINARY, payload))

    def order(self, connection: Connection, update: Mapping[str, Any]) -> None:
        """Send an order update; a stalled socket gets none, as it gets no ticks."""
        if not self._is_mute(connection):
            self.text(connection, update)

    def text(self, connection: Connection, message: Mapping[str, Any]) -> None:
        """Send a JSON object."""
        text = json.dumps(message, separators=(",", ":")).encode()
        self._write(connection, frame(Opcode.TEXT, text))

    def error(self, connection: Connection, text: str) -> None:
        """Send an error (9)."""
        self.text(connection, {"type": "error", "data": text})

    def keep_alive(self, connection: Connection, now: float) -> None:
        """Send an idle connection a heartbeat, and a ping, if it is time for them."""
        settings = self._settings
        if settings.heartbeat_seconds and now - connection.last_sent > settings.heartbeat_seconds:
            connection.last_sent = now
            if not self._is_mute(connection):
                self._write(connection, HEARTBEAT)
        if settings.ping_seconds and now - connection.last_ping > settings.ping_seconds:
            connection.last_ping = now
            self._loop.send(connection, frame(Opcode.PING))

    def _is_mute(self, connection: Connection) -> bool:
        return any(self._faults.take(name, connection.number) for name in MUTE)

    def _data(self, connection: Connection, data: bytes) -> None:
        number, take = connection.number, self._faults.take
        if self._is_mute(connection):
            return
        if take("senseless", number):
            self._write(connection, SENSELESS)
        if take("reorder", number):
            if connection.held_frame is None:
                connection.held_frame = data
                return
            data += connection.held_frame
            connection.held_frame = None
        if take("repeat", number):
            data += data
        self._write(connection, data)

    def _write(self, connection: Connection, data: bytes) -> None:
        connection.frames_sent += 1
        connection.last_sent = time.monotonic()
        self._loop.send(connection, data)
        if connection.more is None and len(connection.outbound) > self._settings.queue_bytes:
            self._end(connection, "dropped: slow reader", reset=True)
