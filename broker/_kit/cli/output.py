"""Puts words, tables and JSON where a user or a script reads them, as far as it can be shown."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import RenderableType

# What to write where an old terminal or a pipe knows no such character.
_PLAIN = {"₹": "Rs ", "−": "-", "–": "-", "•": "*", "“": '"', "”": '"', "’": "'", "…": "..."}
# A pipe has no width: lines are not broken there, so that grep finds what it looks for.
_NO_WIDTH = 4096


def out(text: str = "", *, err: bool = False) -> None:
    """Write a line, to standard error with `err`; what cannot be written is put plainly."""
    stream = sys.stderr if err else sys.stdout
    click.echo(_writable(text, getattr(stream, "encoding", None) or "utf-8"), err=err)


def out_json(value: Any) -> None:
    """Write one JSON document, in ASCII."""
    click.echo(json.dumps(value, indent=2))


def render(thing: RenderableType) -> str:
    """A table as text: with colours for a terminal, without for a file or a pipe."""
    from rich.console import Console

    is_terminal = sys.stdout.isatty()
    console = Console(
        file=sys.stdout,
        force_terminal=is_terminal,
        no_color=None if is_terminal else True,
        width=None if is_terminal else _NO_WIDTH,
        markup=False,
        highlight=False,
        emoji=False,
    )
    with console.capture() as caught:
        console.print(thing)
    return "\n".join(line.rstrip() for line in caught.get().rstrip("\n").split("\n"))


def pairs(rows: Iterable[tuple[str, str]]) -> str:
    """Names on the left, what there is to say about each on the right."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    for name, words in rows:
        grid.add_row(Text(name, style="bold"), Text(words))
    return render(grid)


def _writable(text: str, encoding: str) -> str:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        for char, plain in _PLAIN.items():
            text = text.replace(char, plain)
        return text.encode(encoding, "replace").decode(encoding)
    return text
