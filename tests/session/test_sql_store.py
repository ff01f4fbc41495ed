"""The database: rows swapped, torn or sealed elsewhere, lost keys, addresses that lead nowhere."""

from __future__ import annotations

import base64
import os
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
from broker._kit.sessions.encryption import Seal, key_for
from broker._kit.sessions.record import from_json, to_json
from broker._kit.sessions.sql_store import SqlStore, records
from broker._kit.sessions.store import open_store
from broker._kit.settings import Account, ServiceSettings
from broker.mstock.broker import MSTOCK
from tests.session.conftest import ALICE, BOB, sql_store
from tests.session.test_stores import full, put
from tests.support.clock import FakeClock
from tests.support.leaks import Leaks

NOW = FakeClock().now()
PASSWORD = Secret("Simulated-1")
Opener = Callable[..., SqlStore]
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps rights its own way")


def set_password(store: SqlStore, account: Account, password: Secret = PASSWORD) -> None:
    with store.update(account) as record:
        record.password = password


@pytest.fixture
def store(open_sql: Opener) -> SqlStore:
    store = open_sql()
    set_password(store, ALICE)
    set_password(store, BOB, Secret("Bob's"))
    return store


@pytest.fixture
def file_store(home: Path) -> SqlStore:
    """The default store, an SQLite file in the program's home, with one account in it."""
    store = sql_store(home)
    set_password(store, ALICE)
    return store


def rows(store: SqlStore) -> list[sa.Row]:
    with store._engine.connect() as connection:
        return list(connection.execute(sa.select(records).order_by(records.c.client_code)))


def change(store: SqlStore, **values: object) -> None:
    """What somebody with the database's password does to Alice's row."""
    with store._engine.begin() as connection:
        connection.execute(
            sa.update(records).where(records.c.client_code == ALICE.client_code), values
        )


def refused(store: SqlStore, words: str) -> None:
    """What reads or replaces Alice's record says what is wrong, and no row changes."""
    before = rows(store)
    for call in (lambda: store.load(ALICE), lambda: set_password(store, ALICE, Secret("another"))):
        with pytest.raises(StoreError, match=words) as caught:
            call()
        assert caught.value.next_step
    assert rows(store) == before


class TestRows:
    def test_cannot_be_swapped(self, store: SqlStore) -> None:
        change(store, sealed=rows(store)[1].sealed)
        refused(store, "of MA••••01, API type B is damaged")
        assert store.load(BOB).password == Secret("Bob's")

    @pytest.mark.parametrize("column", ["rest_url", "api_type", "client_code"])
    def test_cannot_be_passed_off_as_anothers(self, store: SqlStore, column: str) -> None:
        change(store, **{column: "other"})
        with pytest.raises(StoreError, match="damaged"):
            store.load(ALICE._replace(**{column: "other"}))

    @pytest.mark.parametrize("spoil", [lambda b: b[:-1], lambda b: b"", lambda b: b[:20] + b"x"])
    def test_a_torn_row_is_said_and_left_alone(
        self, store: SqlStore, spoil: Callable[[bytes], bytes]
    ) -> None:
        change(store, sealed=spoil(rows(store)[0].sealed))
        refused(store, "damaged.*delete it")
        assert store.erase()[:2] == [
            "what could not be read of MA••••01, API type B",
            "password of MA••••02, API type B",
        ]
        set_password(store, ALICE)
        assert store.load(ALICE).password == PASSWORD

    def test_what_makes_no_sense_is_as_good_as_torn(self, store: SqlStore, home: Path) -> None:
        seal = Seal(key_for(str(home), False).load() or b"")
        about = str(["broker-record 1", *ALICE]).replace("'", '"').encode()
        change(store, sealed=seal.close(b'{"auto_login": {"enabled": "yes"}}', about))
        refused(store, "damaged")

    def test_hold_no_secret(self, store: SqlStore) -> None:
        leaks = Leaks()
        leaks.hide("password", PASSWORD.reveal())
        leaks.show("rows", rows(store))
        leaks.show("store's parts", vars(store))
        assert leaks.found() == []


class TestKeys:
    def test_another_computer_needs_the_same_key(
        self, open_sql: Opener, sql_url: str, tmp_path: Path, home: Path
    ) -> None:
        if not sql_url:  # an SQLite file on a disk that two computers share
            sql_url = f"sqlite:///{home / 'sessions.db'}"
        store = open_sql()
        set_password(store, ALICE)
        elsewhere = tmp_path / "elsewhere"
        key_for(str(elsewhere), False).make()
        other = sql_store(elsewhere, sql_url)
        refused(other, "another key than the key file")
        (elsewhere / "sessions.key").write_bytes((home / "sessions.key").read_bytes())
        assert other.load(ALICE).password == PASSWORD
        other.close()

    def test_a_lost_key_is_not_made_again(self, store: SqlStore, home: Path) -> None:
        (home / "sessions.key").unlink()
        refused(store, r"not the key file .*sessions\.key.*Put the key back.*no computer.*erase")
        assert not (home / "sessions.key").exists()
        assert store.erase() == [
            "what could not be read of MA••••01, API type B",
            "what could not be read of MA••••02, API type B",
        ]
        set_password(store, ALICE)
        assert store.load(ALICE).password == PASSWORD

    @pytest.mark.parametrize("text", ["", "broker-sessions-key 1 AA\n", "Ünsinn", "\x00" * 64])
    def test_a_damaged_key(self, store: SqlStore, home: Path, text: str) -> None:
        (home / "sessions.key").write_text(text, encoding="utf-8")
        refused(store, "is not a key of this program")

    @posix_only
    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
    def test_a_key_that_others_may_read_is_refused(
        self, store: SqlStore, home: Path, mode: int
    ) -> None:
        path = home / "sessions.key"
        path.chmod(mode)
        refused(store, rf"Other users .* may read the file {path}\. Run chmod 600 {path}")
        path.chmod(0o600)
        assert store.load(ALICE).password == PASSWORD

    def test_erase_takes_the_key_with_it(
        self, store: SqlStore, open_sql: Opener, home: Path
    ) -> None:
        assert store.acquire_lease(ALICE, "me", NOW, 60)
        assert store.erase()[-1] == f"the key file {home / 'sessions.key'}"
        assert not (home / "sessions.key").exists()
        assert rows(store) == []
        assert open_sql().acquire_lease(ALICE, "you", NOW, 60)

    def test_of_two_computers_that_begin_at_once_one_seals(
        self, postgres_url: str, tmp_path: Path
    ) -> None:
        for turn in range(4):
            stores = {
                account: sql_store(tmp_path / f"{account.client_code} {turn}", postgres_url)
                for account in (ALICE, BOB)
            }
            at_once = threading.Barrier(2)

            def begin(account: Account) -> str:
                at_once.wait(10)  # noqa: B023
                try:
                    set_password(stores[account], account)  # noqa: B023
                except StoreError as error:
                    return error.message
                return ""

            with ThreadPoolExecutor(2) as pool:
                words = dict(zip(stores, pool.map(begin, stores), strict=True))
            [first] = [account for account in stores if not words[account]]
            assert re.search(r"another key|but not", "".join(words.values()))
            assert stores[first].accounts() == [first]
            assert stores[first].load(first).password == PASSWORD
            stores[first].erase()
            for store in stores.values():
                store.close()


class TestTheFile:
    @posix_only
    def test_only_the_owner_may_read(self, file_store: SqlStore, home: Path) -> None:
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        assert {path.name for path in home.iterdir()} == {"sessions.db", "sessions.key"}
        for path in home.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name

    @posix_only
    def test_nothing_is_put_into_a_folder_in_which_others_may_write(self, home: Path) -> None:
        home.mkdir()
        home.chmod(0o777)
        with pytest.raises(StoreError, match=f"chmod 700 {home}"):
            set_password(sql_store(home), ALICE)
        assert list(home.iterdir()) == []

    def test_looking_makes_nothing(self, home: Path) -> None:
        store = sql_store(home)
        assert store.load(ALICE).is_empty
        assert store.accounts() == store.erase() == []
        assert not home.exists()

    @posix_only
    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
    def test_the_administrator_does_not_lock_the_folders_owner_out(self, home: Path) -> None:
        home.mkdir(0o700)
        os.chown(home, 65534, 65534)
        set_password(sql_store(home), ALICE)
        assert {path.stat().st_uid for path in home.iterdir()} == {65534}

    def test_what_the_disk_refuses_is_said(self, home: Path) -> None:
        home.write_text("a file, where the folder should be")
        with pytest.raises(StoreError, match="cannot be written: Not a directory"):
            set_password(sql_store(home / "in"), ALICE)

    @pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" * 50])
    def test_that_is_torn_is_said_and_left_alone_until_it_is_erased(
        self, file_store: SqlStore, home: Path, content: bytes
    ) -> None:
        path = home / "sessions.db"
        path.write_bytes(content)
        for store in (file_store, sql_store(home)):
            for call in (
                lambda: store.load(ALICE),  # noqa: B023
                lambda: set_password(store, ALICE),  # noqa: B023
                store.accounts,
                lambda: store.acquire_lease(ALICE, "me", NOW, 60),  # noqa: B023
            ):
                with pytest.raises(StoreError, match=r"is damaged.*erase"):
                    call()
        assert path.read_bytes() == content
        assert file_store.erase() == [
            f"the damaged file {path}",
            f"the key file {home / 'sessions.key'}",
        ]
        assert list(home.iterdir()) == []
        set_password(file_store, BOB)
        assert file_store.accounts() == [BOB]

    def test_torn_anywhere_it_is_never_overwritten(self, file_store: SqlStore, home: Path) -> None:
        path = home / "sessions.db"
        whole = path.read_bytes()
        # Of its last page SQLite does not miss a part.
        for length in range(512, len(whole) - 4096, 512):
            path.write_bytes(whole[:length])
            with pytest.raises(StoreError, match="damaged"):
                set_password(file_store, ALICE, Secret("another"))
            assert path.read_bytes() == whole[:length]
        path.write_bytes(whole)
        assert file_store.load(ALICE).password == PASSWORD

    def test_that_was_removed_is_made_again(self, file_store: SqlStore, home: Path) -> None:
        (home / "sessions.db").unlink()
        assert file_store.load(ALICE).is_empty
        set_password(file_store, BOB)
        assert file_store.accounts() == [BOB]


class TestSecrets:
    def test_are_in_no_file_and_no_error(self, home: Path) -> None:
        leaks = Leaks()
        store = sql_store(home)
        put(store, ALICE, full("-s3cr3t"))
        leaks.hide("secrets", "-s3cr3t")
        key_text = (home / "sessions.key").read_text().split()[2]
        leaks.hide("key", key_text)
        leaks.hide("key", base64.b64decode(key_text).hex())
        leaks.show("store", store)
        leaks.show("store's parts", vars(store))
        leaks.show("database", (home / "sessions.db").read_bytes())
        change(store, sealed=b"?")
        with pytest.raises(StoreError) as caught:
            store.load(ALICE)
        leaks.show_error("error", caught.value)
        spoiled = to_json(full("-s3cr3t")).replace("true", "5")
        with pytest.raises(ValueError, match="record") as unreadable:
            from_json(spoiled)
        leaks.show_error("error", unreadable.value)
        assert leaks.found() == []

    def test_a_sealed_text_is_bound_to_what_it_is_about(self) -> None:
        seal = Seal(bytes(32))
        sealed = seal.close(b"text", b"this")
        assert seal.open(sealed, b"this") == b"text"
        assert seal.open(sealed, b"that") is None
        assert seal.close(b"text", b"this") != sealed


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
            open_store(MSTOCK, ServiceSettings(str(home), store_url=Secret(url)))
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
        store = sql_store(home, url)
        with pytest.raises(StoreError, match=r"does not answer|cannot be written") as caught:
            set_password(store, ALICE)
        leaks = Leaks()
        leaks.hide("word", "s3cr3t-word")
        leaks.hide("password", PASSWORD.reveal())
        leaks.show_error("error", caught.value)
        leaks.show("store", vars(store))
        assert leaks.found() == []

    def test_the_store_is_opened_once(self, home: Path, tmp_path: Path) -> None:
        url = Secret(f"sqlite:///{tmp_path / 'mstock.db'}")
        store = open_store(MSTOCK, ServiceSettings(str(home), store_url=url))
        assert store is open_store(
            MSTOCK, ServiceSettings(str(home), store_url=Secret(url.reveal()))
        )
        assert isinstance(store, SqlStore)
        assert not home.exists()

    @posix_only
    def test_sqlites_file_is_its_owners(self, home: Path, tmp_path: Path) -> None:
        path = tmp_path / "mstock.db"
        store = sql_store(home, f"sqlite:///{path}")
        set_password(store, ALICE)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.unlink()
        assert store.load(ALICE).is_empty
