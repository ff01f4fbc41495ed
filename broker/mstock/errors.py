"""mStock's own error names, over the families of `broker._kit.errors`.

Type B's MA, IA and RS codes are mapped onto the same names by `client/error_table.py`.
"""

from __future__ import annotations

from broker._kit.errors import (
    AccessRefused,
    CorrectInput,
    RefusedByBroker,
    SessionExpired,
    UnsupportedVersion,
    UnusableReply,
    WaitAndRetry,
)


class APIKeyException(AccessRefused):
    """mStock refused the API key or the address it is used from (403, IA403)."""


class VersionException(UnsupportedVersion):
    """mStock wants another API version than the one this plugin speaks."""


class TokenException(SessionExpired):
    """mStock says in known words that the token is missing, expired or wrong (401, IA401)."""


class InputException(CorrectInput):
    """mStock, or this plugin before sending, refused what was entered (400, IA400)."""


class GeneralException(WaitAndRetry):
    """Something failed inside mStock (500, IA500)."""


class MiraeException(RefusedByBroker):
    """mStock's core refused (MA and RS codes) for a reason that only its own words give."""


class DataException(UnusableReply):
    """mStock answered with something that cannot be used; the message names the field or fault."""
