"""A login without a person: which code is sent, when, and what happens when it cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker._kit.errors import BrokerError, CorrectInput, LoginUnfinished, OutcomeUnknown
from broker._kit.secret import Secret
from broker._kit.sessions import totp_login
from broker._kit.sessions.totp_login import STEP, choose_step, totp_key
from broker._kit.settings import Timeouts
from broker.mstock.broker import MSTOCK
from tests.support.auto import Stage, at, staged

TOTP = "session/verifytotp"


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as stage:
        yield stage


def log_in(stage: Stage, used: tuple[int, ...] = ()) -> tuple[str, list[int]]:
    demo = stage.box.demo
    noted: list[int] = []
    token = totp_login.log_in(
        MSTOCK,
        stage.config,
        Secret(demo.password),
        Secret(demo.totp_secret),
        used=used,
        note=lambda step, _ahead: noted.append(step),
        clock=stage.time,
    )
    return token.reveal(), noted


def step_of(clock: str) -> int:
    return int(at(clock).timestamp()) // STEP


class TestTheCode:
    @pytest.mark.parametrize("wrong_by", [0, 40, -40, 3600, -86_400])
    def test_is_mstocks_own_whatever_this_computers_clock_says(
        self, stage: Stage, wrong_by: int
    ) -> None:
        stage.time.error = timedelta(seconds=wrong_by)
        stage.time.until(at("08:35:10"))
        token, noted = log_in(stage)
        assert token == stage.box.sessions[0].token
        assert noted == [step_of("08:35:10")]

    def test_that_is_about_to_change_is_left_alone(self, stage: Stage) -> None:
        stage.time.until(at("08:35:28"))
        _, noted = log_in(stage)
        assert noted == [step_of("08:35:30")]
        assert stage.time.slept == [2.0]

    def test_that_was_used_is_not_sent_again(self, stage: Stage) -> None:
        stage.time.until(at("08:35:01"))
        _, first = log_in(stage)
        _, second = log_in(stage, tuple(first))
        assert second == [first[0] + 1]
        assert sum(stage.time.slept) == 29.0
        # The wait is before the login: mStock's ticket and connection wait for nothing.
        *_, login, totp = stage.box.journal
        assert (totp.at - login.at).total_seconds() < 1

    def test_is_not_waited_for_too_long(self, stage: Stage) -> None:
        """A clock that was ahead has used the next code: this one is not for it to use."""
        stage.time.until(at("08:35:01"))
        stage.time.error = timedelta(seconds=60)
        now = step_of("08:35:01")
        with pytest.raises(LoginUnfinished, match="used before"):
            log_in(stage, (now + 1,))
        assert stage.calls(TOTP) == 0

    def test_of_a_clock_that_was_days_ahead_does_not_hold_up_a_login(self, stage: Stage) -> None:
        _, noted = log_in(stage, (step_of("08:00") + 10_000,))
        assert noted == [step_of("08:00")]

    def test_is_reckoned_by_this_computers_clock_when_mstock_does_not_say(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("broker.mstock.client.dialects.http_date", lambda _text: None)
        stage.time.until(at("08:35:10"))
        assert log_in(stage)[1] == [step_of("08:35:10")]

    @given(st.lists(st.floats(0, 4e9), max_size=30), st.floats(0, 4e9))
    def test_is_never_one_that_was_sent(self, times: list[float], base: float) -> None:
        used: list[int] = []
        for time in [base, *times, base, base + 29.9, base - 60]:
            choice = choose_step(max(time, 0), frozenset(used))
            assert choice.step not in used
            assert choice.wait >= 0
            sent_at = max(time, 0) + choice.wait
            assert choice.step * STEP <= sent_at + 1e-3
            assert (choice.step + 1) * STEP - sent_at > 2.9
            used.append(choice.step)


class TestWhatGoesWrong:
    def test_the_step_is_noted_before_the_code_goes_out(self, stage: Stage) -> None:
        demo = stage.box.demo

        def note(_step: int, _ahead: int) -> None:
            assert stage.calls(TOTP) == 0
            raise BrokerError("cannot be kept")

        with pytest.raises(BrokerError, match="cannot be kept"):
            totp_login.log_in(
                MSTOCK,
                stage.config,
                Secret(demo.password),
                Secret(demo.totp_secret),
                note=note,
                clock=stage.time,
            )
        assert stage.calls(TOTP) == 0

    def test_a_code_that_cannot_be_sent_leaves_the_login_unfinished(self, stage: Stage) -> None:
        demo = stage.box.demo
        with pytest.raises(LoginUnfinished, match="took the password"):
            totp_login.log_in(
                MSTOCK,
                stage.config,
                Secret(demo.password),
                Secret(demo.totp_secret),
                note=lambda _step, _ahead: stage.box.stop(),
                clock=stage.time,
            )

    def test_a_lost_answer_is_an_unknown_outcome(self, stage: Stage) -> None:
        stage.box.faults.set(f"b/{TOTP}", "reset", when="after")
        with pytest.raises(OutcomeUnknown) as caught:
            log_in(stage)
        assert not caught.value.is_silence
        assert stage.calls(TOTP) == 1

    @pytest.mark.parametrize(
        "secret",
        ["", "   ", "123456", "JBSWY3DP", "JBSWY3DPEHPK3PX1", "né", "otpauth://totp/x?secret=JBSW"],
    )
    def test_what_is_no_totp_secret_is_refused_and_not_shown(self, secret: str) -> None:
        with pytest.raises(CorrectInput) as caught:
            totp_key(Secret(secret))
        assert len(secret.strip()) < 4 or secret not in str(caught.value)

    @pytest.mark.parametrize(
        "typed",
        ["JBSWY3DPEHPK3PXP", "jbswy3dpehpk3pxp", " jbsw y3dp\tehpk-3pxp\n", "JBSWY3DPEHPK3PXP===="],
    )
    def test_a_totp_secret_may_be_typed_in_many_ways(self, typed: str) -> None:
        assert totp_key(Secret(typed)).reveal() == "JBSWY3DPEHPK3PXP"


@pytest.mark.parametrize("deadline", [15.0, 120.0])
def test_a_login_ends_within_its_lease(deadline: float) -> None:
    """The longest one: both waits, and both calls to their deadlines."""
    longest = totp_login.longest_login(Timeouts(deadline=deadline))
    assert longest > 2 * (STEP + 3) + 2 * deadline + 30
