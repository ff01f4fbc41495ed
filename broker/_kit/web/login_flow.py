"""The login's two steps, from what was entered to what it came to; the page and JSON share it.

No Flask here: it is given the browser session, the address and the entries, and answers as data.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from broker._kit.broker import BrokerSettings
from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import (
    BrokerError,
    FixConfiguration,
    LogInAgain,
    LoginInProgress,
    OutcomeUnknown,
    RateLimited,
    Unreachable,
    UnusableReply,
)
from broker._kit.secret import Secret
from broker._kit.sessions.login_lock import Keep, LoginLock
from broker._kit.sessions.stored_session import LoginMethod
from broker._kit.settings import Account
from broker._kit.web import messages
from broker._kit.web.form_fields import bare, code_misfit, password_misfit
from broker._kit.web.login_limits import Full, LoginLimits
from broker._kit.web.messages import OTP_REQUIRED, REFUSED, Outcome, Problem, Step
from broker._kit.web.pending_logins import PendingLogins
from broker._kit.web.pending_view import Attempt, Busy, Gone, NoResendLeft, TooSoon, Why
from broker._kit.web.single_submit import AlreadySubmitted, SingleSubmit
from broker.mstock.client import login

_NOTHING = Secret("")
# After these a code is useless: whether it was taken is unknown, or the same would happen again.
_BACK_TO_PASSWORD = (OutcomeUnknown, UnusableReply, FixConfiguration, LogInAgain)
# After these mStock has not looked at the code or the wish.
_NOT_JUDGED = (Unreachable, RateLimited, LoginInProgress)


@dataclass(frozen=True, slots=True)
class Visit:
    """Who is asking: the settings in force, the browser session's id and the network address."""

    config: BrokerSettings
    browser: str
    address: str

    @property
    def account(self) -> Account:
        """What a ticket belongs to; a login does not outlive a change of it."""
        return self.config.account


@dataclass(frozen=True, slots=True)
class Entry:
    """What a form or a JSON client sent. `totp` is None when an OTP is wanted instead.

    `form` is the single-use id of a rendered form; a JSON client has none.
    """

    action: str
    password: Secret = _NOTHING
    totp: Secret | None = None
    otp: Secret = _NOTHING
    login_id: str = ""
    form: str = ""


class LoginFlow:
    """One login page's memory and rules. Safe to call from many threads; locks are never held
    while mStock is asked.

    `line` is what a login shares with other programs and with auto-login."""

    def __init__(
        self,
        clock: Clock = SYSTEM_CLOCK,
        *,
        pending: PendingLogins | None = None,
        limits: LoginLimits | None = None,
        line: LoginLock | None = None,
    ) -> None:
        self._clock = clock
        self._line = line or LoginLock(None)
        self.pending = pending or PendingLogins(clock)
        self._limits = limits or LoginLimits(clock)
        self._sending: set[Account] = set()
        self._lock = threading.Lock()
        self._once: SingleSubmit[tuple[BrokerSettings, Outcome]] = SingleSubmit()
        self._actions: dict[str, Callable[[Visit, Entry], Outcome]] = {
            "login": self._log_in,
            "verify": self._verify,
            "resend": self._resend,
            "restart": self._restart,
        }

    def state(self, visit: Visit) -> Outcome:
        """Where this browser stands; asks mStock nothing and uses nothing up."""
        waiting = self.pending.look(visit.browser, visit.account)
        if waiting is not None:
            return Outcome(Step.CODE, OTP_REQUIRED, waiting=waiting)
        why = self.pending.last_words(visit.browser)
        news = why and replace(self._words(why), is_news=True)
        return Outcome(Step.PASSWORD, REFUSED, problem=news)

    def act(self, visit: Visit, entry: Entry) -> Outcome:
        """Carry out what was entered; a wrong shape is refused before anything is used or sent."""
        misfit = self._misfit(visit, entry)
        if misfit is not None:
            return replace(self.state(visit), http=400, problem=misfit)
        work = partial(self._actions[entry.action], visit, entry)
        if not entry.form:
            return work()
        patience = 2 * visit.config.timeouts.deadline + 5
        try:
            done = self._once.run(
                (visit.browser, entry.form), lambda: (visit.config, work()), patience
            )
        except AlreadySubmitted:
            return replace(self.state(visit), problem=messages.FORM_USED)
        made_with, outcome = done
        if made_with != visit.config:
            # The second click of two came after a change of the settings: the token of the first
            # belongs to the account of then.
            return replace(self.state(visit), problem=messages.FORM_USED)
        return outcome

    def _misfit(self, visit: Visit, entry: Entry) -> Problem | None:
        if entry.action == "login":
            return password_misfit(entry.password) or (
                code_misfit(entry.totp, "totp") if entry.totp is not None else None
            )
        if entry.action in ("verify", "resend") and not entry.login_id:
            return messages.LOGIN_ID_MISSING
        if entry.action == "verify":
            waiting = self.pending.look(visit.browser, visit.account)
            # A code for a login that is gone is told so first, whatever its shape.
            if waiting is not None and waiting.login_id == entry.login_id:
                return code_misfit(entry.otp, "otp")
        return None

    def _log_in(self, visit: Visit, entry: Entry) -> Outcome:
        try:
            with self._alone(visit) as keep, self._limits.place(visit.address):
                if entry.totp is not None:
                    token = login.login_with_totp(visit.config, entry.password, bare(entry.totp))
                    keep(token, LoginMethod.TOTP)
                    return self._done(visit, token)
                turn = self.pending.turn()
                challenge = login.send_otp(visit.config, entry.password)
        except Busy:
            return replace(self.state(visit), problem=messages.BEING_CHECKED)
        except Full as full:
            return self._too_many(full.seconds, self.state(visit))
        except BrokerError as error:
            return _at_password(error)
        try:
            waiting = self.pending.open(
                visit.browser,
                visit.account,
                turn,
                password=entry.password,
                ticket=challenge.ticket,
                sent_to=challenge.message,
            )
        except Gone as end:
            return self._gone(visit, end.why)
        return Outcome(Step.CODE, OTP_REQUIRED, waiting=waiting, has_moved=True)

    def _verify(self, visit: Visit, entry: Entry) -> Outcome:
        try:
            attempt = self.pending.take_try(visit.browser, visit.account, entry.login_id)
        except Gone as end:
            return self._gone(visit, end.why)
        except Busy:
            return replace(self.state(visit), problem=messages.BEING_CHECKED)
        return self._carry_out(visit, attempt, partial(self._send_code, visit, attempt, entry))

    def _send_code(self, visit: Visit, attempt: Attempt, entry: Entry, keep: Keep) -> Outcome:
        token = login.verify_otp(visit.config, bare(entry.otp), attempt.secret)
        keep(token, LoginMethod.OTP)
        return self._done(visit, token)

    def _resend(self, visit: Visit, entry: Entry) -> Outcome:
        try:
            attempt = self.pending.take_resend(visit.browser, visit.account, entry.login_id)
        except Gone as end:
            return self._gone(visit, end.why)
        except Busy:
            return replace(self.state(visit), problem=messages.BEING_CHECKED)
        except NoResendLeft:
            return replace(self.state(visit), http=REFUSED, problem=messages.RESENDS_USED)
        except TooSoon as early:
            wait = math.ceil(early.seconds)
            problem = messages.too_soon(wait, self._clock.now())
            return replace(self.state(visit), http=429, problem=problem, retry_after=wait)
        return self._carry_out(visit, attempt, partial(self._send_again, visit, attempt))

    def _send_again(self, visit: Visit, attempt: Attempt, keep: Keep) -> Outcome:
        challenge = login.send_otp(visit.config, attempt.secret)
        waiting = self.pending.renew(attempt, ticket=challenge.ticket, sent_to=challenge.message)
        return Outcome(Step.CODE, OTP_REQUIRED, waiting=waiting, has_moved=True)

    @contextmanager
    def _alone(self, visit: Visit) -> Iterator[Keep]:
        """Hold an account's only line to mStock; `Busy` while another form or script has it,
        `LoginInProgress` while another program or auto-login has it.

        A login sent twice at once costs two password attempts, and its two OTPs may arrive in
        either order.
        """
        with self._lock:
            if visit.account in self._sending:
                raise Busy
            self._sending.add(visit.account)
        try:
            with self._line.hold(visit.config) as keep:
                yield keep
        finally:
            with self._lock:
                self._sending.discard(visit.account)

    def _carry_out(
        self, visit: Visit, attempt: Attempt, send: Callable[[Keep], Outcome]
    ) -> Outcome:
        """Send what an attempt was taken for, within the limits, and put the attempt away again."""
        try:
            try:
                with self._alone(visit) as keep, self._limits.place(visit.address):
                    return send(keep)
            except (Busy, Full) as held_back:
                waiting = self.pending.free(attempt, give_back=True)
                still = Outcome(Step.CODE, OTP_REQUIRED, waiting=waiting)
                if isinstance(held_back, Full):
                    return self._too_many(held_back.seconds, still)
                return replace(still, problem=messages.BEING_CHECKED)
        except BrokerError as error:
            return self._refused(visit, attempt, error)
        except Gone as end:
            return self._gone(visit, end.why)
        except BaseException:
            # What became of it is unknown: nothing may be sent twice.
            self.pending.close(visit.browser, Why.DROPPED, only=attempt)
            raise

    def _refused(self, visit: Visit, attempt: Attempt, error: BrokerError) -> Outcome:
        if isinstance(error, _BACK_TO_PASSWORD):
            self.pending.close(visit.browser, Why.DROPPED, only=attempt)
            return _at_password(error)
        try:
            waiting = self.pending.free(attempt, give_back=isinstance(error, _NOT_JUDGED))
        except Gone as end:
            if end.why is not Why.TRIED_OUT:
                return self._gone(visit, end.why)
            problem = messages.last_try_failed(messages.problem_of(error), self.pending.rules)
            return replace(_at_password(error), problem=problem)
        refused = _at_password(error)
        if refused.problem is not None and attempt.is_try:
            refused = replace(refused, problem=replace(refused.problem, field="otp"))
        return replace(refused, step=Step.CODE, waiting=waiting)

    def _restart(self, visit: Visit, entry: Entry) -> Outcome:
        waiting = self.pending.look(visit.browser, visit.account)
        if waiting is not None and entry.login_id and waiting.login_id != entry.login_id:
            return self._gone(visit, Why.REPLACED)  # an older tab must not end the newer login
        self.pending.close(visit.browser, Why.DROPPED)
        return Outcome(Step.PASSWORD, REFUSED, has_moved=True)

    def _done(self, visit: Visit, token: Secret) -> Outcome:
        self.pending.close(visit.browser, Why.USED)
        return Outcome(Step.DONE, 200, token=token)

    def _gone(self, visit: Visit, why: Why) -> Outcome:
        waiting = self.pending.look(visit.browser, visit.account)
        problem = self._words(why, has_newer=waiting is not None)
        if waiting is not None:
            return Outcome(Step.CODE, OTP_REQUIRED, problem=problem, waiting=waiting)
        return Outcome(Step.PASSWORD, REFUSED, problem=problem)

    def _words(self, why: Why, *, has_newer: bool = False) -> Problem:
        return messages.gone(why, self.pending.rules, has_newer=has_newer)

    def _too_many(self, wait: int, where: Outcome) -> Outcome:
        problem = messages.too_many(wait, self._clock.now())
        return replace(where, http=429, problem=problem, retry_after=wait)


def _at_password(error: BrokerError) -> Outcome:
    return Outcome(
        Step.PASSWORD,
        messages.status_of(error),
        problem=messages.problem_of(error),
        retry_after=error.retry_after if isinstance(error, RateLimited) else None,
    )
