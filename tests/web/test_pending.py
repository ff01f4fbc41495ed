"""Logins between their two steps: life, tries, resends, who wins, and that nothing stays behind."""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from broker._kit.secret import Secret
from broker._kit.sessions.timers import on_a_thread
from broker._kit.web.pending_logins import PendingLogins
from broker._kit.web.pending_view import (
    Attempt,
    Busy,
    Gone,
    NoResendLeft,
    Rules,
    TooSoon,
    Waiting,
    Why,
)
from tests.support.clock import FakeClock

ACCOUNT = ("https://api.mstock.trade", "B", "MA1234567")


@pytest.fixture
def jobs() -> list[tuple[float, Callable[[], None]]]:
    return []


@pytest.fixture
def store(clock: FakeClock, jobs: list[tuple[float, Callable[[], None]]]) -> PendingLogins:
    return PendingLogins(clock, later=lambda seconds, job: jobs.append((seconds, job)))


def begin(store: PendingLogins, browser: str = "b1", account: object = ACCOUNT) -> Waiting:
    return store.open(
        browser,
        account,
        store.turn(),
        password=Secret("pw"),
        ticket=Secret("ticket"),
        sent_to="there",
    )


def attempt(store: PendingLogins, waiting: Waiting, browser: str = "b1") -> Attempt:
    return store.take_try(browser, ACCOUNT, waiting.login_id)


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
    assert why_gone(lambda: attempt(store, waiting)) is Why.EXPIRED
    assert secrets_in(store) == []


def test_the_time_asleep_counts(store: PendingLogins, clock: FakeClock) -> None:
    begin(store)
    clock.wall += timedelta(minutes=6)  # the steady clock stood still
    assert store.look("b1", ACCOUNT) is None


def test_a_wall_clock_set_back_does_not_prolong_it(store: PendingLogins, clock: FakeClock) -> None:
    begin(store)
    clock.wall -= timedelta(hours=1)
    clock.ticks += 300
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
    on_a_thread(0.01, done.set)
    assert done.wait(5)


def test_five_tries_and_no_more(store: PendingLogins) -> None:
    waiting = begin(store)
    for left in (4, 3, 2, 1):
        waiting = store.free(attempt(store, waiting))
        assert waiting.tries_left == left
    last = attempt(store, waiting)
    assert why_gone(lambda: store.free(last)) is Why.TRIED_OUT
    assert why_gone(lambda: attempt(store, waiting)) is Why.TRIED_OUT
    assert secrets_in(store) == []


def test_a_try_that_mstock_never_saw_is_given_back(store: PendingLogins) -> None:
    waiting = begin(store)
    for _ in range(20):
        waiting = store.free(attempt(store, waiting), give_back=True)
    assert waiting.tries_left == 5


def test_one_at_a_time(store: PendingLogins) -> None:
    waiting = begin(store)
    first = attempt(store, waiting)
    with pytest.raises(Busy):
        attempt(store, waiting)
    store.free(first)
    attempt(store, waiting)


def test_of_many_at_once_one_is_let_through(store: PendingLogins) -> None:
    waiting = begin(store)
    barrier = threading.Barrier(20)
    through: list[Attempt] = []

    def go() -> None:
        barrier.wait()
        with contextlib.suppress(Busy):
            through.append(attempt(store, waiting))

    threads = [threading.Thread(target=go) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(through) == 1
    assert store.free(through[0]).tries_left == 4


def test_resends_are_thirty_seconds_apart_and_three(store: PendingLogins, clock: FakeClock) -> None:
    waiting = begin(store)
    for left in (2, 1, 0):
        with pytest.raises(TooSoon) as early:
            store.take_resend("b1", ACCOUNT, waiting.login_id)
        assert early.value.seconds == 30
        clock.advance(30)
        taken = store.take_resend("b1", ACCOUNT, waiting.login_id)
        assert taken.secret == Secret("pw")
        waiting = store.renew(taken, ticket=Secret("new"), sent_to="again")
        assert (waiting.resends_left, waiting.is_resent) == (left, True)
    clock.advance(30)
    with pytest.raises(NoResendLeft):
        store.take_resend("b1", ACCOUNT, waiting.login_id)


def test_a_resend_changes_id_and_ticket_but_not_the_end(
    store: PendingLogins, clock: FakeClock
) -> None:
    old = begin(store)
    store.free(attempt(store, old))
    clock.advance(40)
    new = store.renew(
        store.take_resend("b1", ACCOUNT, old.login_id), ticket=Secret("t2"), sent_to="x"
    )
    assert new.login_id != old.login_id
    assert new.ends_at == old.ends_at
    assert new.tries_left == 4
    assert why_gone(lambda: attempt(store, old)) is Why.REPLACED
    assert attempt(store, new).secret == Secret("t2")


def test_a_resend_that_was_not_judged_costs_neither_number_nor_time(
    store: PendingLogins, clock: FakeClock
) -> None:
    waiting = begin(store)
    clock.advance(31)
    taken = store.take_resend("b1", ACCOUNT, waiting.login_id)
    waiting = store.free(taken, give_back=True)
    assert waiting.resends_left == 3
    store.take_resend("b1", ACCOUNT, waiting.login_id)


def test_a_resend_that_failed_has_to_wait_again(store: PendingLogins, clock: FakeClock) -> None:
    waiting = begin(store)
    clock.advance(31)
    waiting = store.free(store.take_resend("b1", ACCOUNT, waiting.login_id))
    assert waiting.resends_left == 2
    with pytest.raises(TooSoon):
        store.take_resend("b1", ACCOUNT, waiting.login_id)


def test_the_newer_login_wins_in_one_browser(store: PendingLogins) -> None:
    old, new = begin(store), begin(store)
    assert why_gone(lambda: attempt(store, old)) is Why.REPLACED
    attempt(store, new)
    assert len(store) == 1


def test_the_newer_login_wins_over_another_browser_of_the_account(store: PendingLogins) -> None:
    old = begin(store, "b1")
    begin(store, "b2")
    assert why_gone(lambda: attempt(store, old)) is Why.REPLACED
    assert store.look("b2", ACCOUNT) is not None
    assert len(secrets_in(store)) == 2


def test_newer_is_what_was_asked_for_later_not_what_was_answered_later(
    store: PendingLogins,
) -> None:
    early, late = store.turn(), store.turn()
    new = store.open("b2", ACCOUNT, late, password=Secret("p"), ticket=Secret("late"), sent_to="")
    slow = {"password": Secret("p"), "ticket": Secret("early"), "sent_to": ""}
    assert why_gone(lambda: store.open("b1", ACCOUNT, early, **slow)) is Why.REPLACED
    assert attempt(store, new, "b2").secret == Secret("late")


def test_a_resend_takes_its_own_place_in_the_order(store: PendingLogins, clock: FakeClock) -> None:
    waiting = begin(store, "b1")
    slow_turn = store.turn()
    clock.advance(31)
    resend = store.take_resend("b1", ACCOUNT, waiting.login_id)
    store.renew(resend, ticket=Secret("t2"), sent_to="")
    slow = {"password": Secret("p"), "ticket": Secret("slow"), "sent_to": ""}
    assert why_gone(lambda: store.open("b2", ACCOUNT, slow_turn, **slow)) is Why.REPLACED


def test_an_id_is_worth_nothing_in_another_browser(store: PendingLogins) -> None:
    waiting = begin(store, "b1")
    assert why_gone(lambda: attempt(store, waiting, "b2")) is Why.UNKNOWN
    assert store.look("b2", ACCOUNT) is None
    assert attempt(store, waiting, "b1")


def test_other_settings_end_it(store: PendingLogins) -> None:
    waiting = begin(store)
    other = (*ACCOUNT[:2], "MA7654321")
    assert why_gone(lambda: store.take_try("b1", other, waiting.login_id)) is Why.DROPPED
    assert secrets_in(store) == []


def test_a_result_for_a_login_that_ended_meanwhile(store: PendingLogins, clock: FakeClock) -> None:
    waiting = begin(store)
    under_way = attempt(store, waiting)
    begin(store)
    assert why_gone(lambda: store.free(under_way)) is Why.REPLACED
    store.close("b1", Why.DROPPED, only=under_way)  # the newer one stays
    assert len(store) == 1
    clock.advance(31)
    resend = store.take_resend("b1", ACCOUNT, store.look("b1", ACCOUNT).login_id)
    clock.advance(300)
    late = {"ticket": Secret("t"), "sent_to": ""}
    assert why_gone(lambda: store.renew(resend, **late)) is Why.EXPIRED


def test_single_use(store: PendingLogins) -> None:
    waiting = begin(store)
    attempt(store, waiting)
    store.close("b1", Why.USED)
    assert why_gone(lambda: attempt(store, waiting)) is Why.USED
    assert secrets_in(store) == []


def test_why_it_ended_is_told_once(store: PendingLogins, clock: FakeClock) -> None:
    begin(store)
    clock.advance(301)
    assert store.last_words("b1") is Why.EXPIRED
    assert store.last_words("b1") is None


def test_what_the_user_did_himself_is_not_told(store: PendingLogins) -> None:
    begin(store)
    store.close("b1", Why.DROPPED)
    assert store.last_words("b1") is None


def test_the_store_is_bounded(clock: FakeClock) -> None:
    store = PendingLogins(clock, Rules(capacity=10), later=lambda seconds, job: None)
    for n in range(100):
        begin(store, f"b{n}", account=n)
    assert len(store) == 10
    assert len(secrets_in(store)) == 20
    assert store.look("b99", 99) is not None
    assert len(store._ended) == 10
