"""Puts an answer on the socket: whole, or spoiled in the way a fault asks for."""

from __future__ import annotations

import select
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from typing import Final

from .faults import Fault
from .wire import Reply

POLL: Final = 0.02
# How a system lays out "linger: yes, 0 seconds".
LINGER: Final = "hh" if sys.platform == "win32" else "ii"


def head(reply: Reply, now: datetime, close: bool) -> bytes:
    """Return status line and headers; the date is the simulator's clock's."""
    lines = [
        f"HTTP/1.1 {reply.http_status} {HTTPStatus(reply.http_status).phrase}",
        f"Date: {format_datetime(now.astimezone(UTC), usegmt=True)}",
        "Server: mStock-simulator",
        "Transfer-Encoding: chunked" if reply.chunks else f"Content-Length: {len(reply.body)}",
    ]
    if reply.content_type:
        lines.append(f"Content-Type: {reply.content_type}")
    lines += [f"{name}: {value}" for name, value in reply.headers]
    if close:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def pieces(reply: Reply) -> Iterator[bytes]:
    """Yield a body as it goes over the wire: whole, or in chunks with their lengths (RFC 9112)."""
    if reply.chunks is None:
        yield reply.body
        return
    for chunk in filter(None, reply.chunks()):
        yield b"%x\r\n" % len(chunk)
        yield chunk
        yield b"\r\n"
    yield b"0\r\n\r\n"


def spoil(sock: socket.socket, head: bytes, body: bytes, fault: Fault) -> None:
    """Deliver an answer as the fault wants it; the connection is of no use afterwards."""
    SPOILERS[fault.kind.delivery or ""](sock, head, body, fault)


def _hold(sock: socket.socket, head: bytes, body: bytes, fault: Fault) -> None:
    _wait(sock, fault, float(fault.options["seconds"]))


def _delay(sock: socket.socket, head: bytes, body: bytes, fault: Fault) -> None:
    if _wait(sock, fault, float(fault.options["seconds"])):
        sock.sendall(head + body)


def _reset(sock: socket.socket, head: bytes, body: bytes, fault: Fault) -> None:
    # Lingering for no time turns the close into an RST.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(LINGER, 1, 0))
    sock.close()


def _hang_up(sock: socket.socket, head: bytes, body: bytes, fault: Fault) -> None:
    sock.shutdown(socket.SHUT_RDWR)


def _not_http(sock: socket.socket, head: bytes, body: bytes, fault: Fault) -> None:
    sock.sendall(b"\x16\x03\x01\x00\xa5 this is not HTTP \xff\xfe\r\n\r\n")


def _truncate(sock: socket.socket, head: bytes, body: bytes, fault: Fault) -> None:
    sock.sendall(head + body[: len(body) // 2])


def _reset_mid_body(sock: socket.socket, head: bytes, body: bytes, fault: Fault) -> None:
    _truncate(sock, head, body, fault)
    # Time for the client to read what came: a reset throws away what still waits to be read.
    time.sleep(POLL)
    _reset(sock, head, body, fault)


def _drip_body(sock: socket.socket, head: bytes, body: bytes, fault: Fault) -> None:
    sock.sendall(head)
    _drip(sock, body, fault)


def _drip_headers(sock: socket.socket, head: bytes, body: bytes, fault: Fault) -> None:
    if _drip(sock, head, fault):
        sock.sendall(body)


def _drip(sock: socket.socket, data: bytes, fault: Fault) -> bool:
    for at in range(len(data)):
        if not _wait(sock, fault, float(fault.options["interval"])):
            return False
        sock.sendall(data[at : at + 1])
    return True


def _wait(sock: socket.socket, fault: Fault, seconds: float) -> bool:
    """Wait; False if the client went away or the fault was cleared meanwhile."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if fault.released.wait(min(left, POLL)) or _gone(sock):
            return False
    return not fault.released.is_set()


def _gone(sock: socket.socket) -> bool:
    try:
        readable, _, _ = select.select([sock], [], [], 0)
        return bool(readable) and not sock.recv(1, socket.MSG_PEEK)
    except (OSError, ValueError):
        return True


Spoiler = Callable[[socket.socket, bytes, bytes, Fault], None]

SPOILERS: Final[Mapping[str, Spoiler]] = {
    "hold": _hold,
    "delay": _delay,
    "reset": _reset,
    "hang_up": _hang_up,
    "not_http": _not_http,
    "truncate": _truncate,
    "reset_mid_body": _reset_mid_body,
    "drip_body": _drip_body,
    "drip_headers": _drip_headers,
}

# What the client saw of the status line, for the journal: these send none.
WITHOUT_STATUS: Final = frozenset({"hold", "reset", "hang_up", "not_http"})
