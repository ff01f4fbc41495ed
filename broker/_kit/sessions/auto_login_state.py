"""An account's auto-login as the store keeps it, and the sole right to log the account in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from broker._kit.broker import BrokerSettings
from broker._kit.clock import Clock
from broker._kit.secret import Secret
from broker._kit.sessions import daily_login
from broker._kit.sessions.daily_login import RenewalState
from broker._kit.sessions.lease import alone
from broker._kit.sessions.serialization import from_json, to_json
from broker._kit.sessions.store import Item, Store
from broker._kit.sessions.totp_login import longest_login, step_at
from broker._kit.settings import Account


class Ledger:
    """Reads and writes `RenewalState`s. Every method raises `StoreError`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._changing = threading.Lock()

    def state(self, account: Account) -> RenewalState:
        """What is kept; the state of an account that never switched on when there is nothing."""
        text = self._store.get(account, Item.RENEWAL)
        return from_json(text.reveal()) if text else RenewalState()

    def save(self, account: Account, state: RenewalState) -> None:
        """Keep it; it is kept for good when this returns."""
        self._store.set(account, Item.RENEWAL, Secret(to_json(state)))

    def change(
        self, account: Account, change: Callable[[RenewalState], RenewalState]
    ) -> RenewalState:
        """Read, change, write: what the user switched meanwhile stays as it is.

        Without a password auto-login is off: another process may have switched it off between the
        reading and the writing.
        """
        with self._changing:
            state = change(self.state(account))
            if state.enabled and self._store.get(account, Item.PASSWORD) is None:
                state = state._replace(enabled=False)
            self.save(account, state)
        return state

    def note_entered_by_hand(self, account: Account) -> None:
        """The user may have entered the code of this moment: auto-login does not send it again.

        Called by who holds the lease, also after a login that failed: mStock may have seen the code
        all the same, and a code that is sent twice is refused, which stops auto-login.
        """
        if self._store.get(account, Item.RENEWAL) is not None:
            step = step_at(self._clock.now())
            self.change(account, lambda state: daily_login.stepped(state, step))

    @contextmanager
    def lease(self, config: BrokerSettings) -> Iterator[None]:
        """The sole right to log this account in, among threads too. Raises `LoginInProgress`."""
        with alone(self._store, self._clock, config, longest_login(config.timeouts)):
            yield
