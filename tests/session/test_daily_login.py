"""The decision what auto-login does next: by example, and over random days with broken clocks."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, datetime, time, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker._kit.clock import IST
from broker._kit.errors import (
    BrokerError,
    CertificateError,
    HostError,
    LogInAgain,
    LoginUnfinished,
    OutcomeUnknown,
    PluginFault,
    RateLimited,
    SettingError,
    StoreError,
    Unreachable,
)
from broker._kit.secret import Secret
from broker._kit.sessions import daily_login
from broker._kit.sessions.daily_login import Action, next_step
from broker._kit.sessions.record import (
    AccountRecord,
    Attempt,
    AutoLoginState,
    Result,
    from_json,
    to_json,
)
from broker._kit.sessions.stored_session import EndReason, LoginMethod, StoredSession
from broker._kit.sessions.token_guard import life_of
from broker._kit.sessions.trading_calendar import load_calendar
from broker.mstock.broker import MSTOCK
from broker.mstock.errors import (
    APIKeyException,
    DataException,
    GeneralException,
    InputException,
    MiraeException,
)
from tests.support.auto import FRIDAY, MONDAY, at

CALENDAR = load_calendar()
TUESDAY, WEDNESDAY, MUHURAT = date(2026, 11, 24), date(2026, 11, 25), date(2026, 11, 8)
ON = AutoLoginState(enabled=True)


def session_from(moment: datetime, *, is_over: bool = False) -> StoredSession:
    token = Secret("a.b.c")
    end = EndReason.REFUSED if is_over else None
    return StoredSession(token, life_of(MSTOCK, token, moment), moment, LoginMethod.OTP, end)


def _at(session: StoredSession, now: datetime) -> StoredSession:
    """The session as it is loaded at that moment."""
    end = session.end_reason or (EndReason.EXPIRED if session.life.is_over(now) else None)
    return session._replace(end_reason=end)


def ended(result: Result, begun: datetime, state: AutoLoginState = ON) -> AutoLoginState:
    attempt = Attempt(begun, result.value, "Words.", ended_at=begun)
    return daily_login.attempt_finished(daily_login.attempt_started(state, begun), attempt)


class TestNextStep:
    @pytest.mark.parametrize(
        ("clock", "day", "do", "then"),
        [
            ("00:00", MONDAY, Action.WAIT, at("08:35")),
            ("08:34:59", MONDAY, Action.WAIT, at("08:35")),
            ("08:35", MONDAY, Action.LOG_IN, None),
            ("09:10", MONDAY, Action.LOG_IN, None),
            ("15:29:59", MONDAY, Action.LOG_IN, None),
            ("15:30", MONDAY, Action.WAIT, at("08:35", WEDNESDAY)),
            ("08:35", TUESDAY, Action.WAIT, at("08:35", WEDNESDAY)),
            ("16:00", FRIDAY, Action.WAIT, at("08:35")),
            ("08:35", MUHURAT, Action.LOG_IN, None),
            ("17:00", MUHURAT, Action.LOG_IN, None),  # the session is held in the evening
            ("20:00", MUHURAT, Action.WAIT, at("08:35", date(2026, 11, 9))),
        ],
    )
    def test_by_the_clock(self, clock: str, day: date, do: Action, then: datetime | None) -> None:
        step = next_step(ON, at(clock, day), CALENDAR, None)
        assert (step.action, step.at) == (do, then or at(clock, day))
        assert step.words.endswith(".")

    def test_the_computers_own_zone_does_not_matter(self) -> None:
        elsewhere = at("08:35").astimezone(tz=None)
        assert next_step(ON, elsewhere, CALENDAR, None).action is Action.LOG_IN

    @pytest.mark.parametrize("state", [AutoLoginState(), ON._replace(blocked="Refused.")])
    def test_off_and_blocked_wait_for_the_user(self, state: AutoLoginState) -> None:
        step = next_step(state, at("08:35"), CALENDAR, None)
        assert (step.action, step.at) == (Action.WAIT, None)

    @pytest.mark.parametrize(
        ("login", "do"),
        [
            (at("00:10"), Action.LOG_IN),  # over after twelve hours
            (at("03:29:59"), Action.LOG_IN),
            (at("03:30"), Action.CLOSE),
            (at("08:00"), Action.CLOSE),
            (at("20:00", FRIDAY), Action.LOG_IN),
        ],
    )
    def test_a_session_counts_when_it_lasts_until_the_close(
        self, login: datetime, do: Action
    ) -> None:
        now = at("08:40")
        session = session_from(login)
        session = _at(session, now)
        assert next_step(ON, now, CALENDAR, session).action is do

    def test_a_session_that_mstock_has_ended_does_not_count(self) -> None:
        session = session_from(at("08:00"), is_over=True)
        assert next_step(ON, at("08:40"), CALENDAR, session).action is Action.LOG_IN

    def test_pauses_grow_and_end_with_the_fourth_try(self) -> None:
        state, begun, moments = ON, at("08:35"), []
        for _ in range(4):
            moments.append(f"{begun:%H:%M}")
            state = ended(Result.RETRY, begun, state)
            step = next_step(state, begun, CALENDAR, None)
            assert step.action is Action.WAIT
            begun = step.at or begun
        assert moments == ["08:35", "08:37", "08:43", "08:57"]
        assert begun == at("08:35", WEDNESDAY)
        assert state.notice

    def test_no_try_after_ten_past_nine_but_the_first(self) -> None:
        state = ended(Result.RETRY, at("09:09"))
        assert state.notice
        assert next_step(state, at("09:11"), CALENDAR, None).at == at("08:35", WEDNESDAY)
        slept = ended(Result.RETRY, at("09:01"))
        assert slept.notice == ""
        assert next_step(slept, at("10:00"), CALENDAR, None).action is Action.GIVE_UP
        given_up = daily_login.given_up(slept, at("10:00"))
        assert "Words." in given_up.notice
        assert next_step(given_up, at("10:00"), CALENDAR, None).action is Action.WAIT

    def test_a_login_by_hand_between_two_tries_settles_the_day(self) -> None:
        state = ended(Result.RETRY, at("08:35"))
        assert (
            next_step(state, at("09:30"), CALENDAR, session_from(at("08:50"))).action
            is Action.CLOSE
        )

    @pytest.mark.parametrize("result", [Result.REFUSED, Result.UNKNOWN, Result.FAILED])
    def test_other_ends_close_the_day_with_a_notice(self, result: Result) -> None:
        state = ended(result, at("08:35"))
        assert next_step(state, at("08:50"), CALENDAR, None).action is Action.WAIT
        assert "Words." in state.notice
        on_wednesday = next_step(state, at("08:35", WEDNESDAY), CALENDAR, None).action
        assert on_wednesday is (Action.WAIT if result is Result.REFUSED else Action.LOG_IN)


OUTCOMES = [
    (Unreachable("x"), Result.RETRY),
    (LoginUnfinished("x"), Result.RETRY),
    (OutcomeUnknown("x"), Result.RETRY),
    (OutcomeUnknown("x", http_status=502), Result.RETRY),
    (OutcomeUnknown("x", http_status=503), Result.RETRY),
    (OutcomeUnknown("x", http_status=504), Result.RETRY),
    (OutcomeUnknown("x", is_silence=True), Result.UNKNOWN),
    (OutcomeUnknown("x", http_status=200), Result.UNKNOWN),
    (OutcomeUnknown("x", http_status=302), Result.UNKNOWN),
    (OutcomeUnknown("x", http_status=500), Result.UNKNOWN),
    (InputException("x"), Result.REFUSED),
    (APIKeyException("x"), Result.REFUSED),
    (SettingError("x"), Result.REFUSED),
    (MiraeException("x"), Result.REFUSED),
    (RateLimited("x"), Result.FAILED),
    (GeneralException("x"), Result.FAILED),
    (DataException("x"), Result.FAILED),
    (CertificateError("x"), Result.FAILED),
    (StoreError("x"), Result.FAILED),
    (HostError("x"), Result.FAILED),
    (PluginFault("x"), Result.FAILED),
    (LogInAgain("x"), Result.FAILED),
]


@pytest.mark.parametrize(("error", "result"), OUTCOMES, ids=lambda each: str(type(each).__name__))
def test_what_a_failure_means(error: BrokerError, result: Result) -> None:
    attempt = daily_login.outcome(Attempt(at("08:35")), error, at("08:36"))
    assert (attempt.result, attempt.ended_at) == (result, at("08:36"))


class TestRecord:
    def test_newer_versions_may_add_names_and_older_ones_lack_some(self) -> None:
        record = json.loads(stored(ON)) | {"from a newer version": [1]}
        assert from_json(json.dumps(record)).auto_login == ON
        assert from_json("{}") == AccountRecord()
        assert from_json('{"auto_login": {"enabled": true}}').auto_login == ON

    @pytest.mark.parametrize("text", ["", "null", "[]", "1", '"on"', "{", "[" * 100_000])
    def test_what_is_no_record_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="not an account's record"):
            from_json(text)

    @pytest.mark.parametrize(
        "text",
        [
            *('{"enabled": 1}', '{"enabled": "yes"}', '{"blocked": null}', '{"notice": {}}'),
            *('{"accepted_at": 5}', '{"accepted_at": "2026-11-23T08:35:00"}', '{"attempts": 5}'),
            *('{"closed_on": "25:00"}', '{"manual_step": true}', '{"attempts": [{}]}', "[]"),
            '{"attempts": [{"at": "2026-11-23T08:35:00+05:30", "result": 1, "words": ""}]}',
            '{"accepted_at": "0001-01-01T00:00:00+14:00"}',
        ],
    )
    def test_what_makes_no_sense_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="not an account's record"):
            from_json(f'{{"auto_login": {text}}}')

    def test_does_not_grow_without_end(self) -> None:
        state, day = ON, date(2026, 1, 1)
        for n in range(400):
            state = ended(Result.DONE, at("08:35", day + timedelta(days=n)), state)
        assert len(stored(state)) < 8000


def stored(state: AutoLoginState) -> str:
    return to_json(AccountRecord(auto_login=state))


def restored(state: AutoLoginState) -> AutoLoginState:
    """As the next process finds it."""
    found = from_json(stored(state)).auto_login
    assert found == state
    return found


class World:
    """Days with a clock that may jump; every state goes through JSON, as between two processes."""

    def __init__(self) -> None:
        self.now = at("08:00")
        self.state = daily_login.switched_on(AutoLoginState(), self.now)
        self.session: StoredSession | None = None
        self.tries: list[tuple[datetime, str]] = []
        self.blocked = False
        self.closed: set[date] = set()

    def switch_on(self) -> None:
        self.blocked = False
        self.state = restored(daily_login.switched_on(self.state, self.now))

    def log_in_by_hand(self) -> None:
        self.session = session_from(self.now)

    def tick(self, end: str) -> Action:
        step = next_step(self.state, self.now, CALENDAR, self._held())
        if step.action is Action.LOG_IN:
            self._try(end)
        elif step.action is Action.CLOSE:
            self.state = daily_login.already_logged_in(self.state, self.now)
        elif step.action is Action.GIVE_UP:
            self.state = daily_login.given_up(self.state, self.now)
            assert self.state.notice
        elif step.action is Action.RECOVER:
            begun_at = self.state.attempts[-1].at
            self.state = daily_login.recovered(self.state, self._held(), self.now)
            if self.state.history[-1].result == Result.UNKNOWN:
                self.closed.add(begun_at.date())
        else:
            assert step.at is None or step.at > self.now
        self.state = restored(self.state)
        return step.action

    def _held(self) -> StoredSession | None:
        if self.session is None:
            return None
        return _at(self.session, self.now)

    def _try(self, end: str) -> None:
        day = self.now.date()
        assert not self.blocked
        assert day not in self.closed
        assert CALENDAR.is_trading_day(day)
        assert time(8, 35) <= self.now.time() < time(20)
        self.tries.append((self.now, end))
        self.state = daily_login.attempt_started(self.state, self.now)
        if end == "crash":
            return
        if end == Result.DONE:
            self.session = session_from(self.now)
        elif end != Result.RETRY:
            self.closed.add(day)
        self.blocked = end == Result.REFUSED
        attempt = Attempt(self.now, end, "Words.", ended_at=self.now)
        self.state = daily_login.attempt_finished(self.state, attempt)

    def check(self) -> None:
        per_day = Counter(moment.date() for moment, _ in self.tries)
        assert max(per_day.values(), default=0) <= 4
        for (one, end), (other, _) in zip(self.tries, self.tries[1:], strict=False):
            if end == Result.RETRY and one.date() == other.date():
                assert other < one or other - one >= timedelta(minutes=2)


_ENDS = [*(result.value for result in Result), "crash", *["retry"] * 6]
_DAYS = [FRIDAY, MONDAY, TUESDAY, WEDNESDAY, date(2026, 11, 26)]


def _move(world: World, random: Random) -> None:
    """One thing that happens; weighted, so that the mornings are met and not only the nights."""
    kind = random.choices(
        ["tick", "minutes", "morning", "set", "jump", "switch on", "by hand"],
        [20, 12, 6, 3, 1, 1, 1],
    )[0]
    if kind == "tick":
        world.tick(random.choice(_ENDS))
    elif kind == "minutes":
        world.now += timedelta(minutes=random.choice([1, 2, 3, 6, 14, 40, 400]))
    elif kind == "morning":
        world.now = at("08:35", world.now.date() + timedelta(days=1))
    elif kind == "set":
        # The clock is set, forward or back, to the hours that matter.
        minutes = random.randint(8 * 60 + 30, 9 * 60 + 15)
        world.now = at("00:00", random.choice(_DAYS)) + timedelta(minutes=minutes)
    elif kind == "jump":
        world.now += timedelta(hours=random.uniform(-100, 100))
    elif kind == "switch on":
        world.switch_on()
    else:
        world.log_in_by_hand()


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32))
def test_whatever_happens_no_rule_is_broken_and_nothing_gets_stuck(seed: int) -> None:
    world, random = World(), Random(seed)
    last_day = world.now.date()
    for _ in range(100):
        _move(world, random)
        last_day = max(last_day, world.now.date())
    world.check()
    # With the clock right and the user there, the next new trading day begins with a login.
    next_day = last_day + timedelta(days=1)
    while not CALENDAR.is_trading_day(next_day):
        next_day += timedelta(days=1)
    world.now = at("06:00", next_day)
    world.switch_on()
    world.tick("done")  # clears up, where something was left
    world.now = at("08:35", next_day)
    assert world.tick("done") in (Action.LOG_IN, Action.CLOSE)
    assert world.session is not None
    assert world.session.life.expected_until is not None
    assert world.session.life.expected_until >= at("15:30", next_day)


def test_the_world_above_can_fail() -> None:
    world = World()
    world.tries = [(at("08:35"), "retry"), (at("08:36"), "retry")]
    with pytest.raises(AssertionError):
        world.check()
    assert at("08:35").tzinfo is IST
