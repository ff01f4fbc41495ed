"""The request journal: what was asked and decided, whole for tests, masked for every eye."""

from __future__ import annotations

import json
import threading
from collections import UserList
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl

from werkzeug.datastructures import Headers

KEEP = 5000
MASK = "••••••"

# What may be shown is listed, so that a secret in an unexpected place stays hidden too.
OPEN_HEADERS = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "host", "tag",
     "user-agent", "x-mirae-version"}
)  # fmt: skip
ORDER_FIELDS = frozenset(
    {"tradingsymbol", "symboltoken", "exchange", "transaction_type", "transactiontype",
     "order_type", "ordertype", "quantity", "product", "producttype", "price", "trigger_price",
     "triggerprice", "validity", "duration", "variety", "orderid", "order_no", "tag", "ordertag"}
)  # fmt: skip
OPEN_FIELDS = frozenset({"clientcode", "username", "state", "checksum"}) | ORDER_FIELDS


@dataclass(frozen=True)
class Entry:
    """One request. `headers`, `path` and `body` are raw: for tests in this process, never shown.

    `http_status` is what the client was told; None when a fault left it without any.
    """

    at: datetime
    route: str
    method: str
    remote_port: int
    http_status: int | None
    verdict: str
    path: str = field(repr=False)
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def masked_headers(self) -> list[tuple[str, str]]:
        """The headers with every value hidden that is not known to be harmless."""
        return [(k, v if k.lower() in OPEN_HEADERS else MASK) for k, v in self.headers]

    @property
    def masked_body(self) -> list[tuple[str, str]]:
        """The body's fields with the values hidden; any other body is hidden whole."""
        fields = list(_fields(self.body))
        if self.body and not fields:
            return [("body", MASK)]
        known = KNOWN_FIELDS
        return [
            (name if name.lower() in known else MASK, _mask(name, value)) for name, value in fields
        ]


# Names that may be shown; a client's mistake could turn a secret into a field name.
KNOWN_FIELDS = OPEN_FIELDS | frozenset(
    {"password", "totp", "otp", "refreshtoken", "api_key", "request_token"}
)


class Journal(UserList[Entry]):
    """All requests, oldest first; the oldest are dropped when there are too many."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        super().__init__(entries)
        self._lock = threading.Lock()

    def record(self, entry: Entry) -> None:
        """Add a request."""
        with self._lock:
            del self.data[: max(0, len(self.data) - KEEP + 1)]
            self.data.append(entry)


def _mask(name: str, value: str) -> str:
    return value if name.lower() in OPEN_FIELDS or not value else MASK


def _fields(body: bytes) -> Iterable[tuple[str, str]]:
    text = body.decode("utf-8", "replace")
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return parse_qsl(text, keep_blank_values=True)
    if not isinstance(parsed, dict):
        return []
    return [(name, value if isinstance(value, str) else MASK) for name, value in parsed.items()]
