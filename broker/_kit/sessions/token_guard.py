"""Keeps calls with a dead token off the network, and finds out whether a refused one is dead."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from broker._kit.broker import BrokerSettings
from broker._kit.clock import SYSTEM_CLOCK, Clock, session_end
from broker._kit.errors import BrokerError, SessionExpired, SessionRefused
from broker._kit.secret import Secret
from broker._kit.sessions.token_life import fingerprint, is_ahead, issue_of
from broker._kit.settings import Account
from broker.mstock.client.connection import client_for

log = logging.getLogger(__name__)

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")

_KEPT = 64  # tokens remembered; a process meets one a day


def nothing(_account: Account, _token: Secret) -> None:
    """What is done about a dead token when nobody wants to know."""


class TokenGuard:
    """What this process knows of its tokens; safe to use from several threads.

    `on_dead` is called once for each token that mStock has ended, with the account's name and the
    token; it may be set later. Tokens themselves are not kept, only their fingerprints.
    """

    def __init__(
        self,
        clock: Clock = SYSTEM_CLOCK,
        on_dead: Callable[[Account, Secret], None] = nothing,
    ) -> None:
        self.on_dead = on_dead
        self._clock = clock
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        self._logins: OrderedDict[str, datetime] = OrderedDict()
        self._issues: OrderedDict[str, datetime | None] = OrderedDict()
        self._dead: OrderedDict[tuple[Account, str], None] = OrderedDict()

    def logged_in(self, token: Secret, at: datetime | None = None) -> None:
        """This computer got the token by a login, now or at that time by its own clock.

        A clock that is a day ahead then does not make the fresh token look like yesterday's.
        """
        with self._lock:
            _remember(self._logins, fingerprint(token), at or self._clock.now())

    def run(self, config: BrokerSettings, token: Secret, call: Callable[[], T]) -> T:
        """The call's value. Raises what the call raises.

        A token known to be dead raises `SessionExpired` and nothing is sent. A `SessionExpired`
        of the call is confirmed by one fund summary: when that is refused too, the token is marked
        dead, once; when it is answered, `SessionRefused` is raised instead; when mStock cannot be
        asked, the token is not marked.
        """
        key = (config.account, fingerprint(token))
        if self._is_known_dead(key, token):
            raise _over()
        try:
            return call()
        except SessionExpired as error:
            # One thread asks; the others, refused at the same moment, hear what it found out.
            with self._asking:
                if self._is_marked(key):
                    raise
                refusal = _asked_again(config, token, error)
                is_news = isinstance(refusal, SessionExpired) and refusal is not error
                if is_news:
                    with self._lock:
                        _remember(self._dead, key, None)
            if is_news:
                self._report(config.account, token)
        raise refusal

    def _is_known_dead(self, key: tuple[Account, str], token: Secret) -> bool:
        mark = key[1]
        with self._lock:
            if key in self._dead:
                return True
            if mark not in self._issues:
                _remember(self._issues, mark, issue_of(token))
            issued_at, login = self._issues[mark], self._logins.get(mark)
        now = self._clock.now()
        if issued_at is None or is_ahead(issued_at, now):
            return False  # the token does not say, or a clock is wrong: mStock is asked
        return now >= session_end(issued_at) and (login is None or now >= session_end(login))

    def _is_marked(self, key: tuple[Account, str]) -> bool:
        with self._lock:
            return key in self._dead

    def _report(self, account: Account, token: Secret) -> None:
        log.info("mStock has ended the session; a new login is needed.")
        try:
            self.on_dead(account, token)
        except Exception as error:
            # Its text might quote the token.
            log.error(f"What follows on a session's end failed: {type(error).__name__}")


def _asked_again(config: BrokerSettings, token: Secret, error: SessionExpired) -> BrokerError:
    """What to raise: another `SessionExpired` when mStock confirms, else why it does not."""
    try:
        client_for(config).fund_summary(token)
    except SessionExpired as confirmed:
        return confirmed.with_traceback(None)
    except BrokerError:
        return error
    return SessionRefused(
        "mStock refused this call as if the session were over, and then answered another one.",
        "Try again; if it comes back, log out and log in again.",
        code=error.code,
        http_status=error.http_status,
    )


def _over() -> SessionExpired:
    return SessionExpired(
        "The mStock session is over: mStock sessions end at midnight, log in again."
    )


def _remember(kept: OrderedDict[K, V], key: K, value: V) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > _KEPT:
        kept.popitem(last=False)
