"""What goes over the wire, whatever the dialect: a call as it came, a reply as it goes, a route."""

from __future__ import annotations

import gzip
import json
import secrets
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial, reduce
from operator import or_
from typing import Any

from werkzeug.datastructures import Headers

from .refusals import Malformed, Reason, Refused
from .settings import Settings
from .world import World

JSON_TYPE = "application/json; charset=utf-8"
PROBLEM_TYPE = "application/problem+json; charset=utf-8"
HTML_TYPE = "text/html"


@dataclass(frozen=True)
class Call:
    """One request, exactly as sent; `previous_route` came before it on the same connection.

    `args` are the parts of the path that its route names in braces.
    """

    method: str
    path: str
    query: str
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)
    remote_port: int
    previous_route: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """One answer. `body` is sent as it is; lengths and dates are added where it is sent.

    A long one is made while it is sent: then `chunks` returns its pieces, and `body` is empty.
    """

    http_status: int
    body: bytes = field(repr=False)
    content_type: str | None = JSON_TYPE
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    chunks: Callable[[], Iterator[bytes]] | None = field(default=None, repr=False)

    def with_body(self, body: bytes, *headers: tuple[str, str]) -> Reply:
        """Return the same reply with another body and more headers."""
        return replace(self, body=body, headers=self.headers + headers)

    def whole(self) -> Reply:
        """Return the same reply with all of its body in one piece."""
        if self.chunks is None:
            return self
        return replace(self, body=b"".join(self.chunks()), chunks=None)

    def gzipped(self) -> Reply:
        """Return the same reply compressed, in pieces where it came in pieces."""
        reply = self.with_body(
            gzip.compress(self.body, mtime=0) if self.body else b"",
            ("Content-Encoding", "gzip"),
            ("Vary", "Accept-Encoding"),
        )
        if self.chunks is None:
            return reply
        return replace(reply, chunks=partial(_gzip_pieces, self.chunks))


Handler = Callable[[Call, World, Settings], Reply]


@dataclass(frozen=True)
class Route:
    """One endpoint: the method it takes (or several, with commas), and what it does.

    `rate_class` names its limit in limits.py; None where there is none. `path` is the path if it
    is not the route's name: routes may share one and differ in methods.
    """

    method: str
    handler: Handler
    rate_class: str | None = None
    path: str = ""

    @property
    def methods(self) -> list[str]:
        """The methods it takes."""
        return self.method.split(", ")


# For one refusal, by revision of the documents: the HTTP status and the body.
RefusalByRevision = Mapping[str, tuple[int, Mapping[str, Any]]]
# Looked up by (route, reason), and by ("*", reason) where all routes answer alike.
Refusals = Mapping[tuple[str, Reason], RefusalByRevision]


@dataclass(frozen=True)
class Dialect:
    """One API type: its letter in the journal, path prefix, routes and literal refusals."""

    letter: str
    prefix: str
    routes: Mapping[str, Route]
    refusals: Refusals

    def joined(self, *more: Mapping[str, Route], refusals: Refusals | None = None) -> Dialect:
        """Return the dialect with more routes and refusals."""
        routes = reduce(or_, map(dict, more), dict(self.routes))
        return replace(self, routes=routes, refusals={**self.refusals, **(refusals or {})})

    def refuse(self, path: str, refused: Refused, settings: Settings) -> Reply:
        """Return the literal body with which this type refuses on this route."""
        found = self.refusals.get((path, refused.reason)) or self.refusals["*", refused.reason]
        http_status, body = found[settings.revision]
        message = body["message"].replace("{attempts}", str(refused.attempts_left))
        message = message.replace("{text}", refused.text)
        return json_reply({**body, "message": message}, http_status)


def error_body(message: str, error_type: str | None = None) -> dict[str, Any]:
    """The body of a refusal in Type A's shape, which Type B has too in some places (3.2, 3.3)."""
    named = {"error_type": error_type} if error_type else {}
    return {"status": "error", "message": message, **named, "data": None}


def in_both(http_status: int, body: Mapping[str, Any]) -> RefusalByRevision:
    """A refusal that the older and the newer documents word alike."""
    return {"older": (http_status, body), "newer": (http_status, body)}


def _gzip_pieces(chunks: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
    packer = zlib.compressobj(level=1, wbits=zlib.MAX_WBITS | 16)
    for chunk in chunks():
        yield packer.compress(chunk)
    yield packer.flush()


def json_reply(body: object, http_status: int = 200) -> Reply:
    """Return a JSON reply, compact and in UTF-8."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Reply(http_status, text.encode())


def in_list(reply: Reply) -> Reply:
    """Return a JSON reply inside a list of one, as the answers to placed orders come (15 row 3)."""
    return replace(reply, body=b"[" + reply.body + b"]")


def malformed_reply(malformed: Malformed) -> Reply:
    """Return the framework's problem body (3.5); the strict profile's own says that it is that."""
    title = (
        "Refused by the simulator's strict profile"
        if malformed.strict_only
        else "One or more validation errors occurred."
    )
    body = {
        "type": "https://tools.ietf.org/html/rfc9110#section-15.5.1",
        "title": title,
        "status": malformed.http_status,
        "errors": malformed.errors,
        "traceId": f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00",
    }
    return replace(json_reply(body, malformed.http_status), content_type=PROBLEM_TYPE)
