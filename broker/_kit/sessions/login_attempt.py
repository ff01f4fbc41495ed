"""Makes one login for auto-login, and writes it down before and after."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from broker._kit.broker import BrokerSettings
from broker._kit.clock import Clock
from broker._kit.errors import BrokerError, CorrectInput, PluginFault
from broker._kit.secret import Secret, masked
from broker._kit.sessions import daily_login, totp_login
from broker._kit.sessions.attempt_outcome import attempt_of
from broker._kit.sessions.auto_login_state import Ledger
from broker._kit.sessions.daily_login import Attempt, RenewalState, Result
from broker._kit.sessions.store import Item, Store
from broker._kit.sessions.stored_session import LoginMethod, load_session, save_session
from broker._kit.settings import Account
from broker.mstock.client.login import logout

# The audit: one line for each attempt.
log = logging.getLogger("broker._kit.sessions.auto_login")


class Attempts:
    """Logins with what the store keeps; the caller holds the account's lease."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        clock: Clock,
        audit: Callable[[str], None],
        on_login: Callable[[BrokerSettings, Secret], None] | None,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._clock = clock
        self._audit = audit
        self._on_login = on_login or self._keep

    def make(self, config: BrokerSettings) -> tuple[Attempt, BrokerError | None]:
        """One login, and the error in which it ended. Raises `StoreError`.

        That it begins is kept before anything is sent: whoever finds it without an end knows that
        the outcome is unknown.
        """
        account = config.account
        now = self._clock.now()
        state = self._ledger.change(account, lambda state: daily_login.begun(state, now))
        error: BrokerError | None = None
        try:
            token = self._log_in(config, state)
            if self._is_erased(account):
                logout(config, token)
                raise _erased("The new session was given up.")
            self._on_login(config, token)
            attempt = Attempt(now, Result.DONE.value, "Logged in.")
        except BrokerError as caught:
            error = caught.with_traceback(None)
            attempt = attempt_of(error, now)
        except Exception as caught:
            # Its text is not told: it could quote the password.
            error = PluginFault(
                f"The mStock plugin failed in a login ({type(caught).__name__}).",
                "Please report this fault in it.",
            )
            attempt = attempt_of(error, now)
        self.note(account, attempt)
        if self._is_erased(account):
            return attempt, error
        ended = self._clock.now()
        self._ledger.change(account, lambda state: daily_login.concluded(state, attempt, ended))
        return attempt, error

    def _is_erased(self, account: Account) -> bool:
        """True when all was erased since the attempt began: then nothing is kept anew."""
        return self._store.get(account, Item.RENEWAL) is None

    def note(self, account: Account, attempt: Attempt) -> None:
        """The audit line."""
        code = f" (code {attempt.code})" if attempt.code else ""
        line = (
            f"auto-login of {masked(account.client_code)}, API type {account.api_type}, "
            f"begun {attempt.at:%Y-%m-%d %H:%M:%S} IST: {attempt.result}. {attempt.words}{code}"
        )
        log.info(line)
        try:
            self._audit(line)
        except Exception as error:
            log.error(f"The audit line could not be passed on: {type(error).__name__}")

    def _log_in(self, config: BrokerSettings, state: RenewalState) -> Secret:
        account = config.account
        password = self._store.get(account, Item.PASSWORD)
        totp_secret = self._store.get(account, Item.TOTP_SECRET)
        if not password or not totp_secret:
            raise CorrectInput(
                "The password and the TOTP secret are not kept here any more.",
                "Switch auto-login on again.",
            )

        def note(step: int) -> None:
            if self._is_erased(account):
                raise _erased("The code was not sent.")
            self._ledger.change(account, lambda state: daily_login.stepped(state, step))

        used = (*state.steps, *self._entered_by_hand(account))
        return totp_login.log_in(
            config, password, totp_secret, used=used, note=note, clock=self._clock
        )

    def _entered_by_hand(self, account: Account) -> Iterator[int]:
        """The step whose code the user may have entered: mStock takes no code twice."""
        session = load_session(self._store, account, self._clock.now())
        if (
            session is not None
            and session.how is LoginMethod.TOTP
            and session.logged_in_at is not None
        ):
            yield totp_login.step_at(session.logged_in_at)

    def _keep(self, config: BrokerSettings, token: Secret) -> None:
        save_session(self._store, config.account, token, self._clock.now(), LoginMethod.AUTO)


def _erased(words: str) -> CorrectInput:
    return CorrectInput(
        f"What auto-login keeps was erased in the middle of a login. {words}",
        "Switch auto-login on again if you want it.",
    )
