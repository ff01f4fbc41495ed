"""What a route is: its place on the wire, whether it may be repeated, its answer's largest size."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

# HTTP statuses of a gateway in front of a broker's server; their bodies say nothing.
GATEWAY = frozenset({502, 503, 504})


class Server(NamedTuple):
    """What is the same in all calls of one broker; `title` is its name in messages."""

    title: str
    headers: Mapping[str, str]


class Route(NamedTuple):
    """One call in one dialect.

    `path` may hold parameters in braces. `repeat` is True only for reads: those may go out again
    after a fault, everything else goes out once. `max_bytes` caps the answer after decompression.
    `limit` is the class of the broker's rate limits it counts in, "" for none. `seconds` is the
    deadline where it is not the setting's. `unknown` says what is in doubt after a lost answer,
    and what to do then, where the general words are not enough. `follows` asks for the connection
    of the last call that must not be repeated, where it is still open.
    """

    call: str
    method: str
    path: str
    repeat: bool = False
    max_bytes: int = 64 * 1024
    limit: str = ""
    seconds: float | None = None
    unknown: tuple[str, str] | None = None
    follows: bool = False


class Answer(NamedTuple):
    """An answer as it came: HTTP status, decompressed body, and for a 429 its Retry-After in s.

    `date` is the server's Date header, "" without one.
    """

    http_status: int
    body: bytes
    retry_after: int | None = None
    date: str = ""

    def __repr__(self) -> str:
        # A login's body holds the ticket or the token.
        return f"Answer({self.http_status}, {len(self.body)} bytes)"


def http_date(text: str) -> datetime | None:
    """The time of an HTTP date, aware; None when it is not one."""
    try:
        then = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return then if then.tzinfo else then.replace(tzinfo=UTC)
