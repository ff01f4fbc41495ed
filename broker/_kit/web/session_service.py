"""The stored session and auto-login of one app, and what its pages say of them."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
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


@dataclass(frozen=True)
class SessionService:
    """The store and auto-login of one app; `trouble` says why one that should be there is not."""

    clock: Clock
    store: Store | None
    auto_login: AutoLogin | None
    trouble: BrokerError | None = None

    @property
    def has_page(self) -> bool:
        """True when there is something for an auto-login page to say."""
        return self.auto_login is not None or self.trouble is not None

    def auto(self) -> AutoLogin:
        """Auto-login; raises why there is none."""
        if self.auto_login is None:
            raise self.trouble or StoreError("Auto-login is not set up here.")
        return self.auto_login

    def awaited(self, account: Account) -> AutoLoginStatus | None:
        """Auto-login's status if it is to log this account in, else None."""
        status = self.auto_login.status(account) if self.auto_login else None
        return status if status and status.next_at and report.state(status) == "on" else None

    def banner(self, account: Account | None) -> Banner | None:
        """What the login and funds pages say of auto-login, None when there is nothing to say."""
        if self.trouble is not None:
            return account and Banner(str(self.trouble), is_trouble=True)
        if account is None or self.auto_login is None:
            return None
        status = self.auto_login.status(account)
        if trouble := status.blocked or status.notice:
            return Banner(trouble, is_trouble=True)
        if not status.enabled:
            return Banner("Auto-login is off: you log in yourself each day.")
        return Banner(f"Auto-login is on. {status.next_words}")

    def session(self, config: BrokerSettings) -> StoredSession | None:
        """The account's stored session. Raises `StoreError`."""
        store, now = self.store, self.clock.now()
        return None if store is None else load_session(store, config.account, now)

    def end_reason(self, account: Account) -> EndReason | None:
        """Why the account's last session ended, None while it may be alive or nobody knows."""
        with contextlib.suppress(StoreError):
            return end_reason(self.store, account, self.clock.now()) if self.store else None
        return None

    def delete(self, account: Account, token: Secret) -> None:
        """Forget the stored session if it is this one."""
        try:
            if self.store is not None:
                delete_session(self.store, account, token)
        except StoreError as error:
            log.error(f"A session that was logged out is still stored: {error}")
