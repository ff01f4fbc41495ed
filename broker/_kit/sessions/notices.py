"""Tells the user of a login that failed for good: by a webhook, by Telegram, and in the log."""

from __future__ import annotations

import json
import logging
import ssl
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple
from urllib import request
from urllib.error import HTTPError

from broker._kit.clock import IST, SYSTEM_CLOCK, Clock
from broker._kit.secret import Secret, masked
from broker._kit.settings import Account, ServiceSettings

log = logging.getLogger(__name__)

TELEGRAM = "https://api.telegram.org"
_TIMEOUT = 4.0  # seconds, to connect and between two reads
_PATIENCE = 6.0  # seconds for all of it; what takes longer goes on in the background
_LONGEST = 1500  # characters


class Notice(NamedTuple):
    """What the user must read: about which account, in words that hold no secret, and when."""

    account: Account
    words: str
    at: datetime


class _Post(NamedTuple):
    """One message; the address is a secret, since it opens a chat to whoever knows it."""

    to: str
    address: Secret
    body: dict[str, str]


def teller(
    upkeep: ServiceSettings, clock: Clock = SYSTEM_CLOCK, *, telegram: str = TELEGRAM
) -> Callable[[Notice], None]:
    """What sends a notice wherever the settings say. It never raises, and takes a few seconds.

    A webhook gets JSON: `text` (what chat services show), `account` (client code, masked),
    `api_type`, `at` (ISO 8601, IST). Each message goes out once; what came of it is logged.
    """

    def tell(notice: Notice) -> None:
        log.warning(f"{_heading(notice.account)}: {notice.words}")
        posts = _posts(upkeep, notice, telegram)
        threads = [threading.Thread(target=_deliver, args=(post,), daemon=True) for post in posts]
        for thread in threads:
            thread.start()
        end = clock.monotonic() + _PATIENCE
        for thread in threads:
            thread.join(max(0.0, end - clock.monotonic()))
            if thread.is_alive():
                log.warning("A notice is still on its way.")

    return tell


def _posts(upkeep: ServiceSettings, notice: Notice, telegram: str) -> list[_Post]:
    text = f"{_heading(notice.account)}: {notice.words}"[:_LONGEST]
    posts = []
    if upkeep.webhook is not None:
        body = {
            "text": text,
            "account": masked(notice.account.client_code),
            "api_type": notice.account.api_type,
            "at": notice.at.astimezone(IST).isoformat(timespec="seconds"),
        }
        posts.append(_Post("webhook", upkeep.webhook, body))
    if upkeep.telegram is not None:
        token, chat = upkeep.telegram
        # Telegram wants the bot's token in the path; nothing here shows an address.
        address = Secret(f"{telegram}/bot{token.reveal()}/sendMessage")
        posts.append(_Post("Telegram", address, {"chat_id": chat, "text": text}))
    return posts


def _heading(account: Account) -> str:
    return f"mStock auto-login of {masked(account.client_code)}"


def _deliver(post: _Post) -> None:
    try:
        status = _send(post)
    except HTTPError as error:
        status = error.code
        error.close()
    except Exception as error:
        # Not its text, which may hold the address.
        log.warning(f"The notice could not be sent ({post.to}): {type(error).__name__}")
        return
    if 200 <= status < 300:
        log.info(f"The notice was sent ({post.to}).")
    else:
        log.warning(f"The notice was not taken ({post.to}): HTTP {status}")


def _send(post: _Post) -> int:
    """The HTTP status. By urllib, which logs no address, as urllib3 would at its lowest level."""
    address = post.address.reveal()
    message = request.Request(  # noqa: S310, upkeep.py lets only https and loopback through
        address,
        data=json.dumps(post.body).encode(),
        headers={"Content-Type": "application/json", "User-Agent": "mstock-openalgo"},
        method="POST",
    )
    is_local = address.lower().startswith("http://")
    opener = request.build_opener(
        request.HTTPSHandler(context=ssl.create_default_context()),
        _NoRedirect,
        request.ProxyHandler({} if is_local else None),
    )
    with opener.open(message, timeout=_TIMEOUT) as answer:
        return int(answer.status)


class _NoRedirect(request.HTTPRedirectHandler):
    """A redirect would carry the words elsewhere: it is an answer like any other."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None
