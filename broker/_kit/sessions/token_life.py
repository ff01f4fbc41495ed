"""How long a token lives, read off the token itself; nothing here asks mStock."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from broker._kit.clock import IST, session_end
from broker._kit.secret import Secret

# mStock's newer wording: twelve hours or midnight, whichever comes first.
_TWELVE_HOURS = timedelta(hours=12)
# How far mStock's clock may be ahead of this computer's before its word on the time means nothing.
_AHEAD = timedelta(minutes=5)
# Before this nobody had a token of mStock's: a claim of 0 says nothing, and kills nothing.
_EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)


class Life(NamedTuple):
    """A token's times, aware, in IST; all None when it does not say when it was made.

    `ends_at` is the midnight IST after `issued_at`: from then on the token is dead for certain.
    `expected_until` is that or twelve hours, whichever comes first: a refusal after it is an
    expiry and no alarm. `claimed_end` is the token's own `exp`, to be shown and not to be trusted:
    the documented sample's is five minutes after its making.
    """

    issued_at: datetime | None = None
    ends_at: datetime | None = None
    expected_until: datetime | None = None
    claimed_end: datetime | None = None

    def is_over(self, now: datetime) -> bool:
        """True when the token is dead for certain; what is not known is asked of mStock."""
        return self.ends_at is not None and now >= self.ends_at


UNKNOWN_LIFE = Life()


def fingerprint(token: Secret) -> str:
    """Sixteen hex digits that tell tokens apart and from which no token can be had."""
    return hashlib.sha256(b"mstock session " + token.reveal().encode()).hexdigest()[:16]


def life_of(token: Secret, now: datetime) -> Life:
    """A token's life by its `iat`; unknown without one, and with one in the future.

    Source: mStock's login page ("valid till 12:00 AM of generated day", newer "12 hours").
    """
    claims = _claims(token.reveal())
    issued_at = _time(claims.get("iat"))
    if issued_at is None or is_ahead(issued_at, now):
        return UNKNOWN_LIFE
    return life_from(issued_at, _time(claims.get("exp")))


def issue_of(token: Secret) -> datetime | None:
    """When mStock made the token, by its own `iat`; None when it does not say."""
    return _time(_claims(token.reveal()).get("iat"))


def is_ahead(then: datetime, now: datetime) -> bool:
    """True when a time that should be past lies in the future: one of two clocks is wrong."""
    return then > now + _AHEAD


def life_from(issued_at: datetime, claimed_end: datetime | None = None) -> Life:
    """The life of a token made at this moment."""
    issued_at = issued_at.astimezone(IST)
    ends_at = session_end(issued_at)
    return Life(issued_at, ends_at, min(ends_at, issued_at + _TWELVE_HOURS), claimed_end)


def _claims(token: str) -> dict[str, Any]:
    """The JWT's claims, unverified: only mStock could verify them."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _time(value: Any) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        then = datetime.fromtimestamp(value, UTC).astimezone(IST)
    except (ValueError, OverflowError, OSError):
        return None
    return then if then >= _EARLIEST else None
