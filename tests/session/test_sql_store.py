"""The database: rows swapped, changed or sealed elsewhere, and addresses that lead nowhere."""

from __future__ import annotations

import re
import stat
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from broker._kit.errors import StoreError
from broker._kit.secret import Secret
from broker._kit.sessions.database import kept
from broker._kit.sessions.encryption import KeyFile
from broker._kit.sessions.sql_store import SqlStore
from broker._kit.sessions.store import Item
from broker._kit.sessions.store_factory import open_store
from broker._kit.settings import Account, ServiceSettings
from tests.session.conftest import ALICE, BOB, sql_store
from tests.support.clock import FakeClock
from tests.support.leaks import Leaks

NOW = FakeClock().now()
PASSWORD = Secret("Simulated-1")
Opener = Callable[..., SqlStore]


@pytest.fixture
def store(open_sql: Opener) -> SqlStore:
    store = open_sql()
    store.set(ALICE, Item.PASSWORD, PASSWORD)
    store.set(BOB, Item.PASSWORD, Secret("Bob's"))
    return store


def rows(store: SqlStore) -> list[sa.Row]:
    with store._engine.connect() as talk:
        return list(talk.execute(sa.select(kept).order_by(kept.c.client_code, kept.c.name)))


def change(store: SqlStore, **values: object) -> None:
    """What somebody with the database's password does to Alice's row."""
    with store._engine.begin() as talk:
        talk.execute(sa.update(kept).where(kept.c.client_code == ALICE.client_code), values)


class TestRows:
    def test_cannot_be_swapped(self, store: SqlStore) -> None:
        change(store, sealed=rows(store)[1].sealed)
        refused(store, "the password of MA••••01, API type B")
        assert store.get(BOB, Item.PASSWORD) == Secret("Bob's")

    @pytest.mark.parametrize("column", ["rest_url", "api_type", "client_code", "name"])
    def test_cannot_be_passed_off_as_anothers(self, store: SqlStore, column: str) -> None:
        change(store, **{column: "api_key" if column == "name" else "other"})
        moved = ALICE if column == "name" else ALICE._replace(**{column: "other"})
        with pytest.raises(StoreError, match="damaged row"):
            store.get(moved, Item.API_KEY if column == "name" else Item.PASSWORD)

    @pytest.mark.parametrize("spoil", [lambda b: b[:-1], lambda b: b"", lambda b: b[:20] + b"x"])
    def test_a_torn_row_is_said_and_left_alone(
        self, store: SqlStore, spoil: Callable[[bytes], bytes]
    ) -> None:
        change(store, sealed=spoil(rows(store)[0].sealed))
        refused(store, "damaged row.*delete it")

    def test_a_damaged_row_can_be_dropped(self, store: SqlStore) -> None:
        change(store, sealed=b"?")
        assert store.delete(ALICE, Item.PASSWORD)
        store.set(ALICE, Item.PASSWORD, PASSWORD)
        assert store.get(ALICE, Item.PASSWORD) == PASSWORD

    def test_hold_no_secret(self, store: SqlStore) -> None:
        leaks = Leaks()
        leaks.hide("password", PASSWORD.reveal())
        leaks.show("rows", rows(store))
        leaks.show("store's parts", vars(store))
        assert leaks.found() == []


def refused(store: SqlStore, words: str) -> None:
    """What reads or replaces Alice's password says what is wrong, and no row changes."""
    before = rows(store)
    for call in (
        lambda: store.get(ALICE, Item.PASSWORD),
        lambda: store.set(ALICE, Item.PASSWORD, Secret("another")),
        lambda: store.delete(ALICE, Item.PASSWORD, only=PASSWORD),
    ):
        with pytest.raises(StoreError, match=words) as caught:
            call()
        assert caught.value.next_step
    assert rows(store) == before


class TestKeys:
    def test_another_computer_needs_the_same_key(
        self, store: SqlStore, open_sql: Opener, tmp_path: Path, home: Path
    ) -> None:
        elsewhere = tmp_path / "elsewhere"
        KeyFile(str(elsewhere / "database.key")).make()
        other = open_sql(elsewhere)
        refused(other, "another key than the key file")
        with pytest.raises(StoreError, match="another key"):
            other.delete(ALICE, Item.PASSWORD)
        (elsewhere / "database.key").write_bytes((home / "database.key").read_bytes())
        assert other.get(ALICE, Item.PASSWORD) == PASSWORD

    def test_a_lost_key_is_not_made_anew(self, store: SqlStore, home: Path) -> None:
        (home / "database.key").unlink()
        refused(store, r"database\.key is missing.*no computer.*erase")
        assert not (home / "database.key").exists()
        removed = store.erase()
        assert removed == ["password of MA••••01, API type B", "password of MA••••02, API type B"]
        store.set(ALICE, Item.PASSWORD, PASSWORD)
        assert store.get(ALICE, Item.PASSWORD) == PASSWORD

    def test_erase_takes_the_key_with_it(
        self, store: SqlStore, open_sql: Opener, home: Path
    ) -> None:
        store.lease(ALICE, "me", NOW, 60)
        assert store.erase()[-1] == f"the key file {home / 'database.key'}"
        assert list(home.iterdir()) == []
        assert rows(store) == []
        assert open_sql().lease(ALICE, "you", NOW, 60)

    def test_of_two_computers_that_begin_at_once_one_seals(
        self, open_sql: Opener, tmp_path: Path
    ) -> None:
        for turn in range(4):
            stores = {BOB: open_sql(tmp_path / f"a{turn}"), ALICE: open_sql(tmp_path / f"b{turn}")}
            at_once = threading.Barrier(2)

            def begin(account: Account) -> str:
                at_once.wait(10)  # noqa: B023
                try:
                    stores[account].set(account, Item.PASSWORD, PASSWORD)  # noqa: B023
                except StoreError as error:
                    return error.message
                return ""

            with ThreadPoolExecutor(2) as pool:
                words = dict(zip(stores, pool.map(begin, stores), strict=True))
            [first] = [account for account in stores if not words[account]]
            assert re.search(r"another key|is missing", "".join(words.values()))
            assert stores[first].accounts() == [first]
            assert stores[first].get(first, Item.PASSWORD) == PASSWORD
            stores[first].erase()


class TestAddresses:
    @pytest.mark.parametrize(
        ("url", "words"),
        [
            ("sqlite:///mstock.db", "whole path"),
            ("sqlite:///:memory:", "whole path"),
            ("sqlite:///file:x?mode=memory&uri=true", "whole path"),
            ("postgresql://u:s3cr3t-word@host:s3cr3t-port/db", "not the address of a database"),
            ("postgresql+nosuchdriver://u:s3cr3t-word@host/db", "not installed"),
        ],
    )
    def test_that_cannot_be_used(self, home: Path, url: str, words: str) -> None:
        with pytest.raises(StoreError, match=words) as caught:
            open_store(ServiceSettings(str(home), store_url=Secret(url)))
        leaks = Leaks()
        leaks.hide("word", "s3cr3t-word")
        leaks.hide("port", "s3cr3t-port")
        leaks.show_error("error", caught.value)
        assert leaks.found() == []

    @pytest.mark.parametrize(
        "url",
        ["postgresql://u:s3cr3t-word@127.0.0.1:1/db", "sqlite:////proc/nowhere/mstock.db"],
    )
    def test_that_lead_nowhere(self, home: Path, url: str) -> None:
        store = sql_store(url, home)
        with pytest.raises(StoreError, match=r"does not answer|cannot be written") as caught:
            store.set(ALICE, Item.PASSWORD, PASSWORD)
        leaks = Leaks()
        leaks.hide("word", "s3cr3t-word")
        leaks.hide("password", PASSWORD.reveal())
        leaks.show_error("error", caught.value)
        leaks.show("store", vars(store))
        assert leaks.found() == []

    def test_the_store_is_opened_once(self, home: Path, tmp_path: Path) -> None:
        url = Secret(f"sqlite:///{tmp_path / 'mstock.db'}")
        store = open_store(ServiceSettings(str(home), store_url=url))
        assert store is open_store(ServiceSettings(str(home), store_url=Secret(url.reveal())))
        assert isinstance(store, SqlStore)
        assert not home.exists()

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps rights its own way")
    def test_sqlites_file_is_its_owners(self, home: Path, tmp_path: Path) -> None:
        path = tmp_path / "mstock.db"
        store = sql_store(f"sqlite:///{path}", home)
        store.set(ALICE, Item.PASSWORD, PASSWORD)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.unlink()
        assert store.get(ALICE, Item.PASSWORD) is None
