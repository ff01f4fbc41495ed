"""Takes out of a report what is private: secrets, client code, paths, names, addresses."""

from __future__ import annotations

import getpass
import os
import re
import socket
from contextlib import suppress
from pathlib import Path

from broker._kit.cli.checks import Check
from broker._kit.cli.context import Context
from broker._kit.errors import BrokerError
from broker._kit.secret import masked

_PATTERNS = (
    (r"[\w.+-]+@[\w-]+(\.[\w-]+)+", "<mail>"),
    (r"(?<![\w.])(?<!OpenAlgo )[0-9]{1,3}(\.[0-9]{1,3}){3}(?!\.?[0-9A-Za-z])", "<address>"),
    (r"(?<![\w:])([0-9A-Fa-f]{0,4}:){3,7}[0-9A-Fa-f]{0,4}(?![\w:])", "<address>"),
    (r"(?<![\w:])::1(?![\w:])", "<address>"),
)
# A user may be called so: then the name gives nobody away, and the text needs the word.
_COMMON_WORDS = frozenset({"openalgo", "python", "user", "root", "admin", "sessions", "key"})


class Redactor:
    """Replaces `texts` wherever they stand, `words` where they stand alone; the longest first.

    What is too short to be looked for is left alone: `/` is everybody's folder.
    """

    def __init__(self, texts: dict[str, str], words: dict[str, str]) -> None:
        self._known = [
            (re.escape(text), instead)
            for text, instead in sorted(texts.items(), key=lambda each: -len(each[0]))
            if len(text) > 1
        ]
        self._known += [
            (rf"(?<![0-9A-Za-z])(?i:{re.escape(word)})(?![0-9A-Za-z])", instead)
            for word, instead in words.items()
            if len(word) > 2 and word.lower() not in _COMMON_WORDS
        ]

    def clean(self, text: str) -> str:
        """The text without any of it."""
        for found, instead in (*self._known, *_PATTERNS):
            text = re.sub(found, instead, text)
        return text

    def check(self, check: Check) -> Check:
        """A line of doctor's without any of it."""
        return check._replace(words=self.clean(check.words), todo=self.clean(check.todo))


def redactor(context: Context, pointed_at: Path | None) -> Redactor:
    """What must not leave this computer, as far as it is known here."""
    home = os.path.expanduser("~")
    texts = {os.path.realpath(home): "~", home: "~", os.getcwd(): "<folder>"}
    words = {socket.gethostname(): "<computer>"}
    with suppress(OSError, KeyError, ImportError):
        words[getpass.getuser()] = "<user>"
    words.pop(context.broker.name, None)  # as a common word
    with suppress(BrokerError):
        texts[context.service_settings.home] = "<BROKER_HOME>"
    with suppress(BrokerError):
        code = context.config.client_code
        texts |= {context.config.api_key.reveal(): "<API key>", masked(code): "<client code>"}
        words[code] = "<client code>"
    if context.env_file:
        texts[str(context.env_file.parent)] = "<folder>"
    for folder in filter(None, (pointed_at, pointed_at and pointed_at.resolve(), context.openalgo)):
        texts[str(folder)] = "<OpenAlgo>"
    return Redactor(texts, words)
