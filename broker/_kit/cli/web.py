"""`web`: serves the pages with the settings in `.env`; `demo`: the same against a simulator."""

from __future__ import annotations

import contextlib
import importlib.util
import runpy
import signal
import sys

import click

from broker._kit.cli import output
from broker._kit.cli.console import Command
from broker._kit.cli.context import Context, command
from broker._kit.cli.service import PORT
from broker._kit.settings import file_environment


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

    broker, words, settings = context.broker, context.account_words(), context.service_settings
    try:
        server = LoopbackServer(port)
    except OSError as error:
        raise click.ClickException(
            f"Port {port} cannot be used ({error.strerror}). Perhaps this page is open already: "
            f"look at http://127.0.0.1:{port}/. Else take another port: "
            f"{context.command_line(f'web --port {port + 1 if port < 65535 else 0}')}"
        ) from None
    with contextlib.suppress(ValueError):  # in a thread
        # As a service manager asks for the end: a login under way is waited for.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    with server:
        # Settings are read at each request: a fixed line needs no restart.
        stop = start(broker, lambda: broker.read_settings(file_environment()), settings, server)
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
def demo(options: tuple[str, ...]) -> None:
    """Try login and funds against a simulated broker, without an account; --help tells more."""
    if importlib.util.find_spec("broker_simulator") is None:
        raise click.ClickException(
            "The simulator is not here: it comes with the release, not with a copy in OpenAlgo."
        )
    # Run as a program: the plugin and the simulator do not know each other.
    sys.argv[1:] = options
    runpy.run_module("broker_simulator.demo", run_name="__main__", alter_sys=True)
