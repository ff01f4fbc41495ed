"""Lines of OpenAlgo's `.env`: single values replaced or put back, every other byte left alone.

Pure: bytes in, bytes out. The file is cut up by python-dotenv's own parser, the one that OpenAlgo
reads it with, so that a value over several lines or a `#` in quotes is not misread.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from broker._kit.errors import CorrectInput, SettingError
from broker._kit.secret import Secret

_HEAD = re.compile(r"\s*(?:export[^\S\r\n]+)?(?:'[^']+'|[^=\#\s]+)[^\S\r\n]*=[^\S\r\n]*")
_QUOTED = re.compile(r"""'(?:\\'|[^'])*'|"(?:\\"|[^"])*\"""")
_REST = re.compile(r"[^\r\n]*")


class _Line(NamedTuple):
    """One assignment: its name, the value read, where it stands and where its value stands."""

    name: str
    value: str
    start: int
    end: int
    value_start: int
    value_end: int


def values(data: bytes) -> dict[str, str]:
    """What the file says, by name; the last line of a name counts. Raises `SettingError`."""
    return {line.name: line.value for line in _lines(_text(data))}


def repeated(data: bytes) -> list[str]:
    """The names that stand there more than once. Raises `SettingError`."""
    names = [line.name for line in _lines(_text(data))]
    return sorted({name for name in names if names.count(name) > 1})


def edited(data: bytes, changes: Mapping[str, Secret]) -> bytes:
    """The file with these values; a name that it lacks is added at the end.

    The line's own spacing and comment and the file's line endings are kept. Raises `SettingError`
    for a file that is no plain text, `CorrectInput` for a value that no `.env` can hold.
    """
    text = _text(data)
    for name, secret in changes.items():
        written = _written(name, secret.reveal())
        line = _last(text, name)
        if line is None:
            end = "\r\n" if "\r\n" in text else "\n"
            text += ("" if not text or text.endswith("\n") else end) + f"{name} = {written}{end}"
        elif line.value != secret.reveal():
            text = text[: line.value_start] + written + text[line.value_end :]
    if any(values(text.encode()).get(name) != new.reveal() for name, new in changes.items()):
        raise SettingError(
            "The .env file has a line that cannot be read (an open quote?).", "Mend it first."
        )
    return text.encode()


def raw(data: bytes, name: str) -> str | None:
    """A value as it is written, quotes and all; None when the file lacks the name."""
    text = _text(data)
    line = _last(text, name)
    return None if line is None else text[line.value_start : line.value_end]


def put_back(data: bytes, original: bytes, name: str) -> bytes:
    """The file with one value as the original has it; the line is taken out if that has none."""
    text, old = _text(data), raw(original, name)
    line = _last(text, name)
    if line is None:
        return data
    if old is None:
        return (text[: line.start] + text[line.end :]).encode()
    return (text[: line.value_start] + old + text[line.value_end :]).encode()


def _written(name: str, value: str) -> str:
    # Not shown in the message: it may be the API key.
    if "${" in value or not value.isprintable():
        raise CorrectInput(f"{name} holds characters that .env cannot keep.", "Enter it anew.")
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise SettingError(
            "The .env file is not plain text.", "Save it with the encoding UTF-8."
        ) from None


def _last(text: str, name: str) -> _Line | None:
    found = [line for line in _lines(text) if line.name == name]
    return found[-1] if found else None


def _lines(text: str) -> Iterator[_Line]:
    from dotenv.parser import parse_stream

    bindings = list(parse_stream(io.StringIO(text, newline="")))
    # Some versions of the parser drop the mark that Windows' Notepad puts in front of a file.
    at = len(text) - sum(len(binding.original.string) for binding in bindings)
    for binding in bindings:
        piece, start = binding.original.string, at
        at += len(piece)
        head = _HEAD.match(piece)
        if binding.key is None or binding.value is None or binding.error or head is None:
            continue
        blank = len(piece) - len(piece.lstrip())
        begin = head.end()
        quoted = _QUOTED.match(piece, begin)
        if quoted:
            length = quoted.end() - begin
        else:
            rest = _REST.match(piece, begin)
            length = len(re.sub(r"\s+#.*", "", rest[0] if rest else "").rstrip())
        # Blanks in front of a line are part of the piece, and not of the line.
        first = start + max(piece.rfind("\n", 0, blank), piece.rfind("\r", 0, blank)) + 1
        value_at = start + begin
        yield _Line(binding.key, binding.value, first, at, value_at, value_at + length)
