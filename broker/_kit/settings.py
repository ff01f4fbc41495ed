"""The one reader of the environment: named values in, checked settings out, or an error by name.

Nothing is read at import: OpenAlgo's credentials page rewrites `.env` while the host runs.
"""

from __future__ import annotations

import os
import re
import ssl
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

from broker._kit.errors import SettingError
from broker._kit.secret import Secret, masked

EDIT = "Edit .env and start again."
# An address without its scheme: a name or a literal address, with or without a port.
HOST = r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"
PLACEHOLDER = r"(?i)your[_ -]|<.*>|x{4,}|changeme|^$"

_LOOPBACK = r"(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?"
_PROXY_NAMES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
_CA_NAMES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_TIMEOUT_NAMES = ("BROKER_CONNECT_TIMEOUT", "BROKER_READ_TIMEOUT", "BROKER_DEADLINE")
# What every broker's connection settings are read from.
CONNECTION_NAMES = (*_TIMEOUT_NAMES, "no_proxy", "NO_PROXY", *_PROXY_NAMES, *_CA_NAMES)


class Timeouts(NamedTuple):
    """Seconds: to connect, between two reads, and for one call as a whole, repeats included."""

    connect: float = 3.0
    read: float = 10.0
    deadline: float = 15.0


class Account(NamedTuple):
    """Whose session it is: the broker's or a simulator's address, the API type and the client code.

    What is kept is kept by it, so that a changed type asks for a new login, and the simulator's
    sessions never meet the broker's. The type is "" where the broker has only one.
    """

    rest_url: str
    api_type: str
    client_code: str

    @property
    def words(self) -> str:
        """The client code, masked, and the type: MA••••01, API type B."""
        return masked(self.client_code) + self.type_words

    @property
    def type_words(self) -> str:
        """What follows a name: ", API type B", or nothing."""
        return f", API type {self.api_type}" if self.api_type else ""


class Reader:
    """Values by name, with blanks and quotes taken off and an empty value counted as absent."""

    def __init__(self, env: Mapping[str, str | None]) -> None:
        self._env = env

    def text(self, name: str, default: str = "") -> str:
        value = (self._env[name] or "").strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1].strip()
        return value or default

    def matched(
        self, name: str, pattern: str, fault: str, next_step: str = EDIT, *, default: str = ""
    ) -> str:
        """The value if all of it matches, or is absent. `fault` does not show it: it may be a key
        that was pasted into the wrong line."""
        value = self.text(name, default)
        if value and not re.fullmatch(pattern, value):
            raise SettingError(fault, next_step)
        return value

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        fault = f"{name} must be {' or '.join(allowed)}."
        given = self.matched(name, rf"(?i:{'|'.join(allowed)})", fault, default=default)
        return next(value for value in allowed if value.lower() == given.lower())

    def timeouts(self) -> Timeouts:
        return Timeouts(*map(self._seconds, _TIMEOUT_NAMES, Timeouts()))

    def _seconds(self, name: str, default: float) -> float:
        fault = f"{name} must be a number of seconds from 0.1 to 120."
        pattern = r"[0-9]{1,3}(\.[0-9]{1,3})?"
        seconds = float(self.matched(name, pattern, fault, default=str(default)))
        if 0.1 <= seconds <= 120:
            return seconds
        raise SettingError(fault, EDIT)

    def address(self, name: str, default: str, schemes: tuple[str, str]) -> str:
        """The broker's own address over TLS, or a loopback one; a typing error gets no password."""
        host, (tls, plain) = default.partition("://")[2], schemes
        own = rf"(?i){tls}://{re.escape(host)}(:443)?"
        value = self.matched(
            name,
            rf"{own}/*|({tls}|{plain})://{_LOOPBACK}/*",
            f"{name} must be the broker's own address over TLS ({host}), or for tests a loopback "
            "address (127.0.0.1).",
            "Remove the line from .env: only tests need it.",
            default=default,
        ).rstrip("/")
        return default if re.fullmatch(own, value) else value

    def _first(self, names: tuple[str, ...]) -> str:
        return next(filter(self.text, names), "")

    def proxy(self, host: str) -> Secret | None:
        """The HTTP proxy for that host, None without one."""
        name = self._first(_PROXY_NAMES)
        bypass = self.text("no_proxy") or self.text("NO_PROXY")
        if not name or proxy_bypass_environment(host, {"no": bypass}):
            return None
        value = self.matched(
            name,
            rf"(?i)(https?://)?([^/?#@\s]*@)?{HOST}/?",
            f"{name} is not the address of an HTTP proxy.",
            "Give it as host:port; blanks, / and # in its password must be percent-encoded.",
        )
        return Secret(value if "://" in value else f"http://{value}")

    def ca_bundle(self) -> str | None:
        """The certificate file or folder that the environment names, None without one."""
        name = self._first(_CA_NAMES)
        if not name:
            return None
        path = self.text(name)
        where = {"capath" if os.path.isdir(path) else "cafile": path}
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(**where)
        except OSError:
            raise SettingError(f"{name} names no readable certificate file.", EDIT) from None
        return path


def environment() -> Mapping[str, str]:
    """The process's environment as it is now."""
    return os.environ


def file_environment(path: str | None = None, *, is_needed: bool = True) -> Mapping[str, str]:
    """What a `.env` file says, over the environment; for the command line.

    Without a path the file is looked for in the working folder and above it. The environment is
    left as it is, so that a line taken out of the file is gone at the next reading. Raises
    `SettingError`, also for no file where the environment has no settings and they are needed.
    """
    from dotenv import dotenv_values, find_dotenv

    try:
        found = path or find_dotenv(usecwd=True)
        values = dotenv_values(found, interpolate=False)
    except OSError:
        raise SettingError(
            "The .env file cannot be read.",
            "Check that it belongs to you and that you may read it.",
        ) from None
    except ValueError:
        raise SettingError(
            "The .env file is not plain text.", "Save it with the encoding UTF-8."
        ) from None
    if is_needed and not found and "BROKER_API_KEY" not in os.environ:
        raise SettingError(
            f"There is no .env file in {os.getcwd()} or above it.",
            "Copy .env.example to .env there, or write one with the lines BROKER_API_KEY=… and "
            "BROKER_API_SECRET=… (on Windows, mind that it does not become .env.txt).",
        )
    given = {name: value for name, value in values.items() if value is not None}
    return {**os.environ, **given}


class ServiceSettings(NamedTuple):
    """`home` is the folder of the SQLite file; `store_url` an SQLAlchemy URL in its place, or None.

    `webhook` and `telegram` (token and chat id) are told when a login fails for good.
    """

    home: str
    uses_keyring: bool = False
    store_url: Secret | None = None
    webhook: Secret | None = None
    telegram: tuple[Secret, str] | None = None

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> ServiceSettings:
        """Read and check the settings. Raises `SettingError`, which names the variable."""
        read = Reader(defaultdict(str, environment() if env is None else env))
        store = read.matched(
            "BROKER_STORE",
            r"(sqlite|postgresql)(\+\w+)?://\S+",
            "BROKER_STORE must be the address of an SQLite or PostgreSQL database, such as "
            "sqlite:////home/me/sessions.db.",
        )
        webhook = read.matched(
            "BROKER_NOTIFY_URL",
            rf"(?i)https://[^\s@/]+(/[^\s]*)?|http://{_LOOPBACK}(/[^\s]*)?",
            "BROKER_NOTIFY_URL must be an address that begins with https://.",
        )
        bot = ("BROKER_TELEGRAM_TOKEN", r"[0-9]+:[A-Za-z0-9_-]{20,}", _TELEGRAM)
        chat = ("BROKER_TELEGRAM_CHAT", r"-?[0-9]+|@\w+", _TELEGRAM)
        telegram = (Secret(read.matched(*bot)), read.matched(*chat))
        if any(telegram) != all(telegram):
            raise SettingError(_TELEGRAM, EDIT)
        return cls(
            home=os.path.abspath(os.path.expanduser(read.text("BROKER_HOME", _HOME))),
            uses_keyring=read.choice("BROKER_KEYRING", "0", ("0", "1")) == "1",
            store_url=Secret(store) if store else None,
            webhook=Secret(webhook) if webhook else None,
            telegram=telegram if any(telegram) else None,
        )


_HOME = "~/.openalgo-brokers"
_TELEGRAM = (
    "BROKER_TELEGRAM_TOKEN and BROKER_TELEGRAM_CHAT belong together: a bot's token, as BotFather "
    "gives it, and the number of a chat."
)
