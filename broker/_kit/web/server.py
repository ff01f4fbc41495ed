"""Serves the standalone app on this computer and to this computer only, with a silent log."""

from __future__ import annotations

import logging
import socket
import threading
from typing import Any, Self

from flask import Flask
from waitress import create_server, wasyncore  # type: ignore[import-untyped]

LOOPBACK = "127.0.0.1"
_THREADS = 32  # each event stream holds one for as long as its page is open
_SERVED = {
    "ident": None,  # no name and no version
    "server_name": LOOPBACK,
    "threads": _THREADS,
    "connection_limit": 4 * _THREADS,
    "channel_timeout": 60,  # for a client that stops talking
    "max_request_body_size": 64 * 1024,  # below what would be put on the disk
}


class LoopbackServer:
    """A port that is taken at once, and an app that is served on it from `start` to `stop`.

    The port comes first because the settings may name it. Raises `OSError` when it is taken.
    """

    def __init__(self, port: int = 0) -> None:
        self._socket = socket.create_server((LOOPBACK, port))
        self.port: int = self._socket.getsockname()[1]
        self._connections: dict[int, Any] = {}
        self._over = threading.Event()
        self._server: Any = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The address to open in a browser, without a `/` at its end."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self, app: Flask) -> Self:
        """Serve the app from a thread of its own, its requests from a pool of threads.

        The session cookie is named for the port: browsers send a host's cookies to all its ports,
        and two of these apps must not overwrite each other's.
        """
        app.config["SESSION_COOKIE_NAME"] += f"_{self.port}"
        # A path or a fault may hold what nobody should read.
        log = logging.getLogger("waitress")
        log.addHandler(logging.NullHandler())
        log.propagate = False
        self._server = create_server(app, map=self._connections, sockets=[self._socket], **_SERVED)
        self._thread = threading.Thread(target=self._serve, name="web", daemon=True)
        self._thread.start()
        return self

    def wait(self) -> None:
        """Block until the server ends or the user interrupts."""
        while self._thread is not None and self._thread.is_alive():
            self._thread.join(0.5)

    def stop(self) -> None:
        """Stop listening and close the connections; a request under way ends without its reader."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            wasyncore.loop(timeout=0.2, count=1, map=self._connections, use_poll=True)
        self._server.task_dispatcher.shutdown(timeout=0.5)
        wasyncore.close_all(self._connections, ignore_all=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
