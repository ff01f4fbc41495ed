"""`service`: has this computer start the page, and with it auto-login, after every reboot."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import click

from broker._kit.cli.console import Exit, Group
from broker._kit.cli.context import Context, command
from broker._kit.cli.service_manager import Manager, Service, State, manager
from broker._kit.errors import BrokerError, CorrectInput
from broker._kit.settings import ServiceSettings

PORT = 5757  # of `web`; OpenAlgo's is 5000


@click.group("service", cls=Group)
def service() -> None:
    """Have this computer run `web`, also after a reboot."""


@command(service, standalone=True)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=PORT,
    show_default=True,
    help="Port of the page.",
)
def install(context: Context, port: int) -> None:
    """Run `web` from now on.

    By a systemd user unit, a launchd agent or a Windows task.

    It uses this folder's .env and this Python, holds no secret, and may be installed again.
    """
    _check_env_file(context)
    name, system = context.broker.name, manager_of(context)
    wanted = Service(
        name,
        f"{context.broker.title}: the page and auto-login",
        (_interpreter(), "-m", f"broker.{name}", "web", "--port", str(port)),
        str(Path.cwd()),
    )
    refusal = system.install(wanted)
    body = {"service": state_json(system.state()), "path": str(system.path)}
    if refusal:
        words = f"{system.path} is written, but the system did not start it: {refusal}"
        context.answer(
            body | {"next_step": system.way_out},
            lambda: f"{words}\n{system.way_out}",
            status="to do",
            code=Exit.REFUSED,
        )
    lines = [
        f"The service {name} runs: http://127.0.0.1:{port}/",
        f"The system starts it {system.starts}.",
    ]
    with suppress(BrokerError):
        if not context.auto_login.status(context.config.account).enabled:
            way = context.command_line("auto-login enable")
            lines.append(f"Auto-login is off; to switch it on: {way}")
    context.answer(body | {"next_step": ""}, lambda: "\n".join(lines))


@command(service, standalone=True)
def remove(context: Context) -> None:
    """Stop the service and remove its file."""
    system = manager_of(context)
    refusal = system.remove()
    body = {"service": state_json(system.state())}
    if refusal:
        words = f"The system did not remove it: {refusal}"
        todo = system.way_out
        if system.keeps_file:
            words = f"Its file is gone, but the system did not stop it: {refusal}"
            todo = "To end it now, restart this computer: it does not start again."
        context.answer(
            body | {"next_step": todo},
            lambda: f"{words}\n{todo}",
            status="to do",
            code=Exit.REFUSED,
        )
    was_there = refusal is not None
    context.answer(body, lambda: "Removed." if was_there else "There was no service to remove.")


def manager_of(context: Context) -> Manager:
    """The system's keeper of this broker's service."""
    return manager(
        context.broker.name, Path.home(), context.settings, context.platform, context.run_program
    )


def state_json(state: State) -> dict[str, bool | None]:
    """`installed`, and `running`, which is None where the system does not say."""
    return {"installed": state.is_installed, "running": state.is_running}


def state_words(state: State) -> str:
    """The same in words."""
    if not state.is_installed:
        return "not installed: auto-login is at work only while web runs"
    words = {True: "and runs", False: "but does not run", None: "; whether it runs is not known"}
    return f"installed {words[state.is_running]}".replace(" ;", ";")


def _check_env_file(context: Context) -> None:
    """Raise unless the `.env` alone says what the terminal's environment may have added to."""
    from dotenv import dotenv_values

    values = dotenv_values(context.env_file, interpolate=False) if context.env_file else {}
    alone = {name: value for name, value in values.items() if value is not None}
    try:
        is_enough = (
            context.broker.read_settings(alone) == context.config
            and ServiceSettings.from_env(alone) == context.service_settings
        )
    except BrokerError:
        is_enough = False
    if not is_enough:
        raise CorrectInput(
            "The service reads its settings from .env only, and this terminal's environment has "
            "others too.",
            "Put them all into .env, open a new terminal and run this again.",
        )


def _interpreter() -> str:
    """This Python; on Windows the one that opens no window, where it is there."""
    windowless = Path(sys.executable).with_name("pythonw.exe")
    return str(windowless if windowless.is_file() else Path(sys.executable).absolute())
