"""What the standalone app keeps and what auto-login says of it; without a store, nothing."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from broker._kit.broker import BrokerSettings
from broker._kit.clock import Clock
from broker._kit.errors import BrokerError, StoreError
from broker._kit.secret import Secret
from broker._kit.sessions import stored_session
from broker._kit.sessions.login_lock import LoginLock
from broker._kit.sessions.store import Store
from broker._kit.sessions.stored_session import StoredSession
from broker._kit.settings import Account
from broker._kit.web import auto_login_view

if TYPE_CHECKING:
    from broker._kit.sessions.auto_login import AutoLogin, AutoLoginStatus

log = logging.getLogger(__name__)


class SessionService:
    """The store and auto-login of one app, either of which may be missing.

    `trouble` says why there are none although there should be.
    """

    def __init__(
        self,
        clock: Clock,
        store: Store | None,
        auto: AutoLogin | None,
        trouble: BrokerError | None = None,
    ) -> None:
        self._clock = clock
        self._store = store
        self._auto = auto
        self._trouble = trouble

    @property
    def has_page(self) -> bool:
        """True when there is something for an auto-login page to say."""
        return self._auto is not None or self._trouble is not None

    @property
    def line(self) -> LoginLock:
        """What logins share."""
        return LoginLock(self._store, self._clock)

    def auto(self) -> AutoLogin:
        """Auto-login; raises why there is none."""
        if self._auto is None:
            raise self._trouble or StoreError("Auto-login is not set up here.")
        return self._auto

    def status(self, account: Account) -> AutoLoginStatus | None:
        """How auto-login stands, None without it."""
        return None if self._auto is None else self._auto.status(account)

    def banner(self, account: Account, url: str) -> auto_login_view.Line | None:
        """What the login and funds pages say of auto-login, None when there is nothing to say."""
        if self._trouble is not None:
            return auto_login_view.Line(str(self._trouble), True, url)
        status = self.status(account)
        return None if status is None else auto_login_view.line_of(status, url)

    def session(self, config: BrokerSettings) -> StoredSession | None:
        """The account's kept session. Raises `StoreError`."""
        if self._store is None:
            return None
        return stored_session.load_session(self._store, config.account, self._clock.now())

    def forget(self, account: Account, token: Secret) -> None:
        """Let go of the kept session if it is this one."""
        if self._store is None:
            return
        try:
            stored_session.delete_session(self._store, account, token)
        except StoreError as error:
            log.error("mStock session not forgotten: %s", error)

    def other(self, config: BrokerSettings, token: Secret) -> Secret | None:
        """The token of the account's kept, live session, unless it is this one."""
        try:
            kept = self.session(config)
        except StoreError:
            return None
        is_other = kept is not None and not kept.is_over and kept.token != token
        return kept.token if kept is not None and is_other else None
