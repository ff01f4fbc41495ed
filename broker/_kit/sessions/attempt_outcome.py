"""What a login's failure means for auto-login: again, never again, or not before somebody looks."""

from __future__ import annotations

from datetime import datetime

from broker._kit.errors import (
    BrokerError,
    CertificateError,
    CorrectInput,
    FixConfiguration,
    HostError,
    LoginUnfinished,
    OutcomeUnknown,
    RefusedByBroker,
    StoreError,
    Unreachable,
)
from broker._kit.http.routes import GATEWAY
from broker._kit.sessions.daily_login import Attempt, Result

# First match wins. What mStock refused is never sent again; what has nothing to do with what was
# sent (a certificate, the vault, mStock's own trouble) may work on another day.
_RESULTS: tuple[tuple[type[BrokerError], Result], ...] = (
    (Unreachable, Result.RETRY),
    (LoginUnfinished, Result.RETRY),
    (OutcomeUnknown, Result.UNKNOWN),
    (CertificateError, Result.FAILED),
    (StoreError, Result.FAILED),
    (HostError, Result.FAILED),
    (FixConfiguration, Result.REFUSED),
    (CorrectInput, Result.REFUSED),
    (RefusedByBroker, Result.REFUSED),
    (BrokerError, Result.FAILED),
)


def attempt_of(error: BrokerError, at: datetime) -> Attempt:
    """The attempt that ended in this error."""
    if _was_cut_off(error):
        result = Result.RETRY
    else:
        result = next(result for kind, result in _RESULTS if isinstance(error, kind))
    return Attempt(at, result, f"{error.message} {error.next_step}".rstrip(), error.code)


def _was_cut_off(error: BrokerError) -> bool:
    """A connection that broke, or a gateway's 502, 503 or 504: a new login does no harm.

    Not silence: then mStock may still be at work on the first one.
    """
    return (
        isinstance(error, OutcomeUnknown)
        and not error.is_silence
        and (error.http_status is None or error.http_status in GATEWAY)
    )
