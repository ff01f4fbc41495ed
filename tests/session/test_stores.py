"""What every store promises, wherever it keeps things."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta, timezone

import pytest

from broker._kit.clock import IST
from broker._kit.secret import Secret
from broker._kit.sessions.store import Item, MemoryStore, Store
from broker._kit.settings import Account
from tests.session.conftest import ALICE, ALICE_A, ALICE_HERE, BOB, Opener
from tests.support.clock import FakeClock
from tests.support.leaks import Leaks

NOW = FakeClock().now()
EVERYONE = [ALICE, BOB, ALICE_A, ALICE_HERE]


class TestTexts:
    def test_nothing_is_there_at_first(self, store: Store) -> None:
        assert store.get(ALICE, Item.PASSWORD) is None
        assert store.delete(ALICE, Item.PASSWORD) is False
        assert store.delete(ALICE, Item.PASSWORD, only=Secret("x")) is False
        assert store.accounts() == []
        assert store.erase() == []

    @pytest.mark.parametrize(
        "text", ["", "x", 'p&ss=w+rd %41 "é" ₹\n\t\\', "\ud800 \x00", "long" * 50_000], ids=len
    )
    def test_a_text_comes_back_as_it_was(self, open_again: Opener, text: str) -> None:
        open_again().set(ALICE, Item.PASSWORD, Secret(text))
        found = open_again().get(ALICE, Item.PASSWORD)
        assert found is not None
        assert found.reveal() == text

    def test_a_new_text_takes_the_place_of_the_last(self, open_again: Opener) -> None:
        store = open_again()
        store.set(ALICE, Item.TOKEN, Secret("yesterday's"))
        store.set(ALICE, Item.TOKEN, Secret("today's"))
        assert open_again().get(ALICE, Item.TOKEN) == Secret("today's")

    def test_accounts_and_names_are_kept_apart(self, store: Store) -> None:
        for account in EVERYONE:
            for item in Item:
                store.set(account, item, Secret(f"{account} {item}"))
        for account in EVERYONE:
            for item in Item:
                assert store.get(account, item) == Secret(f"{account} {item}")
        assert store.accounts() == sorted(EVERYONE)
        assert store.delete(ALICE, Item.TOKEN) is True
        assert store.get(ALICE, Item.TOKEN) is None
        assert store.get(ALICE, Item.PASSWORD) is not None
        assert store.get(ALICE_A, Item.TOKEN) is not None

    def test_only_the_text_that_is_meant_is_deleted(self, store: Store) -> None:
        store.set(ALICE, Item.TOKEN, Secret("today's"))
        assert store.delete(ALICE, Item.TOKEN, only=Secret("yesterday's")) is False
        assert store.get(ALICE, Item.TOKEN) == Secret("today's")
        assert store.delete(ALICE, Item.TOKEN, only=Secret("today's")) is True
        assert store.get(ALICE, Item.TOKEN) is None
        assert store.delete(ALICE, Item.TOKEN, only=Secret("today's")) is False

    def test_an_account_without_texts_is_none(self, store: Store) -> None:
        store.set(ALICE, Item.TOKEN, Secret("x"))
        store.lease(BOB, "me", NOW, 60)
        assert store.accounts() == [ALICE]
        store.delete(ALICE, Item.TOKEN)
        assert store.accounts() == []


class TestErase:
    def test_says_what_it_removed_and_leaves_a_store_that_works(self, open_again: Opener) -> None:
        store = open_again()
        store.set(ALICE, Item.PASSWORD, Secret("x"))
        store.set(BOB, Item.TOTP_SECRET, Secret("y"))
        store.lease(ALICE, "me", NOW, 60)
        removed = open_again().erase()
        assert removed[:2] == [
            "password of MA••••01, API type B",
            "TOTP secret of MA••••02, API type B",
        ]
        for opened in (store, open_again()):
            assert opened.get(ALICE, Item.PASSWORD) is None
            assert opened.accounts() == []
            assert opened.erase() == []
        assert store.lease(ALICE, "you", NOW, 60)
        store.set(ALICE, Item.PASSWORD, Secret("z"))
        assert open_again().get(ALICE, Item.PASSWORD) == Secret("z")

    def test_and_a_repr_give_nothing_away(self, store: Store) -> None:
        leaks = Leaks()
        for n, item in enumerate(Item):
            store.set(ALICE, item, Secret(leaks.hide(item, f"s3cr3t-{n}-value")))
        leaks.hide("client code", ALICE.client_code)
        leaks.show("store", store)
        leaks.show("erase", store.erase())
        assert leaks.found() == []


class TestLeases:
    def test_one_holder_at_a_time(self, open_again: Opener) -> None:
        mine, yours = open_again(), open_again()
        assert mine.lease(ALICE, "me", NOW, 60)
        assert not yours.lease(ALICE, "you", NOW, 60)
        assert mine.lease(ALICE, "me", NOW, 60)
        assert yours.lease(BOB, "you", NOW, 60)

    def test_a_lease_ends_by_itself(self, store: Store) -> None:
        moment = timedelta(microseconds=1)
        assert store.lease(ALICE, "me", NOW, 60)
        assert not store.lease(ALICE, "you", NOW + timedelta(seconds=60) - moment, 60)
        assert store.lease(ALICE, "you", NOW + timedelta(seconds=60), 60)
        assert not store.lease(ALICE, "me", NOW + timedelta(seconds=60), 60)

    def test_a_lease_of_a_clock_that_ran_ahead_holds_nobody_up(self, store: Store) -> None:
        assert store.lease(ALICE, "me", NOW + timedelta(days=1), 60)
        assert store.lease(ALICE, "you", NOW, 60)
        assert not store.lease(ALICE, "me", NOW, 60)

    def test_a_lease_is_renewed_from_the_time_of_asking(self, store: Store) -> None:
        assert store.lease(ALICE, "me", NOW, 60)
        assert store.lease(ALICE, "me", NOW + timedelta(seconds=30), 60)
        assert not store.lease(ALICE, "you", NOW + timedelta(seconds=89), 60)

    def test_release(self, store: Store) -> None:
        store.release(ALICE, "me")
        assert store.lease(ALICE, "me", NOW, 60)
        store.release(ALICE, "you")
        assert not store.lease(ALICE, "you", NOW, 60)
        store.release(ALICE, "me")
        assert store.lease(ALICE, "you", NOW, 60)

    def test_the_moment_counts_and_not_its_zone(self, store: Store) -> None:
        elsewhere = timezone(timedelta(hours=-8))
        assert store.lease(ALICE, "me", NOW.astimezone(elsewhere), 60)
        assert not store.lease(ALICE, "you", NOW + timedelta(seconds=59), 60)
        assert store.lease(ALICE, "you", (NOW + timedelta(seconds=61)).astimezone(IST), 60)


class TestManyAtOnce:
    def test_threads_lose_nothing(self, open_again: Opener) -> None:
        stores = [open_again(), open_again()]
        accounts = [Account("http://127.0.0.1:9", "B", f"MA{n:07}") for n in range(24)]

        def work(n: int) -> None:
            store = stores[n % 2]
            store.set(accounts[n], Item.TOKEN, Secret(f"first {n}"))
            store.set(accounts[n], Item.PASSWORD, Secret(f"password {n}"))
            assert store.delete(accounts[n], Item.TOKEN, only=Secret(f"first {n}"))
            store.set(accounts[n], Item.TOKEN, Secret(f"token {n}"))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(len(accounts))))
        after = open_again()
        assert after.accounts() == accounts
        for n, account in enumerate(accounts):
            assert after.get(account, Item.TOKEN) == Secret(f"token {n}")
            assert after.get(account, Item.PASSWORD) == Secret(f"password {n}")

    def test_one_of_many_threads_gets_the_lease_and_one_deletes(self, open_again: Opener) -> None:
        stores = [open_again() for _ in range(4)]
        stores[0].set(ALICE, Item.TOKEN, Secret("x"))
        at_once = threading.Barrier(8)

        def work(n: int) -> tuple[bool, bool]:
            at_once.wait(10)
            leased = stores[n % 4].lease(ALICE, f"holder {n}", NOW, 60)
            return leased, stores[n % 4].delete(ALICE, Item.TOKEN, only=Secret("x"))

        for _ in range(5):
            with ThreadPoolExecutor(8) as pool:
                results = list(pool.map(work, range(8)))
            assert [sum(one) for one in zip(*results, strict=True)] == [1, 1]
            stores[0].erase()
            stores[0].set(ALICE, Item.TOKEN, Secret("x"))


def test_any_order_of_calls_ends_as_in_memory(store: Store) -> None:
    model, chance = MemoryStore(), random.Random(3)
    texts = [Secret("a"), Secret("b")]
    for step in range(150):
        account, item = chance.choice(EVERYONE), chance.choice(list(Item))
        text, holder = chance.choice(texts), chance.choice(["me", "you"])
        now = NOW + timedelta(seconds=chance.randrange(200))
        name, given, named = chance.choice(
            [
                ("set", (account, item, text), {}),
                ("get", (account, item), {}),
                ("delete", (account, item), {}),
                ("delete", (account, item), {"only": text}),
                ("accounts", (), {}),
                ("lease", (account, holder, now, 60.0), {}),
                ("release", (account, holder), {}),
            ]
        )
        outcomes = [getattr(one, name)(*given, **named) for one in (store, model)]
        assert outcomes[0] == outcomes[1], (step, name)
