"""Serves the standalone app on this computer and to this computer only, with a silent log."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Any, Self

from flask import Flask
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

LOOPBACK = "127.0.0.1"


class _Handler(WSGIRequestHandler):
    """Logs no request line, names no software version, and drops a client that stops talking."""

    timeout = 60
    server_version = "mstock"
    sys_version = ""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Nothing: a path or a fault may hold what nobody should read."""

    def version_string(self) -> str:
        return self.server_version


class _Server(ThreadedWSGIServer):
    """As silent as its handler: a traceback may quote what was entered."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Nothing."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: mostly a browser that went away."""


class LoopbackServer:
    """A port that is taken at once, and an app that is served on it from `start` to `stop`.

    The port comes first because the settings may name it. Raises `ValueError` for an address
    that other machines could reach, `OSError` when the port is taken.
    """

    def __init__(self, port: int = 0, host: str = LOOPBACK) -> None:
        if host not in (LOOPBACK, "localhost"):
            raise ValueError(f"The mStock page is served on {LOOPBACK} only, not on {host}.")
        self._socket = socket.create_server((LOOPBACK, port))
        self.port: int = self._socket.getsockname()[1]
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The address to open in a browser, without a `/` at its end."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self, app: Flask) -> Self:
        """Serve the app from a thread of its own, each request on another.

        The session cookie is named for the port: browsers send a host's cookies to all its ports,
        and two of these apps must not overwrite each other's.
        """
        app.config["SESSION_COOKIE_NAME"] = f"mstock_session_{self.port}"
        server = _Server(LOOPBACK, self.port, app, _Handler, fd=self._socket.fileno())
        self._server = server
        self._thread = threading.Thread(
            target=server.serve_forever, args=(0.05,), name="mstock-web", daemon=True
        )
        self._thread.start()
        return self

    def wait(self) -> None:
        """Block until the server ends or the user interrupts."""
        while self._thread is not None and self._thread.is_alive():
            self._thread.join(0.5)

    def stop(self) -> None:
        """Stop listening; requests under way are left to end by themselves."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
