"""The file vault: who may read it, and that what cannot be read is said and left alone."""

from __future__ import annotations

import base64
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from broker._kit import files
from broker._kit.errors import StoreError
from broker._kit.secret import Secret
from broker._kit.sessions.encryption import KeyFile, Seal, key_for
from broker._kit.sessions.file_store import FileStore
from broker._kit.sessions.store import Item
from tests.session.conftest import ALICE, BOB
from tests.support.clock import FakeClock
from tests.support.leaks import Leaks

NOW = FakeClock().now()
PASSWORD = "Simulated-1"
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps rights its own way")

CALLS: dict[str, Callable[[FileStore], object]] = {
    "get": lambda store: store.get(ALICE, Item.PASSWORD),
    "set": lambda store: store.set(ALICE, Item.PASSWORD, Secret("another")),
    "delete": lambda store: store.delete(ALICE, Item.PASSWORD),
    "accounts": lambda store: store.accounts(),
    "lease": lambda store: store.lease(ALICE, "me", NOW, 60),
    "release": lambda store: store.release(ALICE, "me"),
}


@pytest.fixture
def vault(file_store: FileStore, home: Path) -> Path:
    file_store.set(ALICE, Item.PASSWORD, Secret(PASSWORD))
    return home / "vault"


def refused(store: FileStore, words: str = "") -> None:
    """Every call says what is wrong and what to do, and no file in the folder changes."""
    home = Path(store._home)
    before = {path.name: path.read_bytes() for path in home.iterdir()}
    for name, call in CALLS.items():
        with pytest.raises(StoreError, match=words) as caught:
            call(store)
        assert caught.value.next_step, name
        after = {path.name: path.read_bytes() for path in home.iterdir()}
        after.pop("vault.lock", None)
        before.pop("vault.lock", None)
        assert after == before, name


class TestRights:
    @posix_only
    def test_only_the_owner_may_read(self, vault: Path, home: Path) -> None:
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        assert {path.name for path in home.iterdir()} == {"vault", "vault.key", "vault.lock"}
        for path in home.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name

    @posix_only
    @pytest.mark.parametrize("name", ["vault", "vault.key"])
    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
    def test_a_file_that_others_may_read_is_refused_until_it_is_mended(
        self, file_store: FileStore, vault: Path, name: str, mode: int
    ) -> None:
        path = vault.with_name(name)
        path.chmod(mode)
        refused(file_store, rf"Other users .* may read the file {path}\. Run chmod 600 {path}")
        path.chmod(0o600)
        assert file_store.get(ALICE, Item.PASSWORD) == Secret(PASSWORD)

    @posix_only
    def test_nothing_is_put_into_a_folder_in_which_others_may_write(
        self, file_store: FileStore, home: Path
    ) -> None:
        home.mkdir()
        home.chmod(0o777)
        with pytest.raises(StoreError, match=f"chmod 700 {home}"):
            file_store.set(ALICE, Item.PASSWORD, Secret(PASSWORD))
        assert list(home.iterdir()) == []

    def test_looking_makes_nothing(self, file_store: FileStore, home: Path) -> None:
        assert file_store.get(ALICE, Item.PASSWORD) is None
        assert not file_store.delete(ALICE, Item.PASSWORD)
        file_store.release(ALICE, "me")
        assert file_store.accounts() == file_store.erase() == []
        assert not home.exists()

    @posix_only
    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
    def test_the_administrator_does_not_lock_the_folders_owner_out(
        self, file_store: FileStore, home: Path
    ) -> None:
        home.mkdir(0o700)
        os.chown(home, 65534, 65534)
        file_store.set(ALICE, Item.PASSWORD, Secret(PASSWORD))
        assert {path.stat().st_uid for path in home.iterdir()} == {65534}

    def test_what_the_disk_refuses_is_said(self, home: Path) -> None:
        home.write_text("a file, where the folder should be")
        store = FileStore(str(home / "in"), key_for(str(home / "in"), "vault", False))
        with pytest.raises(StoreError, match="cannot be written: Not a directory"):
            store.set(ALICE, Item.PASSWORD, Secret(PASSWORD))

    def test_a_full_disk_leaves_the_last_file(
        self, file_store: FileStore, vault: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(_descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        before = vault.read_bytes()
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            with pytest.raises(StoreError, match="No space left on device"):
                file_store.set(ALICE, Item.PASSWORD, Secret("another"))
        assert vault.read_bytes() == before
        assert not (vault.parent / "vault.new").exists()
        assert file_store.get(ALICE, Item.PASSWORD) == Secret(PASSWORD)


class TestWhatCannotBeRead:
    def test_torn_anywhere(self, file_store: FileStore, vault: Path) -> None:
        whole = vault.read_bytes()
        for length in range(len(whole)):
            vault.write_bytes(whole[:length])
            with pytest.raises(StoreError, match="damaged"):
                file_store.get(ALICE, Item.PASSWORD)
            assert vault.read_bytes() == whole[:length]

    def test_any_byte_changed(self, file_store: FileStore, vault: Path) -> None:
        whole = vault.read_bytes()
        for at in range(len(whole)):
            vault.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            with pytest.raises(StoreError, match=r"damaged|another (key|version)"):
                file_store.get(ALICE, Item.PASSWORD)

    @pytest.mark.parametrize("length", [0, 5, 31, 40, 60, -1])
    def test_a_torn_file_is_never_overwritten(
        self, file_store: FileStore, vault: Path, length: int
    ) -> None:
        vault.write_bytes(vault.read_bytes()[:length])
        refused(file_store, "damaged.*erase")

    def test_bytes_behind_the_end(self, file_store: FileStore, vault: Path) -> None:
        vault.write_bytes(vault.read_bytes() + b"\0")
        refused(file_store, "damaged")

    def test_a_file_of_another_program(self, file_store: FileStore, vault: Path) -> None:
        vault.write_bytes(b"SQLite format 3\0")
        refused(file_store, "no vault of this plugin")

    def test_a_later_versions_file(self, file_store: FileStore, vault: Path) -> None:
        vault.write_bytes(vault.read_bytes().replace(b"mstock-vault 1", b"mstock-vault 2", 1))
        refused(file_store, "another version of this plugin.*newest version")

    def test_another_key(self, file_store: FileStore, vault: Path, tmp_path: Path) -> None:
        KeyFile(str(tmp_path / "other.key")).make()
        os.replace(tmp_path / "other.key", vault.with_name("vault.key"))
        refused(file_store, "sealed with another key")

    def test_a_head_that_was_made_to_fit_the_wrong_key(
        self, file_store: FileStore, vault: Path, tmp_path: Path
    ) -> None:
        key = KeyFile(str(tmp_path / "other.key")).make()
        os.replace(tmp_path / "other.key", vault.with_name("vault.key"))
        fitting = re.sub(rb"[0-9a-f]{16}", Seal(key).id.encode(), vault.read_bytes(), count=1)
        vault.write_bytes(fitting)
        refused(file_store, "damaged")

    def test_a_lost_key_is_not_made_anew(self, file_store: FileStore, vault: Path) -> None:
        key = vault.with_name("vault.key")
        key.rename(vault.with_name("kept-elsewhere"))
        refused(file_store, f"key file {key} is missing.*Put the key back.*erase")
        vault.with_name("kept-elsewhere").rename(key)
        assert file_store.get(ALICE, Item.PASSWORD) == Secret(PASSWORD)

    @pytest.mark.parametrize("text", ["", "mstock-vault-key 1 AAAA\n", "Ünsinn", "\x00" * 64])
    def test_a_damaged_key(self, file_store: FileStore, vault: Path, text: str) -> None:
        vault.with_name("vault.key").write_text(text, encoding="utf-8")
        refused(file_store, "is not a key of this plugin")

    @pytest.mark.parametrize("lost", ["vault", "vault.key"])
    def test_erase_is_the_way_out(self, file_store: FileStore, vault: Path, lost: str) -> None:
        if lost == "vault":
            vault.write_bytes(vault.read_bytes()[:50])
        else:
            vault.with_name("vault.key").unlink()
        removed = file_store.erase()
        assert "could not be read" in removed[0]
        assert f"the file {vault}" in removed
        assert list(vault.parent.iterdir()) == []
        file_store.set(BOB, Item.PASSWORD, Secret("new"))
        assert file_store.accounts() == [BOB]

    def test_erase_takes_everything(self, file_store: FileStore, vault: Path) -> None:
        vault.with_name("vault.new").write_bytes(b"of a killed program")
        vault.with_name("vault.key.new").write_bytes(b"of a killed program")
        assert file_store.erase() == [
            "password of MA••••01, API type B",
            f"the file {vault}",
            f"the key file {vault}.key",
        ]
        assert list(vault.parent.iterdir()) == []

    def test_what_a_later_version_keeps_is_not_lost(
        self, file_store: FileStore, vault: Path
    ) -> None:
        with file_store._change() as contents:
            contents.kept[ALICE, "something_new"] = "x"
        file_store.set(ALICE, Item.TOKEN, Secret("y"))
        assert file_store._look().kept[ALICE, "something_new"] == "x"
        assert "something_new of MA••••01, API type B" in file_store.erase()


class TestTheLock:
    def test_a_program_that_does_not_let_go_is_waited_for_ten_seconds(
        self, vault: Path, file_store: FileStore
    ) -> None:
        clock = FakeClock()
        home = str(vault.parent)
        other = FileStore(home, key_for(home, "vault", False), clock)
        with file_store._lock.held():
            with pytest.raises(StoreError, match=r"holding .* for 10 seconds"):
                other.get(ALICE, Item.PASSWORD)
        assert 10 <= sum(clock.slept) < 11
        assert other.get(ALICE, Item.PASSWORD) == Secret(PASSWORD)

    @posix_only
    def test_who_waited_for_a_lock_that_was_erased_takes_the_new_one(
        self, vault: Path, file_store: FileStore
    ) -> None:
        class Erasing(FakeClock):
            """While one waits, the holder erases, and a third begins anew."""

            def sleep(self, seconds: float) -> None:
                if not self.slept:
                    held_now.remove()
                    holding.__exit__(None, None, None)
                    third.__enter__()
                elif len(self.slept) == 3:
                    third.__exit__(None, None, None)
                super().sleep(seconds)

        path = str(vault.with_name("vault.lock"))
        held_now = files.FolderLock(path)
        holding = held_now.held()
        third = files.FolderLock(path).held()
        clock = Erasing()
        holding.__enter__()
        with files.FolderLock(path, clock).held():
            assert len(clock.slept) == 4

    def test_windows_own_lock_is_used_there(self, tmp_path: Path) -> None:
        code = """
import errno, os, sys, types
import cryptography.hazmat.primitives.ciphers.aead
from broker.mstock.config import Account
from broker.mstock.secret import Secret
from broker.mstock.session import disk
from broker.mstock.session.file_store import FileStore
from broker.mstock.session.store import Item
from broker.mstock.session.vault import key_for
import importlib
asked = []
sys.modules["fcntl"] = None
sys.modules["msvcrt"] = types.SimpleNamespace(
    LK_NBLCK=2, locking=lambda *given: asked.append(given)
)
sys.platform = "win32"
importlib.reload(disk)
real, tries = os.replace, []
def busy(*names):  # as a virus scanner keeps a file
    tries.append(names)
    if len(tries) == 1:
        raise PermissionError(errno.EACCES, "in use")
    real(*names)
os.replace = busy
home = sys.argv[1]
store = FileStore(home, key_for(home, "vault", False))
store.set(Account("u", "B", "c"), Item.TOKEN, Secret("kept"))
os.chmod(os.path.join(home, "vault.key"), 0o644)  # rights mean nothing there
print(store.get(Account("u", "B", "c"), Item.TOKEN).reveal(), len(asked), asked[0][1:], len(tries))
print(len(store.erase()), os.listdir(home))
"""
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "home")],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=False,
        )
        # Three files were written: the key in two tries, the vault in one. The open lock stays.
        assert done.stdout == "kept 2 (2, 1) 3\n3 ['vault.lock']\n", done.stderr


class TestSecrets:
    def test_are_in_no_file_and_no_error(self, file_store: FileStore, home: Path) -> None:
        leaks = Leaks()
        leaks.hide("client code", ALICE.client_code)
        for n, item in enumerate(Item):
            text = leaks.hide(item, f"s3cr3t-{n}-value")
            file_store.set(ALICE, item, Secret(text))
        key_text = (home / "vault.key").read_text().split()[2]
        leaks.hide("key", key_text)
        leaks.hide("key", base64.b64decode(key_text).hex())
        leaks.show("store", file_store)
        leaks.show("store's parts", vars(file_store))
        vault = home / "vault"
        leaks.show("vault", vault.read_bytes())
        whole = vault.read_bytes()
        for spoiled in (whole[:-1], b"", whole.replace(b"1", b"2", 1)):
            vault.write_bytes(spoiled)
            with pytest.raises(StoreError) as caught:
                file_store.get(ALICE, Item.PASSWORD)
            leaks.show_error("error", caught.value)
        leaks.show("erase", file_store.erase())
        assert leaks.found() == []

    def test_a_sealed_text_is_bound_to_what_it_is_about(self) -> None:
        seal = Seal(bytes(32))
        sealed = seal.close(b"text", b"this")
        assert seal.open(sealed, b"this") == b"text"
        assert seal.open(sealed, b"that") is None
        assert seal.close(b"text", b"this") != sealed
