"""Decides what auto-login does next; pure: it looks at what it is given and touches nothing."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple

from broker._kit.clock import IST
from broker._kit.sessions.stored_session import StoredSession
from broker._kit.sessions.trading_calendar import Calendar

# After mStock's start-of-day window (07:00 to 08:30 IST, when it may be slow), and in good time
# before the market opens at 09:15.
FIRST_TRY, LAST_TRY = time(8, 35), time(9, 10)
TRIES = 4
_PAUSES = (timedelta(minutes=2), timedelta(minutes=6), timedelta(minutes=14))
# Where the table does not say when a special session ends: they are held in the early evening.
_EVENING, _CLOSE = time(20), time(15, 30)
_HISTORY, _TALLIES, _STEPS = 20, 16, 32
_FAR = 60  # days that are searched for the next trading day


class Result(StrEnum):
    """How an attempt ended; equal to the plain texts."""

    DONE = "done"
    RETRY = "retry"  # the connection failed; the same again may work
    REFUSED = "refused"  # mStock refused what was sent: never again without the user
    UNKNOWN = "unknown"  # whether mStock logged in is not known: a person looks first
    FAILED = "failed"  # anything else: not again today


class Attempt(NamedTuple):
    """One login without the user: when, how it ended (a `Result`), in words, mStock's code."""

    at: datetime
    result: str
    words: str
    code: str = ""


class Tally(NamedTuple):
    """What was done on one day: tries begun, no next one before a time, or none at all.

    `is_done` says that it was closed because somebody was logged in.
    """

    day: date
    tries: int = 0
    not_before: datetime | None = None
    is_closed: bool = False
    is_done: bool = False


class RenewalState(NamedTuple):
    """What is kept of an account's auto-login.

    `at` is the time (IST) of the first try; `blocked` says why nothing is tried until the user
    switches on or tests again ("" when nothing blocks); `notice` is what the user must read;
    `begun_at` is set from before an attempt's first byte until its outcome is kept. `steps` are the
    TOTP steps whose codes were sent. What is newest stands last.
    """

    enabled: bool = False
    accepted_at: datetime | None = None
    at: time = FIRST_TRY
    blocked: str = ""
    notice: str = ""
    begun_at: datetime | None = None
    steps: tuple[int, ...] = ()
    tallies: tuple[Tally, ...] = ()
    history: tuple[Attempt, ...] = ()

    @property
    def last(self) -> Attempt | None:
        """The newest attempt."""
        return self.history[-1] if self.history else None

    def tally(self, day: date) -> Tally:
        """What was done on a day."""
        return next((tally for tally in self.tallies if tally.day == day), Tally(day))


class Do(StrEnum):
    """What a step asks for."""

    WAIT = "wait"
    LOG_IN = "log in"
    SETTLE = "settle"  # the day's need is met by a login that the user made
    GIVE_UP = "give up"  # the day's tries are over
    CLEAR_UP = "clear up"  # an attempt was begun, and how it ended was not kept


class Step(NamedTuple):
    """What to do now; for a wait until when (None: until the user does something); in words."""

    do: Do
    at: datetime | None
    words: str


def next_step(
    state: RenewalState, now: datetime, calendar: Calendar, session: StoredSession | None
) -> Step:
    """What auto-login does at this moment. `session` is the kept one, None when there is none.

    An attempt that is still under way looks like one whose end was not kept: the caller keeps the
    two apart by its lease.
    """
    now = now.astimezone(IST)
    day = now.date()
    if state.begun_at is not None:
        return Step(Do.CLEAR_UP, now, "A login is under way, or was broken off a moment ago.")
    if not state.enabled:
        return Step(Do.WAIT, None, "Auto-login is off.")
    if state.blocked:
        return Step(Do.WAIT, None, "Auto-login waits until you switch it on, or test it, again.")
    tally = state.tally(day)
    is_over = tally.is_closed and not _is_refuted(tally, session)
    if is_over or not calendar.is_trading_day(day) or now >= _end(calendar, day):
        return _wait_for_another_day(state, day, calendar)
    first = max(filter(None, (_at(day, state.at), tally.not_before)))
    if _is_good(session, calendar, day):
        settles = now >= first
        return Step(Do.SETTLE, now, _IN) if settles else _wait_for_another_day(state, day, calendar)
    is_late = now.time() > LAST_TRY and not tally.is_done
    if tally.tries >= TRIES or (tally.tries and is_late):
        return Step(Do.GIVE_UP, now, "There are no more tries today.")
    if now < first:
        return Step(Do.WAIT, first, f"The next login is today at {first:%H:%M} IST.")
    return Step(Do.LOG_IN, now, "A login is due now.")


_IN = "You are logged in for today."


def begun(state: RenewalState, now: datetime) -> RenewalState:
    """An attempt begins: to be kept before anything is sent."""
    tally = state.tally(_day(now))
    is_closed = tally.is_closed and not tally.is_done
    tally = tally._replace(tries=tally.tries + 1, is_closed=is_closed, is_done=False)
    state = _tallied(state, tally)
    return state._replace(begun_at=now.astimezone(IST), notice="")


def stepped(state: RenewalState, step: int) -> RenewalState:
    """A TOTP code goes out: to be kept before it does."""
    return state._replace(steps=(*state.steps, step)[-_STEPS:])


def concluded(state: RenewalState, attempt: Attempt, now: datetime) -> RenewalState:
    """An attempt has ended."""
    day = _day(state.begun_at or attempt.at)
    tally = state.tally(day)
    state = state._replace(begun_at=None, history=(*state.history, attempt)[-_HISTORY:])
    if attempt.result == Result.DONE:
        # One made in the small hours may end before the market does: that is seen when it is time.
        lasts = attempt.at >= _at(day, state.at)
        if lasts:
            tally = tally._replace(is_closed=True, is_done=True)
        else:
            tally = tally._replace(tries=tally.tries - 1)
        return _tallied(state, tally)._replace(blocked="", notice="")
    if attempt.result == Result.RETRY and 0 < tally.tries < TRIES:
        then = now.astimezone(IST) + _PAUSES[tally.tries - 1]
        if then <= _at(day, LAST_TRY):
            return _tallied(state, tally._replace(not_before=then))
    if attempt.result == Result.REFUSED:
        state = state._replace(blocked=attempt.words)
    notice = f"{_SAD.get(attempt.result, _SAD_NEWS)} {attempt.words}"
    return _tallied(state, tally._replace(is_closed=True))._replace(notice=notice)


_SAD_NEWS = "Auto-login did not succeed and does not try again today."
_SAD: dict[str, str] = {
    Result.REFUSED: (
        "Auto-login was refused and does not try again until you have looked: put right what is "
        "wrong, then switch it on again or test it."
    ),
    Result.UNKNOWN: (
        "Whether auto-login succeeded is not known; it does not try again today. Look in the "
        "mStock app, or log in yourself."
    ),
}


def cleared_up(state: RenewalState, session: StoredSession | None, now: datetime) -> RenewalState:
    """The attempt whose end was not kept is put into the history: it may have succeeded."""
    begun_at = state.begun_at or now
    if (
        session is not None
        and not session.is_over
        and session.logged_in_at is not None
        and session.logged_in_at >= begun_at
    ):
        return concluded(state, Attempt(begun_at, Result.DONE, "Logged in."), now)
    words = "The program ended in the middle of a login."
    return concluded(state, Attempt(begun_at, Result.UNKNOWN, words), now)


def settled(state: RenewalState, now: datetime) -> RenewalState:
    """The user is logged in for the day: no tries, and nothing left to say."""
    tally = state.tally(_day(now))._replace(is_closed=True, is_done=True)
    return _tallied(state, tally)._replace(notice="")


def given_up(state: RenewalState, now: datetime) -> RenewalState:
    """The time for tries is over without a login."""
    words = f"{_SAD_NEWS} {state.last.words if state.last else ''}".rstrip()
    return _closed(state, now)._replace(notice=words)


def switched_off(state: RenewalState) -> RenewalState:
    """The user has switched off; what was done is not forgotten."""
    return state._replace(enabled=False, blocked="", notice="")


def switched_on(state: RenewalState, now: datetime) -> RenewalState:
    """The user has accepted the terms and switched on; nothing that was done is forgotten.

    After the morning's tries the first login is the next trading day's: nobody who switches on at
    noon expects a login a moment later.
    """
    now = now.astimezone(IST)
    state = state._replace(enabled=True, accepted_at=now, blocked="", notice="")
    return _closed(state, now) if now.time() > LAST_TRY else state


def _closed(state: RenewalState, now: datetime) -> RenewalState:
    return _tallied(state, state.tally(_day(now))._replace(is_closed=True))


def _is_refuted(tally: Tally, session: StoredSession | None) -> bool:
    """True when the day's login was made under a clock that was days ahead: its session is over."""
    ends_at = session.life.ends_at if session else None
    return tally.is_done and ends_at is not None and ends_at <= _at(tally.day, time())


def _wait_for_another_day(state: RenewalState, day: date, calendar: Calendar) -> Step:
    for n in range(1, _FAR):
        then = day + timedelta(n)
        if calendar.is_trading_day(then) and not state.tally(then).is_closed:
            at = _at(then, state.at)
            return Step(
                Do.WAIT, at, f"The next login is on {at:%A}, {at.day} {at:%B}, at {at:%H:%M} IST."
            )
    return Step(Do.WAIT, None, "The table of trading days holds no next trading day.")


def _is_good(session: StoredSession | None, calendar: Calendar, day: date) -> bool:
    """True for a session that may be expected to last until the market closes."""
    if session is None or session.is_over or session.life.expected_until is None:
        return False
    return session.life.expected_until >= _end(calendar, day)


def _end(calendar: Calendar, day: date) -> datetime:
    """When the market closes: afterwards no login is needed on this day."""
    is_special = calendar.opening(day) is None
    return _at(day, calendar.closing(day) or (_EVENING if is_special else _CLOSE))


def _tallied(state: RenewalState, tally: Tally) -> RenewalState:
    others = tuple(other for other in state.tallies if other.day != tally.day)
    return state._replace(tallies=(*others, tally)[-_TALLIES:])


def _at(day: date, at: time) -> datetime:
    return datetime.combine(day, at, IST)


def _day(moment: datetime) -> date:
    return moment.astimezone(IST).date()
