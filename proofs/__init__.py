"""What the project claims of its reliability, as commands that anyone can run.

Each proof is a module with `run(console, short) -> Rows`: the rows of its table, all with the same
columns. What it says on the way goes to `console`; when it does not hold it raises `Broken`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Rows = list[dict[str, Any]]


class Broken(Exception):
    """The proof does not hold; the message says what was found."""


def require(holds: object, found: str) -> None:
    """Raise `Broken` unless it holds."""
    if not holds:
        raise Broken(found)


def figures(pairs: Iterable[tuple[str, object]], name: str = "Figure") -> Rows:
    """A table of two columns."""
    return [{"What": what, name: figure} for what, figure in pairs]
