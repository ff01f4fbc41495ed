"""How often an address may reach mStock."""

from __future__ import annotations

import pytest

from broker._kit.errors import (
    BrokerError,
    CertificateError,
    LoginUnfinished,
    OutcomeUnknown,
    SettingError,
    Unreachable,
)
from broker._kit.web.login_limits import LimitReached, LoginLimits
from broker.mstock.errors import InputException
from tests.support.clock import FakeClock


def take(limits: LoginLimits, address: str) -> int:
    """Send something as soon as there is a place: 0, or the seconds to wait for one."""
    try:
        with limits.counted(address):
            return 0
    except LimitReached as full:
        return full.seconds


def test_five_a_minute_and_then_a_promise_that_holds(clock: FakeClock) -> None:
    limits = LoginLimits(clock)
    for _ in range(5):
        assert take(limits, "a") == 0
        clock.advance(1.3)
    wait = take(limits, "a")
    assert 0 < wait <= 60
    clock.advance(wait)
    assert take(limits, "a") == 0


def test_the_promise_is_not_longer_than_needed(clock: FakeClock) -> None:
    limits = LoginLimits(clock)
    for _ in range(5):
        take(limits, "a")
    wait = take(limits, "a")
    clock.advance(wait - 2)
    assert take(limits, "a") > 0


def test_twenty_five_an_hour(clock: FakeClock) -> None:
    limits = LoginLimits(clock)
    for _ in range(25):
        assert take(limits, "a") == 0
        clock.advance(61)
    wait = take(limits, "a")
    assert 60 < wait <= 3600
    clock.advance(wait)
    assert take(limits, "a") == 0


def test_a_refusal_takes_no_place(clock: FakeClock) -> None:
    limits = LoginLimits(clock)
    for _ in range(5):
        take(limits, "a")
    for _ in range(100):
        assert take(limits, "a") > 0
    clock.advance(61)
    # Of the hour's 25 places, 5 are taken.
    taken = 0
    for _ in range(30):
        taken += take(limits, "a") == 0
        clock.advance(61)
    assert taken == 20


def test_addresses_do_not_pay_for_each_other(clock: FakeClock) -> None:
    limits = LoginLimits(clock)
    for _ in range(6):
        take(limits, "a")
    assert take(limits, "b") == 0


@pytest.mark.parametrize(
    "error", [Unreachable("No."), CertificateError("No."), SettingError("No.")]
)
def test_what_never_reached_mstock_takes_no_place(clock: FakeClock, error: BrokerError) -> None:
    limits = LoginLimits(clock)
    for _ in range(30):
        with pytest.raises(type(error)), limits.counted("a"):
            raise error
    assert [take(limits, "a") for _ in range(5)] == [0] * 5
    assert take(limits, "a") > 0


@pytest.mark.parametrize(
    "error", [OutcomeUnknown("No."), LoginUnfinished("No."), InputException("No."), KeyError("no")]
)
def test_every_other_failure_has_reached_mstock(clock: FakeClock, error: Exception) -> None:
    limits = LoginLimits(clock)
    for _ in range(5):
        with pytest.raises(type(error)), limits.counted("a"):
            raise error
    assert take(limits, "a") > 0


def test_other_rules_may_be_given(clock: FakeClock) -> None:
    limits = LoginLimits(clock, "2 per minute")
    assert [bool(take(limits, "a")) for _ in range(3)] == [False, False, True]
