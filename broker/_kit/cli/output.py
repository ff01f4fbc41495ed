"""Puts words, columns and JSON where a user or a script reads them, as far as it can be shown."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from typing import Any

import click

# What to write where an old terminal or a pipe knows no such character.
_PLAIN = str.maketrans(
    {"₹": "Rs ", "−": "-", "–": "-", "•": "*", "“": '"', "”": '"', "’": "'", "…": "..."}
)

NOTHING = "\N{EN DASH}"  # where there is no figure
_FIGURE = re.compile(r"[+−-]?₹?\d[\d,.]*( %)?")


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


def columns(rows: Iterable[tuple[str, ...]]) -> str:
    """Rows of equally many cells, styled or not, as lines.

    A column is set to the right when all of it but the first row, its title, is figures.
    """

    def padded(cell: str, width: int, is_figure: bool) -> str:
        blanks = " " * (width - len(click.unstyle(cell)))
        return blanks + cell if is_figure else cell + blanks

    lines = list(rows)
    plain = [list(map(click.unstyle, column)) for column in zip(*lines, strict=True)]
    shapes = [(max(map(len, column)), _are_figures(column[1:])) for column in plain]
    return "\n".join(
        "  ".join(padded(cell, *shape) for cell, shape in zip(row, shapes, strict=True)).rstrip()
        for row in lines
    )


def _are_figures(cells: list[str]) -> bool:
    given = [cell for cell in cells if cell not in ("", NOTHING)]
    return bool(given) and all(map(_FIGURE.fullmatch, given))


def table(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Columns under their titles."""
    return columns([tuple(click.style(title, bold=True) for title in titles), *rows])


def pairs(rows: Iterable[tuple[str, str]]) -> str:
    """Names on the left, what there is to say about each on the right; empty ones are left out."""
    return columns((click.style(name, bold=True), words) for name, words in rows if words)
