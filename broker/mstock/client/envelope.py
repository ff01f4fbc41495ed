"""The one reader of mStock's answers, both dialects: data on success, a typed error otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from broker._kit.http.redaction import plain
from broker._kit.http.routes import GATEWAY, Answer, Route
from broker._kit.http.transport import read_json
from broker._kit.http.wire_errors import unreadable_reply
from broker._kit.secret import Secret
from broker.mstock.client.error_table import refusal
from broker.mstock.client.routes import SERVER

_SUCCESS = frozenset({"true", "success"})
_LONGEST_CODE = 40


class Envelope(NamedTuple):
    """A success: mStock's message ("" for a read) and its data, as JSON with `Decimal`s.

    `date` is the answer's Date header, "" without one; `status` the body's own, as it came.
    """

    message: str
    data: Any
    date: str = ""
    status: Any = None

    def __repr__(self) -> str:
        # A login's data holds the ticket or the token.
        return f"Envelope(data of type {type(self.data).__name__})"


def read(answer: Answer, route: Route, secrets: Iterable[Secret] = ()) -> Envelope:
    """Tell success from failure: a gateway's status decides alone, otherwise the body does first.

    `secrets` are the values that were sent; they are taken out of any words of mStock's that are
    passed on. Raises `BrokerError`, of the kind that `error_table.py` gives for a refusal; an
    answer that decides nothing is `OutcomeUnknown` on a route that must not be repeated.
    """
    http = answer.http_status
    decides_nothing = http in GATEWAY or 300 <= http < 400 or http == 429
    body = None if decides_nothing else _parse(answer.body)
    if body is None or "status" not in body:
        raise unreadable_reply(SERVER, route, http, answer.retry_after)
    if str(body["status"]).lower() in _SUCCESS:
        if not 200 <= http < 300:
            raise unreadable_reply(SERVER, route, http)
        message = "" if route.repeat else plain(_words(body), secrets)
        return Envelope(message, body.get("data"), answer.date, body["status"])
    if route.limit == "orders" and body.get("data"):
        # A refusal that names an order contradicts itself: the order may stand.
        raise unreadable_reply(SERVER, route, http)
    words = _words(body)
    # What mStock means is read off its own words, where a password may be one of them.
    error = refusal(route, http, _code(body), plain(words), shown=plain(words, secrets))
    error.code = plain(error.code, secrets)[:_LONGEST_CODE]
    raise error


def _parse(body: bytes) -> dict[str, Any] | None:
    """The JSON object, out of a one-element list where mStock wraps it; None if there is none."""
    try:
        value = read_json(body)
    except ValueError:
        return None
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, dict) else None


def _words(body: dict[str, Any]) -> str:
    message = body.get("message")
    if isinstance(message, str):
        return message
    # ASP.NET's own validation body has a title, and the offending fields under `errors`.
    title, errors = body.get("title"), body.get("errors")
    parts = [title]
    for texts in errors.values() if isinstance(errors, dict) else ():
        parts += texts if isinstance(texts, list) else [texts]
    return " ".join(part for part in parts if isinstance(part, str))


def _code(body: dict[str, Any]) -> str:
    for key in ("errorcode", "error_type"):
        value = body.get(key)
        if isinstance(value, str) and value:
            return value.strip()
    status = body["status"]  # ASP.NET's validation body has a number here
    return str(status) if isinstance(status, int) and 100 <= status < 600 else ""
