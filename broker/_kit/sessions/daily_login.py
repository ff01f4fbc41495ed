"""Decides what auto-login does next; pure: it looks at what it is given and touches nothing."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple

from broker._kit import errors
from broker._kit.clock import IST
from broker._kit.errors import BrokerError
from broker._kit.http.routes import GATEWAY
from broker._kit.sessions.record import Attempt, AutoLoginState, Result
from broker._kit.sessions.stored_session import StoredSession
from broker._kit.sessions.trading_calendar import Calendar

# After brokers' start of day (until about 08:30 IST, when they may be slow), and in good time
# before the exchange opens at 09:15.
FIRST_ATTEMPT, LAST_ATTEMPT = time(8, 35), time(9, 10)
_PAUSES = (timedelta(minutes=2), timedelta(minutes=6), timedelta(minutes=14))
_HISTORY = 20
_CLOCK_ERROR_S = 30  # from here on the user is told

# First match wins. What the broker refused is never sent again; what has nothing to do with what
# was sent (a certificate, the store, the broker's own trouble) may work on another day.
_RESULTS: tuple[tuple[tuple[type[BrokerError], ...], Result], ...] = (
    ((errors.Unreachable, errors.LoginUnfinished), Result.RETRY),
    ((errors.OutcomeUnknown,), Result.UNKNOWN),
    ((errors.CertificateError, errors.StoreError, errors.HostError), Result.FAILED),
    ((errors.FixConfiguration, errors.CorrectInput, errors.RefusedByBroker), Result.REFUSED),
    ((BrokerError,), Result.FAILED),
)
_FAILED = "Auto-login did not succeed and does not try again today."
_NOTICES: dict[str, str] = {
    Result.REFUSED: (
        "Auto-login was refused and does not try again until you have looked: put right what is "
        "wrong, then switch it on again or test it."
    ),
    Result.UNKNOWN: (
        "Whether auto-login succeeded is not known; it does not try again today. Look in the "
        "broker's app, or log in yourself."
    ),
}


class Action(StrEnum):
    """What a decision asks for."""

    WAIT = "wait"
    LOG_IN = "log in"
    CLOSE = "close"  # a login that the user made meets the day's need
    GIVE_UP = "give up"  # the day's attempts are over
    RECOVER = "recover"  # an attempt was begun, and how it ended is not stored


class Decision(NamedTuple):
    """What to do now; for a wait until when (None: until the user does something); in words."""

    action: Action
    at: datetime | None
    words: str


def next_step(
    state: AutoLoginState, now: datetime, calendar: Calendar, session: StoredSession | None
) -> Decision:
    """What auto-login does at this moment. `session` is the stored one, None when there is none.

    An attempt that is still under way looks like one whose end was not stored: the caller keeps
    the two apart by its lease.
    """
    now = now.astimezone(IST)
    day = now.date()
    if state.pending is not None:
        return Decision(Action.RECOVER, now, "A login is under way, or was broken off just now.")
    if not state.enabled:
        return Decision(Action.WAIT, None, "Auto-login is off.")
    if state.blocked:
        words = "Auto-login waits until you switch it on, or test it, again."
        return Decision(Action.WAIT, None, words)
    attempts, close = _attempts_of(state, day), calendar.closing(day)
    if attempts is None or close is None or now.time() >= close:
        return _wait_for_another_day(day, calendar)
    first = (_next_attempt(attempts) if attempts else None) or _at(day, FIRST_ATTEMPT)
    if _lasts_until(session, _at(day, close)):
        if now < first:
            return _wait_for_another_day(day, calendar)
        return Decision(Action.CLOSE, now, "You are logged in for today.")
    if attempts and now.time() > LAST_ATTEMPT:
        return Decision(Action.GIVE_UP, now, "There are no more attempts today.")
    if now < first:
        return Decision(Action.WAIT, first, f"The next login is today at {first:%H:%M} IST.")
    return Decision(Action.LOG_IN, now, "A login is due now.")


def attempt_started(state: AutoLoginState, now: datetime) -> AutoLoginState:
    """An attempt begins: to be stored before anything is sent."""
    attempts = (*state.attempts, Attempt(now.astimezone(IST)))
    return state._replace(attempts=attempts[-_HISTORY:])


def code_sent(state: AutoLoginState, step: int, clock_ahead: int) -> AutoLoginState:
    """The attempt's TOTP code goes out: to be stored before it does."""
    *before, last = state.attempts
    last = last._replace(step=step, clock_ahead=clock_ahead)
    return state._replace(attempts=(*before, last))


def attempt_finished(
    state: AutoLoginState, attempt: Attempt, by_user: bool = False
) -> AutoLoginState:
    """The attempt has ended. A user who asked for it (`by_user`) has seen its error."""
    *before, last = state.attempts
    attempt = attempt._replace(step=last.step, clock_ahead=last.clock_ahead)
    state = state._replace(attempts=(*before, attempt))
    if attempt.result == Result.DONE:
        return state._replace(blocked="", notice="")
    if attempt.result == Result.REFUSED:
        state = state._replace(blocked=attempt.words)
    if by_user:
        return state
    if _attempts_of(state, attempt.at.date()) is not None:
        return state._replace(notice="")
    return state._replace(notice=f"{_NOTICES.get(attempt.result, _FAILED)} {attempt.words}")


def recovered(
    state: AutoLoginState, session: StoredSession | None, now: datetime
) -> AutoLoginState:
    """The attempt whose end was not stored has ended: it may have succeeded."""
    attempt = state.pending
    if attempt is None:
        return state
    at = session.logged_in_at if session and not session.is_over else None
    if at is not None and at >= attempt.at:
        return attempt_finished(state, outcome(attempt, None, at))
    words = "The program ended in the middle of a login."
    unknown = attempt._replace(result=Result.UNKNOWN.value, words=words, ended_at=now)
    return attempt_finished(state, unknown)


def already_logged_in(state: AutoLoginState, now: datetime) -> AutoLoginState:
    """The user is logged in for the day: no attempts, and nothing left to say."""
    return state._replace(closed_on=_day(now), notice="")


def given_up(state: AutoLoginState, now: datetime) -> AutoLoginState:
    """The time for attempts is over without a login."""
    words = f"{_FAILED} {state.attempts[-1].words if state.attempts else ''}".rstrip()
    return state._replace(closed_on=_day(now), notice=words)


def switched_off(state: AutoLoginState) -> AutoLoginState:
    """The user has switched off; what was done is not forgotten."""
    return state._replace(enabled=False, blocked="", notice="")


def switched_on(state: AutoLoginState, now: datetime) -> AutoLoginState:
    """The user has accepted the terms and switched on; nothing that was done is forgotten.

    After the morning's attempts the first login is the next trading day's: nobody who switches on
    at noon expects a login a moment later.
    """
    now = now.astimezone(IST)
    closed_on = now.date() if now.time() > LAST_ATTEMPT else state.closed_on
    return state._replace(enabled=True, accepted_at=now, blocked="", notice="", closed_on=closed_on)


def outcome(attempt: Attempt, error: BrokerError | None, now: datetime) -> Attempt:
    """The attempt that ended now, in this error or in a session."""
    attempt = attempt._replace(ended_at=now)
    if error is None:
        return attempt._replace(result=Result.DONE.value, words="Logged in.")
    if _was_cut_off(error):
        result = Result.RETRY
    else:
        result = next(result for kind, result in _RESULTS if isinstance(error, kind))
    words = f"{error.message} {error.next_step}".rstrip()
    return attempt._replace(result=result.value, words=words, code=error.code)


def clock_warning(state: AutoLoginState, title: str) -> str:
    """What to say of this computer's clock by the last login; "" while it is right."""
    ahead = state.attempts[-1].clock_ahead if state.attempts else 0
    if abs(ahead) <= _CLOCK_ERROR_S:
        return ""
    way = "ahead of" if ahead > 0 else "behind"
    return (
        f"This computer's clock is {abs(ahead)} s {way} {title}'s; logins come at the wrong time. "
        "Let the system set the clock by the network."
    )


def _was_cut_off(error: BrokerError) -> bool:
    """A connection that broke, or a gateway's 502, 503 or 504: a new login does no harm.

    Not silence: then the broker may still be at work on the first one.
    """
    is_unknown = isinstance(error, errors.OutcomeUnknown) and not error.is_silence
    return is_unknown and error.http_status in (None, *GATEWAY)


def _attempts_of(state: AutoLoginState, day: date) -> tuple[Attempt, ...] | None:
    """The day's attempts that may be followed by another one; None when there is no more today.

    What came to nothing before the first attempt's time is not counted, and a login made in the
    small hours may end before the market does: that is seen when it is time.
    """
    today = [attempt for attempt in state.history if _day(attempt.at) == day]
    counted = tuple(attempt for attempt in today if attempt.at >= _at(day, FIRST_ATTEMPT))
    may_go_on = all(
        attempt.result == Result.RETRY or (attempt.result == Result.DONE and attempt not in counted)
        for attempt in today
    )
    if state.closed_on == day or not may_go_on or (counted and _next_attempt(counted) is None):
        return None
    return counted


def _next_attempt(attempts: tuple[Attempt, ...]) -> datetime | None:
    """When another one is due after these; None when the time or the number is used up."""
    if len(attempts) > len(_PAUSES):
        return None
    then = (attempts[-1].ended_at or attempts[-1].at) + _PAUSES[len(attempts) - 1]
    return then if then <= _at(_day(attempts[-1].at), LAST_ATTEMPT) else None


def _wait_for_another_day(day: date, calendar: Calendar) -> Decision:
    then = day + timedelta(days=1)
    while not calendar.is_trading_day(then):
        then += timedelta(days=1)
    at = _at(then, FIRST_ATTEMPT)
    words = f"The next login is on {at:%A}, {at.day} {at:%B}, at {at:%H:%M} IST."
    return Decision(Action.WAIT, at, words)


def _lasts_until(session: StoredSession | None, end: datetime) -> bool:
    """True for a session that may be expected to last until the market closes."""
    if session is None or session.is_over or session.life.expected_until is None:
        return False
    return session.life.expected_until >= end


def _at(day: date, at: time) -> datetime:
    return datetime.combine(day, at, IST)


def _day(moment: datetime) -> date:
    return moment.astimezone(IST).date()
