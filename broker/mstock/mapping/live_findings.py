"""What a raw answer of mStock's says about the open points of its documents; pure.

A finding names fields, shapes, and yes or no: never a figure, a text of an answer or a symbol, so
that it may be given away. Its points are the rows of what mStock's documents leave open.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from broker._kit.clock import IST
from broker.mstock.mapping.rows import number

Finding = tuple[str, str]  # what was asked, how this account answers

_DATE = r"\d{1,4}[-/](\d{1,2}|[A-Za-z]{3})[-/]\d{1,4}"
_CLOCK = r"\d{1,2}: ?\d{2}(: ?\d{2})?(\.\d{1,9})?( ?[AP]M)?"
_STAMP = re.compile(rf"{_DATE}([T ]{_CLOCK}(Z|[+-]\d{{2}}(:?\d{{2}})?)?)?|{_CLOCK}")
_FIGURE = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
_STATUS = ("true", "false", "success", "error")
_TAGS = ("tag", "ordertag")
_GROSS = ("LIMIT_SOD", "ADHOC_LIMIT", "BANK_HOLDING", "COLLATERALS")
_SESSION = "09:15"
_FAR = 1e11  # seconds; above are milliseconds


def shape(value: Any) -> str:
    """What kind of value it is; of a date or time its pattern, such as 9999-99-99 99:99."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float | Decimal):
        return "number"
    if isinstance(value, list):
        return "list" if value else "empty list"
    if isinstance(value, Mapping):
        return "object"
    text = str(value)
    if text in ("", "None"):
        return "empty text" if not text else 'the text "None"'
    if _FIGURE.fullmatch(text):
        return "number in quotes"
    if _STAMP.fullmatch(text):
        return re.sub("[A-Za-z]{3}", "Mon", re.sub("[0-9]", "9", text))
    return "text"


def status(value: Any) -> str:
    """The type of an envelope's `status`, and its word where it is a known one."""
    if isinstance(value, bool):
        return f"{str(value).lower()}, a JSON boolean"
    if isinstance(value, str):
        word = value if value.lower() in _STATUS else "another word"
        return f"“{word}”, a text"
    return shape(value)


def rows(data: Any, book: str) -> Iterator[Finding]:
    """Which fields a book's rows have, and the shapes they come in."""
    if isinstance(data, Mapping) and isinstance(data.get("net"), list | None):
        yield f"{book}: form", f"an object of {_names(data)}"
        data = data.get("net")
    found = data if isinstance(data, list) else []
    if not found or not all(isinstance(row, Mapping) for row in found):
        yield f"{book}: rows", f"none to look at: {shape(data)}"
        return
    fields: dict[str, set[str]] = {}
    for row in found:
        for name, value in row.items():
            fields.setdefault(name, set()).add(shape(value))
    by_shape: dict[str, list[str]] = {}
    for name, shapes in fields.items():
        by_shape.setdefault(" or ".join(sorted(shapes)), []).append(name)
    for each, names in sorted(by_shape.items()):
        yield f"{book}: {each}", _names(names)


def funds(data: Any, _book: str) -> Iterator[Finding]:
    """How many rows, and whether the figures keep to the sums of mStock's samples."""
    found = data if isinstance(data, list) else [data]
    whole = [row for row in found if isinstance(row, Mapping) and row.get("SEG") == "A"]
    yield "funds: one row, of segment A", _yes(len(found) == len(whole) == 1)
    if not whole:
        return
    row = whole[0]

    def figure(name: str) -> Decimal | None:
        return Decimal(0) if name in row and row[name] in (None, "", "None") else number(row, name)

    def equal(name: str, *parts: str) -> str:
        values = [figure(part.removeprefix("-")) for part in (name, *parts)]
        if None in values:
            return "cannot be told: a figure is missing"
        signs = [-1 if part.startswith("-") else 1 for part in parts]
        total = sum(s * v for s, v in zip(signs, values[1:], strict=True) if v is not None)
        return _yes(values[0] == total)

    sums = (
        ("SUM_OF_ALL", (*_GROSS, "-PAY_OUT_AMT")),
        ("AVAILABLE_BALANCE", (*_GROSS, "-AMOUNT_UTILIZED")),
        ("AVAILABLE_BALANCE", ("SUM_OF_ALL", "-AMOUNT_UTILIZED")),
        ("MTF_AVAILABLE_BALANCE", ("AVAILABLE_BALANCE",)),
        ("CLEAR_BALANCE", ("LIMIT_SOD", "ADHOC_LIMIT", "-PAY_OUT_AMT")),
        ("CLEAR_BALANCE", ("LIMIT_SOD", "BANK_HOLDING", "-PAY_OUT_AMT")),
    )
    for name, parts in sums:
        words = " + ".join(parts).replace("+ -", "- ")
        yield f"funds: {name} = {words}", equal(name, *parts)


def tags(data: Any, book: str) -> Iterator[Finding]:
    """Whether a tag comes back, as far as an order of today had one."""
    found = [row for row in data if isinstance(row, Mapping)] if isinstance(data, list) else []
    if not found:
        return
    names = sorted({name for row in found for name in _TAGS if name in row})
    is_filled = any(row.get(name) not in (None, "", "None", []) for row in found for name in names)
    where = f"in {' and '.join(names)}" if names else "there is no field for one"
    yield f"{book}: a tag came back", f"{_yes(is_filled)}, {where}"


def derivatives(data: Any, book: str) -> Iterator[Finding]:
    """What the rows of derivatives call their exchange (Type B)."""
    found = [row for row in data if isinstance(row, Mapping)] if isinstance(data, list) else []
    kinds = [row for row in found if str(row.get("instrumenttype", ""))[:3] in ("OPT", "FUT")]
    if kinds:
        is_share = all(row.get("exchange") in ("NSE", "BSE") for row in kinds)
        yield f"{book}: derivatives say NSE or BSE", _yes(is_share)


def candles(data: Any, what: str, today: date) -> Iterator[Finding]:
    """The stamps of candles: their shape, order, first minute, and whether today is among them."""
    found = data.get("candles") if isinstance(data, Mapping) else data
    if not isinstance(found, list) or not found or not all(isinstance(c, list) for c in found):
        yield f"{what}: rows", f"none to look at: {shape(found)}"
        return
    stamps = [str(candle[0]) for candle in found if candle]
    yield f"{what}: stamp", " or ".join(sorted(set(map(shape, stamps))))
    yield f"{what}: columns", " or ".join(sorted({str(len(candle)) for candle in found}))
    if len(stamps) > 1:
        order = "neither way"
        if stamps == sorted(stamps):
            order = "oldest first"
        elif stamps == sorted(stamps, reverse=True):
            order = "newest first"
        yield f"{what}: order", order
    clocks = sorted({stamp[11:16] for stamp in stamps if len(stamp) >= 16})
    known = [clock for clock in ("00:00", _SESSION, "09:45") if clock in clocks[:1]]
    if clocks:
        yield f"{what}: earliest time of day", known[0] if known else "another one"
    yield f"{what}: today is in it", _yes(any(stamp.startswith(f"{today}") for stamp in stamps))


def token_life(claims: Mapping[str, Any]) -> Iterator[Finding]:
    """What a token's `exp` says against its `iat`."""
    times = [claims.get(name) for name in ("iat", "exp")]
    if not all(isinstance(each, int | float) and not isinstance(each, bool) for each in times):
        yield "token: exp", "it has no iat or no exp"
        return
    seconds = [float(each or 0) for each in times]
    if max(seconds) > _FAR:
        yield "token: exp", "it is not in seconds"
        return
    start, end = (datetime.fromtimestamp(each, IST) for each in seconds)
    midnight = datetime.combine(start.date() + timedelta(1), datetime.min.time(), IST)
    known = {
        "midnight IST": midnight - start,
        "12 hours after iat": timedelta(hours=12),
        "5 minutes after iat": timedelta(minutes=5),
    }
    near = (
        words for words, life in known.items() if abs(end - start - life) < timedelta(minutes=1)
    )
    yield "token: exp", next(near, "at another time")


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"


def _names(names: Iterable[Any]) -> str:
    """Field names; what does not look like one may be a value, and is not shown."""
    known = [name for name in names if isinstance(name, str) and _NAME.fullmatch(name)]
    return ", ".join(known) or "no field that has a plain name"
