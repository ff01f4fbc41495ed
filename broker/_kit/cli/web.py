"""`web`: serves the pages with the settings in `.env`; `demo`: the same against a simulator."""

from __future__ import annotations

import contextlib
import importlib.util
import subprocess
import sys

import click

from broker._kit.broker import BrokerSettings
from broker._kit.cli import output
from broker._kit.cli.console import Command
from broker._kit.cli.context import Context, command
from broker._kit.settings import file_environment

PORT = 5757  # OpenAlgo's is 5000
_DEMO = "broker_simulator.demo"
_DEMO_STOPS_S = 20.0


@command(has_json=False)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=PORT,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
def web(context: Context, port: int) -> None:
    """Serve the login and funds pages to this computer's browser, until Ctrl-C.

    While it runs, auto-login is at work, if you have switched it on.
    """
    # Flask takes its time to load, and no other command needs it.
    from broker._kit.web.server import LoopbackServer
    from broker._kit.web.standalone_app import start

    def read_settings() -> BrokerSettings:
        # At each request: a fixed line needs no restart.
        return context.broker.read_settings(file_environment())

    words, settings = context.account_words(), context.service_settings
    try:
        server = LoopbackServer(port)
    except OSError as error:
        raise click.ClickException(
            f"Port {port} cannot be used ({error.strerror}). Perhaps this page is open already: "
            f"look at http://127.0.0.1:{port}/. Else take another port: "
            f"{context.command_line(f'web --port {port + 1 if port < 65535 else 0}')}"
        ) from None
    with server:
        stop = start(context.broker, read_settings, settings, server)
        output.out(f"{words}: open {server.url}/")
        output.out("Ctrl-C ends the page, not the session: log out for that.")
        try:
            with contextlib.suppress(KeyboardInterrupt):
                server.wait()
        finally:
            stop()


@click.command(
    cls=Command, context_settings={"ignore_unknown_options": True, "help_option_names": []}
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def demo(ctx: click.Context, options: tuple[str, ...]) -> None:
    """Try login and funds against a simulated broker, without an account; --help tells more."""
    if importlib.util.find_spec(_DEMO.partition(".")[0]) is None:
        raise click.ClickException(
            "The simulator is not here: it comes with the release, not with a copy in OpenAlgo."
        )
    # A program of its own: the plugin and the simulator do not know each other.
    words = [sys.executable, "-m", _DEMO, *options]
    with subprocess.Popen(words) as program:  # noqa: S603, what the user typed, and no shell
        try:
            program.wait()
        except KeyboardInterrupt:
            # A terminal's Ctrl-C has reached it too.
            with contextlib.suppress(subprocess.TimeoutExpired):
                program.wait(_DEMO_STOPS_S)
            program.terminate()
    ctx.exit(program.returncode)
