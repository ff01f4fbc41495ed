"""Settings of what runs by itself: where things are kept, and whom to tell when a login fails."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from broker.mstock.config import EDIT, Reader, environment
from broker.mstock.errors import SettingError
from broker.mstock.secret import Secret

_LOCAL = r"http://(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?(/[^\s]*)?"
_ADDRESS = rf"https://[^\s@/]+(/[^\s]*)?|{_LOCAL}"


class Upkeep(NamedTuple):
    """`home` is the folder of the vault; `store_url` an SQLAlchemy URL instead of it, or None.

    `webhook` and `telegram` (token and chat id) are told when a login fails for good.
    """

    home: str
    uses_keyring: bool = False
    store_url: Secret | None = None
    webhook: Secret | None = None
    telegram: tuple[Secret, str] | None = None

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Upkeep:
        """Read and check the settings. Raises `SettingError`, which names the variable."""
        source = environment() if env is None else env
        read = Reader({name: source.get(name) for name in _NAMES})
        return cls(
            home=os.path.abspath(os.path.expanduser(read.text("MSTOCK_HOME", _HOME))),
            uses_keyring=read.choice("MSTOCK_KEYRING", "0", ("0", "1")) == "1",
            store_url=_store_url(read.text("MSTOCK_STORE")),
            webhook=_webhook(read.text("MSTOCK_NOTIFY_URL")),
            telegram=_telegram(
                read.text("MSTOCK_TELEGRAM_TOKEN"), read.text("MSTOCK_TELEGRAM_CHAT")
            ),
        )


_HOME = "~/.mstock-openalgo"
_NAMES = (
    "MSTOCK_HOME",
    "MSTOCK_KEYRING",
    "MSTOCK_STORE",
    "MSTOCK_NOTIFY_URL",
    "MSTOCK_TELEGRAM_TOKEN",
    "MSTOCK_TELEGRAM_CHAT",
)


def _store_url(value: str) -> Secret | None:
    # Not shown: the address may carry a password.
    if value and not re.fullmatch(r"(sqlite|postgresql)(\+\w+)?://\S+", value):
        raise SettingError(
            "MSTOCK_STORE must be the address of an SQLite or PostgreSQL database, such as "
            "sqlite:////home/me/mstock.db.",
            EDIT,
        )
    return Secret(value) if value else None


def _webhook(value: str) -> Secret | None:
    if value and not re.fullmatch(_ADDRESS, value, re.IGNORECASE):
        raise SettingError("MSTOCK_NOTIFY_URL must be an address that begins with https://.", EDIT)
    return Secret(value) if value else None


def _telegram(token: str, chat: str) -> tuple[Secret, str] | None:
    if not token and not chat:
        return None
    if not re.fullmatch(r"[0-9]+:[A-Za-z0-9_-]{20,}", token) or not re.fullmatch(
        r"-?[0-9]+|@\w+", chat
    ):
        raise SettingError(
            "MSTOCK_TELEGRAM_TOKEN and MSTOCK_TELEGRAM_CHAT belong together: a bot's token, as "
            "BotFather gives it, and the number of a chat.",
            EDIT,
        )
    return Secret(token), chat
