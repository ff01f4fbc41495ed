"""The login's two steps, from what was entered to what it came to; the page and JSON share it.

No Flask here: it is given the browser session, the address and the entries, and answers as data.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from broker._kit.broker import Broker, BrokerSettings
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
from broker._kit.sessions.store import MemoryStore
from broker._kit.sessions.stored_session import LoginMethod
from broker._kit.web import messages
from broker._kit.web.login_limits import AlreadySubmitted, LimitReached, LoginLimits, SingleSubmit
from broker._kit.web.messages import NOT_LOGGED_IN, OTP_REQUIRED, Outcome, Problem
from broker._kit.web.pending_logins import (
    Gone,
    NoResendLeft,
    PendingLogins,
    TooSoon,
    Waiting,
    Why,
)

_NOTHING = Secret("")
_SIX_DIGITS = re.compile(r"[0-9]{6}")
# A replacement character, or half a character, which no encoding can carry.
_UNREADABLE = re.compile("[\ufffd\ud800-\udfff]")
_LONGEST_PASSWORD = 256
# After these a code is useless: whether it was taken is unknown, or the same would happen again.
_BACK_TO_PASSWORD = (OutcomeUnknown, UnusableReply, FixConfiguration, LogInAgain)
# After these the broker has not looked at the code or the wish.
_NOT_JUDGED = (Unreachable, RateLimited)


@dataclass(frozen=True, slots=True)
class Visit:
    """Who is asking: the settings in force, the browser session's id and the network address."""

    config: BrokerSettings
    browser: str
    address: str


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
    """One login page's memory and rules. Safe to call from many threads.

    `lock` is what a login shares with other programs and with auto-login; without one, logins of
    this flow exclude each other, and the session is stored nowhere.
    """

    def __init__(
        self,
        broker: Broker,
        clock: Clock = SYSTEM_CLOCK,
        *,
        pending: PendingLogins | None = None,
        limits: LoginLimits | None = None,
        lock: LoginLock | None = None,
    ) -> None:
        self._broker = broker
        self._clock = clock
        self._lock = lock or LoginLock(MemoryStore(broker), clock, saves=False)
        self.pending = pending or PendingLogins(clock)
        self._limits = limits or LoginLimits(clock)
        self._forms: SingleSubmit[tuple[BrokerSettings, Outcome]] = SingleSubmit()
        self._actions: dict[str, Callable[[Visit, Entry, Keep], Outcome]] = {
            "login": self._log_in,
            "verify": self._verify,
            "resend": self._resend,
        }

    def state(self, visit: Visit) -> Outcome:
        """Where this browser stands; asks the broker nothing and uses nothing up."""
        waiting = self.pending.look(visit.browser, visit.config.account)
        if waiting is not None:
            return Outcome(OTP_REQUIRED, waiting=waiting)
        why = self.pending.why_ended(visit.browser)
        news = why and replace(messages.gone(why), is_news=True)
        return Outcome(NOT_LOGGED_IN, problem=news)

    def seconds_left(self, waiting: Waiting) -> int:
        """How long the OTP may still be entered."""
        return max(0, int((waiting.ends_at - self._clock.now()).total_seconds()))

    def act(self, visit: Visit, entry: Entry) -> Outcome:
        """Carry out what was entered; a wrong shape is refused before anything is used or sent."""
        misfit = self._misfit(visit, entry)
        if misfit is not None:
            return self._stay(visit, misfit, 400)
        if not entry.form:
            return self._carry_out(visit, entry)
        try:
            config, outcome = self._forms.run(
                (visit.browser, entry.form),
                lambda: (visit.config, self._carry_out(visit, entry)),
                2 * visit.config.timeouts.deadline + 5,
            )
        except AlreadySubmitted:
            return self._stay(visit, messages.FORM_USED)
        # Of two clicks, the second may come after a change of the settings: the token of the first
        # belongs to the account of then.
        return outcome if config == visit.config else self._stay(visit, messages.FORM_USED)

    def _misfit(self, visit: Visit, entry: Entry) -> Problem | None:
        if entry.action == "login":
            return password_misfit(entry.password) or (
                code_misfit(entry.totp, "totp") if entry.totp is not None else None
            )
        if entry.action in ("verify", "resend") and not entry.login_id:
            return messages.LOGIN_ID_MISSING
        if entry.action == "verify":
            waiting = self.pending.look(visit.browser, visit.config.account)
            # A code for a login that is gone is told so first, whatever its shape.
            if waiting is not None and waiting.login_id == entry.login_id:
                return code_misfit(entry.otp, "otp")
        return None

    def _carry_out(self, visit: Visit, entry: Entry) -> Outcome:
        """One step, alone with this account: a login sent twice at once costs two password
        attempts, and its two OTPs may arrive in either order."""
        if entry.action == "restart":
            return self._restart(visit, entry)
        try:
            with self._lock.hold(visit.config, has_totp=entry.totp is not None) as keep:
                return self._actions[entry.action](visit, entry, keep)
        except Gone as end:
            return self._gone(visit, end.why)
        except NoResendLeft:
            return self._stay(visit, messages.RESENDS_USED, NOT_LOGGED_IN)
        except (LimitReached, TooSoon) as early:
            words = messages.too_soon if isinstance(early, TooSoon) else messages.too_many
            seconds = math.ceil(early.seconds)
            return self._stay(visit, words(seconds, self._clock.now()), 429, seconds)
        except LoginInProgress as error:
            return self._stay(visit, messages.problem_of(error), messages.status_of(error))
        except BrokerError as error:
            return self._refused(visit, entry, error)
        except BaseException:
            # What became of it is unknown: nothing may be sent twice.
            if entry.login_id:
                self.pending.close(visit.browser, Why.DROPPED, only=entry.login_id)
            raise

    def _log_in(self, visit: Visit, entry: Entry, keep: Keep) -> Outcome:
        with self._limits.counted(visit.address):
            if entry.totp is not None:
                code = _digits(entry.totp)
                token = self._broker.log_in_with_totp(visit.config, entry.password, code)
                return self._done(visit, token, LoginMethod.TOTP, keep)
            challenge = self._broker.send_otp(visit.config, entry.password)
        waiting = self.pending.open(visit.browser, visit.config.account, entry.password, challenge)
        return Outcome(OTP_REQUIRED, waiting=waiting, has_moved=True)

    def _verify(self, visit: Visit, entry: Entry, keep: Keep) -> Outcome:
        ticket = self.pending.ticket(visit.browser, visit.config.account, entry.login_id)
        with self._limits.counted(visit.address):
            token = self._broker.verify_otp(visit.config, _digits(entry.otp), ticket)
        return self._done(visit, token, LoginMethod.OTP, keep)

    def _resend(self, visit: Visit, entry: Entry, keep: Keep) -> Outcome:
        password = self.pending.password(visit.browser, visit.config.account, entry.login_id)
        with self._limits.counted(visit.address):
            challenge = self._broker.send_otp(visit.config, password)
        waiting = self.pending.renew(visit.browser, visit.config.account, entry.login_id, challenge)
        return Outcome(OTP_REQUIRED, waiting=waiting, has_moved=True)

    def _done(self, visit: Visit, token: Secret, method: LoginMethod, keep: Keep) -> Outcome:
        keep(token, method)
        self.pending.close(visit.browser, Why.USED)
        return Outcome(200, token=token)

    def _restart(self, visit: Visit, entry: Entry) -> Outcome:
        # Its own login only: an older tab must not end the newer one.
        self.pending.close(visit.browser, Why.DROPPED, only=entry.login_id)
        is_older = self.pending.look(visit.browser, visit.config.account) is not None
        return (
            self._gone(visit, Why.REPLACED) if is_older else Outcome(NOT_LOGGED_IN, has_moved=True)
        )

    def _refused(self, visit: Visit, entry: Entry, error: BrokerError) -> Outcome:
        problem, http = messages.problem_of(error), messages.status_of(error)
        refused = Outcome(http, problem, retry_after=error.retry_after)
        if entry.action == "login":
            return refused
        if isinstance(error, _BACK_TO_PASSWORD):
            self.pending.close(visit.browser, Why.DROPPED, only=entry.login_id)
            return refused
        is_code, is_judged = entry.action == "verify", not isinstance(error, _NOT_JUDGED)
        try:
            tries, resends = is_judged and is_code, is_judged and not is_code
            waiting = self.pending.use_up(
                visit.browser, visit.config.account, entry.login_id, tries=tries, resends=resends
            )
        except Gone as end:
            if end.why is not Why.TRIED_OUT:
                return self._gone(visit, end.why)
            return replace(refused, problem=messages.last_try_failed(problem))
        if is_code:
            problem = replace(problem, field="otp")
        return replace(refused, waiting=waiting, problem=problem)

    def _gone(self, visit: Visit, why: Why) -> Outcome:
        stands = self.state(visit)
        return replace(stands, problem=messages.gone(why, has_newer=stands.waiting is not None))

    def _stay(
        self, visit: Visit, problem: Problem, http: int = 0, retry_after: int | None = None
    ) -> Outcome:
        """Where the browser stands, and why nothing has come of its form."""
        stands = self.state(visit)
        return replace(stands, http=http or stands.http, problem=problem, retry_after=retry_after)


def password_misfit(password: Secret) -> Problem | None:
    """Why this cannot be a password, None when it can."""
    text = password.reveal()
    if not text.strip():
        return messages.PASSWORD_MISSING
    if _UNREADABLE.search(text):
        return messages.PASSWORD_GARBLED
    return messages.PASSWORD_TOO_LONG if len(text) > _LONGEST_PASSWORD else None


def code_misfit(code: Secret, name: str) -> Problem | None:
    """Why this cannot be a code, an "otp" or a "totp"; None when it can."""
    digits = _digits(code).reveal()
    if not digits:
        return messages.CODE_MISSING[name]
    return None if _SIX_DIGITS.fullmatch(digits) else messages.CODE_MISSHAPEN[name]


def _digits(code: Secret) -> Secret:
    """The code without the blank that authenticator apps show in its middle."""
    return Secret("".join(code.reveal().split()))
