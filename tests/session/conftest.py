"""The places in which a store may keep things, each empty at the beginning of a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from broker._kit.secret import Secret
from broker._kit.sessions.encryption import key_for
from broker._kit.sessions.sql_store import SqlStore
from broker._kit.sessions.store import MemoryStore, Store
from broker._kit.settings import Account
from broker.mstock.broker import MSTOCK
from broker.mstock.settings import REST_URL
from tests.support.auto import Stage, staged

_TABLES = "broker_key, broker_records, broker_leases"

ALICE = Account(REST_URL, "B", "MA0000001")
BOB = Account(REST_URL, "B", "MA0000002")
# One client, but another type or a simulator: another account.
ALICE_A = Account(REST_URL, "A", "MA0000001")
ALICE_HERE = Account("http://127.0.0.1:9", "B", "MA0000001")

Opener = Callable[[], Store]


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    with psycopg.connect(postgres_server.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"DROP TABLE IF EXISTS {_TABLES}")
    return postgres_server


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def sql_store(home: Path, url: str = "") -> SqlStore:
    """A store as another program would open it; without `url` the default one."""
    return SqlStore(MSTOCK, str(home), key_for(str(home), False), Secret(url) if url else None)


@pytest.fixture(params=["sqlite", "postgresql"])
def sql_url(request: pytest.FixtureRequest) -> str:
    if request.param == "sqlite":
        return ""
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def open_sql(sql_url: str, home: Path) -> Iterator[Callable[[Path], SqlStore]]:
    """Opens the database with the key of a folder; as often as wanted."""
    opened: list[SqlStore] = []

    def open_it(folder: Path = home) -> SqlStore:
        opened.append(sql_store(folder, sql_url))
        return opened[-1]

    yield open_it
    for store in opened:
        store.close()


def store_opener(strategy: str, request: pytest.FixtureRequest) -> Opener:
    """What opens a strategy's place: as another program would, except for the memory."""
    if strategy == "memory":
        only = MemoryStore(MSTOCK)
        return lambda: only
    home = request.getfixturevalue("home")
    url = str(request.getfixturevalue("postgres_url")) if strategy == "postgresql" else ""
    return lambda: sql_store(home, url)


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def open_again(request: pytest.FixtureRequest) -> Iterator[Opener]:
    opened: list[Store] = []
    open_it = store_opener(request.param, request)

    def noting() -> Store:
        opened.append(open_it())
        return opened[-1]

    yield noting
    for store in opened:
        if isinstance(store, SqlStore):
            store.close()


@pytest.fixture
def store(open_again: Opener) -> Store:
    return open_again()


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as stage:
        yield stage
