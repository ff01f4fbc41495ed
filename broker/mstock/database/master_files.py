"""Reads mStock's script masters from disk in pieces, so that none is ever in memory as a whole."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice
from typing import IO, Any

import orjson

from broker.mstock.errors import DataException

Rows = list[dict[str, str]]

_PIECE = 256 << 10  # bytes of JSON
_ROWS = 1000  # lines of CSV
_NEXT = re.compile(rb"\}\s*,\s*\{")
_COLUMNS = {
    "A": ("exchange_token", "tradingsymbol", "name", "expiry", "strike", "tick_size", "lot_size",
          "instrument_type", "exchange"),
    "B": ("token", "symbol", "name", "expiry", "strike", "lotsize", "instrumenttype", "exch_seg",
          "tick_size"),
}  # fmt: skip


def pieces(api_type: str, file: IO[bytes]) -> Iterator[Rows]:
    """The master's rows, some thousand at a time, every value a text.

    Raises `DataException` for a file that is cut off, or is no script master.
    """
    return (_csv if api_type == "A" else _json)(file)


def _json(file: IO[bytes]) -> Iterator[Rows]:
    rest, has_begun = b"", False
    while chunk := file.read(_PIECE):
        rest += chunk
        if not has_begun:
            rest = rest.removeprefix(b"\xef\xbb\xbf").lstrip()
            if not rest.startswith(b"["):
                raise _unreadable("it is no list")
            rest, has_begun = rest[1:], True
        # Back from the end to a place where one object ends and the next begins.
        end = rest.rfind(b"}")
        while end >= 0 and not _NEXT.match(rest, end):
            end = rest.rfind(b"}", 0, end)
        if end >= 0:
            yield _parsed(rest[: end + 1])
            rest = rest[_NEXT.match(rest, end).end() - 1 :]  # type: ignore[union-attr]
    rest = rest.rstrip()
    if not rest.endswith(b"]"):
        raise _unreadable("it is cut off")
    if last_rows := rest[:-1].strip():
        yield _parsed(last_rows)


def _parsed(objects: bytes) -> Rows:
    try:
        rows = orjson.loads(b"[" + objects + b"]")
    except orjson.JSONDecodeError:
        rows = None
    if rows is None or not _are_complete(rows):
        raise _unreadable("a part of it is not as documented")
    return rows  # type: ignore[no-any-return]


def _are_complete(rows: list[Any]) -> bool:
    """Whether the first row has all columns as texts; the rest is looked at when it is used."""
    first = rows[0] if rows else None
    return isinstance(first, dict) and all(isinstance(first.get(n), str) for n in _COLUMNS["B"])


def _csv(file: IO[bytes]) -> Iterator[Rows]:
    text = io.TextIOWrapper(file, "utf-8-sig", errors="replace", newline="")
    try:
        lines = csv.reader(text)
        header = next(lines, [])
        if missing := [name for name in _COLUMNS["A"] if name not in header]:
            raise _unreadable(f"it has no column {missing[0]}")
        width = len(header)
        while piece := list(islice(lines, _ROWS)):
            rows = [line for line in piece if line]
            if any(len(line) != width for line in rows):
                raise _unreadable("a line of it is cut off")
            yield [dict(zip(header, line, strict=True)) for line in rows]
    except csv.Error:  # a quotation mark without its second
        raise _unreadable("a line of it is cut off") from None
    finally:
        text.detach()  # the file is the caller's to close


def _unreadable(why: str) -> DataException:
    return DataException(
        f"mStock's instrument list cannot be used: {why}. The old one is kept.",
        "Download it again; if it comes back, report this.",
    )
