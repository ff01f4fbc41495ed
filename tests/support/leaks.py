"""Looks for secrets in everything that a person or a file could get to see."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable
from urllib.parse import quote


class Leaks:
    """Collects what was shown under a name, and says where one of the secrets stands in it."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}
        self.shown: list[tuple[str, str]] = []

    def hide(self, name: str, value: object) -> str:
        """Note a secret; returns it."""
        text = str(value)
        assert len(text) >= 6, f"{name} is too short to look for"
        self.secrets[f"{name} {len(self.secrets)}"] = text
        return text

    def show(self, where: str, what: object) -> None:
        """Note something that could be seen: as text, and as `repr` shows it."""
        self.shown += [(where, str(what)), (where, repr(what))]

    def show_error(self, where: str, error: BaseException) -> None:
        """Note an exception with all that it drags along."""
        self.show(where, "".join(traceback.format_exception(error)))
        seen: list[BaseException | None] = [error]
        for each in seen:
            if each is not None:
                self.show(where, each)
                self.show(where, vars(each))
                self.show(where, each.args)
                seen += [one for one in (each.__cause__, each.__context__) if one not in seen]

    def found(self) -> list[str]:
        """Where which secret stands; empty when all is well."""
        return sorted(
            {
                f"{name} in {where}"
                for name, secret in self.secrets.items()
                for form in _forms(secret)
                for where, text in self.shown
                if form in text
                and re.search(rf"(?<![0-9A-Za-z]){re.escape(form)}(?![0-9A-Za-z])", text)
            }
        )


def _forms(secret: str) -> Iterable[str]:
    """The secret itself, as it would stand in an address, and its telling half."""
    return {secret, quote(secret, safe=""), secret[: max(6, len(secret) // 2)]}
