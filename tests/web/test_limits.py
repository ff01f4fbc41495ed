"""How often an address may reach mStock."""

from __future__ import annotations

import threading

from broker.mstock.web.limits import LoginLimits
from tests.support.clock import FakeClock


def test_five_a_minute_and_then_a_promise_that_holds(clock: FakeClock) -> None:
    limits = LoginLimits(clock)
    for _ in range(5):
        assert limits.take("a") == 0
        clock.advance(1.3)
    wait = limits.take("a")
    assert 0 < wait <= 60
    clock.advance(wait)
    assert limits.take("a") == 0


def test_the_promise_is_not_longer_than_needed(clock: FakeClock) -> None:
    limits = LoginLimits(clock)
    for _ in range(5):
        limits.take("a")
    wait = limits.take("a")
    clock.advance(wait - 2)
    assert limits.take("a") > 0


def test_twenty_five_an_hour(clock: FakeClock) -> None:
    limits = LoginLimits(clock)
    for _ in range(25):
        assert limits.take("a") == 0
        clock.advance(61)
    wait = limits.take("a")
    assert 60 < wait <= 3600
    clock.advance(wait)
    assert limits.take("a") == 0


def test_a_refusal_takes_no_place(clock: FakeClock) -> None:
    limits = LoginLimits(clock)
    for _ in range(5):
        limits.take("a")
    for _ in range(100):
        assert limits.take("a") > 0
    clock.advance(61)
    # Of the hour's 25 places, 5 are taken.
    taken = 0
    for _ in range(30):
        taken += limits.take("a") == 0
        clock.advance(61)
    assert taken == 20


def test_addresses_do_not_pay_for_each_other(clock: FakeClock) -> None:
    limits = LoginLimits(clock)
    for _ in range(6):
        limits.take("a")
    assert limits.take("b") == 0


def test_at_once_as_many_get_through_as_one_after_the_other(clock: FakeClock) -> None:
    limits = LoginLimits(clock)
    barrier = threading.Barrier(40)
    answers: list[int] = []

    def go() -> None:
        barrier.wait()
        answers.append(limits.take("a"))

    threads = [threading.Thread(target=go) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count(0) == 5


def test_other_rules_may_be_given(clock: FakeClock) -> None:
    limits = LoginLimits(clock, "2 per minute")
    assert [bool(limits.take("a")) for _ in range(3)] == [False, False, True]
