"""Keeps OpenAlgo's stored session and the broker's the same: ends it on both sides, renews it."""

from __future__ import annotations

from broker._kit.broker import Broker, BrokerSettings
from broker._kit.clock import Clock
from broker._kit.errors import HostError, SettingError
from broker._kit.openalgo import auth_table, host, host_logins
from broker._kit.openalgo.session_store import OpenAlgoSessionStore
from broker._kit.secret import Secret
from broker._kit.sessions.stored_session import (
    EndReason,
    LoginMethod,
    StoredSession,
    delete_session,
    load_session,
    save_session,
)
from broker._kit.sessions.token_guard import TokenGuard
from broker._kit.settings import Account, Timeouts

log = host.logger(__name__)

# For calls that OpenAlgo makes on the side: a page or a logout thread must not wait for long.
_SHORT = Timeouts(connect=2.0, read=4.0, deadline=5.0)
# How often, and how many seconds apart, to look whether the host has committed a logout.
_LOOKS, _BETWEEN = 20, 0.25


class SessionSync:
    """Called from the host's requests, its database events and other threads."""

    def __init__(
        self, broker: Broker, store: OpenAlgoSessionStore, guard: TokenGuard, clock: Clock
    ) -> None:
        self._broker = broker
        self._store = store
        self._guard = guard
        self._clock = clock

    def settings_of(self, account: Account) -> BrokerSettings | None:
        """The settings in force if they are this account's."""
        try:
            config = self._broker.read_settings(None)
        except SettingError:
            return None
        return config if config.account == account else None

    def live_session(self, config: BrokerSettings) -> StoredSession | None:
        """The stored session unless it is known to be over; the broker is not asked.

        Raises `BrokerError` when it cannot be read, which does not mean that there is none.
        """
        stored = load_session(self._store, config.account, self._clock.now())
        return None if stored is None or self._is_over(config, stored) else stored

    def revoke_if_over(self) -> None:
        """Revoke a session that is over in the host, which then offers a new login.

        To be called when a logged-in browser asks, and not earlier: while the row stands, API
        traffic reads that the session is over; without it OpenAlgo says "Invalid openalgo apikey".
        The broker is asked once more before; when it cannot be, the row stands. Raises
        `BrokerError`.
        """
        config = self._broker.read_settings(None)
        stored = load_session(self._store, config.account, self._clock.now())
        if stored is None or not self._is_over(config, stored):
            return
        if self._guard.confirm_over(config.with_timeouts(_SHORT), stored.token):
            delete_session(self._store, config.account, stored.token, EndReason.REFUSED)

    def log_out(self, user: str, encrypted: str) -> None:
        """Log out at the broker what the host has revoked or is about to."""
        token = auth_table.decrypt(encrypted)
        config = self._broker.read_settings(None)
        if not token or self._guard.is_revoked(config.account, token):
            return
        if not self._is_committed(user, encrypted):
            return  # the host rolled it back: the token is still in use
        result = self._broker.log_out(config.with_timeouts(_SHORT), token)
        log.info(f"{self._broker.title} logout after OpenAlgo's: {result.message}")

    def store_renewed(self, config: BrokerSettings, token: Secret) -> None:
        """Store the session of an automatic login as the host's own login would.

        The device comes first, as in the host's own login: with it there, yesterday's browser tab
        ends only itself and not the token that is stored next. Raises `BrokerError`.
        """
        user = self._store.user_of(config.account)
        if not user:
            raise HostError(
                f"OpenAlgo has no user whom the {self._broker.title} session belongs to.",
                f"Log in to {self._broker.title} in OpenAlgo once.",
            )
        host_logins.register_device(self._broker, user)
        save_session(self._store, config.account, token, self._clock.now(), LoginMethod.AUTO)
        host_logins.prepare_contract(self._broker)
        log.info(f"{self._broker.title} auto-login: OpenAlgo has the new session.")

    def _is_over(self, config: BrokerSettings, stored: StoredSession) -> bool:
        return stored.is_over or self._guard.is_revoked(config.account, stored.token)

    def _is_committed(self, user: str, encrypted: str) -> bool:
        for look in range(_LOOKS):
            if look:
                self._clock.sleep(_BETWEEN)
            rows = [row for row in auth_table.auth_rows() if row.user == user]
            if not any(row.token.reveal() == encrypted and not row.is_revoked for row in rows):
                return True
        return False
