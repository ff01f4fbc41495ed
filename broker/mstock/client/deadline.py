"""Connections that keep a deadline: no read, of headers or body, waits beyond the end of the call.

A socket's own time-out starts anew with every byte, so that an answer which drips one byte now
and then would hold a trader for ever.
"""

from __future__ import annotations

import http.client
import io
import socket
import threading
from collections.abc import Callable
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection


class _Limits(threading.local):
    """The limits of the call that this thread is making; urllib3 cannot hand them through."""

    remaining: Callable[[], float] | None = None
    read_timeout: float = 0.0
    sent: bool | None = None


_limits = _Limits()


def keep(remaining: Callable[[], float], read_timeout: float) -> None:
    """Set this thread's limits: seconds left of the call, and seconds between two reads."""
    _limits.remaining = remaining
    _limits.read_timeout = read_timeout
    _limits.sent = None


def was_sent() -> bool | None:
    """Whether any byte of this thread's request went out, beyond setting up the connection.

    None when the call was not made over these connections, as under a mock.
    """
    return _limits.sent


class _Reader(io.RawIOBase):
    """The socket's reading end, which gives each read only what is left of the call."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if _limits.remaining is not None:
            left = _limits.remaining()
            if left <= 0:
                raise TimeoutError("the call's deadline has passed")
            self._sock.settimeout(min(left, _limits.read_timeout))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _ReadingEnd:
    """Stands for the socket towards `http.client`, which asks it for nothing but a file."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._sock))


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(_ReadingEnd(sock), *args, **kwargs)  # type: ignore[arg-type]


class _Connection(HTTPConnection):
    response_class = _Response

    def connect(self) -> None:
        _limits.sent = False
        super().connect()
        _limits.sent = False  # a proxy's CONNECT was not the request

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        _limits.sent = True
        super().send(data)


class _TlsConnection(_Connection, HTTPSConnection):
    """The same over TLS."""


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class DeadlineAdapter(HTTPAdapter):
    """requests' own adapter over these connections, with or without a proxy."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _use_ours(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        return _use_ours(super().proxy_manager_for(proxy, **proxy_kwargs))


def _use_ours(manager: PoolManager) -> PoolManager:
    manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}
    return manager
