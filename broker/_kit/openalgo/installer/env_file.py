"""OpenAlgo's `.env`: single values replaced or put back, every other byte left alone.

Pure: bytes in, bytes out. The file is cut up by python-dotenv's own parser, the one that OpenAlgo
reads it with, so that a value over several lines or a `#` in quotes is not misread.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
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
    line: slice
    raw: slice


class EnvFile:
    """A `.env` file, parsed once. Raises `SettingError` when it is not text in UTF-8.

    `values` are what the file says, by name, the last line of a name counting; `repeated` the names
    that stand there more than once.
    """

    def __init__(self, data: bytes) -> None:
        try:
            self._text = data.decode("utf-8")
        except UnicodeDecodeError:
            raise SettingError(
                "The .env file is not plain text.", "Save it with the encoding UTF-8."
            ) from None
        lines = list(_lines(self._text))
        self.data = data
        self._lines = {line.name: line for line in lines}
        self.values = {name: line.value for name, line in self._lines.items()}
        counts = Counter(line.name for line in lines)
        self.repeated = sorted(name for name, count in counts.items() if count > 1)

    def raw(self, name: str) -> str | None:
        """A value as it is written, quotes and all; None when the file lacks the name."""
        return self._text[self._lines[name].raw] if name in self._lines else None

    def edited(self, changes: Mapping[str, Secret]) -> EnvFile:
        """The file with these values; a name that it lacks is added at the end.

        A line's spacing and comment and the file's line endings are kept. Raises `SettingError`
        for a file with an open quote, `CorrectInput` for a value that no `.env` can hold.
        """
        end = "\r\n" if "\r\n" in self._text else "\n"
        written = {name: _written(name, new.reveal()) for name, new in changes.items()}
        wanted = {name for name, new in changes.items() if self.values.get(name) != new.reveal()}
        text = self._replaced(wanted, written.get)
        for name in (name for name in changes if name not in self._lines):
            text += "" if not text or text.endswith("\n") else end
            text += f"{name} = {written[name]}{end}"
        result = EnvFile(text.encode())
        if any(result.values.get(name) != new.reveal() for name, new in changes.items()):
            raise SettingError(
                "The .env file has a line that cannot be read (an open quote?).", "Fix it first."
            )
        return result

    def put_back(self, original: EnvFile, names: set[str]) -> EnvFile:
        """The file with these values as the original has them; a line that it lacks is removed."""
        result = EnvFile(self._replaced(names, original.raw).encode())
        # A line end that an added line needed in front of it goes too.
        is_same = result.data.rstrip(b"\r\n") == original.data.rstrip(b"\r\n")
        return original if is_same else result

    def _replaced(self, names: set[str], raw: Callable[[str], str | None]) -> str:
        text = self._text
        lines = [line for line in self._lines.values() if line.name in names]
        for line in sorted(lines, key=lambda line: line.line.start, reverse=True):
            new = raw(line.name)
            place = line.line if new is None else line.raw
            text = text[: place.start] + (new or "") + text[place.stop :]
        return text


def _written(name: str, value: str) -> str:
    # Not shown in the message: it may be the API key.
    if "${" in value or not value.isprintable():
        raise CorrectInput(f"{name} holds characters that .env cannot keep.", "Enter it again.")
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


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
        begin = head.end()
        if quoted := _QUOTED.match(piece, begin):
            value = quoted[0]
        else:
            rest = _REST.match(piece, begin)
            value = re.sub(r"\s+#.*", "", rest[0] if rest else "").rstrip()
        # Blank lines in front of a line are part of the piece, and not of the line.
        blank = len(piece) - len(piece.lstrip())
        first = start + max(piece.rfind("\n", 0, blank), piece.rfind("\r", 0, blank)) + 1
        raw = slice(start + begin, start + begin + len(value))
        yield _Line(binding.key, binding.value, slice(first, at), raw)
