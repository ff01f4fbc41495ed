"""Logs 1,000 accounts in by two programs on one database, and kills one of them in the middle.

The simulator says how often each account was logged in; what it says is compared with what the
database keeps.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple

from rich.console import Console

from broker._kit.clock import IST, SYSTEM_CLOCK
from broker._kit.secret import Secret, masked
from broker._kit.sessions.auto_login import AutoLogin
from broker._kit.sessions.encryption import key_for
from broker._kit.sessions.record import AutoLoginState, Result
from broker._kit.sessions.sql_store import SqlStore
from broker._kit.sessions.stored_session import load_session
from broker._kit.sessions.totp_login import longest_login
from broker._kit.settings import Account, Timeouts
from broker.mstock.broker import MSTOCK
from broker.mstock.settings import Config
from broker_simulator.mstock import Simulator, many_accounts
from proofs import Rows, figures, require
from proofs.postgres import NoPostgreSQL, postgresql
from proofs.renewer import ShiftedClock, configs

ACCOUNTS, SHORT = 1000, 16
# A trading day, a minute after auto-login's time, when a TOTP code has just begun.
_MORNING = datetime(2026, 11, 23, 8, 36, 1, tzinfo=IST)
_LEASE = timedelta(seconds=longest_login(Timeouts()) + 1)
_PASSWORD_STEP = "b/connect/login"
_PATIENCE = 1200  # seconds for one program to look after all accounts


class _Stage(NamedTuple):
    """The simulated broker, its customers, and the database that keeps what their logins need."""

    box: Simulator
    store: SqlStore
    accounts: list[Account]
    clock: ShiftedClock
    home: str
    url: str


def run(console: Console, short: bool, seed: int | None = None) -> Rows:
    """The table's rows; raises `Broken` when an account was logged in twice, or not at all."""
    seed = random.SystemRandom().randrange(10**6) if seed is None else seed
    count = SHORT if short else ACCOUNTS
    console.print(f"{count} accounts, seed {seed}")
    columns: dict[str, Rows] = {}
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{os.path.join(folder, 'sessions.db')}"
        columns["SQLite"] = _proof(console, url, os.path.join(folder, "a"), count, seed)
        try:
            with postgresql() as url:
                home = os.path.join(folder, "b")
                columns["PostgreSQL"] = _proof(console, url, home, count, seed)
        except NoPostgreSQL as reason:
            console.print(f"Not tried on PostgreSQL: {reason}")
    return [
        {"What": row[0]["What"]}
        | {name: one["Figure"] for name, one in zip(columns, row, strict=True)}
        for row in zip(*columns.values(), strict=True)
    ]


def _proof(console: Console, url: str, home: str, count: int, seed: int) -> Rows:
    """The rows for one database: what, and the figure."""
    with _stage(url, home, count) as stage, _renewer(stage) as doomed, _renewer(stage) as other:
        killed_after = random.Random(seed).randrange(count // 4, count * 3 // 4)
        started = time.monotonic()
        for renewer in (doomed, other):
            _ask(renewer, stage)
        while sum(_logins(stage).values()) < killed_after:
            require(doomed.poll() is None and other.poll() is None, "a program ended by itself")
            require(time.monotonic() < started + _PATIENCE, "the logins take too long")
            time.sleep(0.002)
        doomed.kill()
        _answer(other)
        # What the killed one had begun is still under its lease, and nobody touches it.
        _ask(other, stage)
        require(_answer(other) == 0, "a lease that was not over was not heeded")
        took = time.monotonic() - started
        begun = _begun(stage)
        stage.clock.advance(_LEASE)
        stage.box.clock.advance(_LEASE)
        # One account may have been leased, and its login not yet begun.
        _ask(other, stage)
        require(_answer(other) <= 1 - len(begun), "a login that had begun was made again")
        _ask(other, stage)
        require(_answer(other) == 0, "somebody who was logged in was logged in again")
        return _judged(console, stage, killed_after, begun, took)


def _judged(
    console: Console, stage: _Stage, killed_after: int, begun: list[Account], took: float
) -> Rows:
    logins = _logins(stage)
    twice = [code for code, times in logins.items() if times > 1]
    require(not twice, f"logged in twice: {twice}")
    unknown = [account for account in stage.accounts if _is_unknown(stage, account)]
    for account in unknown:
        state = "logged in" if logins[account.client_code] else "not logged in"
        console.print(f"  unknown: {masked(account.client_code)}; at mStock: {state}")
    require(set(unknown) <= set(begun), "an account is unknown that the killed one had not begun")
    others = [account for account in stage.accounts if account not in unknown]
    out = [account.client_code for account in others if not _is_in(stage, account)]
    require(not out, f"not logged in: {out}")
    passwords = sum(entry.route == _PASSWORD_STEP for entry in stage.box.journal)
    # One that was killed between its note and its first byte has sent none.
    fewest = len(stage.accounts) - len(unknown)
    require(fewest <= passwords <= len(stage.accounts), f"{passwords} passwords were sent")
    return figures(
        [
            ("accounts", len(stage.accounts)),
            ("logins at mStock when one of the two programs was killed", killed_after),
            ("passwords that mStock was sent", passwords),
            ("accounts logged in twice", len(twice)),
            ("accounts whose login the killed program had begun and not ended", len(begun)),
            ("of them unknown, and listed as such", len(unknown)),
            ("accounts logged in, with a token that mStock takes", len(others)),
            ("seconds from the first login to the last", f"{took:.0f}"),
        ]
    )


@contextmanager
def _stage(url: str, home: str, count: int) -> Iterator[_Stage]:
    """Everybody has switched auto-login on, and it is the next morning."""
    customers = many_accounts(count)
    opened = SqlStore(MSTOCK, home, key_for(home, False), Secret(url))
    with Simulator(accounts=customers) as box, closing(opened) as store:
        box.clock.set(_MORNING)
        clock = ShiftedClock(_MORNING - SYSTEM_CLOCK.now())
        auto = AutoLogin(MSTOCK, store, configs(store), clock)
        accounts = []
        for customer in customers:
            key = Secret(customer.api_key_b)
            config = Config(customer.client_code, key, rest_url=box.rest_url)
            secrets = Secret(customer.password), Secret(customer.totp_secret)
            with store.update(config.account) as record:
                record.api_key = key
            auto.enable(config, *secrets, accepted=True)
            accounts.append(config.account)
        box.clock.set(_MORNING)
        clock.ahead = _MORNING - SYSTEM_CLOCK.now()
        yield _Stage(box, store, accounts, clock, home, url)


@contextmanager
def _renewer(stage: _Stage) -> Iterator[subprocess.Popen[str]]:
    """One of the two programs, ready to begin."""
    with subprocess.Popen(
        [sys.executable, "-m", "proofs.renewer", stage.home, stage.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as renewer:
        try:
            assert renewer.stdout is not None
            require(renewer.stdout.readline() == "ready\n", "a program did not start")
            yield renewer
        finally:
            renewer.kill()


def _ask(renewer: subprocess.Popen[str], stage: _Stage) -> None:
    """Have it look after all accounts once."""
    assert renewer.stdin is not None
    renewer.stdin.write(f"{stage.clock.ahead.total_seconds()}\n")
    renewer.stdin.flush()


def _answer(renewer: subprocess.Popen[str]) -> int:
    """How many logins it made."""
    assert renewer.stdout is not None
    line = renewer.stdout.readline()
    require(line, "a program ended by itself")
    return int(line)


def _logins(stage: _Stage) -> Counter[str]:
    """How often each client code was logged in, by mStock's word."""
    return Counter(session.account.client_code for session in stage.box.sessions)


def _begun(stage: _Stage) -> list[Account]:
    """The accounts of which a login is noted as begun and not as ended."""
    return [account for account in stage.accounts if _state(stage, account).pending is not None]


def _is_unknown(stage: _Stage, account: Account) -> bool:
    history = _state(stage, account).history
    return bool(history) and history[-1].result == Result.UNKNOWN


def _state(stage: _Stage, account: Account) -> AutoLoginState:
    return stage.store.load(account).auto_login or AutoLoginState()


def _is_in(stage: _Stage, account: Account) -> bool:
    """True when the kept token is one that mStock takes for this account now."""
    kept = load_session(stage.store, account, stage.clock.now())
    return kept is not None and any(
        session.token == kept.token.reveal()
        and session.account.client_code == account.client_code
        and session.alive(stage.box.clock.now())
        for session in stage.box.sessions
    )
