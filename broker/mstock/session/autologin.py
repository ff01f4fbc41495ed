"""The face of auto-login for command line, web page and host: switch on and off, test, status."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple

from broker.mstock.clock import SYSTEM_CLOCK, Clock
from broker.mstock.config import Account, Config
from broker.mstock.errors import InputException, LoginUnderway, MstockError, PluginFault
from broker.mstock.secret import Secret, masked
from broker.mstock.session import renewal, unattended
from broker.mstock.session.calendar import Calendar, load_calendar
from broker.mstock.session.held import Held, How, held, keep
from broker.mstock.session.notices import Notice
from broker.mstock.session.outcome import attempt_of
from broker.mstock.session.record import from_json, to_json
from broker.mstock.session.renewal import Attempt, Do, RenewalState, Result, next_step
from broker.mstock.session.store import Item, Store, described
from broker.mstock.session.ticking import start_ticking
from broker.mstock.session.watch import TokenWatch

__all__ = [
    "Attempt",
    "AutoLogin",
    "AutoLoginStatus",
    "Notice",
    "TokenWatch",
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
        config_of: Callable[[Account], Config | None],
        clock: Clock = SYSTEM_CLOCK,
        *,
        calendar: Calendar | None = None,
        tell: Callable[[Notice], None] = nothing,
        audit: Callable[[str], None] = nothing,
        on_login: Callable[[Config, Secret], None] | None = None,
        holder: str | None = None,
    ) -> None:
        self._store = store
        self._config_of = config_of
        self._clock = clock
        self._calendar = calendar or load_calendar()
        self._tell = tell
        self._audit = audit
        self._on_login = on_login or self._keep
        self._holder = holder or secrets.token_hex(8)
        self._seen: list[Account] = []
        self._troubles: dict[Account | None, str] = {}

    def enable(
        self, config: Config, password: Secret, totp_secret: Secret, *, accepted: bool
    ) -> None:
        """Keep what a login needs and switch on; nothing is sent. Clears `blocked`.

        Raises `InputException` when the terms were not accepted, the password is blank or the TOTP
        secret is none; `LoginUnderway` while a login is under way; `VaultError`.
        """
        if not accepted:
            raise InputException(
                "Auto-login was not switched on: its terms were not accepted.",
                "Read what it means to keep a password and a TOTP secret, and accept it first.",
            )
        if not password.reveal().strip():
            raise InputException("The password is empty.", "Enter your mStock trading password.")
        key = unattended.totp_key(totp_secret)
        account = config.account
        with self._lease(account):
            try:
                state = self._state(account)
            except MstockError:
                # What cannot be read is written anew only where the store itself is sound.
                state = RenewalState()
            self._store.set(account, Item.PASSWORD, password)
            self._store.set(account, Item.TOTP_SECRET, key)
            self._save(account, renewal.switched_on(state, self._clock.now()))

    def disable(self, account: Account) -> list[str]:
        """Switch off and remove password and TOTP secret; says what was removed.

        Works while a login is under way, too: that one still ends. Raises `VaultError`.
        """
        removed = [
            f"{described(account, name)}: removed"
            for name in (Item.PASSWORD, Item.TOTP_SECRET)
            if self._store.delete(account, name)
        ]
        try:
            state = self._state(account)
        except MstockError:
            self._store.delete(account, Item.RENEWAL)
            return removed
        if state.enabled or state.blocked or state.notice:
            state = state._replace(enabled=False, blocked="", notice="")
            self._save(account, state)
        return removed

    def test(self, config: Config) -> Attempt:
        """One login now, because the user asks for it; takes up to a minute and a half.

        Raises the login's `MstockError`, `LoginUnderway` while another one is at it,
        `InputException` when auto-login is off, `VaultError`.
        """
        account = config.account
        with self._lease(account):
            state = self._state(account)
            if not state.enabled:
                raise InputException(
                    "Auto-login is off; nothing was sent.", "Switch auto-login on first."
                )
            if state.begun_at is not None:
                now = self._clock.now()
                self._save(account, renewal.cleared_up(state, self._held(account), now))
            before = self._state(account).notice
            attempt, error = self._attempt(config)
            if error is not None:
                # The user sees this error now, and need not be told of it later.
                self._change(account, lambda state: state._replace(notice=before))
                raise error
            return attempt

    def status(self, account: Account) -> AutoLoginStatus:
        """How things stand; asks nobody, and says so when the vault cannot be read."""
        words = self._calendar_words()
        try:
            state = self._state(account)
            session = self._held(account)
        except MstockError as error:
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
        state = self._state(account)
        if not (state.enabled or state.begun_at) or self._step(account, state).do is Do.WAIT:
            return []
        config = self._config_of(account)
        if config is None or config.account != account:
            return []
        try:
            with self._lease(account):
                # Looked at again: another process may have done it a moment ago.
                state = self._state(account)
                return self._act(config, state, self._step(account, state).do)
        except LoginUnderway:
            return []

    def _act(self, config: Config, state: RenewalState, do: Do) -> list[Attempt]:
        account, now = config.account, self._clock.now()
        if do is Do.LOG_IN:
            attempt, _ = self._attempt(config)
            self._announce(account)
            return [attempt]
        if do is Do.SETTLE:
            self._save(account, renewal.settled(state, now))
        elif do is Do.GIVE_UP:
            self._save(account, renewal.given_up(state, now))
            self._announce(account)
        elif do is Do.CLEAR_UP:
            after = renewal.cleared_up(state, self._held(account), now)
            self._save(account, after)
            if after.last:
                self._note(account, after.last)
            self._announce(account)
        return []

    def _attempt(self, config: Config) -> tuple[Attempt, MstockError | None]:
        """One login under the lease, written down before and after; the error it ended in."""
        account = config.account
        now = self._clock.now()
        state = self._change(account, lambda state: renewal.begun(state, now))
        error: MstockError | None = None
        try:
            token = self._log_in(config, state)
            self._on_login(config, token)
            attempt = Attempt(now, Result.DONE.value, "Logged in.")
        except MstockError as caught:
            error = caught.with_traceback(None)
            attempt = attempt_of(error, now)
        except Exception as caught:
            # Its text is not told: it could quote the password.
            error = PluginFault(
                f"The mStock plugin failed in a login ({type(caught).__name__}).",
                "Please report this fault in it.",
            )
            attempt = attempt_of(error, now)
        self._note(account, attempt)
        self._change(account, lambda state: renewal.concluded(state, attempt, self._clock.now()))
        return attempt, error

    def _log_in(self, config: Config, state: RenewalState) -> Secret:
        account = config.account
        password = self._store.get(account, Item.PASSWORD)
        totp_secret = self._store.get(account, Item.TOTP_SECRET)
        if not password or not totp_secret:
            raise InputException(
                "The password and the TOTP secret are not kept here any more.",
                "Switch auto-login on again.",
            )

        def note(step: int) -> None:
            self._change(account, lambda state: renewal.stepped(state, step))

        return unattended.log_in(
            config, password, totp_secret, used=state.steps, note=note, clock=self._clock
        )

    def _keep(self, config: Config, token: Secret) -> None:
        keep(self._store, config.account, token, self._clock.now(), How.AUTO)

    def _held(self, account: Account) -> Held | None:
        return held(self._store, account, self._clock.now())

    def _step(self, account: Account, state: RenewalState) -> renewal.Step:
        return next_step(state, self._clock.now(), self._calendar, self._held(account))

    def _state(self, account: Account) -> RenewalState:
        text = self._store.get(account, Item.RENEWAL)
        return from_json(text.reveal()) if text else RenewalState()

    def _save(self, account: Account, state: RenewalState) -> None:
        self._store.set(account, Item.RENEWAL, Secret(to_json(state)))

    def _change(
        self, account: Account, change: Callable[[RenewalState], RenewalState]
    ) -> RenewalState:
        """Read, change, write: what the user switched meanwhile stays as it is."""
        state = change(self._state(account))
        self._save(account, state)
        return state

    @contextmanager
    def _lease(self, account: Account) -> Iterator[None]:
        """The sole right to log this account in, among threads too. Raises `LoginUnderway`."""
        holder = f"{self._holder}-{secrets.token_hex(4)}"
        now = self._clock.now()
        if not self._store.lease(account, holder, now, unattended.LONGEST_LOGIN):
            raise LoginUnderway(
                "Another program or page is logging this account in at this moment.",
                "Wait for up to three minutes, then look again.",
            )
        try:
            yield
        finally:
            self._store.release(account, holder)

    @contextmanager
    def _calm(self, account: Account | None) -> Iterator[None]:
        """A trouble within is told once, and again only after it had gone."""
        try:
            yield
        except MstockError as error:
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

    def _note(self, account: Account, attempt: Attempt) -> None:
        """The audit line."""
        code = f" (mStock code {attempt.code})" if attempt.code else ""
        line = (
            f"auto-login of {masked(account.client_code)}, API type {account.api_type}, "
            f"begun {attempt.at:%Y-%m-%d %H:%M:%S} IST: {attempt.result}. {attempt.words}{code}"
        )
        log.info(line)
        try:
            self._audit(line)
        except Exception as error:
            log.error(f"The audit line could not be passed on: {type(error).__name__}")

    def _announce(self, account: Account) -> None:
        """Tell the user of a final failure; a beginning attempt has taken the last one's away."""
        words = self._state(account).notice
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
