"""The server's side of RFC 6455: the handshake's key, frames out, messages in."""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Final

GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MAX_MESSAGE: Final = 1 << 20
# Close codes (RFC 6455, 7.4.1).
NORMAL, PROTOCOL_ERROR, NOT_TEXT, POLICY, TOO_LONG = 1000, 1002, 1007, 1008, 1009


class Opcode(IntEnum):
    """What a frame is."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


CONTROL: Final = frozenset({Opcode.CLOSE, Opcode.PING, Opcode.PONG})


class FrameError(Exception):
    """The client broke the protocol. `code` is what the connection is closed with."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def accept_key(key: str) -> str:
    """Return what answers a handshake's Sec-WebSocket-Key."""
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()  # noqa: S324


def frame(opcode: Opcode, payload: bytes = b"") -> bytes:
    """Return one whole, unmasked frame."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", 0x80 | opcode, size) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", 0x80 | opcode, 126, size) + payload
    return struct.pack("!BBQ", 0x80 | opcode, 127, size) + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """Return a close frame."""
    return frame(Opcode.CLOSE, struct.pack("!H", code) + reason.encode())


class MessageReader:
    """Puts a client's bytes together to messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._parts = bytearray()
        self._opcode: Opcode | None = None

    def feed(self, data: bytes) -> Iterator[tuple[Opcode, bytes]]:
        """Yield the messages and control frames that are complete; FrameError for a wrong one."""
        self._buffer += data
        while (found := self._next_frame()) is not None:
            final, opcode, payload = found
            if opcode in CONTROL:
                if not final or len(payload) > 125:
                    raise FrameError(PROTOCOL_ERROR, "control frame in parts or too long")
                yield opcode, payload
                continue
            if (opcode is Opcode.CONTINUATION) != (self._opcode is not None):
                raise FrameError(PROTOCOL_ERROR, "continuation out of place")
            self._opcode = self._opcode or opcode
            self._parts += payload
            if len(self._parts) > MAX_MESSAGE:
                raise FrameError(TOO_LONG, "message too long")
            if final:
                whole, kind = bytes(self._parts), self._opcode
                self._opcode = None
                self._parts.clear()
                yield kind, whole

    def _next_frame(self) -> tuple[bool, Opcode, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        first, second = buffer[0], buffer[1]
        if first & 0x70 or (first & 0x0F) not in Opcode.__members__.values():
            raise FrameError(PROTOCOL_ERROR, "unknown kind of frame")
        if not second & 0x80:
            raise FrameError(PROTOCOL_ERROR, "a client's frame must be masked")
        size, at = second & 0x7F, 2
        if size > 125:
            at = 4 if size == 126 else 10
            if len(buffer) < at:
                return None
            size = int.from_bytes(buffer[2:at])
        if size > MAX_MESSAGE:
            raise FrameError(TOO_LONG, "frame too long")
        if len(buffer) < at + 4 + size:
            return None
        mask, payload = bytes(buffer[at : at + 4]), bytes(buffer[at + 4 : at + 4 + size])
        del buffer[: at + 4 + size]
        # As one number: a byte at a time would be slow for a list of thousands of tokens.
        key = (mask * (size // 4 + 1))[:size]
        plain = (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(size)
        return bool(first & 0x80), Opcode(first & 0x0F), plain
