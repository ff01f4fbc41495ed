"""`web`: serves the pages with the settings in `.env`, and logs in each trading day if wanted."""

from __future__ import annotations

import contextlib
from urllib.parse import urlsplit

import click

from broker._kit.cli import output
from broker._kit.cli.console import Command
from broker._kit.settings import ServiceSettings, file_environment
from broker.mstock.settings import REDIRECT_URL, Config, from_env_file


@click.command(cls=Command)
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to listen on; REDIRECT_URL's unless given."
)
def web(port: int | None) -> None:
    """Serve the login and funds pages to this computer's browser, until Ctrl-C.

    While it runs, auto-login is at work, if you have switched it on.
    """
    # Flask takes its time to load, and no other command needs it.
    from broker._kit.web import standalone_app
    from broker._kit.web.server import LoopbackServer
    from broker.mstock.broker import MSTOCK

    config = from_env_file()
    upkeep = ServiceSettings.from_env(file_environment())
    wanted = _port_of(config) if port is None else port
    try:
        server = LoopbackServer(wanted)
    except OSError as error:
        raise click.ClickException(
            f"Port {wanted} cannot be used ({error.strerror}). Try another with --port."
        ) from None
    with server:
        # Read anew at each request: a mended line needs no restart.
        stop = standalone_app.start(MSTOCK, from_env_file, upkeep, server)
        kind = "LIVE" if config.is_live else "SIMULATOR"
        output.out(f"mStock {kind}, API type {config.api_type}: open {server.url}/")
        output.out("Ctrl-C ends it; a session that is not logged out dies at midnight IST.")
        try:
            with contextlib.suppress(KeyboardInterrupt):
                server.wait()
        finally:
            stop()


def _port_of(config: Config) -> int:
    return urlsplit(config.redirect_url).port or urlsplit(REDIRECT_URL).port or 0
