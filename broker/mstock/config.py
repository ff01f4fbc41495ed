"""The one reader of the environment: settings in, a checked `Config` out, or an error by name.

Nothing is read at import; `Config.from_env()` reads at call time, because OpenAlgo's credentials
page rewrites `.env` while the host runs.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

from broker.mstock.errors import SettingError
from broker.mstock.secret import Secret

REST_URL = "https://api.mstock.trade"
WS_URL = "wss://ws.mstock.trade"
REDIRECT_URL = "http://127.0.0.1:5000/mstock/callback"

_CALLBACK_PATH = "/mstock/callback"
_CODE_LENGTH = 20  # client codes and mobile numbers are shorter, API keys longer
_CODE = r"\+?[A-Za-z0-9_.-]+"  # a mobile number may begin with its country
_KEY = r"[!-~]{1,512}"
_HOST = r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"
_KEY_MARKS = "@=/+"  # base64 and mStock's padding; in every API key, in no client code
_PLACEHOLDER = r"(?i)your[_ -]|<.*>|x{4,}|changeme"
EDIT = "Edit .env and start again."


class Timeouts(NamedTuple):
    """Seconds: to connect, between two reads, and for one call as a whole, repeats included."""

    connect: float = 3.0
    read: float = 10.0
    deadline: float = 15.0


class Account(NamedTuple):
    """Whose session it is: mStock's or a simulator's address, the API type and the client code.

    What is kept is kept by it, so that a changed type asks for a new login, and the simulator's
    sessions never meet mStock's.
    """

    rest_url: str
    api_type: str
    client_code: str


class Config(NamedTuple):
    """Every setting, checked; two equal configs may share their connections.

    `rest_url` and `ws_url` are mStock's own names over TLS or a loopback address. `proxy` and
    `ca_bundle` are None for a loopback address, whatever the environment says.
    """

    client_code: str
    api_key: Secret
    api_type: str = "B"
    checksum: str = "L"
    funds_view: str = "cash"
    redirect_url: str = REDIRECT_URL
    rest_url: str = REST_URL
    ws_url: str = WS_URL
    timeouts: Timeouts = Timeouts()
    proxy: Secret | None = None
    ca_bundle: str | None = None

    @property
    def account(self) -> Account:
        """Whose session it is."""
        return Account(self.rest_url, self.api_type, self.client_code)

    @property
    def is_live(self) -> bool:
        """True for mStock itself, False for a simulator on this machine."""
        return self.rest_url == REST_URL

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Config:
        """Read and check the settings.

        Raises `SettingError`, whose message names the variable and never shows the API key.
        """
        source = os.environ if env is None else env
        return _checked(tuple(map(source.get, _NAMES)))


_PROXY_NAMES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
_CA_NAMES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_NAMES = (
    "BROKER_API_KEY",
    "BROKER_API_SECRET",
    "REDIRECT_URL",
    "MSTOCK_API_TYPE",
    "MSTOCK_CHECKSUM",
    "MSTOCK_FUNDS_VIEW",
    "MSTOCK_REST_URL",
    "MSTOCK_WS_URL",
    "MSTOCK_CONNECT_TIMEOUT",
    "MSTOCK_READ_TIMEOUT",
    "MSTOCK_DEADLINE",
    "no_proxy",
    "NO_PROXY",
    *_PROXY_NAMES,
    *_CA_NAMES,
)


@lru_cache(maxsize=1)
def _checked(values: tuple[str | None, ...]) -> Config:
    """The settings of these values of `_NAMES`; checked again only when one of them changes."""
    read = Reader(dict(zip(_NAMES, values, strict=True)))
    rest_url = _address(read, "MSTOCK_REST_URL", REST_URL, ("https", "http"))
    is_live = rest_url == REST_URL
    return Config(
        client_code=_client_code(read),
        api_key=_api_key(read),
        api_type=read.choice("MSTOCK_API_TYPE", "B", ("A", "B")),
        checksum=_checksum(read),
        funds_view=read.choice("MSTOCK_FUNDS_VIEW", "cash", ("cash", "balance")),
        redirect_url=_redirect_url(read),
        rest_url=rest_url,
        ws_url=_address(read, "MSTOCK_WS_URL", WS_URL, ("wss", "ws")),
        timeouts=_timeouts(read),
        proxy=_proxy(read) if is_live else None,
        ca_bundle=_ca_bundle(read) if is_live else None,
    )


def environment() -> Mapping[str, str]:
    """The process's environment as it is now."""
    return os.environ


def from_env_file(path: str | None = None) -> Config:
    """The settings of a `.env` file over those of the environment. Raises `SettingError`."""
    return Config.from_env(file_environment(path))


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


def _client_code(read: Reader) -> str:
    value = read.text("BROKER_API_KEY")
    if not value or re.search(_PLACEHOLDER, value):
        raise SettingError("BROKER_API_KEY, your mStock client code, is not filled in.", EDIT)
    if len(value) > _CODE_LENGTH or any(mark in value[1:] for mark in _KEY_MARKS):
        # Not shown: OpenAlgo sends this variable to the browser, and it holds the API key.
        raise SettingError(
            "BROKER_API_KEY holds what looks like an API key; your client code belongs there.",
            "Swap it with BROKER_API_SECRET in .env: client code in BROKER_API_KEY, API key in "
            "BROKER_API_SECRET.",
        )
    if not re.fullmatch(_CODE, value):
        raise SettingError(
            "BROKER_API_KEY, your mStock client code, may hold letters, digits, - _ and . only.",
            EDIT,
        )
    return value


def _api_key(read: Reader) -> Secret:
    value = read.text("BROKER_API_SECRET")
    if not value or re.search(_PLACEHOLDER, value):
        raise SettingError(
            "BROKER_API_SECRET, your mStock API key, is not filled in.",
            "Create a key at trade.mstock.com under Products, Trading APIs, and put it into .env.",
        )
    if value == read.text("BROKER_API_KEY"):
        raise SettingError(
            "BROKER_API_SECRET holds your client code; the API key belongs there.", EDIT
        )
    if not re.fullmatch(_KEY, value):
        raise SettingError(
            "BROKER_API_SECRET does not look like an mStock API key: it holds blanks or characters "
            "that no key has.",
            "Copy the key again from trade.mstock.com, Products, Trading APIs.",
        )
    return Secret(value)


def _checksum(read: Reader) -> str:
    value = read.text("MSTOCK_CHECKSUM", "L")
    if not re.fullmatch(r"[A-Z]", value, re.ASCII):
        raise SettingError("MSTOCK_CHECKSUM must be one capital letter, such as L or W.", EDIT)
    return value


def _redirect_url(read: Reader) -> str:
    value = read.text("REDIRECT_URL", REDIRECT_URL)
    if not re.fullmatch(rf"https?://{_HOST}{_CALLBACK_PATH}", value):
        raise SettingError(f"REDIRECT_URL must be an address ending in {_CALLBACK_PATH}.", EDIT)
    return value


def _timeouts(read: Reader) -> Timeouts:
    default = Timeouts()
    return Timeouts(
        connect=read.seconds("MSTOCK_CONNECT_TIMEOUT", default.connect),
        read=read.seconds("MSTOCK_READ_TIMEOUT", default.read),
        deadline=read.seconds("MSTOCK_DEADLINE", default.deadline),
    )


def _address(read: Reader, name: str, default: str, schemes: tuple[str, str]) -> str:
    """mStock's own address over TLS, or a loopback one; a typing error gets no password."""
    value = read.text(name, default).rstrip("/")
    host = default.partition("://")[2]
    tls, plain = schemes
    if re.fullmatch(rf"{tls}://{re.escape(host)}(:443)?", value, re.IGNORECASE):
        return default
    local = rf"({tls}|{plain})://(localhost|127(\.[0-9]{{1,3}}){{3}}|\[::1\])(:[0-9]{{1,5}})?"
    if re.fullmatch(local, value, re.IGNORECASE):
        return value
    raise SettingError(
        f"{name} must be mStock's own address over TLS ({host}), or for tests a loopback address "
        "(127.0.0.1).",
        "Remove the line from .env: only tests need it.",
    )


def _proxy(read: Reader) -> Secret | None:
    name = next((name for name in _PROXY_NAMES if read.text(name)), "")
    bypass = read.text("no_proxy") or read.text("NO_PROXY")
    host = REST_URL.partition("://")[2]
    if not name or proxy_bypass_environment(host, {"no": bypass}):
        return None
    value = read.text(name)
    value = value if "://" in value else f"http://{value}"
    shape = rf"https?://([^/?#@\s]*@)?{_HOST}/?"
    if not re.fullmatch(shape, value, re.IGNORECASE):
        # Not shown: a proxy's address may carry a user name and a password.
        raise SettingError(
            f"{name} is not the address of an HTTP proxy.",
            "Give it as host:port; blanks, / and # in its password must be percent-encoded.",
        )
    return Secret(value)


def _ca_bundle(read: Reader) -> str | None:
    for name in _CA_NAMES:
        path = read.text(name)
        if path:
            is_folder = os.path.isdir(path)
            try:
                ssl.create_default_context(
                    cafile=None if is_folder else path, capath=path if is_folder else None
                )
            except OSError:
                raise SettingError(f"{name} names no readable certificate file.", EDIT) from None
            return path
    return None
