"""mStock's settings out of the environment: a checked `Config`, or an error by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from broker._kit.errors import SettingError
from broker._kit.secret import Secret
from broker._kit.settings import (
    CONNECTION_NAMES,
    EDIT,
    HOST,
    PLACEHOLDER,
    Account,
    Reader,
    Timeouts,
    environment,
)

REST_URL = "https://api.mstock.trade"
WS_URL = "wss://ws.mstock.trade"
REDIRECT_URL = "http://127.0.0.1:5000/mstock/callback"

_CALLBACK_PATH = "/mstock/callback"
_CODE_LENGTH = 20  # client codes and mobile numbers are shorter, API keys longer
_CODE = r"\+?[A-Za-z0-9_.-]+"  # a mobile number may begin with its country
_KNOWN_CODES = r"[A-Za-z]{2}[0-9]{4,10}"  # all of them; API keys have other characters too
_KEY = r"[!-~]{1,512}"
_KEY_MARKS = "@=/+"  # base64 and mStock's padding; in every API key, in no client code


class Config(NamedTuple):
    """Every setting, checked; two equal configs may share their connections.

    `most_instruments` on one connection for live prices, and `most_sockets` of them at once.

    `rest_url` and `ws_url` are mStock's own names over TLS or a loopback address. `proxy` and
    `ca_bundle` are None for a loopback address, whatever the environment says.
    """

    client_code: str
    api_key: Secret
    api_type: str = "B"
    checksum: str = "L"
    funds_view: str = "cash"
    most_instruments: int = 3000
    most_sockets: int = 1
    order_updates: str = "poll"
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

    def with_timeouts(self, timeouts: Timeouts) -> Config:
        """The same with other time-outs."""
        return self._replace(timeouts=timeouts)

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Config:
        """Read and check the settings.

        Raises `SettingError`, whose message names the variable and never shows the API key.
        """
        source = environment() if env is None else env
        return _checked(tuple(map(source.get, _NAMES)))


_NAMES = (
    "BROKER_API_KEY",
    "BROKER_API_SECRET",
    "REDIRECT_URL",
    "MSTOCK_API_TYPE",
    "MSTOCK_CHECKSUM",
    "MSTOCK_FUNDS_VIEW",
    "MSTOCK_WS_MAX_INSTRUMENTS",
    "MSTOCK_WS_SOCKETS",
    "MSTOCK_ORDER_UPDATES",
    "MSTOCK_REST_URL",
    "MSTOCK_WS_URL",
    *CONNECTION_NAMES,
)


@lru_cache(maxsize=1)
def _checked(values: tuple[str | None, ...]) -> Config:
    """The settings of these values of `_NAMES`; checked again only when one of them changes."""
    read = Reader(dict(zip(_NAMES, values, strict=True)))
    rest_url = read.address("MSTOCK_REST_URL", REST_URL, ("https", "http"))
    is_live = rest_url == REST_URL
    return Config(
        client_code=_client_code(read),
        api_key=_api_key(read),
        api_type=read.choice("MSTOCK_API_TYPE", "B", ("A", "B")),
        checksum=read.matched(
            *("MSTOCK_CHECKSUM", "[A-Z]"),
            "MSTOCK_CHECKSUM must be one capital letter, such as L or W.",
            default="L",
        ),
        funds_view=read.choice("MSTOCK_FUNDS_VIEW", "cash", ("cash", "balance")),
        most_instruments=int(
            read.matched(
                *("MSTOCK_WS_MAX_INSTRUMENTS", "[1-9][0-9]{0,4}"),
                "MSTOCK_WS_MAX_INSTRUMENTS must be a whole number from 1 to 99999.",
                default="3000",
            )
        ),
        most_sockets=int(
            read.matched(
                *("MSTOCK_WS_SOCKETS", "[1-9]"),
                "MSTOCK_WS_SOCKETS must be a whole number from 1 to 9.",
                default="1",
            )
        ),
        order_updates=read.choice("MSTOCK_ORDER_UPDATES", "poll", ("poll", "socket")),
        redirect_url=read.matched(
            *("REDIRECT_URL", rf"https?://{HOST}{_CALLBACK_PATH}"),
            f"REDIRECT_URL must be an address ending in {_CALLBACK_PATH}.",
            default=REDIRECT_URL,
        ),
        rest_url=rest_url,
        ws_url=read.address("MSTOCK_WS_URL", WS_URL, ("wss", "ws")),
        timeouts=read.timeouts(),
        proxy=read.proxy(REST_URL.partition("://")[2]) if is_live else None,
        ca_bundle=read.ca_bundle() if is_live else None,
    )


def _client_code(read: Reader) -> str:
    value = read.text("BROKER_API_KEY")
    if re.search(PLACEHOLDER, value):
        raise SettingError("BROKER_API_KEY, your mStock client code, is not filled in.", EDIT)
    if len(value) > _CODE_LENGTH or any(mark in value[1:] for mark in _KEY_MARKS):
        # Not shown: OpenAlgo sends this variable to the browser, and it holds the API key.
        raise SettingError(
            "BROKER_API_KEY holds what looks like an API key; your client code belongs there.",
            "Swap it with BROKER_API_SECRET in .env: client code in BROKER_API_KEY, API key in "
            "BROKER_API_SECRET.",
        )
    return read.matched(
        *("BROKER_API_KEY", _CODE),
        "BROKER_API_KEY, your mStock client code, may hold letters, digits, - _ and . only.",
    )


def _api_key(read: Reader) -> Secret:
    value = read.text("BROKER_API_SECRET")
    if re.search(PLACEHOLDER, value):
        raise SettingError(
            "BROKER_API_SECRET, your mStock API key, is not filled in.",
            "Create a key at trade.mstock.com under Products, Trading APIs, and put it into .env.",
        )
    if value == read.text("BROKER_API_KEY") or re.fullmatch(_KNOWN_CODES, value):
        raise SettingError(
            "BROKER_API_SECRET holds your client code; the API key belongs there.", EDIT
        )
    return Secret(
        read.matched(
            *("BROKER_API_SECRET", _KEY),
            "BROKER_API_SECRET does not look like an mStock API key: it holds blanks or characters "
            "that no key has.",
            "Copy the key again from trade.mstock.com, Products, Trading APIs.",
        )
    )
