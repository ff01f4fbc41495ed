"""Takes out of a text what must not leave this computer, as far as it is known here."""

from __future__ import annotations

import getpass
import os
import re
import socket
from contextlib import suppress
from pathlib import Path

from broker._kit.cli.context import Context
from broker._kit.errors import BrokerError
from broker._kit.secret import masked

_PRIVATE = (
    (r"[\w.+-]+@[\w-]+(\.[\w-]+)+", "<mail>"),
    (r"(?<![\w.])(?<!OpenAlgo )[0-9]{1,3}(\.[0-9]{1,3}){3}(?!\.?[0-9A-Za-z])", "<address>"),
    (r"(?<![\w:])([0-9A-Fa-f]{0,4}:){3,7}[0-9A-Fa-f]{0,4}(?![\w:])", "<address>"),
    (r"(?<![\w:])::1(?![\w:])", "<address>"),
)
# A user may be called so: then the name gives nobody away, and the text needs the word.
_COMMON_WORDS = frozenset({"openalgo", "python", "user", "root", "admin", "sessions", "key"})


def private(context: Context, folder: Path | None = None) -> tuple[dict[str, str], dict[str, str]]:
    """What must not leave this computer, as far as it is known here: texts, and whole words."""
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
    folders = (folder, folder and folder.resolve(), context.openalgo)
    return texts | {str(each): "<OpenAlgo>" for each in folders if each}, words


def redacted(text: str, texts: dict[str, str], words: dict[str, str]) -> str:
    """The text without `texts` anywhere and `words` where they stand alone; the longest first.

    What is too short to be looked for is left alone: `/` is everybody's folder.
    """
    for known in sorted(filter(lambda each: len(each) > 1, texts), key=len, reverse=True):
        text = text.replace(known, texts[known])
    for word, instead in words.items():
        if len(word) > 2 and word.lower() not in _COMMON_WORDS:
            alone = rf"(?<![0-9A-Za-z])(?i:{re.escape(word)})(?![0-9A-Za-z])"
            text = re.sub(alone, instead, text)
    for pattern, instead in _PRIVATE:
        text = re.sub(pattern, instead, text)
    return text
