"""What a token says of its life, and a guard that keeps calls with a dead token off the network."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple, TypeVar

from broker._kit.broker import Broker, BrokerSettings
from broker._kit.clock import IST, SYSTEM_CLOCK, Clock
from broker._kit.errors import BrokerError, SessionExpired, SessionRefused
from broker._kit.secret import Secret
from broker._kit.settings import Account

log = logging.getLogger(__name__)

T = TypeVar("T")

# Before this no broker's token was made: a claim of 0 says nothing.
_EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)


class Life(NamedTuple):
    """A token's times, aware, in IST; all None when it is not known when it was made.

    From `ends_at` on the token is dead for certain. A refusal after `expected_until` is an expiry
    and no alarm. The token's own `exp` is not looked at: that of mStock's documented sample is five
    minutes after its making.
    """

    issued_at: datetime | None = None
    ends_at: datetime | None = None
    expected_until: datetime | None = None

    def is_over(self, now: datetime) -> bool:
        """True when the token is dead for certain; what is not known is asked of the broker."""
        return self.ends_at is not None and now >= self.ends_at


def fingerprint(token: Secret) -> str:
    """Sixteen hex digits that tell tokens apart and from which no token can be had."""
    return hashlib.sha256(b"session token " + token.reveal().encode()).hexdigest()[:16]


def life_of(broker: Broker, token: Secret, logged_in_at: datetime | None = None) -> Life:
    """A token's life by its `iat`, or from the login on where it has none; else unknown."""
    issued_at = _issued_at(token.reveal()) or logged_in_at
    if issued_at is None:
        return Life()
    issued_at = issued_at.astimezone(IST)
    ends_at = broker.session_end(issued_at)
    return Life(issued_at, ends_at, min(ends_at, issued_at + broker.usual_life))


def _issued_at(token: str) -> datetime | None:
    """The JWT's `iat`, unverified: only the broker could verify it; None for any other text."""
    import jwt

    try:
        claims: Any = jwt.decode(token, options={"verify_signature": False})
        value = claims.get("iat")
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        then = datetime.fromtimestamp(value, UTC).astimezone(IST)
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError, OverflowError, OSError):
        return None
    return then if then >= _EARLIEST else None


class TokenGuard:
    """What this process knows of its tokens, by fingerprint; safe to use from several threads."""

    def __init__(self, broker: Broker, clock: Clock = SYSTEM_CLOCK) -> None:
        self._broker = broker
        self._clock = clock
        self._confirming = threading.Lock()
        self._revoked: set[tuple[Account, str]] = set()
        self._lives: dict[tuple[Account, str], Life] = {}  # decoding a JWT costs as much as a call

    def run(self, config: BrokerSettings, token: Secret, call: Callable[[], T]) -> T:
        """The call's value. Raises what the call raises.

        A token known to be dead raises `SessionExpired` and nothing is sent. A `SessionExpired`
        of the call is confirmed by another read: when that is refused too, the token is marked,
        once; when it is answered, `SessionRefused` is raised instead; when the broker cannot be
        asked, the token is not marked.
        """
        title = self._broker.title
        if self.is_revoked(config.account, token):
            raise SessionExpired(f"{title} has ended the session.", "Log in again.")
        key = (config.account, fingerprint(token))
        life = self._lives.get(key) or self._lives.setdefault(key, life_of(self._broker, token))
        if life.is_over(self._clock.now()):
            end = f" at {life.ends_at:%H:%M} IST" if life.ends_at else ""
            raise SessionExpired(f"The {title} session is over: it ended{end}.", "Log in again.")
        try:
            return call()
        except SessionExpired as error:
            # One thread asks; the others, refused at the same moment, hear what it found out.
            with self._confirming:
                if self.is_revoked(config.account, token):
                    raise
                try:
                    is_over = self.confirm_over(config, token)
                except BrokerError:
                    is_over = None
                if is_over:
                    log.info("%s has ended the session; a new login is needed.", title)
            if is_over is not False:
                raise
            raise SessionRefused(
                f"{title} refused this call as if the session were over, and then answered "
                "another one.",
                "Try again; if it comes back, log out and log in again.",
                code=error.code,
                http_status=error.http_status,
            ) from None

    def is_revoked(self, account: Account, token: Secret) -> bool:
        """True when the broker has said in this process that the session is over."""
        return (account, fingerprint(token)) in self._revoked

    def confirm_over(self, config: BrokerSettings, token: Secret) -> bool:
        """Ask the broker once more about a session that seems to be over; whether it is.

        One that the broker answers for is no longer marked. Raises `BrokerError` when the broker
        cannot be asked.
        """
        key = (config.account, fingerprint(token))
        try:
            self._broker.check_session(config, token)
        except SessionExpired:
            self._revoked.add(key)
            return True
        self._revoked.discard(key)
        return False


@cache
def token_guard(broker: Broker) -> TokenGuard:
    """The one guard of this process over the broker's tokens."""
    return TokenGuard(broker)
