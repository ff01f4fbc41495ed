"""The type that holds a password, a code, a ticket, a token or a key and does not print itself."""

from __future__ import annotations

import hmac
from typing import NoReturn

_MASK = "Secret(•••)"


class Secret:
    """A text that must not be shown; `reveal()` is the only way to its value.

    Printing, formatting, logging and `repr` give a mask; pickling is refused, so that a value
    cannot slip into a cache or a crash report unnoticed.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself, for the wire and for nothing else."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __repr__(self) -> str:
        return _MASK

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return format(_MASK, format_spec)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not written down")
