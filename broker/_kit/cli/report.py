"""Takes out of a report what is nobody else's: secrets, client code, paths, names, addresses."""

from __future__ import annotations

import getpass
import os
import re
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from broker._kit.broker import BrokerSettings
from broker._kit.cli.checks.check import Check
from broker._kit.cli.context import Desk
from broker._kit.errors import BrokerError
from broker._kit.secret import masked

_ADDRESS = re.compile(
    r"(?<![0-9A-Za-z.])(?<!OpenAlgo )[0-9]{1,3}(\.[0-9]{1,3}){3}(?![0-9A-Za-z.]*[0-9A-Za-z])"
    r"|(?<![0-9A-Za-z:])([0-9A-Fa-f]{0,4}:){3,7}[0-9A-Fa-f]{0,4}(?![0-9A-Za-z:])"
    r"|(?<![0-9A-Za-z:])::1(?![0-9A-Za-z:])"
)
_MAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")
# A user may be called so: then the name gives nobody away, and the text needs the word.
_OUR_WORDS = frozenset({"mstock", "openalgo", "python", "user", "root", "admin", "vault", "key"})


class Scrubber(NamedTuple):
    """What to replace: `paths` and `texts` wherever they stand, `words` where they stand alone."""

    texts: tuple[tuple[str, str], ...]
    words: tuple[tuple[str, str], ...]

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


def scrubber(desk: Desk, pointed_at: Path | None) -> Scrubber:
    """What must not leave this computer, as far as it is known here."""
    paths = [
        (str(pointed_at.resolve()) if pointed_at else "", "<OpenAlgo>"),
        (str(pointed_at) if pointed_at else "", "<OpenAlgo>"),
        (str(desk.openalgo or ""), "<OpenAlgo>"),
        (str(desk.env_file.parent) if desk.env_file else "", "<folder>"),
        (os.getcwd(), "<folder>"),
        (_vault(desk), "<BROKER_HOME>"),
        (os.path.realpath(os.path.expanduser("~")), "~"),
        (os.path.expanduser("~"), "~"),
    ]
    config = _config(desk)
    words = [(_user(), "<user>"), (socket.gethostname(), "<computer>")]
    if config is not None:
        code = config.client_code
        paths += [(config.api_key.reveal(), "<API key>"), (masked(code), "<client code>")]
        words.append((code, "<client code>"))
    return Scrubber(
        _longest_first(paths, 2),
        tuple(each for each in _longest_first(words, 3) if each[0].lower() not in _OUR_WORDS),
    )


def _longest_first(given: Iterable[tuple[str, str]], shortest: int) -> tuple[tuple[str, str], ...]:
    """Without what is too short to be looked for; `/` is everybody's folder."""
    kept = {found: instead for found, instead in reversed(list(given)) if len(found) >= shortest}
    return tuple(sorted(kept.items(), key=lambda each: -len(each[0])))


def _vault(desk: Desk) -> str:
    try:
        return desk.upkeep.home
    except BrokerError:
        return ""


def _config(desk: Desk) -> BrokerSettings | None:
    try:
        return desk.config
    except BrokerError:
        return None


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
