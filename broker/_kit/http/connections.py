"""Connections that keep a call's deadline, know whether its request went out, and are shared.

A socket's own time-out starts again with every byte, so that an answer which drips one byte now
and then would hold a trader for ever. Each read here, of headers or body, gets only what is left
of the call. Setting up is bounded less tightly: the connect time-out holds for each of a name's
addresses, and looking the name up is the system's.
"""

from __future__ import annotations

import http.client
import io
import os.path
import socket
import ssl
import threading
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from http.cookiejar import DefaultCookiePolicy
from types import SimpleNamespace
from typing import Any

import certifi
import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from broker._kit.secret import Secret

RECENT_S = 5.0  # how long after its last use a connection still takes what must not be repeated


@dataclass(slots=True, eq=False)
class CallLimits:
    """One attempt of a call: the seconds it has left, those between two reads, and how far it got.

    `sent` is False until a byte of the request may have gone out, and None when the attempt is not
    made over these connections, as under a mock. `now` are monotonic seconds. `connection` is the
    one to take where it still stands, and afterwards the one that was taken.
    """

    now: Callable[[], float]
    end: float
    read_timeout: float
    repeat: bool
    connection: Any = None
    sent: bool | None = None

    def preference(self, connection: Any) -> int:
        """How well a free connection, None for a new one, suits; 0 is one not to be used."""
        if connection is None:
            return 1
        if connection is self.connection:
            return 3
        is_recent = 0 <= self.now() - connection.last_used <= RECENT_S
        return 2 if self.repeat or is_recent else 0


# The way past urllib3, which hands nothing through; of a context, so that threads and greenlets
# cannot mix theirs up.
current_limits: ContextVar[CallLimits] = ContextVar("broker_call")


class _Reader(io.RawIOBase):
    """The socket's reading end, which gives each read only what is left of the call."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        limits = current_limits.get()
        left = limits.end - limits.now()
        if left <= 0:
            raise TimeoutError("the call's deadline has passed")
        self._sock.settimeout(min(left, limits.read_timeout))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        # `http.client` asks the socket for nothing but a file.
        end: Any = SimpleNamespace(makefile=lambda _mode: io.BufferedReader(_Reader(sock)))
        super().__init__(end, *args, **kwargs)


class _Connection(HTTPConnection):
    response_class = _Answer
    last_used = 0.0

    def connect(self) -> None:
        try:
            super().connect()
        finally:
            current_limits.get().sent = False  # what a proxy was asked for is not the request

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        current_limits.get().sent = True
        super().send(data)


class _TlsConnection(_Connection, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    """Gives the wanted connection if it is open, and a recent one where a lost call matters."""

    ConnectionCls: Any = _Connection
    _turn = threading.Lock()  # our own: under eventlet, a queue has none

    def _get_conn(self, timeout: float | None = None) -> Any:
        limits = current_limits.get()
        free: Any = self.pool
        with self._turn:
            free.queue.sort(key=limits.preference)  # the last is taken first
            connection: Any = super()._get_conn(timeout)
        if not limits.preference(connection):
            connection.close()  # the request opens it again
        limits.connection = connection
        return connection

    def _put_conn(self, conn: Any) -> None:
        if conn is not None and (limits := current_limits.get(None)):
            conn.last_used = limits.now()
        with self._turn:
            super()._put_conn(conn)


class _TlsPool(_Pool, HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Adapter(HTTPAdapter):
    """requests' adapter over one pool, whose TLS context alone decides what is trusted."""

    def __init__(self, base_url: str, proxy: Secret | None, ca_bundle: str | None) -> None:
        super().__init__()
        is_plain = base_url.startswith("http:") and proxy is None  # a simulator: no TLS to load for
        tls = None if is_plain else tls_context(ca_bundle)
        manager = self.poolmanager
        if proxy is not None:
            manager = self.proxy_manager_for(proxy.reveal(), proxy_ssl_context=tls)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        # Through a proxy, too, urllib3 would let a request's body wait for an acknowledgement.
        options = {"ssl_context": tls, "socket_options": HTTPConnection.default_socket_options}
        self._pool: HTTPConnectionPool = manager.connection_from_url(base_url, options)

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> HTTPConnectionPool:
        return self._pool

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """The pool verifies always."""

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:
        return request.path_url

    def build_response(self, req: Any, resp: Any) -> requests.Response:
        response = requests.Response()
        response.status_code, response.raw, response.request = resp.status, resp, req
        return response

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        current_limits.get().sent = False
        return super().send(*args, **kwargs)


class _Session(requests.Session):
    """Keeps no cookie, reads nothing from the environment and follows no redirect."""

    def __init__(self, adapter: HTTPAdapter) -> None:
        super().__init__()
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


@lru_cache
def shared_session(base_url: str, proxy: Secret | None, ca_bundle: str | None) -> requests.Session:
    """The process's session, with its one pool and TLS context, for an address and a proxy."""
    return _Session(_Adapter(base_url, proxy, ca_bundle))


def tls_context(ca_bundle: str | None) -> ssl.SSLContext:
    """Trusts a file or folder of certificates, unless given certifi's; it is not to be changed."""
    return _tls_context(ca_bundle or certifi.where())


@lru_cache(maxsize=2)
def _tls_context(trusted: str) -> ssl.SSLContext:
    is_folder = os.path.isdir(trusted)
    return ssl.create_default_context(
        cafile=None if is_folder else trusted, capath=trusted if is_folder else None
    )
