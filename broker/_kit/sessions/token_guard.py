"""Keeps calls with a dead token off the network, and finds out whether a refused one is dead."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from broker._kit.broker import Broker, BrokerSettings
from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import BrokerError, SessionExpired, SessionRefused
from broker._kit.secret import Secret
from broker._kit.sessions.token_life import Life, fingerprint, life_of
from broker._kit.settings import Account

log = logging.getLogger(__name__)

T = TypeVar("T")

_REMEMBERED = 64  # revoked tokens; a process meets one a day
_guards: dict[str, TokenGuard] = {}
_guards_lock = threading.Lock()


def token_guard(broker: Broker) -> TokenGuard:
    """The one guard of this process over the broker's tokens."""
    with _guards_lock:
        return _guards.setdefault(broker.name, TokenGuard(broker))


def reset_guards() -> None:
    """Forget all that is known of tokens, and who is told of their end."""
    with _guards_lock:
        _guards.clear()


def ignore(_account: Account, _token: Secret) -> None:
    """Default callback: do nothing."""


class TokenGuard:
    """What this process knows of its tokens; safe to use from several threads.

    `on_revoked` is called once for each token that the broker has ended, with the account and the
    token; it may be set at any time. Tokens are not kept, only their fingerprints.
    """

    def __init__(
        self,
        broker: Broker,
        clock: Clock = SYSTEM_CLOCK,
        on_revoked: Callable[[Account, Secret], None] = ignore,
    ) -> None:
        self.on_revoked = on_revoked
        self._broker = broker
        self._clock = clock
        self._lock = threading.Lock()
        self._confirming = threading.Lock()
        self._revoked: OrderedDict[tuple[Account, str], None] = OrderedDict()
        self._lives: dict[tuple[Account, str], Life] = {}  # decoding a JWT costs as much as a call

    def run(self, config: BrokerSettings, token: Secret, call: Callable[[], T]) -> T:
        """The call's value. Raises what the call raises.

        A token known to be dead raises `SessionExpired` and nothing is sent. A `SessionExpired`
        of the call is confirmed by another read: when that is refused too, the token is marked,
        once; when it is answered, `SessionRefused` is raised instead; when the broker cannot be
        asked, the token is not marked.
        """
        key = (config.account, fingerprint(token))
        title = self._broker.title
        if self._is_revoked(key):
            raise SessionExpired(f"{title} has ended the session.", "Log in again.")
        life = self._lives.get(key) or self._lives.setdefault(key, life_of(self._broker, token))
        if life.is_over(self._clock.now()):
            end = f"at {life.ends_at:%H:%M} IST" if life.ends_at else ""
            raise SessionExpired(f"The {title} session is over: it ended {end}.", "Log in again.")
        try:
            return call()
        except SessionExpired as error:
            # One thread asks; the others, refused at the same moment, hear what it found out.
            with self._confirming:
                if self._is_revoked(key):
                    raise
                refusal = self._ask_again(config, token, error)
                is_news = isinstance(refusal, SessionExpired) and refusal is not error
                if is_news:
                    self._remember(key)
            if is_news:
                self._report(config.account, token)
        raise refusal

    def is_revoked(self, account: Account, token: Secret) -> bool:
        """True when the broker has said in this process that the session is over."""
        return self._is_revoked((account, fingerprint(token)))

    def confirm_over(self, config: BrokerSettings, token: Secret) -> bool:
        """Ask the broker once more about a session that seems to be over; whether it is.

        One that the broker answers for is no longer marked. Raises `BrokerError` when the broker
        cannot be asked.
        """
        key = (config.account, fingerprint(token))
        try:
            self._broker.check_session(config, token)
        except SessionExpired:
            self._remember(key)
            return True
        with self._lock:
            self._revoked.pop(key, None)
        return False

    def _is_revoked(self, key: tuple[Account, str]) -> bool:
        with self._lock:
            return key in self._revoked

    def _remember(self, key: tuple[Account, str]) -> None:
        with self._lock:
            self._revoked[key] = None
            while len(self._revoked) > _REMEMBERED:
                self._revoked.popitem(last=False)

    def _ask_again(
        self, config: BrokerSettings, token: Secret, error: SessionExpired
    ) -> BrokerError:
        """What to raise: another `SessionExpired` when the broker confirms, else why not."""
        try:
            self._broker.check_session(config, token)
        except SessionExpired as confirmed:
            return confirmed.with_traceback(None)
        except BrokerError:
            return error
        return SessionRefused(
            f"{self._broker.title} refused this call as if the session were over, and then "
            "answered another one.",
            "Try again; if it comes back, log out and log in again.",
            code=error.code,
            http_status=error.http_status,
        )

    def _report(self, account: Account, token: Secret) -> None:
        log.info("%s has ended the session; a new login is needed.", self._broker.title)
        try:
            self.on_revoked(account, token)
        except Exception as error:
            # Its text might quote the token.
            log.error("What follows on a session's end failed: %s", type(error).__name__)
