"""Several programs at once on one store, from its very first use on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from broker._kit.secret import Secret
from broker._kit.sessions.sql_store import SqlStore
from broker._kit.sessions.store import open_store
from broker._kit.settings import ServiceSettings
from broker.mstock.broker import MSTOCK
from tests.session.racer import LEASES, RECORDS, account


@pytest.mark.parametrize("strategy", ["sqlite", "postgresql"])
def test_three_programs_lose_nothing_and_share_no_lease(
    strategy: str, home: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres_url") if strategy == "postgresql" else ""
    names = ["one", "two", "three"]
    racers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.session.racer", str(home), url, name],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    try:
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        won = [racer.communicate(timeout=60)[0].split() for racer in racers]
    finally:
        for racer in racers:
            racer.kill()
            racer.communicate()
    assert [racer.returncode for racer in racers] == [0, 0, 0]
    assert sorted(int(n) for each in won for n in each) == list(range(LEASES))
    store = open_store(MSTOCK, ServiceSettings(str(home), store_url=Secret(url) if url else None))
    for name in names:
        for n in range(RECORDS):
            assert store.load(account(f"{name}-{n}")).password == Secret(f"{name} {n}")
    assert len(store.accounts()) == len(names) * RECORDS
    if isinstance(store, SqlStore):
        store.close()
