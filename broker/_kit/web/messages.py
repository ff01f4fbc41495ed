"""What a step of the login comes to, as data: which words, which HTTP status, which JSON."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from broker._kit.broker import Broker
from broker._kit.errors import (
    BrokerError,
    CertificateError,
    HostError,
    OutcomeUnknown,
    RateLimited,
    SettingError,
    StoreError,
    UnsupportedVersion,
    UnusableReply,
    WaitAndRetry,
)
from broker._kit.secret import Secret
from broker._kit.web.formatting import count, when_words
from broker._kit.web.pending_logins import RULES, Waiting, Why


@dataclass(frozen=True, slots=True)
class Problem:
    """Something to tell a trader: what happened, what to do, and which field it is about.

    `field` is a form field's name or ""; `is_grave` marks a last chance; `is_news` is no error,
    and with `is_good` it is what was hoped for.
    """

    text: str
    next_step: str = ""
    field: str = ""
    code: str = ""
    is_grave: bool = False
    is_news: bool = False
    is_good: bool = False
    attempts_left: int | None = None

    def __str__(self) -> str:
        words = f"{self.text} {self.next_step}".rstrip()
        return f"{words} (code {self.code})" if self.code else words


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a step led: to the code while `waiting`, to the end with a `token`, else the password.

    `http` holds for JSON and page alike. `has_moved` means that a page should be fetched by
    redirect, so that a reload repeats nothing.
    """

    http: int
    problem: Problem | None = None
    waiting: Waiting | None = None
    token: Secret | None = None
    retry_after: int | None = None
    has_moved: bool = False


OTP_REQUIRED = 409
NOT_LOGGED_IN = 401
# The HTTP status of a failure, first match; what is not listed was refused.
STATUS: tuple[tuple[tuple[type[BrokerError], ...], int], ...] = (
    ((RateLimited,), 429),
    ((WaitAndRetry,), 503),
    ((SettingError, StoreError, HostError), 500),
    ((CertificateError, UnsupportedVersion, OutcomeUnknown, UnusableReply), 502),
)


def status_of(error: BrokerError) -> int:
    """The HTTP status that tells a client what kind of failure this is; never 200."""
    return next((status for kinds, status in STATUS if isinstance(error, kinds)), NOT_LOGGED_IN)


def problem_of(error: BrokerError) -> Problem:
    """The error as a page shows it."""
    attempts = error.attempts_left
    return Problem(
        error.message,
        error.next_step,
        code=error.code,
        is_grave=attempts is not None and attempts <= 1,
        attempts_left=attempts,
    )


def to_json(outcome: Outcome, broker: Broker) -> dict[str, Any]:
    """The JSON body of an outcome without a token.

    `{"status": "otp_required", "message"}` when an OTP is awaited, `{"status": "error", "message"}`
    otherwise; both with `login_id` and `tries_left` while an OTP may be entered. `attempts_left`
    is there when the broker says it, and `retry_after`, in seconds, with every 429.
    """
    waiting, problem = outcome.waiting, outcome.problem
    is_awaited = waiting is not None and outcome.http == OTP_REQUIRED
    words = f"Enter your {broker.title} password to log in."
    if waiting is not None:
        words = sent_words(broker, waiting.sent_to)
    body: dict[str, Any] = {
        "status": "otp_required" if is_awaited else "error",
        "message": str(problem or words),
    }
    if waiting is not None:
        body |= {"login_id": waiting.login_id, "tries_left": waiting.tries_left}
    if problem is not None and problem.attempts_left is not None:
        body["attempts_left"] = problem.attempts_left
    if outcome.http == 429:
        body["retry_after"] = outcome.retry_after
    return body


def sent_words(
    broker: Broker, reply: str, other_way: str = "start again and choose the authenticator app."
) -> str:
    """Where the OTP went: in the words of the broker's reply, or in ours when it does not say."""
    words, title = reply.strip(), broker.title
    if not words:
        return f"{title} sends the OTP by {broker.otp_channels}."
    if "otp" in words.lower():
        return words
    return (
        f"{title} took the password but does not say that it has sent an OTP. With TOTP enabled it "
        f"sends none: {other_way}"
    )


PASSWORD_MISSING = Problem("Password is required.", field="password")
PASSWORD_GARBLED = Problem(
    "The password arrived with characters that cannot be read, so nothing was sent.",
    "Type it again.",
    field="password",
)
PASSWORD_TOO_LONG = Problem("This is too long to be a password.", field="password")
CODE_MISSING = {
    "totp": Problem("TOTP code is required.", "Your authenticator app shows it.", field="totp"),
    "otp": Problem("OTP is required.", field="otp"),
}
CODE_MISSHAPEN = {
    "totp": Problem("The TOTP code must be six digits.", "Nothing was sent.", field="totp"),
    "otp": Problem(
        "The OTP must be six digits.", "Nothing was sent and no try is lost.", field="otp"
    ),
}
LOGIN_ID_MISSING = Problem("login_id is required.", "It came with the request for the OTP.")
COOKIES_NEEDED = Problem(
    "This browser keeps no cookie from this page, so nothing was sent.",
    "Allow cookies for this address: without one, nobody can tell whose login this is.",
)
FORM_USED = Problem(
    "That form had been used before, so nothing was sent this time.", "Use this one.", is_news=True
)
PAGE_STALE = Problem(
    "That page was out of date, so nothing was sent.", "This is a fresh one: please enter it again."
)
CSRF_STALE = Problem(
    "The CSRF token is missing or out of date, so nothing was sent.",
    "A GET of this address gives a fresh csrf_token; send it with the fields.",
)
RESENDS_USED = Problem(
    "No further OTP can be asked for here, so nothing was sent.",
    "Enter the newest one, or start again from the password.",
)
REFUSED = Problem("The request was refused.", "Nothing was sent.")
FAULT = Problem(
    "Something went wrong on this page's side; it was not your entry.",
    "If you were waiting for an OTP, ignore it and start again.",
)

_AGAIN = "Enter your password for a new OTP."


def gone(why: Why, *, has_newer: bool = False) -> Problem:
    """What to say when the login that a form belongs to is not open any more."""
    if why is Why.REPLACED and has_newer:
        return Problem(
            "A newer OTP has been asked for since that page was opened, in another tab or window.",
            "Enter the newest OTP here; nothing was sent.",
        )
    return Problem(why.value, _AGAIN)


def last_try_failed(problem: Problem) -> Problem:
    """The refusal of a code that was also the last attempt."""
    text = f"{problem.text} That was the last of {RULES.tries} attempts."
    return Problem(text, _AGAIN, code=problem.code)


def too_many(seconds: int, now: datetime) -> Problem:
    """The limit on logins is reached."""
    return Problem(
        "Too many attempts for this page's own limit, so nothing was sent to the broker.",
        f"Try again {when_words(seconds, now)}. An OTP that you have is not lost meanwhile.",
    )


def too_soon(seconds: int, now: datetime) -> Problem:
    """A resend was asked for before its time."""
    return Problem(
        "The OTP may still be on its way, so nothing was sent.",
        f"You can ask for another one {when_words(seconds, now)}.",
        is_news=True,
    )


def tries_words(waiting: Waiting, title: str) -> str:
    """How many attempts are left, with a warning before the last."""
    if waiting.tries_left == 1:
        return (
            "Last attempt: if it is wrong, this login ends and you start again from the password."
        )
    return f"{count(waiting.tries_left, 'attempt', 'attempts')} left here; {title} may allow fewer."
