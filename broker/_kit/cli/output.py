"""Puts words, columns and JSON where a user or a script reads them, as far as it can be shown."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

import click

# What to write where an old terminal or a pipe knows no such character.
_PLAIN = {"₹": "Rs ", "−": "-", "–": "-", "•": "*", "“": '"', "”": '"', "’": "'", "…": "..."}


def out(text: str = "", *, err: bool = False) -> None:
    """Write a line, to standard error with `err`; what cannot be written is put plainly.

    Styles are taken out where it is no terminal.
    """
    stream = sys.stderr if err else sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        for char, plain in _PLAIN.items():
            text = text.replace(char, plain)
        text = text.encode(encoding, "replace").decode(encoding)
    click.echo(text, err=err)


def out_json(value: Any) -> None:
    """Write one JSON document, in ASCII."""
    click.echo(json.dumps(value, indent=2))


def columns(rows: Iterable[tuple[str, ...]], *, to_the_right: int | None = None) -> str:
    """Rows of equally many cells, styled or not, as lines; one column may be set to the right."""
    table = list(rows)
    widths = [
        max(len(click.unstyle(cell)) for cell in column) for column in zip(*table, strict=True)
    ]
    lines = []
    for row in table:
        cells = []
        for n, cell in enumerate(row):
            blanks = " " * (widths[n] - len(click.unstyle(cell)))
            cells.append(blanks + cell if n == to_the_right else cell + blanks)
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def pairs(rows: Iterable[tuple[str, str]]) -> str:
    """Names on the left, what there is to say about each on the right; empty ones are left out."""
    return columns((click.style(name, bold=True), words) for name, words in rows if words)
