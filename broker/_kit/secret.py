"""What must not be shown: a type that does not print itself, and the short form of a code."""

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


def masked(client_code: str) -> str:
    """A client code that its owner knows again and others cannot use: MA••••23."""
    shown = 2 if len(client_code) >= 7 else 1 if len(client_code) >= 4 else 0
    return client_code[:shown] + "••••" + client_code[len(client_code) - shown :]
