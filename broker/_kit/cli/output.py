"""Puts words, columns and JSON where a user or a script reads them, as far as it can be shown."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

import click

# What to write where an old terminal or a pipe knows no such character.
_PLAIN = str.maketrans(
    {"₹": "Rs ", "−": "-", "–": "-", "•": "*", "“": '"', "”": '"', "’": "'", "…": "..."}
)


def out(text: str = "", *, err: bool = False) -> None:
    """Write a line, to standard error with `err`; what cannot be written is put plainly."""
    encoding = getattr(sys.stderr if err else sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.translate(_PLAIN).encode(encoding, "replace").decode(encoding)
    click.echo(text, err=err)


def out_json(value: Any) -> None:
    """Write one JSON document, in ASCII."""
    click.echo(json.dumps(value, indent=2))


def columns(rows: Iterable[tuple[str, ...]], *, to_the_right: int | None = None) -> str:
    """Rows of equally many cells, styled or not, as lines; one column may be set to the right."""

    def padded(cell: str, n: int) -> str:
        blanks = " " * (widths[n] - len(click.unstyle(cell)))
        return blanks + cell if n == to_the_right else cell + blanks

    table = list(rows)
    widths = [max(len(click.unstyle(cell)) for cell in col) for col in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(padded(cell, n) for n, cell in enumerate(row)).rstrip() for row in table
    )


def pairs(rows: Iterable[tuple[str, str]]) -> str:
    """Names on the left, what there is to say about each on the right; empty ones are left out."""
    return columns((click.style(name, bold=True), words) for name, words in rows if words)
