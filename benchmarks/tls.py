"""mStock's own address, over TLS, on this computer: a proxy that leads there and answers as it.

A plugin whose address is fixed in its code is led here by `HTTPS_PROXY` and by the certificate
authority that `settings` names; the simulator behind it speaks plain HTTP.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from pathlib import Path

import trustme

_NAME = "api.mstock.trade"


class TlsFront:
    """Listens until the process ends; `settings` are the environment that leads a program here."""

    def __init__(self, port: int, folder: Path) -> None:
        """`port` is the simulator's, `folder` gets the authority's certificate."""
        self._port = port
        authority = trustme.CA()
        bundle = folder / "authority.pem"
        authority.cert_pem.write_to_path(str(bundle))
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(_NAME).configure_cert(self._tls)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()
        proxy = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.settings = {
            "HTTPS_PROXY": proxy,
            "REQUESTS_CA_BUNDLE": str(bundle),
            "SSL_CERT_FILE": str(bundle),
            "MSTOCK_REST_URL": "",
        }

    def _accept(self) -> None:
        while True:
            client, _address = self._listener.accept()
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            request = b""
            while b"\r\n\r\n" not in request:
                request += client.recv(4096) or b"\r\n\r\n"
            if not request.startswith(f"CONNECT {_NAME}:443 ".encode()):
                client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
                return
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with (
                self._tls.wrap_socket(client, server_side=True) as inside,
                socket.create_connection(("127.0.0.1", self._port)) as mstock,
            ):
                for each in (inside, mstock):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                back = threading.Thread(target=_copy, args=(mstock, inside), daemon=True)
                back.start()
                _copy(inside, mstock, f"127.0.0.1:{self._port}")
                back.join()


def _copy(source: socket.socket, target: socket.socket, host: str = "") -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(1 << 16):
            if host:  # the simulator answers to no other name than its own
                piece = piece.replace(f"Host: {_NAME}".encode(), f"Host: {host}".encode())
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
