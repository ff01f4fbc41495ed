"""Serialises logins of one account across threads and processes, and saves their sessions."""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from broker._kit.broker import BrokerSettings
from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import BrokerError, LoginInProgress, StoreError
from broker._kit.secret import Secret
from broker._kit.sessions.store import Store
from broker._kit.sessions.stored_session import LoginMethod, save_session
from broker._kit.sessions.totp_login import step_at

Keep = Callable[[Secret, LoginMethod], None]

log = logging.getLogger(__name__)


@contextmanager
def login_lease(
    store: Store, clock: Clock, config: BrokerSettings, seconds: float = 0.0
) -> Iterator[None]:
    """Hold the sole right to log this account in, among threads and processes.

    For `seconds`, or for as long as one step of a login by hand may take. Raises `LoginInProgress`
    while another holds it, `StoreError`.
    """
    holder = secrets.token_hex(8)
    seconds = seconds or 2 * config.timeouts.deadline + 15
    if not store.acquire_lease(config.account, holder, clock.now(), seconds):
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
            store.release_lease(config.account, holder)


@contextmanager
def manual_login(
    store: Store, clock: Clock, config: BrokerSettings, *, has_totp: bool = True
) -> Iterator[None]:
    """Hold the lease for one step of a login by hand. Raises `LoginInProgress`, `StoreError`.

    With `has_totp` the user may have entered the TOTP code of this moment: auto-login does not send
    it again, also after a login that failed. A code that is sent twice is refused, which would stop
    auto-login.
    """
    with login_lease(store, clock, config):
        try:
            yield
        finally:
            # What auto-login needs must not turn the outcome of a login by hand into an error.
            with contextlib.suppress(BrokerError):
                if has_totp:
                    with store.update(config.account) as record:
                        if state := record.auto_login:
                            step = step_at(clock.now())
                            record.auto_login = state._replace(manual_step=step)


class LoginLock:
    """Holds the store's lease while a login by hand is sent, and saves the session that it gets.

    The session is saved before the lease is given back: whoever gets the lease next sees it. With
    `saves` false somebody else saves it.
    """

    def __init__(self, store: Store, clock: Clock = SYSTEM_CLOCK, *, saves: bool = True) -> None:
        self._store = store
        self._clock = clock
        self._saves = saves

    @contextmanager
    def hold(self, config: BrokerSettings, *, has_totp: bool = True) -> Iterator[Keep]:
        """Hold the lock; yields what a new token is given to. Raises `LoginInProgress`.

        A store that cannot be read or written does not keep a trader from logging in by hand;
        auto-login needs the same store.
        """

        def keep(token: Secret, method: LoginMethod) -> None:
            try:
                if self._saves:
                    save_session(self._store, config.account, token, self._clock.now(), method)
            except BrokerError as error:
                log.error("The session was not stored: %s", error)

        with contextlib.ExitStack() as stack:
            with contextlib.suppress(StoreError):
                step = manual_login(self._store, self._clock, config, has_totp=has_totp)
                stack.enter_context(step)
            yield keep
