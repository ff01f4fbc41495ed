"""Tells the user of a login that failed for good: by a webhook, by Telegram, and in the log."""

from __future__ import annotations

import json
import logging
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, NamedTuple
from urllib import request
from urllib.error import HTTPError

from broker._kit.broker import Broker
from broker._kit.clock import IST, SYSTEM_CLOCK, Clock
from broker._kit.secret import Secret, masked
from broker._kit.settings import Account, ServiceSettings

log = logging.getLogger(__name__)

_TIMEOUT_S = 4.0  # to connect and between two reads
_WAIT_S = 6.0  # for all of it; what takes longer goes on in the background
_LONGEST = 1500  # characters


class Notice(NamedTuple):
    """What the user must read: about which account, in words that hold no secret, and when."""

    account: Account
    words: str
    at: datetime


def teller(
    broker: Broker,
    settings: ServiceSettings,
    clock: Clock = SYSTEM_CLOCK,
    *,
    telegram: str = "https://api.telegram.org",
) -> Callable[[Notice], None]:
    """What sends a notice wherever the settings say. It never raises, and takes a few seconds.

    A webhook gets JSON: `text` (what chat services show), `account` (client code, masked),
    `api_type`, `at` (ISO 8601, IST). Each message goes out once; what came of it is logged.
    """

    def tell(notice: Notice) -> None:
        text = f"{broker.title} auto-login of {masked(notice.account.client_code)}: {notice.words}"
        log.warning(text)
        threads = [
            threading.Thread(target=_deliver, args=message, daemon=True)
            for message in _messages(settings, notice, text[:_LONGEST], telegram)
        ]
        for thread in threads:
            thread.start()
        end = clock.monotonic() + _WAIT_S
        for thread in threads:
            thread.join(max(0.0, end - clock.monotonic()))
            if thread.is_alive():
                log.warning("A notice is still on its way.")

    return tell


def _messages(
    settings: ServiceSettings, notice: Notice, text: str, telegram: str
) -> Iterator[tuple[str, Secret, dict[str, str]]]:
    """Where to, the address and the body; an address opens a chat to whoever knows it."""
    if settings.webhook is not None:
        yield (
            "webhook",
            settings.webhook,
            {
                "text": text,
                "account": masked(notice.account.client_code),
                "api_type": notice.account.api_type,
                "at": notice.at.astimezone(IST).isoformat(timespec="seconds"),
            },
        )
    if settings.telegram is not None:
        token, chat = settings.telegram
        # Telegram wants the bot's token in the path; nothing here shows an address.
        address = Secret(f"{telegram}/bot{token.reveal()}/sendMessage")
        yield "Telegram", address, {"chat_id": chat, "text": text}


def _deliver(to: str, address: Secret, body: dict[str, str]) -> None:
    """By urllib, which logs no address, as urllib3 would at its lowest level."""
    try:
        message = request.Request(  # noqa: S310, settings.py lets only https and loopback through
            address.reveal(),
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "User-Agent": "openalgo-brokers"},
        )
        is_local = message.type == "http"
        opener = request.build_opener(
            request.HTTPSHandler(context=ssl.create_default_context()),
            _NoRedirect,
            request.ProxyHandler({} if is_local else None),
        )
        opener.open(message, timeout=_TIMEOUT_S).close()
    except HTTPError as error:
        error.close()
        log.warning(f"The notice was not taken ({to}): HTTP {error.code}")
    except Exception as error:
        # Not its text, which may hold the address.
        log.warning(f"The notice could not be sent ({to}): {type(error).__name__}")
    else:
        log.info(f"The notice was sent ({to}).")


class _NoRedirect(request.HTTPRedirectHandler):
    """A redirect would carry the words elsewhere: it is an answer like any other."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None
