"""`web`: serves the pages with the settings in `.env`; `demo`: the same against a simulator."""

from __future__ import annotations

import contextlib
import importlib.util
import runpy
import signal
import sys
import webbrowser

import click

from broker._kit.cli import output
from broker._kit.cli.console import Command
from broker._kit.cli.context import Context, command
from broker._kit.cli.service import PORT
from broker._kit.errors import BrokerError
from broker._kit.sessions.stored_session import live_session
from broker._kit.settings import file_environment


@command(has_json=False)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=PORT,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option("--open", "opens", is_flag=True, help="Open the page in this computer's browser.")
def web(context: Context, port: int, opens: bool) -> None:
    """Serve the pages to this computer's browser.

    Login, funds, positions and orders, market, auto-login; until Ctrl-C.

    While it runs, auto-login is at work, if you have switched it on.
    """
    # Flask takes its time to load, and no other command needs it.
    from broker._kit.sessions.known_browsers import OneTimeKey
    from broker._kit.web.continue_page import PATH
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
    with server, contextlib.suppress(KeyboardInterrupt):
        # Settings are read at each request: a fixed line needs no restart.
        one_time = OneTimeKey()
        stop = start(
            broker,
            lambda: broker.read_settings(file_environment()),
            settings,
            server,
            one_time=one_time,
        )
        try:
            output.out(f"{words}: open {server.url}/")
            address = f"{server.url}/"
            # Where nobody but the user at this computer sees it.
            if (opens or sys.stdout.isatty()) and _has_session(context):
                address = f"{server.url}{PATH}/{one_time.make()}"
                if not opens:
                    output.out("To go on with the session that is stored, once, in five minutes:")
                    output.out(f"  {address}")
            if opens:
                webbrowser.open(address)
            output.out("Ctrl-C ends the page, not the session: log out for that.")
            server.wait()
        finally:
            stop()


def _has_session(context: Context) -> bool:
    with contextlib.suppress(BrokerError):
        return bool(live_session(context.store, context.config.account, context.clock.now()))
    return False


@click.command(
    cls=Command, context_settings={"ignore_unknown_options": True, "help_option_names": []}
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def demo(options: tuple[str, ...]) -> None:
    """Try the pages against a simulated broker."""
    if importlib.util.find_spec("broker_simulator") is None:
        raise click.ClickException(
            "The simulator is not here: it comes with the release, not with a copy in OpenAlgo."
        )
    # Run as a program: the plugin and the simulator do not know each other.
    sys.argv[1:] = options
    runpy.run_module("broker_simulator.demo", run_name="__main__", alter_sys=True)
