"""One of several programs that use a store at once: `python -m tests.session.racer HOME URL NAME`.

Says "ready", begins when a line comes in, writes its own records and tries for every lease; then
prints the numbers of the accounts whose lease it got.
"""

from __future__ import annotations

import sys

from broker._kit.secret import Secret
from broker._kit.sessions.store import open_store
from broker._kit.settings import Account, ServiceSettings
from broker.mstock.broker import MSTOCK
from tests.support.clock import FakeClock

RECORDS = 12
LEASES = 25


def account(name: object) -> Account:
    return Account("http://127.0.0.1:9", "B", f"MA-{name}")


def main(home: str, url: str, name: str) -> None:
    store = open_store(MSTOCK, ServiceSettings(home, store_url=Secret(url) if url else None))
    now = FakeClock().now()
    print("ready", flush=True)
    sys.stdin.readline()
    won = []
    for n in range(LEASES):
        if store.acquire_lease(account(n), name, now, 60):
            won.append(n)
        if n % 2:
            with store.update(account(f"{name}-{n // 2}")) as record:
                record.password = Secret(f"{name} {n // 2}")
    print(*won, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
