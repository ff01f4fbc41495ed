"""The HTTP request that opens a WebSocket, and the answers to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl, unquote, urlsplit

from werkzeug.datastructures import Headers

from broker_simulator.mstock import delivery
from broker_simulator.mstock.wire import HTML_TYPE, Reply

from .frames import accept_key

MAX_REQUEST = 16 * 1024
END = b"\r\n\r\n"


@dataclass(frozen=True)
class UpgradeRequest:
    """What a client asked for; `query` as it was sent."""

    method: str
    path: str
    query: str = field(repr=False)
    headers: Headers = field(repr=False)

    @property
    def refused_with(self) -> int | None:
        """The HTTP status of a request that opens no WebSocket; None for one that does."""
        headers = self.headers
        connection = headers.get("Connection", "").lower().replace(" ", "").split(",")
        if self.path != "/":
            return 404
        if self.method != "GET" or not headers.get("Sec-WebSocket-Key"):
            return 400
        if headers.get("Upgrade", "").lower() != "websocket" or "upgrade" not in connection:
            return 426
        return None if headers.get("Sec-WebSocket-Version") == "13" else 426

    def credentials(self, strict: bool) -> list[tuple[str, str]]:
        """Return key and token as the query can be read: percent-decoded (1.6).

        A `+` is a space then; the tolerant profile also reads it as what it is, because the
        official clients put the key there as it stands.
        """
        read = [dict(parse_qsl(self.query))]
        if not strict:
            parts = (part.partition("=") for part in self.query.split("&"))
            read.append({name: unquote(value) for name, _, value in parts})
        return [(fields.get("API_KEY", ""), fields.get("ACCESS_TOKEN", "")) for fields in read]


def read_request(data: bytes) -> UpgradeRequest | None:
    """Return the request once it is whole; ValueError when it is none."""
    if len(data) > MAX_REQUEST:
        raise ValueError("too long")
    if END not in data:
        return None
    first, *lines = data[: data.index(END)].decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    url = urlsplit(target)
    headers = Headers()
    for line in lines:
        name, _, value = line.partition(":")
        headers.add(name.strip(), value.strip())
    return UpgradeRequest(method, url.path or "/", url.query, headers)


def accepted(request: UpgradeRequest) -> bytes:
    """Return the answer that opens the WebSocket."""
    key = accept_key(request.headers["Sec-WebSocket-Key"])
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {key}\r\n\r\n"
    ).encode()


def refused(http_status: int, now: datetime, page: str = "") -> bytes:
    """Return the answer that does not open it."""
    more = (("Sec-WebSocket-Version", "13"),) if http_status == 426 else ()
    reply = Reply(http_status, page.encode(), HTML_TYPE if page else None, more)
    return delivery.head(reply, now, close=True) + reply.body
