"""An account's only line to mStock: one login at a time, across threads and processes."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from broker._kit.broker import BrokerSettings
from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import BrokerError, StoreError
from broker._kit.secret import Secret
from broker._kit.sessions import stored_session
from broker._kit.sessions.auto_login_state import Ledger
from broker._kit.sessions.lease import alone
from broker._kit.sessions.store import Store
from broker._kit.sessions.stored_session import LoginMethod

Keep = Callable[[Secret, LoginMethod], None]

log = logging.getLogger(__name__)


@contextmanager
def by_hand(store: Store, clock: Clock, config: BrokerSettings) -> Iterator[None]:
    """Be alone for one step of a login by hand, whose code auto-login will not send again."""
    with alone(store, clock, config):
        try:
            yield
        finally:
            # What auto-login needs must not turn the outcome of a login by hand into an error.
            with contextlib.suppress(BrokerError):
                Ledger(store, clock).note_entered_by_hand(config.account)


class Line:
    """Holds the store's lease while a login is sent, and keeps the session that it earns.

    The session is kept before the lease is given back: whoever gets the lease next sees it. `keep`
    is what is done with a new token instead of keeping it in the store.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock = SYSTEM_CLOCK,
        keep: Callable[[BrokerSettings, Secret, LoginMethod], None] | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._keep = keep or self._keep_in_store

    @contextmanager
    def hold(self, config: BrokerSettings) -> Iterator[Keep]:
        """Hold the line; raises `LoginInProgress` while another has it.

        What cannot be kept must not keep a trader from logging in by hand: a store that cannot be
        read or written is no hindrance, and auto-login needs the same store.
        """
        with ExitStack() as stack:
            with contextlib.suppress(StoreError):
                stack.enter_context(by_hand(self._store, self._clock, config))
            yield lambda token, how: self._try_to_keep(config, token, how)

    def _try_to_keep(self, config: BrokerSettings, token: Secret, how: LoginMethod) -> None:
        try:
            self._keep(config, token, how)
        except BrokerError as error:
            log.error("mStock session not kept: %s", error)

    def _keep_in_store(self, config: BrokerSettings, token: Secret, how: LoginMethod) -> None:
        stored_session.save_session(self._store, config.account, token, self._clock.now(), how)


class OpenLine:
    """The line where nothing is kept and nobody else logs in."""

    @contextmanager
    def hold(self, config: BrokerSettings) -> Iterator[Keep]:
        """Anybody may; nothing is kept."""
        yield lambda token, how: None
