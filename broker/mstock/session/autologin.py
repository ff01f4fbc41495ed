"""The face of auto-login for command line, web page and host: switch on and off, test, status."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from broker.mstock.clock import SYSTEM_CLOCK, Clock
from broker.mstock.config import Account, Config
from broker.mstock.secret import Secret
from broker.mstock.session.calendar import Calendar
from broker.mstock.session.notices import Notice
from broker.mstock.session.renewal import Attempt
from broker.mstock.session.store import Store
from broker.mstock.session.ticking import start_ticking
from broker.mstock.session.watch import TokenWatch

__all__ = ["Attempt", "AutoLogin", "AutoLoginStatus", "Notice", "TokenWatch", "start_ticking"]


def nothing(_what: object) -> None:
    """What is done when nobody wants to know."""


class AutoLoginStatus(NamedTuple):
    """What the user is shown: `next_words` is a plain sentence on what happens next and when.

    `notice` is what the user must read ("" when there is nothing), `blocked` why nothing is tried
    until the user switches on or tests again, `calendar_words` a warning that the table of
    holidays ends ("" while it does not). `history` is oldest first.
    """

    enabled: bool
    next_at: datetime | None
    next_words: str
    last: Attempt | None
    blocked: str
    notice: str
    history: tuple[Attempt, ...]
    calendar_words: str


class AutoLogin:
    """Logs accounts in without their users; safe to use from several threads and processes."""

    def __init__(
        self,
        store: Store,
        config_of: Callable[[Account], Config | None],
        clock: Clock = SYSTEM_CLOCK,
        *,
        calendar: Calendar | None = None,
        tell: Callable[[Notice], None] = nothing,
        audit: Callable[[str], None] = nothing,
        on_login: Callable[[Config, Secret], None] | None = None,
        holder: str | None = None,
    ) -> None:
        raise NotImplementedError

    def enable(
        self, config: Config, password: Secret, totp_secret: Secret, *, accepted: bool
    ) -> None:
        """Keep what a login needs and switch on; nothing is sent. Clears `blocked`.

        Raises `InputException` when the terms were not accepted, the password is blank or the TOTP
        secret is none; `VaultError`.
        """
        raise NotImplementedError

    def disable(self, account: Account) -> list[str]:
        """Switch off and remove password and TOTP secret; says what was removed."""
        raise NotImplementedError

    def test(self, config: Config) -> Attempt:
        """One login now, because the user asks for it; takes up to a minute and a half.

        Raises the login's `MstockError`, `LoginUnderway` while another one is at it,
        `InputException` when auto-login is off.
        """
        raise NotImplementedError

    def status(self, account: Account) -> AutoLoginStatus:
        """How things stand; asks nobody, and says so when the vault cannot be read."""
        raise NotImplementedError

    def tick(self) -> list[Attempt]:
        """Do what is due, for all accounts of the store; the attempts made. Raises nothing."""
        raise NotImplementedError
