"""The face of auto-login for command line, web page and host: switch on and off, test, status."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple

from broker._kit.broker import BrokerSettings
from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import BrokerError, CorrectInput, LoginInProgress
from broker._kit.secret import Secret
from broker._kit.sessions import daily_login, totp_login
from broker._kit.sessions.auto_login_state import Ledger
from broker._kit.sessions.daily_login import Attempt, Do, RenewalState, next_step
from broker._kit.sessions.login_attempt import Attempts
from broker._kit.sessions.notices import Notice
from broker._kit.sessions.scheduler import start_ticking
from broker._kit.sessions.store import Item, Store, described
from broker._kit.sessions.stored_session import StoredSession, load_session
from broker._kit.sessions.token_guard import TokenGuard
from broker._kit.sessions.trading_calendar import Calendar, load_calendar
from broker._kit.settings import Account

__all__ = [
    "Attempt",
    "AutoLogin",
    "AutoLoginStatus",
    "Notice",
    "TokenGuard",
    "load_calendar",
    "start_ticking",
]

log = logging.getLogger(__name__)

# How long before the end of the table of holidays the user is told.
_TABLE_WARNING = timedelta(days=21)


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
    """Logs accounts in without their users; safe to use from several threads and processes.

    `config_of` gives an account's settings, None for one that is not this process's to log in.
    `on_login` is what is done with a new token; without it the store keeps it. `tell` is given a
    notice once for each final failure, `audit` a line for each attempt, which the log gets anyway.
    """

    def __init__(
        self,
        store: Store,
        config_of: Callable[[Account], BrokerSettings | None],
        clock: Clock = SYSTEM_CLOCK,
        *,
        calendar: Calendar | None = None,
        tell: Callable[[Notice], None] = nothing,
        audit: Callable[[str], None] = nothing,
        on_login: Callable[[BrokerSettings, Secret], None] | None = None,
    ) -> None:
        self._store = store
        self._config_of = config_of
        self._clock = clock
        self._calendar = calendar or load_calendar()
        self._tell = tell
        self._ledger = Ledger(store, clock)
        self._attempts = Attempts(store, self._ledger, clock, audit, on_login)
        self._seen: list[Account] = []
        self._troubles: dict[Account | None, str] = {}

    def enable(
        self, config: BrokerSettings, password: Secret, totp_secret: Secret, *, accepted: bool
    ) -> None:
        """Keep what a login needs and switch on; nothing is sent. Clears `blocked`.

        Raises `CorrectInput` when the terms were not accepted, the password is blank or the TOTP
        secret is none; `LoginInProgress` while a login is under way; `StoreError`.
        """
        if not accepted:
            raise CorrectInput(
                "Auto-login was not switched on: its terms were not accepted.",
                "Read what it means to keep a password and a TOTP secret, and accept it first.",
            )
        if not password.reveal().strip():
            raise CorrectInput("The password is empty.", "Enter your mStock trading password.")
        key = totp_login.totp_key(totp_secret)
        account = config.account
        with self._ledger.lease(config):
            try:
                state = self._ledger.state(account)
            except BrokerError:
                # What cannot be read is written anew only where the store itself is sound.
                state = RenewalState()
            self._store.set(account, Item.PASSWORD, password)
            self._store.set(account, Item.TOTP_SECRET, key)
            self._ledger.save(account, daily_login.switched_on(state, self._clock.now()))
        self._troubles.pop(account, None)

    def disable(self, account: Account) -> list[str]:
        """Switch off and remove password and TOTP secret; says what was removed.

        Works while a login is under way, too: that one still ends. Raises `StoreError`.
        """
        removed = [
            f"{described(account, name)}: removed"
            for name in (Item.PASSWORD, Item.TOTP_SECRET)
            if self._store.delete(account, name)
        ]
        try:
            state = self._ledger.state(account)
            if state.enabled or state.blocked or state.notice:
                self._ledger.change(account, daily_login.switched_off)
        except BrokerError:
            self._store.delete(account, Item.RENEWAL)
        return removed

    def test(self, config: BrokerSettings) -> Attempt:
        """One login now, because the user asks for it; takes up to a minute and a half.

        Raises the login's `BrokerError`, `LoginInProgress` while another one is at it,
        `CorrectInput` when auto-login is off, `StoreError`.
        """
        account = config.account
        with self._ledger.lease(config):
            state = self._ledger.state(account)
            if not state.enabled:
                raise CorrectInput(
                    "Auto-login is off; nothing was sent.", "Switch auto-login on first."
                )
            if state.begun_at is not None:
                now = self._clock.now()
                session = self._held(account)
                self._ledger.change(account, lambda s: daily_login.cleared_up(s, session, now))
            before = self._ledger.state(account).notice
            attempt, error = self._attempts.make(config)
            if error is not None:
                # The user sees this error now, and need not be told of it later.
                self._ledger.change(account, lambda state: state._replace(notice=before))
                raise error
            return attempt

    def status(self, account: Account) -> AutoLoginStatus:
        """How things stand; asks nobody, and says so when the vault cannot be read."""
        words = self._calendar_words()
        try:
            state = self._ledger.state(account)
            session = self._held(account)
        except BrokerError as error:
            said = "Auto-login cannot go on until the vault can be read."
            return AutoLoginStatus(False, None, said, None, "", str(error), (), words)
        step = next_step(state, self._clock.now(), self._calendar, session)
        return AutoLoginStatus(
            state.enabled,
            step.at,
            step.words,
            state.last,
            state.blocked,
            state.notice or self._troubles.get(account, "") or self._troubles.get(None, ""),
            state.history,
            words,
        )

    def tick(self) -> list[Attempt]:
        """Do what is due, for all accounts of the store; the attempts made. Raises nothing."""
        attempts: list[Attempt] = []
        with self._calm(None):
            self._seen = self._store.accounts()
            for account in self._seen:
                with self._calm(account):
                    attempts += self._serve(account)
        return attempts

    def _serve(self, account: Account) -> list[Attempt]:
        """One account's due."""
        state = self._ledger.state(account)
        if not (state.enabled or state.begun_at) or self._step(account, state).do is Do.WAIT:
            return []
        config = self._config_of(account)
        if config is None or config.account != account:
            return []
        try:
            with self._ledger.lease(config):
                # Looked at again: another process may have done it a moment ago.
                state = self._ledger.state(account)
                return self._act(config, self._step(account, state).do)
        except LoginInProgress:
            return []

    def _act(self, config: BrokerSettings, do: Do) -> list[Attempt]:
        account, now = config.account, self._clock.now()
        if do is Do.LOG_IN:
            attempt, _ = self._attempts.make(config)
            self._announce(account)
            return [attempt]
        if do is Do.SETTLE:
            self._ledger.change(account, lambda state: daily_login.settled(state, now))
        elif do is Do.GIVE_UP:
            self._ledger.change(account, lambda state: daily_login.given_up(state, now))
            self._announce(account)
        elif do is Do.CLEAR_UP:
            session = self._held(account)
            after = self._ledger.change(
                account, lambda state: daily_login.cleared_up(state, session, now)
            )
            if after.last:
                self._attempts.note(account, after.last)
            self._announce(account)
        return []

    def _held(self, account: Account) -> StoredSession | None:
        return load_session(self._store, account, self._clock.now())

    def _step(self, account: Account, state: RenewalState) -> daily_login.Step:
        return next_step(state, self._clock.now(), self._calendar, self._held(account))

    @contextmanager
    def _calm(self, account: Account | None) -> Iterator[None]:
        """A trouble within is told once, and again only after it had gone."""
        try:
            yield
        except BrokerError as error:
            trouble = str(error)
        except Exception as error:
            trouble = f"Auto-login failed inside the plugin ({type(error).__name__})."
        else:
            self._troubles.pop(account, None)
            return
        if self._troubles.get(account) == trouble:
            return
        self._troubles[account] = trouble
        log.error(f"Auto-login cannot go on: {trouble}")
        for concerned in [account] if account else self._seen[:1]:
            words = f"Auto-login cannot go on. {trouble}"
            self._send(Notice(concerned, words, self._clock.now()))

    def _announce(self, account: Account) -> None:
        """Tell the user of a final failure; a beginning attempt has taken the last one's away."""
        words = self._ledger.state(account).notice
        if words:
            self._send(Notice(account, words, self._clock.now()))

    def _send(self, notice: Notice) -> None:
        try:
            self._tell(notice)
        except Exception as error:
            log.error(f"A notice could not be sent: {type(error).__name__}")

    def _calendar_words(self) -> str:
        ends = self._calendar.ends
        if self._clock.now().date() + _TABLE_WARNING <= ends:
            return ""
        return (
            f"The table of trading days ends on {ends.day} {ends:%B %Y}; after it, Monday to "
            "Friday count as trading days. Update the plugin, or put the new year's holidays into "
            "trading-days.json."
        )
