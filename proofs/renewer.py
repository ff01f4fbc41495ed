"""One of the programs that log many accounts in: `python -m proofs.renewer HOME STORE`.

A line with a number comes in: how many seconds its clock is ahead of the computer's. It then looks
after all accounts of the store once, and prints how many logins it made.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime, timedelta

from broker._kit.clock import SYSTEM_CLOCK
from broker._kit.secret import Secret
from broker._kit.sessions.auto_login import AutoLogin
from broker._kit.sessions.store import Store, open_store
from broker._kit.settings import Account, ServiceSettings
from broker.mstock.broker import MSTOCK
from broker.mstock.settings import Config


class ShiftedClock:
    """The computer's clock, so far ahead."""

    def __init__(self, ahead: timedelta = timedelta()) -> None:
        self.ahead = ahead

    def now(self) -> datetime:
        return SYSTEM_CLOCK.now() + self.ahead

    def advance(self, by: timedelta) -> None:
        """Move it on."""
        self.ahead += by

    def monotonic(self) -> float:
        return SYSTEM_CLOCK.monotonic()

    def sleep(self, seconds: float) -> None:
        SYSTEM_CLOCK.sleep(seconds)


def configs(store: Store) -> Callable[[Account], Config | None]:
    """An account's settings, with the API key that the store keeps for it."""

    def config_of(account: Account) -> Config | None:
        key = store.load(account).api_key
        if key is None:
            return None
        return Config(account.client_code, key, account.api_type, rest_url=account.rest_url)

    return config_of


def main(home: str, url: str) -> None:
    """Work until standard input ends."""
    store = open_store(MSTOCK, ServiceSettings(home, store_url=Secret(url)))
    clock = ShiftedClock()
    auto = AutoLogin(MSTOCK, store, configs(store), clock)
    print("ready", flush=True)
    for line in sys.stdin:
        clock.ahead = timedelta(seconds=float(line))
        print(len(auto.tick()), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
