"""What a route is: its place on the wire, whether it may be repeated, its answer's largest size."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

# HTTP statuses of the gateway in front of mStock; their bodies say nothing.
GATEWAY = frozenset({502, 503, 504})


class Route(NamedTuple):
    """One call in one dialect.

    `repeat` is True only for reads: those may go out again after a fault. A login, an OTP, a TOTP
    code and a logout go out once. `max_bytes` caps the answer after decompression.
    """

    call: str
    method: str
    path: str
    repeat: bool = False
    max_bytes: int = 64 * 1024


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
