"""What a request is checked for before any business rule is asked; both dialects use these."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import parse_qsl

from werkzeug.http import parse_options_header

from .refusals import Malformed, Reason, Refused
from .settings import Settings
from .wire import Call

JSON_BODY: Final = "application/json"
FORM_BODY: Final = "application/x-www-form-urlencoded"


def version(call: Call) -> None:
    """Every call carries `X-Mirae-Version: 1` (1.2)."""
    if call.headers.get("X-Mirae-Version") != "1":
        raise Refused(Reason.VERSION)


def nowhere_else(call: Call, settings: Settings, *headers: str, query: bool = False) -> None:
    """Keys and tokens travel in one place each (1.2); the strict profile minds any other.

    `headers` are those that do not belong on this call; a cookie belongs on none, and a query
    only where `query` says so.
    """
    if not settings.strict:
        return
    for name in (*headers, "Cookie"):
        if name in call.headers:
            raise _strict(name, "This header does not belong on this call.")
    if call.query and not query:
        raise _strict("query", "This call has no query.")


def no_body(call: Call, settings: Settings, usual_type: str) -> None:
    """A call without fields has no body, and no content type but its dialect's usual one.

    The strict profile minds; the tolerant one takes `Content-Type: None` and the like (1.2).
    """
    if settings.strict and call.body:
        raise _strict("body", "A GET carries no body here.")
    given = call.headers.get("Content-Type")
    if settings.strict and given is not None and _media_type(given) != usual_type:
        raise _strict("Content-Type", f"A GET carries no content type, or {usual_type}.", 415)


def json_fields(
    call: Call, names: Iterable[str], settings: Settings, numbers: bool = False
) -> dict[str, str]:
    """Read a JSON object of strings; only `names` are known. Missing and null fields stay out.

    `numbers`: numbers are taken too, as their text.
    """
    _content_type(call, (JSON_BODY,))
    return _known(_parse_json(call.body), names, settings, numbers)


def json_list(
    call: Call, name: str, names: Iterable[str], settings: Settings
) -> list[dict[str, str]]:
    """Read a JSON object that holds a list of objects with the fields `names`, texts or numbers."""
    _content_type(call, (JSON_BODY,))
    given = _parse_json(call.body)
    listed = given.get(name)
    if settings.strict and given.keys() - {name}:
        raise _strict("body", "A field is not one of this route's.")
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        listed = []
        _require([name])
    return [_known(item, names, settings, numbers=True) for item in listed]


def json_object(call: Call, names: Iterable[str], settings: Settings) -> dict[str, object]:
    """Read a JSON object of any values; only `names` are known, and all of them are required."""
    _content_type(call, (JSON_BODY,))
    fields = dict(_renamed(_parse_json(call.body), names, settings))
    _require([name for name in names if fields.get(name) is None])
    return fields


def not_valid(name: str, value: object) -> Malformed:
    """Return the framework's no to a value that it cannot read (3.5)."""
    return Malformed(
        400, {name: [f"The value '{value}' is not valid."]}, f"not valid: {name}", strict_only=False
    )


def form_fields(call: Call, names: Iterable[str], settings: Settings) -> dict[str, str]:
    """Read a form; only `names` are known. The tolerant profile takes JSON as well (1.3)."""
    wanted = (FORM_BODY,) if settings.strict else (FORM_BODY, JSON_BODY)
    if _content_type(call, wanted) == JSON_BODY:
        return _known(_parse_json(call.body), names, settings)
    try:
        # An empty body is a form without fields; the parser would call it malformed.
        pairs = parse_qsl(
            call.body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(call.body),
            errors="strict",
            max_num_fields=50,
        )
    except ValueError:
        raise _invalid("$", "The body is not a form.") from None
    if settings.strict and len(pairs) != len(dict(pairs)):
        raise _strict("body", "A field is given twice.")
    return _known(dict(pairs), names, settings)


def filled(fields: Mapping[str, str], *names: str) -> None:
    """Refuse a missing or empty field with the framework's words (3.5)."""
    _require([name for name in names if not fields.get(name)])


def present(fields: Mapping[str, str], *names: str) -> None:
    """Refuse a missing field with the framework's words; an empty one is well (7.1)."""
    _require([name for name in names if name not in fields])


def _require(missing: list[str]) -> None:
    if missing:
        errors = {name: [f"The {name} field is required."] for name in missing}
        raise Malformed(400, errors, f"missing: {', '.join(missing)}", strict_only=False)


def _content_type(call: Call, wanted: tuple[str, ...]) -> str:
    given = _media_type(call.headers.get("Content-Type", ""))
    if given not in wanted:
        message = f"The content type must be {wanted[0]}."
        raise Malformed(415, {"Content-Type": [message]}, "wrong content type", strict_only=False)
    return given


def _media_type(header: str) -> str:
    return parse_options_header(header)[0].lower()


def _parse_json(body: bytes) -> dict[str, object]:
    try:
        parsed = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise _invalid("$", "The body is not JSON.") from None
    if not isinstance(parsed, dict):
        raise _invalid("$", "The body is not a JSON object.")
    return parsed


def _known(
    given: Mapping[str, object], names: Iterable[str], settings: Settings, numbers: bool = False
) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in _renamed(given, names, settings):
        if isinstance(value, str):
            fields[name] = value
        elif numbers and isinstance(value, int | float) and not isinstance(value, bool):
            fields[name] = str(value)
        elif value is not None:
            raise _invalid(f"$.{name}", "The JSON value could not be converted to a string.")
    return fields


def _renamed(
    given: Mapping[str, object], names: Iterable[str], settings: Settings
) -> Iterator[tuple[str, object]]:
    """Yield the fields under the names that the route has for them."""
    wanted = {name if settings.strict else name.lower(): name for name in names}
    for sent, value in given.items():
        # mStock's binding looks case-insensitive (1.1) and known clients rely on it (6.1).
        name = wanted.get(sent if settings.strict else sent.lower())
        if name is None:
            if settings.strict:
                raise _strict("body", "A field is not one of this route's.")
        else:
            yield name, value


def _invalid(where: str, message: str) -> Malformed:
    return Malformed(400, {where: [message]}, f"unreadable: {where}", strict_only=False)


def _strict(where: str, message: str, http_status: int = 400) -> Malformed:
    return Malformed(http_status, {where: [message]}, f"strict profile: {where}", strict_only=True)
