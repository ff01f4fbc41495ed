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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import unquote

import certifi
import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util import make_headers, parse_url
from urllib3.util.connection import is_connection_dropped

from broker._kit.secret import Secret

RECENT_S = 5.0  # how long after its last use a connection still takes what must not be repeated
_POOL_SIZE = 10


_Kept = tuple[Any, Callable[[Any], None]]


class Lane:
    """Keeps one connection for calls that belong together, however long the pause between them.

    For the two steps of a login: a gateway may want both on one connection.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: _Kept | None = None

    def swap(self, kept: _Kept | None = None) -> _Kept | None:
        """What was kept, a connection and what hands it to its pool; `kept` takes its place."""
        with self._lock:
            before, self._kept = self._kept, kept
        return before

    def release(self) -> None:
        """Hand the connection over for others' calls."""
        if kept := self.swap():
            connection, give_back = kept
            give_back(connection)

    def __del__(self) -> None:
        if self._kept is not None:
            self._kept[0].close()


class CallLimits:
    """One attempt of a call: the seconds it has left, those between two reads, and how far it got.

    `sent` is False until a byte of the request may have gone out, and None when the attempt was
    not made over these connections, as under a mock. `now` are monotonic seconds.
    """

    def __init__(
        self,
        now: Callable[[], float],
        end: float,
        read_timeout: float,
        *,
        repeat: bool = True,
        lane: Lane | None = None,
    ) -> None:
        self.now = now
        self.end = end
        self.read_timeout = read_timeout
        self.repeat = repeat
        self.lane = lane
        self.sent: bool | None = None

    def remaining(self) -> float:
        return self.end - self.now()


# The way past urllib3, which hands nothing through; of a context, so that threads and greenlets
# cannot mix theirs up.
_current: ContextVar[CallLimits] = ContextVar("broker_call")


@contextmanager
def limited(limits: CallLimits) -> Iterator[None]:
    """Within, connections of this module keep these limits."""
    token = _current.set(limits)
    try:
        yield
    finally:
        _current.reset(token)


class _Reader(io.RawIOBase):
    """The socket's reading end, which gives each read only what is left of the call."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        limits = _current.get()
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
    last_used = 0.0

    def connect(self) -> None:
        try:
            super().connect()
        finally:
            _current.get().sent = False  # what a proxy was asked for is not the request

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        _current.get().sent = True
        super().send(data)


class _TlsConnection(_Connection, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    """Gives a connection that the other side has not closed, and a recent one where it matters."""

    ConnectionCls: Any = _Connection

    def _get_conn(self, timeout: float | None = None) -> Any:
        limits = _current.get()
        if limits.lane is not None and (kept := limits.lane.swap()):
            connection = kept[0]
            if is_connection_dropped(connection):
                connection.close()
            return connection
        connection = super()._get_conn(timeout)
        idle = limits.now() - getattr(connection, "last_used", 0.0)
        if not limits.repeat and not 0 <= idle <= RECENT_S:
            connection.close()  # the request opens it again
        return connection

    def _put_conn(self, conn: Any) -> None:
        limits = _current.get(None)
        if conn is not None and limits is not None:
            conn.last_used = limits.now()
            if limits.lane is not None:
                before = limits.lane.swap((conn, super()._put_conn))
                if before is None:
                    return
                conn = before[0]
        super()._put_conn(conn)


class _TlsPool(_Pool, HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_lock = threading.Lock()
_sessions: dict[tuple[str, Secret | None, str | None], requests.Session] = {}


def shared_session(base_url: str, proxy: Secret | None, ca_bundle: str | None) -> requests.Session:
    """The process's one session, with its one pool and TLS context, for an address and a proxy.

    It keeps no cookie, reads nothing from the environment and follows no redirect.
    """
    key = (base_url, proxy, ca_bundle)
    with _lock:
        if key not in _sessions:
            session = _sessions[key] = _Session()
            session.trust_env = False
            session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
            needs_whole_url = proxy is not None and base_url.startswith("http:")
            adapter = _PoolAdapter(_new_pool(*key), needs_whole_url)
            for scheme in ("https://", "http://"):
                session.mount(scheme, adapter)
        return _sessions[key]


class _Session(requests.Session):
    """A session that takes a redirect for what it is: an answer, and not the broker's."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class _PoolAdapter(HTTPAdapter):
    """requests' adapter over one pool, whose TLS context alone decides what is trusted."""

    def __init__(self, pool: HTTPConnectionPool, needs_whole_url: bool) -> None:
        self._pool = pool
        self._needs_whole_url = needs_whole_url
        super().__init__()

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> HTTPConnectionPool:
        return self._pool

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """The pool verifies always."""

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:
        return str(request.url) if self._needs_whole_url else request.path_url

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        _current.get().sent = False
        return super().send(*args, **kwargs)


@lru_cache(maxsize=2)
def _tls_context(trusted: str) -> ssl.SSLContext:
    is_folder = os.path.isdir(trusted)
    return ssl.create_default_context(
        cafile=None if is_folder else trusted, capath=trusted if is_folder else None
    )


def _new_pool(base_url: str, proxy: Secret | None, ca_bundle: str | None) -> HTTPConnectionPool:
    is_plain = base_url.startswith("http:") and proxy is None  # a simulator: no TLS to load for
    context = None if is_plain else _tls_context(ca_bundle or certifi.where())
    options: dict[str, Any] = {"maxsize": _POOL_SIZE, "ssl_context": context}
    if proxy is None:
        manager = PoolManager(**options)
    else:
        login = parse_url(proxy.reveal()).auth
        headers = make_headers(proxy_basic_auth=unquote(login)) if login else None
        manager = ProxyManager(
            proxy.reveal(), proxy_headers=headers, proxy_ssl_context=context, **options
        )
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return manager.connection_from_url(base_url)
