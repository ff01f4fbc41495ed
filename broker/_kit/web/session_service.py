"""The stored session and auto-login of one app, and what its pages say of them."""

from __future__ import annotations

import contextlib
import logging
from typing import NamedTuple

from broker._kit.broker import BrokerSettings
from broker._kit.clock import Clock
from broker._kit.errors import BrokerError, StoreError
from broker._kit.secret import Secret
from broker._kit.sessions import report
from broker._kit.sessions.auto_login import AutoLogin, AutoLoginStatus
from broker._kit.sessions.store import Store
from broker._kit.sessions.stored_session import (
    EndReason,
    StoredSession,
    delete_session,
    end_reason,
    load_session,
)
from broker._kit.settings import Account

log = logging.getLogger(__name__)


class Banner(NamedTuple):
    """Auto-login in one line; `is_trouble` when the user has to do something."""

    words: str
    is_trouble: bool = False


class SessionService:
    """The store and auto-login of one app; `trouble` says why one that should be there is not."""

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

    def auto(self) -> AutoLogin:
        """Auto-login; raises why there is none."""
        if self._auto is None:
            raise self._trouble or StoreError("Auto-login is not set up here.")
        return self._auto

    def awaited(self, account: Account) -> AutoLoginStatus | None:
        """Auto-login's status if it is to log this account in, else None."""
        status = self._auto.status(account) if self._auto else None
        return status if status and status.next_at and report.state(status) == "on" else None

    def banner(self, account: Account | None) -> Banner | None:
        """What the login and funds pages say of auto-login, None when there is nothing to say."""
        if self._trouble is not None:
            return account and Banner(str(self._trouble), is_trouble=True)
        if account is None or self._auto is None:
            return None
        status = self._auto.status(account)
        if trouble := status.blocked or status.notice:
            return Banner(trouble, is_trouble=True)
        if not status.enabled:
            return Banner("Auto-login is off: you log in yourself each day.")
        return Banner(f"Auto-login is on. {status.next_words}")

    def session(self, config: BrokerSettings) -> StoredSession | None:
        """The account's stored session. Raises `StoreError`."""
        store, now = self._store, self._clock.now()
        return None if store is None else load_session(store, config.account, now)

    def end_reason(self, account: Account) -> EndReason | None:
        """Why the account's last session ended, None while it may be alive or nobody knows."""
        with contextlib.suppress(StoreError):
            return end_reason(self._store, account, self._clock.now()) if self._store else None
        return None

    def delete(self, account: Account, token: Secret) -> None:
        """Forget the stored session if it is this one."""
        try:
            if self._store is not None:
                delete_session(self._store, account, token)
        except StoreError as error:
            log.error(f"A session that was logged out is still stored: {error}")
