"""The HTTP status by which OpenAlgo and its callers tell what became of an order."""

from __future__ import annotations

from broker._kit.errors import (
    BrokerError,
    CorrectInput,
    FixConfiguration,
    LogInAgain,
    ManualCheckRequired,
    OutcomeUnknown,
    PluginFault,
    RateLimited,
    RefusedByBroker,
    SessionRefused,
    UnusableReply,
    WaitAndRetry,
)
from broker.mstock.orders.position_locks import PositionUnsure

OK = 200
# First match wins.
_STATUSES: tuple[tuple[type[BrokerError], int], ...] = (
    (OutcomeUnknown, 504),
    (LogInAgain, 401),
    (SessionRefused, 401),
    (RateLimited, 429),
    (CorrectInput, 400),
    (RefusedByBroker, 400),
    (PositionUnsure, 409),
    (UnusableReply, 502),
    (WaitAndRetry, 502),
    (FixConfiguration, 403),
    (PluginFault, 500),
    (ManualCheckRequired, 409),
)


def status_of(error: BrokerError) -> int:
    """The status for an error; never 200."""
    return next((status for family, status in _STATUSES if isinstance(error, family)), 500)
