"""The sole right to log an account in, held for the time of one login."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from broker._kit.broker import BrokerSettings
from broker._kit.clock import Clock
from broker._kit.errors import LoginInProgress, StoreError
from broker._kit.sessions.store import Store


@contextmanager
def alone(
    store: Store, clock: Clock, config: BrokerSettings, seconds: float = 0.0
) -> Iterator[None]:
    """Be the only one who logs this account in, among threads and processes.

    For `seconds`, or for as long as one step of a login by hand may take. Raises `LoginInProgress`
    while another is at it, `StoreError`.
    """
    holder = secrets.token_hex(8)
    seconds = seconds or 2 * config.timeouts.deadline + 15
    if not store.lease(config.account, holder, clock.now(), seconds):
        raise LoginInProgress(
            "This account is being logged in at this moment, by auto-login or another program; "
            "nothing was sent.",
            "Wait a minute, then try again.",
        )
    try:
        yield
    finally:
        # What cannot be given back ends by itself.
        with contextlib.suppress(StoreError):
            store.release(config.account, holder)
