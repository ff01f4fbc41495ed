"""A WebSocket server of a few lines for the feed's own tests; what it does is up to each test."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Client:
    """The server's side of one upgraded connection."""

    def __init__(self, sock: socket.socket, query: dict[str, list[str]]) -> None:
        self.sock = sock
        self.query = query
        self.texts: list[str] = []

    def send(self, data: bytes | str, opcode: int | None = None) -> None:
        payload = data.encode() if isinstance(data, str) else data
        opcode = opcode or (1 if isinstance(data, str) else 2)
        size = len(payload)
        head = bytes([0x80 | opcode])
        if size < 126:
            head += bytes([size])
        else:
            head += b"\x7e" + struct.pack(">H", size)
        self.sock.sendall(head + payload)

    def read(self) -> tuple[int, bytes]:
        first, second = self._exactly(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack(">H", self._exactly(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", self._exactly(8))
        mask = self._exactly(4)
        data = bytes(byte ^ mask[n % 4] for n, byte in enumerate(self._exactly(size)))
        return first & 0x0F, data

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.sock.recv(size - len(data))
            if not piece:
                raise ConnectionError
            data += piece
        return data

    @property
    def requests(self) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.texts if text.startswith("{")]


class FeedServer:
    """`script` is called on a thread of its own for each connection, after its LOGIN."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.upgrade_status = 101
        self.answers_login = True
        self.login_answer = '{"type":"login","status":"success"}'
        self.answers_pings = True
        self.script: Callable[[Client], None] = lambda _client: None
        self.clients: list[Client] = []
        self.attempts: list[float] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        port = self._socket.getsockname()[1]
        self.url = f"wss://localhost:{port}" if tls else f"ws://127.0.0.1:{port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._socket.close()
        self.drop()

    def drop(self) -> None:
        """Cut every connection without a word."""
        for client in self.clients:
            try:
                client.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._socket.accept()
            except OSError:
                return
            self.attempts.append(time.monotonic())
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
            head = b""
            while b"\r\n\r\n" not in head:
                head += sock.recv(4096)
            lines = head.decode().split("\r\n")
            headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:])}
            if self.upgrade_status != 101:
                sock.sendall(f"HTTP/1.1 {self.upgrade_status} No\r\n\r\n".encode())
                sock.close()
                return
            key = hashlib.sha1(headers["sec-websocket-key"].encode() + _GUID).digest()
            accept = base64.b64encode(key).decode()
            sock.sendall(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
            )
            client = Client(sock, parse_qs(urlsplit(lines[0].split()[1]).query))
            self.clients.append(client)
            while True:
                opcode, data = client.read()
                if opcode == 9 and self.answers_pings:
                    client.send(data, 10)
                elif opcode == 1:
                    client.texts.append(data.decode())
                    if client.texts[-1].startswith("LOGIN:") and self.answers_login:
                        client.send(self.login_answer)
                        threading.Thread(target=self.script, args=(client,), daemon=True).start()
                elif opcode == 8:
                    return
        except (ConnectionError, OSError):
            return
        finally:
            sock.close()
