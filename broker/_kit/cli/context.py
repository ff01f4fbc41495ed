"""What the commands work with: settings, store, clock and terminal, each opened when first used."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from broker._kit.cli import openalgo
from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import CorrectInput, OutcomeUnknown, StoreError
from broker._kit.sessions.login_lock import by_hand
from broker._kit.sessions.store import Store
from broker._kit.sessions.store_factory import open_store
from broker._kit.sessions.stored_session import StoredSession, load_session
from broker._kit.settings import Account, ServiceSettings, environment, file_environment
from broker.mstock.settings import Config

if TYPE_CHECKING:
    from broker._kit.sessions.auto_login import AutoLogin

# Which page of a running OpenAlgo does what a command would do here.
_PAGES = {
    "login": "/mstock/callback",
    "logout": "/auth/logout",
    "funds": "/mstock/funds",
    "auto-login": "/mstock/auto-login",
    "erase": "/mstock/auto-login",
}


def _is_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


class Desk:
    """One run of a command. Everything in it may raise `SettingError` or `StoreError`."""

    def __init__(
        self,
        *,
        clock: Clock = SYSTEM_CLOCK,
        settings: Callable[[], Mapping[str, str]] = file_environment,
        opener: Callable[[ServiceSettings], Store] = open_store,
        auto: Callable[[Desk], AutoLogin] | None = None,
        is_terminal: Callable[[], bool] = _is_terminal,
    ) -> None:
        self.clock = clock
        self.is_terminal = is_terminal
        self._settings = settings
        self._opener = opener
        self._auto = auto or _auto_login

    @cached_property
    def settings(self) -> Mapping[str, str]:
        """The `.env` over the environment."""
        return self._settings()

    @cached_property
    def config(self) -> Config:
        """The checked settings of the account."""
        return Config.from_env(self.settings)

    @cached_property
    def upkeep(self) -> ServiceSettings:
        """The checked settings of what is kept."""
        return ServiceSettings.from_env(self.settings)

    @cached_property
    def store(self) -> Store:
        """Where sessions and secrets are kept."""
        return self._opener(self.upkeep)

    def stores_to_erase(self) -> list[Store]:
        """The store, also when the `.env` that named it is gone: then by the environment.

        And the folder's own vault and key file, left behind when BROKER_STORE or BROKER_KEYRING
        was set later.
        """
        upkeep = ServiceSettings.from_env(environment()) if self.env_file is None else self.upkeep
        in_folder = upkeep._replace(store_url=None)
        ways = (upkeep, in_folder, in_folder._replace(uses_keyring=False))
        stores: list[Store] = []
        for way in ways:
            store = self._opener(way)
            if store not in stores:
                stores.append(store)
        return stores

    @cached_property
    def auto(self) -> AutoLogin:
        """Auto-login on that store."""
        return self._auto(self)

    @cached_property
    def env_file(self) -> Path | None:
        """The `.env` of the working folder or above it, None without one."""
        from dotenv import find_dotenv

        found = find_dotenv(usecwd=True)
        return Path(found) if found else None

    @cached_property
    def openalgo(self) -> Path | None:
        """OpenAlgo's folder when the `.env` lies in it, or without one when this runs in it."""
        if self.env_file is not None:
            return openalgo.around([self.env_file.parent])
        here = Path.cwd()
        return openalgo.around([here, *here.parents])

    def move_to(self, folder: Path) -> None:
        """Work as if this ran in that OpenAlgo: with its `.env`, when there is one."""
        self.openalgo = folder
        if (folder / ".env").is_file():
            self.env_file = folder / ".env"
            self._settings = partial(file_environment, str(self.env_file))

    def refuse_inside_openalgo(self, what: str) -> None:
        """Raise when the session is OpenAlgo's: it is kept in OpenAlgo's database, by OpenAlgo."""
        if self.openalgo is not None:
            raise CorrectInput(
                f"This folder belongs to OpenAlgo, which keeps the mStock session itself; {what} "
                "does nothing here.",
                f"Use the running OpenAlgo: {openalgo.page(self.settings, _PAGES[what])}",
            )

    def session(self, account: Account | None = None) -> StoredSession | None:
        """The kept session of an account, of the settings' own unless given."""
        return load_session(self.store, account or self.config.account, self.clock.now())

    @contextmanager
    def line(self) -> Iterator[None]:
        """Be the only one who logs this account in; what is sent meanwhile is not sent twice.

        Raises `LoginInProgress` when another is at it, `OutcomeUnknown` when the user stops it.
        """
        with by_hand(self.store, self.clock, self.config):
            try:
                yield
            except KeyboardInterrupt:
                raise stopped_short() from None

    @contextmanager
    def trial_line(self) -> Iterator[None]:
        """The same for a trial, which a vault that cannot be used is no hindrance to."""
        is_usable = self.openalgo is None
        if is_usable:
            try:
                self.store.accounts()
            except StoreError:
                is_usable = False
        if is_usable:
            with self.line():
                yield
            return
        try:
            yield
        except KeyboardInterrupt:
            raise stopped_short() from None


def stopped_short() -> OutcomeUnknown:
    """The error for a call to mStock that the user stopped half-way."""
    return OutcomeUnknown(
        "Stopped while mStock was being asked; whether it was carried out is unknown.",
        "Wait a minute, then look: run status, or look in the mStock app.",
    )


pass_desk = click.make_pass_decorator(Desk, ensure=True)


def _auto_login(desk: Desk) -> AutoLogin:
    from broker._kit.sessions.auto_login import AutoLogin
    from broker._kit.sessions.notices import teller
    from broker._kit.sessions.trading_calendar import load_calendar

    config = desk.config
    return AutoLogin(
        desk.store,
        lambda account: config if account == config.account else None,
        desk.clock,
        calendar=load_calendar(desk.upkeep.home),
        tell=teller(desk.upkeep, desk.clock),
    )
