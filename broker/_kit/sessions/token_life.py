"""How long a token lives, read off the token itself; nothing here asks the broker."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any, NamedTuple

from broker._kit.broker import Broker
from broker._kit.clock import IST
from broker._kit.secret import Secret

# Before this no broker's token was made: a claim of 0 says nothing.
_EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)


class Life(NamedTuple):
    """A token's times, aware, in IST; all None when it is not known when it was made.

    From `ends_at` on the token is dead for certain. A refusal after `expected_until` is an expiry
    and no alarm. `claimed_end` is the token's own `exp`, to be shown and not to be trusted: that of
    mStock's documented sample is five minutes after its making.
    """

    issued_at: datetime | None = None
    ends_at: datetime | None = None
    expected_until: datetime | None = None
    claimed_end: datetime | None = None

    def is_over(self, now: datetime) -> bool:
        """True when the token is dead for certain; what is not known is asked of the broker."""
        return self.ends_at is not None and now >= self.ends_at


UNKNOWN_LIFE = Life()


def fingerprint(token: Secret) -> str:
    """Sixteen hex digits that tell tokens apart and from which no token can be had."""
    return hashlib.sha256(b"session token " + token.reveal().encode()).hexdigest()[:16]


def life_of(broker: Broker, token: Secret, logged_in_at: datetime | None = None) -> Life:
    """A token's life by its `iat`, or from the login on where it has none; else unknown."""
    claims = _claims(token.reveal())
    issued_at = _time(claims.get("iat")) or logged_in_at
    if issued_at is None:
        return UNKNOWN_LIFE
    issued_at = issued_at.astimezone(IST)
    ends_at = broker.session_end(issued_at)
    expected_until = min(ends_at, issued_at + broker.usual_life)
    return Life(issued_at, ends_at, expected_until, _time(claims.get("exp")))


def _claims(token: str) -> dict[str, Any]:
    """The JWT's claims, unverified: only the broker could verify them; {} for any other text."""
    import jwt

    try:
        return dict(jwt.decode(token, options={"verify_signature": False}))
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        return {}


def _time(value: Any) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        then = datetime.fromtimestamp(value, UTC).astimezone(IST)
    except (ValueError, OverflowError, OSError):
        return None
    return then if then >= _EARLIEST else None
