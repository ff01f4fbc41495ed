"""The one reader of mStock's answers, both dialects: data on success, a typed error otherwise."""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus

from broker._kit.http.routes import GATEWAY, Answer, Route
from broker._kit.secret import Secret
from broker.mstock.client.error_table import refusal, unclear

_SUCCESS = frozenset({"true", "success"})
_MARKUP = r"<[^>]*>|<[/!?a-zA-Z].*"  # the second: a tag that is never closed
_ADDRESS = r"[A-Za-z][A-Za-z0-9+.-]*://\S*"
_ESCAPES = "%&+"  # without one of these, no secret stands there in another form
_LONGEST_WORDS = 240
_LONGEST_READ = 1024
_LONGEST_CODE = 40


class Envelope(NamedTuple):
    """A success: mStock's message ("" when it has none) and its data, as JSON with `Decimal`s.

    `date` is the answer's Date header, "" without one.
    """

    message: str
    data: Any
    date: str = ""

    def __repr__(self) -> str:
        # A login's data holds the ticket or the token.
        return f"Envelope(data of type {type(self.data).__name__})"


def read(answer: Answer, route: Route, secrets: Iterable[Secret] = ()) -> Envelope:
    """Tell success from failure: a gateway's status decides alone, otherwise the body does first.

    `secrets` are the values that were sent; they are taken out of any words of mStock's that are
    passed on. Raises `BrokerError`, of the kind that `client/meaning.py` gives for a refusal; an
    answer that decides nothing is `OutcomeUnknown` on a route that must not be repeated.
    """
    http = answer.http_status
    if http in GATEWAY or 300 <= http < 400 or http == 429:
        raise unclear(route, http, answer.retry_after)
    body = _parse(answer.body)
    if body is None or "status" not in body:
        raise unclear(route, http, answer.retry_after)
    words = _words(body)
    if str(body["status"]).lower() in _SUCCESS:
        if 200 <= http < 300:
            return Envelope(plain(words, secrets), body.get("data"), answer.date)
        raise unclear(route, http)
    # What mStock means is read off its own words, where a password may be one of them.
    error = refusal(route, http, _code(body), plain(words), shown=plain(words, secrets))
    error.code = plain(error.code, secrets)[:_LONGEST_CODE]
    raise error


def plain(text: str, secrets: Iterable[Secret] = ()) -> str:
    """Words fit to show: one line without markup, addresses, control characters or a secret."""
    sent = {secret.reveal() for secret in secrets if secret}
    if any(mark in text for mark in _ESCAPES):
        sent |= {form for secret in sent for form in _escaped(secret)}
    hidden = sorted(sent, key=len, reverse=True)
    # First, since a secret may look like markup; and then cut, since an answer may be very long.
    text = _masked(text, hidden)[:_LONGEST_READ]
    text = "".join(char for char in text if char.isprintable() or char.isspace())
    text = re.sub(_MARKUP, " ", _masked(text, hidden))
    text = _masked(" ".join(re.sub(_ADDRESS, "…", text).split()), hidden)
    return text if len(text) <= _LONGEST_WORDS else text[:_LONGEST_WORDS] + "…"


def _escaped(secret: str) -> Iterator[str]:
    """A secret as it may come back in an address or a page."""
    yield from (quote(secret, safe=""), quote_plus(secret))
    for char, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        secret = secret.replace(char, name)
    yield secret


def _masked(text: str, hidden: Iterable[str]) -> str:
    for secret in hidden:
        text = text.replace(secret, "•••")
    return text


def _parse(body: bytes) -> dict[str, Any] | None:
    """The JSON object, out of a one-element list where mStock wraps it; None if there is none."""
    try:
        value = _JSON.decode(body.removeprefix(BOM_UTF8).decode())
    except (ValueError, RecursionError, ArithmeticError):
        return None
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, dict) else None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs) and any(found[name] != value for name, value in pairs):
        raise ValueError("a name stands for two values")  # which one holds would be a guess
    return found


# Money stays exact; NaN and Infinity, which Python would take, are not JSON.
_JSON = json.JSONDecoder(
    parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_object
)


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
