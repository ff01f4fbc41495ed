"""Logins between their two steps: life, tries, resends, who wins, and that nothing stays behind."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from broker._kit.broker import LoginReply
from broker._kit.secret import Secret
from broker._kit.sessions.timers import run_later
from broker._kit.settings import Account
from broker._kit.web.pending_logins import (
    Gone,
    NoResendLeft,
    PendingLogins,
    Rules,
    TooSoon,
    Waiting,
    Why,
)
from tests.support.clock import FakeClock

ACCOUNT = Account("https://api.mstock.trade", "B", "MA1234567")


@pytest.fixture
def jobs() -> list[tuple[float, Callable[[], None]]]:
    return []


@pytest.fixture
def store(clock: FakeClock, jobs: list[tuple[float, Callable[[], None]]]) -> PendingLogins:
    return PendingLogins(clock, later=lambda seconds, job: jobs.append((seconds, job)))


def otp(ticket: str = "ticket") -> LoginReply:
    return LoginReply(Secret(ticket), "there")


def begin(store: PendingLogins, browser: str = "b1", account_: Account = ACCOUNT) -> Waiting:
    return store.open(browser, account_, Secret("pw"), otp())


def ticket(store: PendingLogins, waiting: Waiting, browser: str = "b1") -> Secret:
    return store.ticket(browser, ACCOUNT, waiting.login_id)


def refused(store: PendingLogins, waiting: Waiting) -> Waiting:
    """The broker has refused a code."""
    return store.use_up("b1", ACCOUNT, waiting.login_id, tries=1)


def resend(store: PendingLogins, waiting: Waiting, new: str = "t2") -> Waiting:
    store.password("b1", ACCOUNT, waiting.login_id)
    return store.renew("b1", ACCOUNT, waiting.login_id, otp(new))


def account(number: int) -> Account:
    return ACCOUNT._replace(client_code=f"MA{number}")


def why_gone(call: Callable[[], object]) -> Why:
    with pytest.raises(Gone) as end:
        call()
    return end.value.why


def secrets_in(store: PendingLogins) -> list[Secret]:
    """Every secret that can be reached from the store."""
    # The values by themselves: from 3.13 on, a dict does not own those of an object.
    found, seen, todo = [], set(), list(vars(store).values())
    while todo:
        each = todo.pop()
        if id(each) in seen or isinstance(each, type) or callable(each):
            continue
        seen.add(id(each))
        if isinstance(each, Secret):
            found.append(each)
        todo += gc.get_referents(each)
    return found


def test_a_page_may_know_everything_but_the_secrets(store: PendingLogins, clock: FakeClock) -> None:
    waiting = begin(store)
    assert waiting.ends_at - clock.now() == timedelta(minutes=5)
    assert waiting.resend_from - clock.now() == timedelta(seconds=30)
    assert (waiting.tries_left, waiting.resends_left, waiting.is_resent) == (5, 3, False)
    assert store.look("b1", ACCOUNT) == waiting
    assert "ticket" not in repr(waiting)


def test_it_ends_after_five_minutes_and_keeps_no_secret(
    store: PendingLogins, clock: FakeClock
) -> None:
    waiting = begin(store)
    assert len(secrets_in(store)) == 2
    clock.advance(299.9)
    assert store.look("b1", ACCOUNT) is not None
    clock.advance(0.1)
    assert store.look("b1", ACCOUNT) is None
    assert why_gone(lambda: ticket(store, waiting)) is Why.EXPIRED
    assert secrets_in(store) == []


def test_the_time_asleep_counts(store: PendingLogins, clock: FakeClock) -> None:
    begin(store)
    clock.wall += timedelta(minutes=6)  # the steady clock stood still
    assert store.look("b1", ACCOUNT) is None


def test_it_is_wiped_although_nobody_calls_again(
    store: PendingLogins, clock: FakeClock, jobs: list[tuple[float, Callable[[], None]]]
) -> None:
    begin(store)
    [(seconds, job)] = jobs
    clock.advance(seconds)
    job()
    assert secrets_in(store) == []


def test_the_real_timer_wipes(clock: FakeClock) -> None:
    done = threading.Event()
    run_later(0.01, done.set)
    assert done.wait(5)


def test_five_tries_and_no_more(store: PendingLogins) -> None:
    waiting = begin(store)
    for left in (4, 3, 2, 1):
        waiting = refused(store, waiting)
        assert waiting.tries_left == left
    assert why_gone(lambda: refused(store, waiting)) is Why.TRIED_OUT
    assert why_gone(lambda: ticket(store, waiting)) is Why.TRIED_OUT
    assert secrets_in(store) == []


def test_what_the_broker_never_judged_costs_nothing(store: PendingLogins, clock: FakeClock) -> None:
    waiting = begin(store)
    clock.advance(31)
    for _ in range(20):
        waiting = store.use_up("b1", ACCOUNT, waiting.login_id)
    assert (waiting.tries_left, waiting.resends_left) == (5, 3)
    assert store.password("b1", ACCOUNT, waiting.login_id) == Secret("pw")


def test_resends_are_thirty_seconds_apart_and_three(store: PendingLogins, clock: FakeClock) -> None:
    waiting = begin(store)
    for left in (2, 1, 0):
        with pytest.raises(TooSoon) as early:
            store.password("b1", ACCOUNT, waiting.login_id)
        assert early.value.seconds == 30
        clock.advance(30)
        waiting = resend(store, waiting)
        assert (waiting.resends_left, waiting.is_resent) == (left, True)
    clock.advance(30)
    with pytest.raises(NoResendLeft):
        store.password("b1", ACCOUNT, waiting.login_id)


def test_a_resend_changes_id_and_ticket_and_begins_the_otps_five_minutes_again(
    store: PendingLogins, clock: FakeClock
) -> None:
    old = refused(store, begin(store))
    clock.advance(290)
    new = resend(store, old)
    assert new.login_id != old.login_id
    assert new.ends_at - clock.now() == timedelta(minutes=5)
    assert new.tries_left == 4
    assert why_gone(lambda: ticket(store, old)) is Why.REPLACED
    clock.advance(299)
    assert ticket(store, new) == Secret("t2")
    clock.advance(1)
    assert why_gone(lambda: ticket(store, new)) is Why.EXPIRED


def test_the_password_goes_after_its_own_five_minutes(
    store: PendingLogins, clock: FakeClock
) -> None:
    waiting = begin(store)
    clock.advance(290)
    waiting = resend(store, waiting)
    assert waiting.resends_left == 2
    clock.advance(40)
    now = store.look("b1", ACCOUNT)
    assert now is not None
    assert now.resends_left == 0
    with pytest.raises(NoResendLeft):
        store.password("b1", ACCOUNT, now.login_id)
    assert secrets_in(store) == [Secret("t2")]


def test_a_resend_that_was_refused_has_to_wait_again(
    store: PendingLogins, clock: FakeClock
) -> None:
    waiting = begin(store)
    clock.advance(31)
    waiting = store.use_up("b1", ACCOUNT, waiting.login_id, resends=1)
    assert waiting.resends_left == 2
    with pytest.raises(TooSoon):
        store.password("b1", ACCOUNT, waiting.login_id)


def test_the_newer_login_wins_in_one_browser(store: PendingLogins) -> None:
    old, new = begin(store), begin(store)
    assert why_gone(lambda: ticket(store, old)) is Why.REPLACED
    ticket(store, new)
    assert len(store._logins) == 1


def test_the_newer_login_wins_over_another_browser_of_the_account(store: PendingLogins) -> None:
    old = begin(store, "b1")
    begin(store, "b2")
    assert why_gone(lambda: ticket(store, old)) is Why.REPLACED
    assert store.look("b2", ACCOUNT) is not None
    assert len(secrets_in(store)) == 2


def test_an_id_is_worth_nothing_in_another_browser(store: PendingLogins) -> None:
    waiting = begin(store, "b1")
    assert why_gone(lambda: ticket(store, waiting, "b2")) is Why.UNKNOWN
    assert store.look("b2", ACCOUNT) is None
    assert ticket(store, waiting, "b1")


def test_other_settings_end_it(store: PendingLogins) -> None:
    waiting = begin(store)
    other = ACCOUNT._replace(client_code="MA7654321")
    assert why_gone(lambda: store.ticket("b1", other, waiting.login_id)) is Why.DROPPED
    assert secrets_in(store) == []


def test_a_result_for_a_login_that_ended_meanwhile(store: PendingLogins, clock: FakeClock) -> None:
    old = begin(store)
    new = begin(store)
    assert why_gone(lambda: refused(store, old)) is Why.REPLACED
    store.close("b1", Why.DROPPED, only=old.login_id)  # the newer one stays
    assert len(store._logins) == 1
    clock.advance(300)
    assert why_gone(lambda: store.renew("b1", ACCOUNT, new.login_id, otp())) is Why.EXPIRED


def test_single_use(store: PendingLogins) -> None:
    waiting = begin(store)
    ticket(store, waiting)
    store.close("b1", Why.USED)
    assert why_gone(lambda: ticket(store, waiting)) is Why.USED
    assert secrets_in(store) == []


def test_why_it_ended_is_told_once(store: PendingLogins, clock: FakeClock) -> None:
    begin(store)
    clock.advance(301)
    assert store.why_ended("b1") is Why.EXPIRED
    assert store.why_ended("b1") is None


def test_what_the_user_did_himself_is_not_told(store: PendingLogins) -> None:
    begin(store)
    store.close("b1", Why.DROPPED)
    assert store.why_ended("b1") is None


def test_the_store_is_bounded(clock: FakeClock) -> None:
    store = PendingLogins(clock, Rules(capacity=10), later=lambda seconds, job: None)
    for n in range(100):
        begin(store, f"b{n}", account(n))
    assert len(store._logins) == 10
    assert len(secrets_in(store)) == 20
    assert store.look("b99", account(99)) is not None
    assert len(store._ended) == 10
