"""The one reader of the environment: named values in, checked settings out, or an error by name.

Nothing is read at import: OpenAlgo's credentials page rewrites `.env` while the host runs.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from typing import NamedTuple
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

from broker._kit.errors import SettingError
from broker._kit.secret import Secret

EDIT = "Edit .env and start again."
# An address without its scheme: a name or a literal address, with or without a port.
HOST = r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"
PLACEHOLDER = r"(?i)your[_ -]|<.*>|x{4,}|changeme"

_LOOPBACK = r"(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?"
_PROXY_NAMES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
_CA_NAMES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_TIMEOUT_NAMES = ("BROKER_CONNECT_TIMEOUT", "BROKER_READ_TIMEOUT", "BROKER_DEADLINE")
# What every broker's connection settings are read from.
CONNECTION_NAMES = (*_TIMEOUT_NAMES, "no_proxy", "NO_PROXY", *_PROXY_NAMES, *_CA_NAMES)
_WEBHOOK = rf"https://[^\s@/]+(/[^\s]*)?|http://{_LOOPBACK}(/[^\s]*)?"


class Timeouts(NamedTuple):
    """Seconds: to connect, between two reads, and for one call as a whole, repeats included."""

    connect: float = 3.0
    read: float = 10.0
    deadline: float = 15.0


class Account(NamedTuple):
    """Whose session it is: the broker's or a simulator's address, the API type and the client code.

    What is kept is kept by it, so that a changed type asks for a new login, and the simulator's
    sessions never meet the broker's.
    """

    rest_url: str
    api_type: str
    client_code: str


class Reader:
    """Values by name, with blanks and quotes taken off and an empty value counted as absent."""

    def __init__(self, env: Mapping[str, str | None]) -> None:
        self._env = env

    def text(self, name: str, default: str = "") -> str:
        value = (self._env[name] or "").strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1].strip()
        return value or default

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        given = self.text(name, default)
        for value in allowed:
            if given.lower() == value.lower():
                return value
        # What is there is not shown: it may be a key that was pasted into the wrong line.
        raise SettingError(f"{name} must be {' or '.join(allowed)}.", EDIT)

    def seconds(self, name: str, default: float) -> float:
        given = self.text(name)
        if not given:
            return default
        if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3})?", given) and 0.1 <= float(given) <= 120:
            return float(given)
        raise SettingError(f"{name} must be a number of seconds from 0.1 to 120.", EDIT)

    def timeouts(self) -> Timeouts:
        default = Timeouts()
        return Timeouts(*map(self.seconds, _TIMEOUT_NAMES, default))

    def address(self, name: str, default: str, schemes: tuple[str, str]) -> str:
        """The broker's own address over TLS, or a loopback one; a typing error gets no password."""
        value = self.text(name, default).rstrip("/")
        host = default.partition("://")[2]
        tls, plain = schemes
        if re.fullmatch(rf"{tls}://{re.escape(host)}(:443)?", value, re.IGNORECASE):
            return default
        if re.fullmatch(rf"({tls}|{plain})://{_LOOPBACK}", value, re.IGNORECASE):
            return value
        raise SettingError(
            f"{name} must be the broker's own address over TLS ({host}), or for tests a loopback "
            "address (127.0.0.1).",
            "Remove the line from .env: only tests need it.",
        )

    def proxy(self, host: str) -> Secret | None:
        """The HTTP proxy for that host, None without one."""
        name = next((name for name in _PROXY_NAMES if self.text(name)), "")
        bypass = self.text("no_proxy") or self.text("NO_PROXY")
        if not name or proxy_bypass_environment(host, {"no": bypass}):
            return None
        value = self.text(name)
        value = value if "://" in value else f"http://{value}"
        if not re.fullmatch(rf"https?://([^/?#@\s]*@)?{HOST}/?", value, re.IGNORECASE):
            # Not shown: a proxy's address may carry a user name and a password.
            raise SettingError(
                f"{name} is not the address of an HTTP proxy.",
                "Give it as host:port; blanks, / and # in its password must be percent-encoded.",
            )
        return Secret(value)

    def ca_bundle(self) -> str | None:
        """The certificate file or folder that the environment names, None without one."""
        name = next((name for name in _CA_NAMES if self.text(name)), "")
        if not name:
            return None
        path = self.text(name)
        is_folder = os.path.isdir(path)
        try:
            ssl.create_default_context(
                cafile=None if is_folder else path, capath=path if is_folder else None
            )
        except OSError:
            raise SettingError(f"{name} names no readable certificate file.", EDIT) from None
        return path


def environment() -> Mapping[str, str]:
    """The process's environment as it is now."""
    return os.environ


def file_environment(path: str | None = None) -> Mapping[str, str]:
    """What a `.env` file says, over the environment; for the command line.

    Without a path the file is looked for in the working folder and above it. The environment is
    left as it is, so that a line taken out of the file is gone at the next reading. Raises
    `SettingError`.
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
    if not found and "BROKER_API_KEY" not in os.environ:
        raise SettingError(
            f"There is no .env file in {os.getcwd()} or above it.",
            "Copy .env.example to .env there (on Windows, mind that it does not become .env.txt).",
        )
    given = {name: value for name, value in values.items() if value is not None}
    return {**os.environ, **given}


class ServiceSettings(NamedTuple):
    """`home` is the folder of the vault; `store_url` an SQLAlchemy URL instead of it, or None.

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
        source = environment() if env is None else env
        read = Reader({name: source.get(name) for name in _NAMES})
        return cls(
            home=os.path.abspath(os.path.expanduser(read.text("BROKER_HOME", _HOME))),
            uses_keyring=read.choice("BROKER_KEYRING", "0", ("0", "1")) == "1",
            store_url=_store_url(read.text("BROKER_STORE")),
            webhook=_webhook(read.text("BROKER_NOTIFY_URL")),
            telegram=_telegram(
                read.text("BROKER_TELEGRAM_TOKEN"), read.text("BROKER_TELEGRAM_CHAT")
            ),
        )


_HOME = "~/.openalgo-brokers"
_NAMES = (
    "BROKER_HOME",
    "BROKER_KEYRING",
    "BROKER_STORE",
    "BROKER_NOTIFY_URL",
    "BROKER_TELEGRAM_TOKEN",
    "BROKER_TELEGRAM_CHAT",
)


def _store_url(value: str) -> Secret | None:
    # Not shown: the address may carry a password.
    if value and not re.fullmatch(r"(sqlite|postgresql)(\+\w+)?://\S+", value):
        raise SettingError(
            "BROKER_STORE must be the address of an SQLite or PostgreSQL database, such as "
            "sqlite:////home/me/sessions.db.",
            EDIT,
        )
    return Secret(value) if value else None


def _webhook(value: str) -> Secret | None:
    if value and not re.fullmatch(_WEBHOOK, value, re.IGNORECASE):
        raise SettingError("BROKER_NOTIFY_URL must be an address that begins with https://.", EDIT)
    return Secret(value) if value else None


def _telegram(token: str, chat: str) -> tuple[Secret, str] | None:
    if not token and not chat:
        return None
    if not re.fullmatch(r"[0-9]+:[A-Za-z0-9_-]{20,}", token) or not re.fullmatch(
        r"-?[0-9]+|@\w+", chat
    ):
        raise SettingError(
            "BROKER_TELEGRAM_TOKEN and BROKER_TELEGRAM_CHAT belong together: a bot's token, as "
            "BotFather gives it, and the number of a chat.",
            EDIT,
        )
    return Secret(token), chat
