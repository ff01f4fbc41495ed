"""Connections that keep a call's deadline and know whether its request went out.

A socket's own time-out starts anew with every byte, so that an answer which drips one byte now
and then would hold a trader for ever. Each read here, of headers or body, gets only what is left
of the call. Setting up is bounded less tightly: the connect time-out holds for each of a name's
addresses, and looking the name up is the system's.
"""

from __future__ import annotations

import http.client
import io
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection


class Limits:
    """One try of a call: the seconds it has left, those between two reads, and how far it got.

    `sent` is False while connecting, True once a byte of the request may have gone out, and None
    when the try was not made over these connections, as under a mock.
    """

    __slots__ = ("read_timeout", "remaining", "sent")

    def __init__(self, remaining: Callable[[], float], read_timeout: float) -> None:
        self.remaining = remaining
        self.read_timeout = read_timeout
        self.sent: bool | None = None


# The way past urllib3, which hands nothing through; of a context, so that threads and greenlets
# cannot mix theirs up.
_current: ContextVar[Limits | None] = ContextVar("mstock_call", default=None)


@contextmanager
def limited(limits: Limits) -> Iterator[None]:
    """Within, connections of this module keep these limits."""
    token = _current.set(limits)
    try:
        yield
    finally:
        _current.reset(token)


def _note(*, sent: bool) -> None:
    limits = _current.get()
    if limits is not None:
        limits.sent = sent


class _Reader(io.RawIOBase):
    """The socket's reading end, which gives each read only what is left of the call."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        limits = _current.get()
        if limits is not None:
            left = limits.remaining()
            if left <= 0:
                raise TimeoutError("the call's deadline has passed")
            self._sock.settimeout(min(left, limits.read_timeout))
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


class _Answer(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(_ReadingEnd(sock), *args, **kwargs)  # type: ignore[arg-type]


class _Connection(HTTPConnection):
    response_class = _Answer

    def connect(self) -> None:
        try:
            super().connect()
        finally:
            _note(sent=False)  # what a proxy was asked to set up the way is not the request

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        _note(sent=True)
        super().send(data)


class _TlsConnection(_Connection, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class DeadlineAdapter(HTTPAdapter):
    """requests' own adapter over these connections, with or without an HTTP proxy.

    For one address with one way to it: the pool is looked up once, not for every request.
    """

    _pool: Any = None

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _use_ours(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        return _use_ours(super().proxy_manager_for(proxy, **proxy_kwargs))

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        if self._pool is None:
            self._pool = super().get_connection_with_tls_context(*args, **kwargs)
        return self._pool

    def request_url(self, request: PreparedRequest, proxies: Any) -> str:
        return super().request_url(request, proxies) if proxies else request.path_url

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        _note(sent=False)
        return super().send(request, *args, **kwargs)


def _use_ours(manager: PoolManager) -> PoolManager:
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return manager
