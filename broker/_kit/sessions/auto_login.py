"""Auto-login for command line, web page and OpenAlgo: switch on and off, test, status, tick."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime, timedelta
from typing import NamedTuple

from broker._kit.broker import Broker, BrokerSettings
from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import (
    BrokerError,
    CorrectInput,
    LoginInProgress,
    PluginFault,
    SettingError,
)
from broker._kit.secret import Secret
from broker._kit.sessions import daily_login, totp_login
from broker._kit.sessions.daily_login import Action, Decision, next_step
from broker._kit.sessions.login_lock import login_lease
from broker._kit.sessions.notices import Notice
from broker._kit.sessions.record import (
    AccountRecord,
    Attempt,
    AutoLoginState,
    LoginMethod,
    SessionRecord,
    described,
)
from broker._kit.sessions.store import Store
from broker._kit.sessions.stored_session import session_of
from broker._kit.sessions.trading_calendar import Calendar, load_calendar
from broker._kit.settings import Account

log = logging.getLogger(__name__)

# How long before the end of the table of holidays the user is told.
_TABLE_WARNING = timedelta(days=21)


class AutoLoginStatus(NamedTuple):
    """What the user is shown: `next_words` is a plain sentence on what happens next and when.

    `notice` is what the user must read ("" when there is nothing), `blocked` why nothing is tried
    until the user switches on or tests again, `calendar_words` a warning that the table of
    holidays ends ("" while it does not). `history` is oldest first.
    """

    enabled: bool
    next_at: datetime | None
    next_words: str
    blocked: str = ""
    notice: str = ""
    history: tuple[Attempt, ...] = ()
    calendar_words: str = ""

    @property
    def last(self) -> Attempt | None:
        return self.history[-1] if self.history else None


class AutoLogin:
    """Logs accounts in without their users; safe to use from several threads and processes.

    `config_of` gives an account's settings, None for one that is not this process's to log in.
    `on_login` is what is done with a new token; without it the store gets it. `tell` is given a
    notice once for each final failure. The log gets a line for each attempt.
    """

    def __init__(
        self,
        broker: Broker,
        store: Store,
        config_of: Callable[[Account], BrokerSettings | None],
        clock: Clock = SYSTEM_CLOCK,
        *,
        calendar: Calendar | None = None,
        tell: Callable[[Notice], None] = lambda _notice: None,
        on_login: Callable[[BrokerSettings, Secret], None] | None = None,
    ) -> None:
        self._broker = broker
        self._store = store
        self._config_of = config_of
        self._clock = clock
        self._calendar = calendar or load_calendar()
        self._tell = tell
        self._on_login = on_login
        self._accounts: list[Account] = []
        self._troubles: dict[Account | None, str] = {}

    def enable(
        self, config: BrokerSettings, password: Secret, totp_secret: Secret, *, accepted: bool
    ) -> None:
        """Store what a login needs and switch on; nothing is sent. Clears `blocked`.

        Raises `CorrectInput` when the terms were not accepted, the password is blank or the TOTP
        secret is none; `LoginInProgress` while a login is under way; `StoreError`.
        """
        if not accepted:
            raise CorrectInput(
                "Auto-login was not switched on: its terms were not accepted.",
                "Read what it means to keep a password and a TOTP secret, and accept it first.",
            )
        if not password.reveal().strip():
            title = self._broker.title
            raise CorrectInput("The password is empty.", f"Enter your {title} trading password.")
        key = totp_login.totp_key(totp_secret)
        with self._lease(config), self._store.update(config.account) as record:
            record.password, record.totp_secret = password, key
            state = record.auto_login or AutoLoginState()
            record.auto_login = daily_login.switched_on(state, self._clock.now())
        self._troubles.pop(config.account, None)

    def disable(self, account: Account) -> list[str]:
        """Switch off and remove password and TOTP secret; says what was removed.

        Works while a login is under way, too: that one still ends. Raises `StoreError`.
        """
        with self._store.update(account) as record:
            secrets = ((record.password, "password"), (record.totp_secret, "TOTP secret"))
            record.password = record.totp_secret = None
            if record.auto_login is not None:
                record.auto_login = daily_login.switched_off(record.auto_login)
        return [f"{described(account, name)}: removed" for secret, name in secrets if secret]

    def test(self, config: BrokerSettings) -> Attempt:
        """One login now, because the user asks for it; takes up to a minute and a half.

        Raises the login's `BrokerError`, `LoginInProgress` while another one is under way,
        `CorrectInput` when auto-login is off, `StoreError`.
        """
        with self._lease(config):
            with self._store.update(config.account) as record:
                state, now = record.auto_login, self._clock.now()
                if state is None or not state.enabled:
                    raise CorrectInput(
                        "Auto-login is off; nothing was sent.", "Switch auto-login on first."
                    )
                session = session_of(self._broker, record.session, now)
                state = daily_login.recovered(state, session, now)
                record.auto_login = daily_login.attempt_started(state, now)
            attempt, error = self._attempt(config, record, by_user=True)
            if error is not None:
                raise error
            return attempt

    def status(self, account: Account) -> AutoLoginStatus:
        """How things stand; asks nobody, and says so when the store cannot be read."""
        calendar_words = self._calendar_words()
        try:
            record = self._store.load(account)
        except BrokerError as error:
            words = "Auto-login cannot go on until what is stored can be read."
            return AutoLoginStatus(False, None, words, "", str(error), (), calendar_words)
        state = record.auto_login or AutoLoginState()
        decision = self._decide(record)
        notice = (
            state.notice
            or self._troubles.get(account)
            or self._troubles.get(None)
            or daily_login.clock_warning(state, self._broker.title)
        )
        told = (state.blocked, notice, state.history, calendar_words)
        return AutoLoginStatus(state.enabled, decision.at, decision.words, *told)

    def tick(self) -> list[Attempt]:
        """Do what is due, for all accounts of the store; the attempts made. Raises nothing."""
        attempts: list[Attempt] = []
        with self._troubles_told(None):
            self._accounts = self._store.accounts()
            for account in self._accounts:
                with self._troubles_told(account), suppress(LoginInProgress):
                    attempts += self._serve(account)
        return attempts

    def _serve(self, account: Account) -> list[Attempt]:
        """What is due for one account."""
        if self._decide(self._store.load(account)).action is Action.WAIT:
            return []
        config = self._config_of(account)
        if config is None:
            return []
        with self._lease(config):
            return self._act(config)

    def _act(self, config: BrokerSettings) -> list[Attempt]:
        """Decide again, since another process may have done it a moment ago, and do it."""
        account = config.account
        with self._store.update(account) as record:
            action, now = self._decide(record).action, self._clock.now()
            state = record.auto_login or AutoLoginState()
            notice = state.notice
            match action:
                case Action.LOG_IN:
                    state = daily_login.attempt_started(state, now)
                case Action.CLOSE:
                    state = daily_login.already_logged_in(state, now)
                case Action.GIVE_UP:
                    state = daily_login.given_up(state, now)
                case Action.RECOVER:
                    session = session_of(self._broker, record.session, now)
                    state = daily_login.recovered(state, session, now)
                case Action.WAIT:
                    return []
            record.auto_login = state
        if action is Action.LOG_IN:
            return [self._attempt(config, record)[0]]
        if action is Action.RECOVER:
            _log_attempt(account, state.attempts[-1])
        if state.notice and state.notice != notice:
            self._send(account, state.notice)
        return []

    def _attempt(
        self, config: BrokerSettings, record: AccountRecord, by_user: bool = False
    ) -> tuple[Attempt, BrokerError | None]:
        """One login, already written down in the record, and the error in which it ended.

        The caller holds the lease. Raises `StoreError` when its end cannot be stored.
        """
        account, error, session, state = config.account, None, None, record.auto_login
        started = state.attempts[-1] if state else Attempt(self._clock.now())
        try:
            token = self._log_in(config, record)
            if self._on_login is None:
                session = SessionRecord(token, self._clock.now(), LoginMethod.AUTO)
            elif self._store.load(account).auto_login is None:
                raise self._given_up(config, token)
            else:
                self._on_login(config, token)
        except BrokerError as caught:
            error = caught.with_traceback(None)
        except Exception as caught:
            # Its text is not told: it could quote the password.
            error = PluginFault(
                f"The plugin failed in a login ({type(caught).__name__}).",
                "Please report this fault in it.",
            )
        attempt = daily_login.outcome(started, error, self._clock.now())
        # Session and outcome in one transaction; nothing is stored if all was erased.
        with self._store.update(account) as stored:
            state = stored.auto_login
            if state is not None:
                stored.auto_login = state = daily_login.attempt_finished(state, attempt, by_user)
                stored.session = session or stored.session
        if state is None and session is not None:
            error = self._given_up(config, token)
            attempt = daily_login.outcome(started, error, self._clock.now())
        _log_attempt(account, attempt)
        if state is not None:
            if warning := daily_login.clock_warning(state, self._broker.title):
                log.warning(warning)
            if state.notice and not by_user:
                self._send(account, state.notice)
        return attempt, error

    def _log_in(self, config: BrokerSettings, record: AccountRecord) -> Secret:
        state = record.auto_login or AutoLoginState()
        if not record.password or not record.totp_secret:
            raise CorrectInput(
                "The password and the TOTP secret are not stored here any more.",
                "Switch auto-login on again.",
            )

        def note(step: int, clock_ahead: int) -> None:
            with self._store.update(config.account) as now:
                if now.auto_login is None:
                    raise _erased("The code was not sent.")
                now.auto_login = daily_login.code_sent(now.auto_login, step, clock_ahead)

        # The broker takes no code twice, and the user may have entered one.
        used = {attempt.step for attempt in state.attempts} | {state.manual_step}
        session = record.session
        if session and session.method is LoginMethod.TOTP and session.logged_in_at:
            used.add(totp_login.step_at(session.logged_in_at))
        return totp_login.log_in(
            self._broker,
            config,
            record.password,
            record.totp_secret,
            used=[step for step in used if step is not None],
            note=note,
            clock=self._clock,
        )

    def _given_up(self, config: BrokerSettings, token: Secret) -> CorrectInput:
        """Log the new session out: all was erased while it was made."""
        self._broker.end_session(config, token)
        return _erased("The new session was given up.")

    def _lease(self, config: BrokerSettings) -> AbstractContextManager[None]:
        seconds = totp_login.longest_login(config.timeouts)
        return login_lease(self._store, self._clock, config, seconds)

    def _decide(self, record: AccountRecord) -> Decision:
        now = self._clock.now()
        session = session_of(self._broker, record.session, now)
        return next_step(record.auto_login or AutoLoginState(), now, self._calendar, session)

    @contextmanager
    def _troubles_told(self, account: Account | None) -> Iterator[None]:
        """A trouble within is told once, and again only after it had gone."""
        trouble = ""
        try:
            yield
        except BrokerError as error:
            trouble = str(error)
        except Exception as error:
            trouble = f"Auto-login failed inside the plugin ({type(error).__name__})."
        known, self._troubles[account] = self._troubles.get(account, ""), trouble
        if trouble not in ("", known):
            log.error(f"Auto-login cannot go on: {trouble}")
            for concerned in [account] if account else self._accounts[:1]:
                self._send(concerned, f"Auto-login cannot go on. {trouble}")

    def _send(self, account: Account, words: str) -> None:
        try:
            self._tell(Notice(account, words, self._clock.now()))
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


def account_source(
    source: Callable[[], BrokerSettings],
) -> Callable[[Account], BrokerSettings | None]:
    """What gives `AutoLogin` the settings in force, while they can be used, for their account."""

    def config_of(account: Account) -> BrokerSettings | None:
        with suppress(SettingError):
            config = source()
            return config if config.account == account else None
        return None

    return config_of


def _erased(words: str) -> CorrectInput:
    return CorrectInput(
        f"What auto-login needs was erased in the middle of a login. {words}",
        "Switch auto-login on again if you want it.",
    )


def _log_attempt(account: Account, attempt: Attempt) -> None:
    code = f" (code {attempt.code})" if attempt.code else ""
    log.info(
        f"auto-login of {account.words}, begun {attempt.at:%Y-%m-%d %H:%M:%S} IST: "
        f"{attempt.result}. {attempt.words}{code}"
    )
