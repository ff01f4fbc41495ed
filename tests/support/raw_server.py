"""A server of raw sockets: what it answers, to the byte and to the fault, is the test's to say."""

from __future__ import annotations

import contextlib
import gzip
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

Action = Callable[["Exchange"], None]


@dataclass
class Exchange:
    """One request as it came in, and the means to answer it."""

    sock: socket.socket
    request: bytes
    connection: int
    stopping: threading.Event
    server: RawServer
    keep: bool = True

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)


def reply(
    status: int = 200,
    body: bytes | str = b"{}",
    content_type: str = "application/json",
    **headers: str,
) -> Action:
    """A whole answer."""
    raw = body.encode() if isinstance(body, str) else body
    extra = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = (
        f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\n{extra}"
        f"Content-Length: {len(raw)}\r\n\r\n"
    )
    answer = head.encode() + raw
    return lambda exchange: exchange.send(answer)


def raw(answer: bytes) -> Action:
    """These bytes, and the end of the connection."""

    def act(exchange: Exchange) -> None:
        exchange.send(answer)
        exchange.keep = False

    return act


def zipped(status: int = 200, body: bytes | str = b"{}") -> Action:
    """A whole answer, compressed."""
    raw = body.encode() if isinstance(body, str) else body
    return reply(status, gzip.compress(raw), Content_Encoding="gzip")


def reset(exchange: Exchange) -> None:
    """The connection is torn down without an answer."""
    linger = struct.pack("ii", 1, 0)
    exchange.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    exchange.keep = False


def hang_up(exchange: Exchange) -> None:
    """The connection is closed politely, without an answer."""
    exchange.keep = False


def truncated(exchange: Exchange) -> None:
    """An answer that ends in the middle of its body."""
    exchange.send(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
    )
    exchange.keep = False


def silence(exchange: Exchange) -> None:
    """No answer, and the connection stays open."""
    exchange.stopping.wait(30)
    exchange.keep = False


def dripping(head: bytes, every: float = 0.05) -> Action:
    """`head` at once, then one byte now and then, for longer than any test waits."""

    def drip(exchange: Exchange) -> None:
        exchange.keep = False
        exchange.send(head)
        for _ in range(600):
            if exchange.stopping.is_set():
                return
            exchange.send(b" ")
            time.sleep(every)

    return drip


def tunnel(tls: ssl.SSLContext, inside: Action) -> Action:
    """A proxy's consent to CONNECT; this end then speaks TLS as the server behind it."""

    def act(exchange: Exchange) -> None:
        exchange.keep = False
        exchange.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with tls.wrap_socket(exchange.sock, server_side=True) as sock:
            request = _receive(sock)
            within = replace(exchange, sock=sock, request=request)
            exchange.server.exchanges.append(within)
            inside(within)

    return act


@dataclass
class RawServer:
    """Answers the n-th request with the n-th action, and every further one with the last."""

    actions: list[Action]
    tls: ssl.SSLContext | None = None
    exchanges: list[Exchange] = field(default_factory=list)

    def __enter__(self) -> RawServer:
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._connections = 0
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self.stop_listening()
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def stop_listening(self) -> None:
        """Take no new connection."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def wait_for_closing(self) -> None:
        """Give what was closed here the time to reach the other side."""
        time.sleep(0.05)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def requests(self) -> list[bytes]:
        return [exchange.request for exchange in self.exchanges]

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._connections += 1
            self._sockets.append(sock)
            thread = threading.Thread(
                target=self._serve, args=(sock, self._connections), daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, connection: int) -> None:
        with contextlib.suppress(OSError, ssl.SSLError):
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True)
                self._sockets.append(sock)  # it has taken the plain one's place
            while request := _receive(sock):
                with self._lock:
                    n = len(self.exchanges)
                    exchange = Exchange(sock, request, connection, self._stopping, self)
                    self.exchanges.append(exchange)
                self.actions[min(n, len(self.actions) - 1)](exchange)
                if not exchange.keep:
                    break
        sock.close()


def _receive(sock: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        if not piece:
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?im)^content-length: (\d+)", head)
    while length and len(body) < int(length[1]):
        body += sock.recv(65536)
    return head + b"\r\n\r\n" + body
