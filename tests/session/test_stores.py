"""What every store promises, wherever it stores things."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from datetime import date, timedelta, timezone

import pytest

from broker._kit.clock import IST
from broker._kit.secret import Secret
from broker._kit.sessions.record import (
    AccountRecord,
    Attempt,
    AutoLoginState,
    EndReason,
    LoginMethod,
    Result,
    SessionRecord,
)
from broker._kit.sessions.store import MemoryStore, Store
from broker._kit.settings import Account
from broker.mstock.broker import MSTOCK
from tests.session.conftest import ALICE, ALICE_A, ALICE_HERE, BOB, Opener
from tests.support.clock import FakeClock
from tests.support.leaks import Leaks

NOW = FakeClock().now()
EVERYONE = [ALICE, BOB, ALICE_A, ALICE_HERE]


def full(mark: str = "") -> AccountRecord:
    """A record in which nothing is missing."""
    attempts = (
        Attempt(NOW, Result.RETRY.value, "Words.", "IA1", NOW + timedelta(seconds=3), 58_000, -40),
        Attempt(NOW + timedelta(minutes=2)),
    )
    return AccountRecord(
        Secret(f"password{mark}"),
        Secret(f"secret{mark}"),
        Secret(f"key{mark}"),
        SessionRecord(Secret(f"token{mark}"), NOW, LoginMethod.TOTP, EndReason.REFUSED),
        AutoLoginState(True, NOW, "Refused.", "Notice.", date(2026, 11, 23), 7, attempts),
    )


def put(store: Store, account: Account, record: AccountRecord) -> None:
    with store.update(account) as stored:
        for field in fields(record):
            setattr(stored, field.name, getattr(record, field.name))


class TestRecords:
    def test_nothing_is_there_at_first(self, store: Store) -> None:
        assert store.load(ALICE) == AccountRecord()
        assert store.accounts() == []
        assert store.erase() == []

    def test_a_whole_record_comes_back_as_it_was(self, open_again: Opener) -> None:
        put(open_again(), ALICE, full())
        assert open_again().load(ALICE) == full()

    @pytest.mark.parametrize(
        "text", ["", "x", 'p&ss=w+rd %41 "é" ₹\n\t\\', "\ud800 \x00", "long" * 50_000], ids=len
    )
    def test_a_text_comes_back_as_it_was(self, open_again: Opener, text: str) -> None:
        with open_again().update(ALICE) as record:
            record.password = Secret(text)
        found = open_again().load(ALICE).password
        assert found is not None
        assert found.reveal() == text

    def test_what_is_not_changed_stays(self, open_again: Opener) -> None:
        put(open_again(), ALICE, full())
        with open_again().update(ALICE) as record:
            record.session = None
        expected = full()
        expected.session = None
        assert open_again().load(ALICE) == expected

    def test_accounts_are_kept_apart(self, store: Store) -> None:
        for account in EVERYONE:
            put(store, account, full(str(account)))
        for account in EVERYONE:
            assert store.load(account) == full(str(account))
        assert store.accounts() == sorted(EVERYONE)

    def test_nothing_is_stored_when_the_change_fails(self, store: Store) -> None:
        put(store, ALICE, full())

        def fails() -> None:
            with store.update(ALICE) as record:
                record.password = None
                raise KeyError

        with pytest.raises(KeyError):
            fails()
        assert store.load(ALICE) == full()

    def test_what_was_loaded_is_ones_own(self, store: Store) -> None:
        put(store, ALICE, full())
        store.load(ALICE).password = None
        with store.update(ALICE) as record:
            pass
        record.password = None
        assert store.load(ALICE) == full()

    def test_an_account_without_anything_is_none(self, store: Store) -> None:
        put(store, ALICE, full())
        assert store.acquire_lease(BOB, "me", NOW, 60)
        assert store.accounts() == [ALICE]
        put(store, ALICE, AccountRecord())
        assert store.accounts() == []


class TestErase:
    def test_says_what_it_removed_and_leaves_a_store_that_works(self, open_again: Opener) -> None:
        store = open_again()
        put(store, ALICE, AccountRecord(password=Secret("x")))
        put(store, BOB, AccountRecord(totp_secret=Secret("y")))
        assert store.acquire_lease(ALICE, "me", NOW, 60)
        removed = open_again().erase()
        assert removed[:2] == [
            "password of MA••••01, API type B",
            "TOTP secret of MA••••02, API type B",
        ]
        for opened in (store, open_again()):
            assert opened.load(ALICE) == AccountRecord()
            assert opened.accounts() == []
            assert opened.erase() == []
        assert store.acquire_lease(ALICE, "you", NOW, 60)
        put(store, ALICE, full())
        assert open_again().load(ALICE) == full()

    def test_and_a_repr_give_nothing_away(self, store: Store) -> None:
        leaks = Leaks()
        put(store, ALICE, full("-s3cr3t"))
        leaks.hide("secrets", "-s3cr3t")
        leaks.hide("client code", ALICE.client_code)
        leaks.show("store", store)
        leaks.show("erase", store.erase())
        assert leaks.found() == []


class TestLeases:
    def test_one_holder_at_a_time(self, open_again: Opener) -> None:
        mine, yours = open_again(), open_again()
        assert mine.acquire_lease(ALICE, "me", NOW, 60)
        assert not yours.acquire_lease(ALICE, "you", NOW, 60)
        assert mine.acquire_lease(ALICE, "me", NOW, 60)
        assert yours.acquire_lease(BOB, "you", NOW, 60)

    def test_a_lease_ends_by_itself(self, store: Store) -> None:
        moment = timedelta(microseconds=1)
        assert store.acquire_lease(ALICE, "me", NOW, 60)
        assert not store.acquire_lease(ALICE, "you", NOW + timedelta(seconds=60) - moment, 60)
        assert store.acquire_lease(ALICE, "you", NOW + timedelta(seconds=60), 60)
        assert not store.acquire_lease(ALICE, "me", NOW + timedelta(seconds=60), 60)

    def test_a_lease_is_renewed_from_the_time_of_asking(self, store: Store) -> None:
        assert store.acquire_lease(ALICE, "me", NOW, 60)
        assert store.acquire_lease(ALICE, "me", NOW + timedelta(seconds=30), 60)
        assert not store.acquire_lease(ALICE, "you", NOW + timedelta(seconds=89), 60)

    def test_release(self, store: Store) -> None:
        store.release_lease(ALICE, "me")
        assert store.acquire_lease(ALICE, "me", NOW, 60)
        store.release_lease(ALICE, "you")
        assert not store.acquire_lease(ALICE, "you", NOW, 60)
        store.release_lease(ALICE, "me")
        assert store.acquire_lease(ALICE, "you", NOW, 60)

    def test_the_moment_counts_and_not_its_zone(self, store: Store) -> None:
        elsewhere = timezone(timedelta(hours=-8))
        assert store.acquire_lease(ALICE, "me", NOW.astimezone(elsewhere), 60)
        assert not store.acquire_lease(ALICE, "you", NOW + timedelta(seconds=59), 60)
        later = (NOW + timedelta(seconds=61)).astimezone(IST)
        assert store.acquire_lease(ALICE, "you", later, 60)


class TestManyAtOnce:
    def test_threads_lose_no_change_of_one_record(self, open_again: Opener) -> None:
        stores = [open_again(), open_again()]

        def work(n: int) -> None:
            with stores[n % 2].update(ALICE) as record:
                state = record.auto_login or AutoLoginState()
                attempts = (*state.attempts, Attempt(NOW, "done", str(n)))
                record.auto_login = state._replace(attempts=attempts)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(24)))
        state = open_again().load(ALICE).auto_login
        assert state is not None
        assert sorted(int(attempt.words) for attempt in state.attempts) == list(range(24))

    def test_one_of_many_threads_gets_the_lease(self, open_again: Opener) -> None:
        stores = [open_again() for _ in range(4)]
        at_once = threading.Barrier(8)

        def work(n: int) -> bool:
            at_once.wait(10)
            return stores[n % 4].acquire_lease(ALICE, f"holder {n}", NOW, 60)

        for _ in range(5):
            with ThreadPoolExecutor(8) as pool:
                assert sum(pool.map(work, range(8))) == 1
            stores[0].erase()


def test_any_order_of_calls_ends_as_in_memory(store: Store) -> None:
    model, chance = MemoryStore(MSTOCK), random.Random(3)
    records = [full("a"), full("b"), AccountRecord(), AccountRecord(password=Secret("c"))]
    for step in range(150):
        account, record = chance.choice(EVERYONE), chance.choice(records)
        holder, now = chance.choice(["me", "you"]), NOW + timedelta(seconds=chance.randrange(200))
        calls: list[Callable[[Store], object]] = [
            lambda one: put(one, account, record),  # noqa: B023
            lambda one: one.load(account),  # noqa: B023
            lambda one: one.accounts(),
            lambda one: one.acquire_lease(account, holder, now, 60.0),  # noqa: B023
            lambda one: one.release_lease(account, holder),  # noqa: B023
        ]
        call = chance.choice(calls)
        assert call(store) == call(model), step
