"""A command line at the simulator: a store in memory, a clock by hand, somebody who types."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from broker._kit.broker import Broker
from broker._kit.cli.context import Context
from broker._kit.clock import IST
from broker._kit.secret import Secret
from broker._kit.sessions import stored_session
from broker._kit.sessions.store import MemoryStore, Store
from broker._kit.sessions.stored_session import LoginMethod
from broker.mstock.__main__ import cli, host_checks, live_check
from broker.mstock.broker import MSTOCK
from broker.mstock.client import login
from broker.mstock.settings import Config
from broker_simulator.mstock import Simulator
from tests.conftest import settings_for
from tests.support.clock import FakeClock
from tests.support.leaks import Leaks
from tests.support.stage import MORNING, morning_box


def commands_of(group: click.Group) -> dict[str, click.Command]:
    """The commands of a group by their names, those too that are loaded when asked for."""
    ctx = click.Context(group)
    found = {name: group.get_command(ctx, name) for name in group.list_commands(ctx)}
    assert all(found.values())
    return {name: command for name, command in found.items() if command}


@dataclass
class Person:
    """Somebody who types commands; what is shown is searched for secrets at the test's end."""

    box: Simulator
    clock: FakeClock
    settings: dict[str, str]
    leaks: Leaks
    store: Store = field(default_factory=lambda: MemoryStore(MSTOCK))
    is_at_terminal: bool = True
    auto: Any = None
    broker: Broker = MSTOCK
    platform: str = "linux"
    programs: dict[str, int] = field(default_factory=dict)
    ran: list[tuple[str, ...]] = field(default_factory=list)

    @property
    def config(self) -> Config:
        return Config.from_env(self.settings)

    def context(self) -> Context:
        context = Context(
            self.broker,
            host_checks=host_checks,
            live_check=live_check,
            clock=self.clock,
            read_settings=lambda: self.settings,
            open_store=lambda broker, settings: self.store,
            is_terminal=lambda: self.is_at_terminal,
            platform=self.platform,
            run_program=self.run_program,
        )
        if self.auto is not None:
            context.auto_login = self.auto
        return context

    def run_program(self, command: Sequence[str]) -> tuple[int | None, str]:
        """The system's own programs: none, unless `programs` says with what they end."""
        self.ran.append(tuple(command))
        return self.programs.get(command[0]), "there is no such manager"

    def runs(self, *words: str, types: str | list[str] = "") -> Result:
        typed = types if isinstance(types, str) else "".join(f"{line}\n" for line in types)
        done = CliRunner().invoke(cli, words, obj=self.context(), input=typed)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        self.leaks.show(" ".join(words), done.output)
        return done

    def asks(self, *words: str, types: str | list[str] = "") -> tuple[int, Any]:
        """The exit code and the JSON document."""
        done = self.runs(*words, "--json", types=types)
        return done.exit_code, json.loads(done.stdout)

    def otp(self) -> str:
        """The OTP that the simulated phone got last."""
        code = self.box.phone.last_otp(self.box.demo.client_code)
        assert code
        return self.leaks.hide("OTP", code)

    def is_logged_in(self, api_type: str | None = None) -> Secret:
        """Log in at the simulator and keep the session, as another program would have."""
        settings = settings_for(self.box, api_type) if api_type else self.settings
        config = Config.from_env(settings)
        challenge = login.send_otp(config, Secret(self.box.demo.password))
        token = login.verify_otp(config, Secret(self.otp()), challenge.ticket)
        stored_session.save_session(
            self.store, config.account, token, self.clock.now(), LoginMethod.OTP
        )
        return token

    def calls(self, path: str) -> int:
        """How often mStock was asked for this."""
        return sum(entry.path.endswith(path) for entry in self.box.journal)


@pytest.fixture
def box() -> Iterator[Simulator]:
    with morning_box() as simulator:
        simulator.clock.set(MORNING, frozen=True)
        yield simulator


@pytest.fixture
def person(box: Simulator, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))  # where a service's file would be
    monkeypatch.setenv("BROKER_HOME", str(tmp_path / "home"))  # where `erase` without a .env looks
    settings = settings_for(box, "B", BROKER_HOME=str(tmp_path / "home"))
    leaks = Leaks()
    for name in ("password", "api_key_a", "api_key_b", "totp_secret"):
        leaks.hide(name, getattr(box.demo, name))
    yield Person(box, FakeClock(MORNING.astimezone(IST)), settings, leaks)
    for session in box.sessions:
        leaks.hide("token", session.token)
    assert leaks.found() == []
