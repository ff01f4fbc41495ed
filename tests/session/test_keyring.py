"""The key in the operating system's keyring, by a stand-in; no test touches the real one."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from broker._kit.errors import StoreError
from broker._kit.secret import Secret
from broker._kit.sessions.store import Store, open_store
from broker._kit.settings import ServiceSettings
from broker.mstock.broker import MSTOCK
from tests.session.conftest import ALICE
from tests.support.leaks import Leaks

PASSWORD = Secret("Simulated-1")


class Keyring:
    """Keeps keys, as the module `keyring` does on a desktop."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, name: str) -> str | None:
        return self.kept.get((service, name))

    def set_password(self, service: str, name: str, text: str) -> None:
        self.kept[service, name] = text

    def delete_password(self, service: str, name: str) -> None:
        del self.kept[service, name]


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> Keyring:
    keyring = Keyring()
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    return keyring


@pytest.fixture
def store(home: Path) -> Store:
    open_store.cache_clear()
    return open_store(MSTOCK, ServiceSettings(str(home), uses_keyring=True))


def set_password(store: Store) -> None:
    with store.update(ALICE) as record:
        record.password = PASSWORD


def test_the_key_is_in_the_keyring_and_in_no_file(
    keyring: Keyring, store: Store, home: Path
) -> None:
    set_password(store)
    assert store.load(ALICE).password == PASSWORD
    [((service, name), key)] = keyring.kept.items()
    assert service == "openalgo-brokers"
    assert name.endswith(str(home))
    assert not list(home.glob("*.key"))
    removed = store.erase()
    assert f"keyring (openalgo-brokers, {name})" in removed[-1]
    assert not keyring.kept
    leaks = Leaks()
    leaks.hide("key", key.split()[-1])
    leaks.show("erase", removed)
    assert leaks.found() == []


def test_a_key_that_left_the_keyring_is_not_made_anew(keyring: Keyring, store: Store) -> None:
    set_password(store)
    keyring.kept.clear()
    with pytest.raises(StoreError, match=r"but not.*BROKER_KEYRING"):
        set_password(store)
    assert not keyring.kept


def test_a_keyring_that_keeps_nothing_is_noticed(
    keyring: Keyring, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "set_password", lambda *_given: None)
    with pytest.raises(StoreError, match="did not keep the key"):
        set_password(store)


def test_not_installed(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(StoreError, match="pip install keyring"):
        set_password(store)


def test_without_a_desktop(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    asked: list[object] = []

    class NoKeyringError(RuntimeError):
        """As the library raises where it finds no keyring."""

    def fail(*given: object) -> None:
        asked.append(given)
        raise NoKeyringError(f"No recommended backend was available for {given}.")

    broken = SimpleNamespace(get_password=fail, set_password=fail, delete_password=fail)
    monkeypatch.setitem(sys.modules, "keyring", broken)
    with pytest.raises(StoreError, match=r"NoKeyringError.*BROKER_KEYRING=0"):
        set_password(store)
    assert asked


def test_a_folders_keys_do_not_meet(keyring: Keyring, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        store = open_store(MSTOCK, ServiceSettings(str(tmp_path / folder), uses_keyring=True))
        set_password(store)
    assert len(set(keyring.kept.values())) == 2
