"""HTTP/1.1 with keep-alive on a loopback socket; werkzeug's server closes after every answer."""

from __future__ import annotations

import re
import socket
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from werkzeug.datastructures import Headers
from werkzeug.test import create_environ
from werkzeug.wrappers import Response

from . import delivery
from .clock import Clock
from .gateway import Gateway
from .wire import Call, Reply

LOOPBACK: Final = "127.0.0.1"
# A page of another site that has its name point here must not get an answer (DNS rebinding).
LOOPBACK_NAMES: Final = frozenset({"127.0.0.1", "localhost", "::1"})
MAX_BODY: Final = 64 * 1024

TEXT_TYPE: Final = "text/plain; charset=utf-8"


class Server(ThreadingHTTPServer):
    """One thread per connection. Knows its open connections, so that a stop really ends them."""

    daemon_threads = True
    request_queue_size = 128
    # On Windows the option would let two servers share a port.
    allow_reuse_address = sys.platform != "win32"

    def __init__(
        self, port: int, gateway: Gateway, control: Callable[..., Any], clock: Clock
    ) -> None:
        self.gateway = gateway
        self.control = control
        self.clock = clock
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        super().__init__((LOOPBACK, port), Handler)

    def server_bind(self) -> None:
        """Bind without the reverse name look-up that HTTPServer does."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember a connection, before its thread begins."""
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection."""
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End all connections, busy or idle."""
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about clients that went away, and all about a bug of the simulator."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Reads requests off one connection and hands them to the gateway or the control page."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60  # a client that stops in the middle does not hold a thread for good
    server: Server

    def setup(self) -> None:
        """Begin a connection."""
        super().setup()
        self._previous_route: str | None = None

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: a request line can hold a secret. The journal is the log."""

    def _serve(self) -> None:
        body = self._read_body()
        if body is None:
            return
        if host_name(self.headers.get("Host", "")) not in LOOPBACK_NAMES:
            self._refuse(403, "The simulator answers to loopback names only.")
            return
        url = urlsplit(self.path)
        path = unquote(url.path)
        headers = Headers(list(self.headers.items()))
        if not self.server.gateway.takes(path):
            self._send(_control_page(self.server.control, self.command, url, headers, body))
            return
        port = int(self.client_address[1])
        call = Call(self.command, path, url.query, headers, body, port, self._previous_route)
        answer = self.server.gateway.answer(call)
        self._previous_route = answer.route
        if answer.spoiled_by is None:
            self._send(answer.reply)
            return
        self.close_connection = True
        head = delivery.head(answer.reply, self.server.clock.now(), close=True)
        delivery.spoil(self.connection, head, answer.reply.body, answer.spoiled_by)

    # The names that http.server looks for.
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815

    def _read_body(self) -> bytes | None:
        if self.headers.get("Transfer-Encoding"):
            self._refuse(411, "Send a Content-Length.")
            return None
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdigit()):
            self._refuse(400, "Content-Length is not a number.")
            return None
        if int(length) > MAX_BODY:
            self._refuse(413, "The body is too long.")
            return None
        return self.rfile.read(int(length))

    def _refuse(self, http_status: int, text: str) -> None:
        self.close_connection = True
        self._send(Reply(http_status, text.encode(), TEXT_TYPE))

    def _send(self, reply: Reply) -> None:
        head = delivery.head(reply, self.server.clock.now(), close=self.close_connection)
        if self.command == "HEAD":
            self.wfile.write(head)
            return
        # One write: a client that waits for the body would otherwise wait for two packets.
        body = delivery.pieces(reply)
        self.wfile.write(head + next(body))
        for piece in body:
            self.wfile.write(piece)


def host_name(host: str) -> str | None:
    """The name in a Host header, None when it is more than a name and a port."""
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^/?#@:\[\]\s]+)(:[0-9]{1,5})?", host)
    return match[1].strip("[]").lower() if match else None


def _control_page(
    control: Callable[..., Any], method: str, url: Any, headers: Headers, body: bytes
) -> Reply:
    environ = create_environ(
        unquote(url.path),
        base_url=f"http://{headers.get('Host')}/",
        query_string=url.query,
        method=method,
        headers=headers,
        data=body,
    )
    response = Response.from_app(control, environ, buffered=True)
    # Length and date are added where the reply is sent.
    kept = [(k, v) for k, v in response.headers if k.lower() not in ("content-length", "date")]
    return Reply(response.status_code, response.get_data(), None, tuple(kept))
