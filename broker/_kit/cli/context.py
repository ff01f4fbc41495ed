"""What the commands work with: broker, settings, store, clock, terminal; opened on first use."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, update_wrapper
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from broker._kit.broker import Broker, BrokerSettings
from broker._kit.cli import output
from broker._kit.cli.console import Command, Exit, as_json_option
from broker._kit.cli.service_manager import Run, run
from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import CorrectInput, LogInAgain, OutcomeUnknown, StoreError
from broker._kit.openalgo.checkout import is_openalgo, page_address
from broker._kit.secret import Secret, masked
from broker._kit.sessions import report
from broker._kit.sessions.auto_login import AutoLogin
from broker._kit.sessions.login_lock import manual_login
from broker._kit.sessions.notices import teller
from broker._kit.sessions.store import OwnStore, Store, open_store
from broker._kit.sessions.stored_session import StoredSession, load_session, mark_revoked
from broker._kit.sessions.token_guard import TokenGuard
from broker._kit.sessions.trading_calendar import load_calendar
from broker._kit.settings import ServiceSettings, file_environment

# What a host check found: its name, whether it is right, what was found, what to do about it.
HostChecks = Callable[[Broker, Path], Iterable[tuple[str, bool, str, str]]]
# What reads of the broker say of its protocol, as names and answers without figures or names; given
# settings, token, clock and which reads. It raises `BrokerError`.
LiveCheck = Callable[[BrokerSettings, Secret, Clock, str], Iterable[tuple[str, str]]]
T = TypeVar("T")


@dataclass(eq=False)
class Context:
    """One run of a command. Everything in it may raise `SettingError` or `StoreError`.

    `host_checks` looks the plugin over in an OpenAlgo's folder. `config` are the settings of the
    account, `service_settings` those of the store and the notices; `settings` is what they are
    read from, the `.env` over the environment.
    """

    broker: Broker
    host_checks: HostChecks = lambda _broker, _folder: ()
    live_check: LiveCheck = lambda _config, _token, _clock, _what: ()
    clock: Clock = SYSTEM_CLOCK
    read_settings: Callable[[], Mapping[str, str]] = file_environment
    open_store: Callable[[Broker, ServiceSettings], OwnStore] = open_store
    is_terminal: Callable[[], bool] = lambda: sys.stdin is not None and sys.stdin.isatty()
    platform: str = sys.platform
    run_program: Run = run
    as_json: bool = False

    @cached_property
    def settings(self) -> Mapping[str, str]:
        return self.read_settings()

    @cached_property
    def config(self) -> BrokerSettings:
        return self.broker.read_settings(self.settings)

    @cached_property
    def service_settings(self) -> ServiceSettings:
        return ServiceSettings.from_env(self.settings)

    @cached_property
    def store(self) -> Store:
        return self.open_store(self.broker, self.service_settings)

    @cached_property
    def auto_login(self) -> AutoLogin:
        return AutoLogin(
            self.broker,
            self.store,
            lambda account: self.config if account == self.config.account else None,
            self.clock,
            calendar=load_calendar(self.service_settings.home),
            tell=teller(self.broker, self.service_settings, self.clock),
        )

    @cached_property
    def env_file(self) -> Path | None:
        """The `.env` of the working folder or above it, None without one."""
        from dotenv import find_dotenv

        found = find_dotenv(usecwd=True)
        return Path(found) if found else None

    @cached_property
    def openalgo(self) -> Path | None:
        """OpenAlgo's folder when the `.env` lies in it, or without one when this runs in it."""
        here = Path.cwd()
        folders = [self.env_file.parent] if self.env_file else [here, *here.parents]
        return next(filter(is_openalgo, folders), None)

    def account_json(self) -> dict[str, Any]:
        """`mode` ("LIVE" or "SIMULATOR"), `client_code` (masked), `api_type`."""
        config = self.config
        return {
            "mode": "LIVE" if config.is_live else "SIMULATOR",
            "client_code": masked(config.client_code),
            "api_type": config.api_type,
        }

    def account_words(self) -> str:
        """mStock LIVE, API type B, client code MA••••01"""
        mode, code, _ = self.account_json().values()
        kind = self.config.account.type_words
        return f"{self.broker.title} {mode}{kind}, client code {code}"

    def answer(
        self,
        body: Mapping[str, Any],
        text: Callable[[], str],
        *,
        status: str = "success",
        code: Exit = Exit.OK,
    ) -> NoReturn:
        """End the command: the body in JSON when it was asked for, else the text."""
        if self.as_json:
            output.out_json({"status": status, **body})
        else:
            output.out(text())
        click.get_current_context().exit(code)

    @staticmethod
    def command_line(words: str) -> str:
        """A command line for the user to type, beginning as this one did."""
        return f"{click.get_current_context().find_root().info_name} {words}"

    def openalgo_page(self, command: str) -> str:
        """The page of the running OpenAlgo that does what a command would do here."""
        name, login = self.broker.name, self.broker.callback_path
        paths = {"login": login, "logout": "/auth/logout", "funds": f"/{name}/funds"}
        return page_address(self.settings, paths.get(command, f"/{name}/auto-login"))

    def refuse_inside_openalgo(self, command: str) -> None:
        """Raise when the session is OpenAlgo's: OpenAlgo keeps it in its own database."""
        if self.openalgo is not None:
            raise CorrectInput(
                f"This folder belongs to OpenAlgo, which keeps the {self.broker.title} session "
                f"itself; {command} does nothing here.",
                f"Use the running OpenAlgo: {self.openalgo_page(command)}",
            )

    def session(self) -> StoredSession | None:
        """The stored session, dead or alive."""
        return load_session(self.store, self.config.account, self.clock.now())

    def ask(self, call: Callable[[BrokerSettings, Secret], T]) -> T:
        """What a call with the stored session gives; a token that it proves dead is marked so.

        Raises `LogInAgain` when there is no session or it is over, and what the call raises.
        """
        session, title = self.session(), self.broker.title
        log_in = f"Log in: {self.command_line('login')}"
        if session is None:
            raise LogInAgain(f"There is no {title} session.", log_in)
        if session.end_reason is not None:
            words = report.end_words(self.broker, session.end_reason)
            raise LogInAgain(f"The {title} session is over: {words}.", log_in)
        config, token = self.config, session.token
        guard = TokenGuard(self.broker, self.clock)
        try:
            return guard.run(config, token, lambda: call(config, token))
        except LogInAgain:
            if guard.is_revoked(config.account, token):
                with suppress(StoreError):
                    mark_revoked(self.store, config.account, token)
            raise

    @contextmanager
    def login_lock(self, *, needs_store: bool = True) -> Iterator[None]:
        """The sole right to log this account in; without a usable store none, where none is needed.

        Raises `LoginInProgress` when another has it, `OutcomeUnknown` when the user stops it.
        """
        with ExitStack() as stack:
            with suppress(*(() if needs_store else (StoreError,))):
                if needs_store or self.openalgo is None:
                    stack.enter_context(manual_login(self.store, self.clock, self.config))
            stack.enter_context(self.interruptible())
            yield

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Raises `OutcomeUnknown` when the user stops a call to the broker half-way."""
        try:
            yield
        except KeyboardInterrupt:
            raise OutcomeUnknown(
                f"Stopped while {self.broker.title} was being asked; whether it was carried out is "
                "unknown.",
                f"Wait a minute, then look in the {self.broker.title} app.",
            ) from None


def command(
    group: click.Group | None = None, *, has_json: bool = True, standalone: bool = False
) -> Callable[[Callable[..., None]], click.Command]:
    """Makes a command of a function of the `Context` and its options.

    A `standalone` one works with the session stored here, so it is refused inside OpenAlgo.
    """

    def make(work: Callable[..., None]) -> click.Command:
        def run(context: Context, /, as_json: bool = False, **options: Any) -> None:
            context.as_json = as_json
            if standalone:
                name = (group or click.get_current_context().command).name
                context.refuse_inside_openalgo(name or "")
            work(context, **options)

        with_context = update_wrapper(click.make_pass_decorator(Context)(run), work)
        named = group.command() if group else click.command(cls=Command)
        return named(as_json_option(with_context) if has_json else with_context)

    return make
