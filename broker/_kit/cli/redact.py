"""Takes out of a report what is private: secrets, client code, paths, names, addresses."""

from __future__ import annotations

import getpass
import os
import re
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, TypeVar

from broker._kit.cli.checks import Check
from broker._kit.cli.context import Context
from broker._kit.errors import BrokerError
from broker._kit.secret import masked

T = TypeVar("T")
Replacements = tuple[tuple[str, str], ...]

_ADDRESS = re.compile(
    r"(?<![0-9A-Za-z.])(?<!OpenAlgo )[0-9]{1,3}(\.[0-9]{1,3}){3}(?![0-9A-Za-z.]*[0-9A-Za-z])"
    r"|(?<![0-9A-Za-z:])([0-9A-Fa-f]{0,4}:){3,7}[0-9A-Fa-f]{0,4}(?![0-9A-Za-z:])"
    r"|(?<![0-9A-Za-z:])::1(?![0-9A-Za-z:])"
)
_MAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")
# A user may be called so: then the name gives nobody away, and the text needs the word.
_COMMON_WORDS = frozenset({"openalgo", "python", "user", "root", "admin", "sessions", "key"})


class Redactor(NamedTuple):
    """What to replace: `texts` wherever they stand, `words` where they stand alone."""

    texts: Replacements
    words: Replacements

    def clean(self, text: str) -> str:
        """The text without any of it."""
        for found, instead in self.texts:
            text = text.replace(found, instead)
        for found, instead in self.words:
            text = re.sub(
                rf"(?<![0-9A-Za-z]){re.escape(found)}(?![0-9A-Za-z])", instead, text, flags=re.I
            )
        return _ADDRESS.sub("<address>", _MAIL.sub("<mail>", text))

    def check(self, check: Check) -> Check:
        """A line of doctor's without any of it."""
        return check._replace(words=self.clean(check.words), todo=self.clean(check.todo))


def redactor(context: Context, pointed_at: Path | None) -> Redactor:
    """What must not leave this computer, as far as it is known here."""
    home = os.path.expanduser("~")
    texts = [
        (str(pointed_at.resolve()) if pointed_at else "", "<OpenAlgo>"),
        (str(pointed_at) if pointed_at else "", "<OpenAlgo>"),
        (str(context.openalgo or ""), "<OpenAlgo>"),
        (str(context.env_file.parent) if context.env_file else "", "<folder>"),
        (os.getcwd(), "<folder>"),
        (_or_none(lambda: context.service_settings.home) or "", "<BROKER_HOME>"),
        (os.path.realpath(home), "~"),
        (home, "~"),
    ]
    words = [(_user(), "<user>"), (socket.gethostname(), "<computer>")]
    config = _or_none(lambda: context.config)
    if config is not None:
        code = config.client_code
        texts += [(config.api_key.reveal(), "<API key>"), (masked(code), "<client code>")]
        words.append((code, "<client code>"))
    known = _COMMON_WORDS | {context.broker.name}
    return Redactor(
        longest_first(texts, 2),
        tuple(each for each in longest_first(words, 3) if each[0].lower() not in known),
    )


def longest_first(given: Iterable[tuple[str, str]], shortest: int) -> Replacements:
    """Without what is too short to be looked for; `/` is everybody's folder."""
    kept = {found: instead for found, instead in reversed(list(given)) if len(found) >= shortest}
    return tuple(sorted(kept.items(), key=lambda each: -len(each[0])))


def _or_none(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except BrokerError:
        return None


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
