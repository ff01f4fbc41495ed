"""`web`: serves the pages with the settings in `.env`, and logs in each trading day if wanted."""

from __future__ import annotations

import contextlib
from urllib.parse import urlsplit

import click

from broker.mstock.cli import show
from broker.mstock.cli.shell import Command
from broker.mstock.config import REDIRECT_URL, Config, file_environment, from_env_file
from broker.mstock.upkeep import Upkeep


@click.command(cls=Command)
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to listen on; REDIRECT_URL's unless given."
)
def web(port: int | None) -> None:
    """Serve the login and funds pages to this computer's browser, until Ctrl-C.

    While it runs, auto-login is at work, if you have switched it on.
    """
    # Flask takes its time to load, and no other command needs it.
    from broker.mstock.web import running
    from broker.mstock.web.server import LoopbackServer

    config = from_env_file()
    upkeep = Upkeep.from_env(file_environment())
    wanted = _port_of(config) if port is None else port
    try:
        server = LoopbackServer(wanted)
    except OSError as error:
        raise click.ClickException(
            f"Port {wanted} cannot be used ({error.strerror}). Try another with --port."
        ) from None
    with server:
        # Read anew at each request: a mended line needs no restart.
        stop = running.start(from_env_file, upkeep, server)
        kind = "LIVE" if config.is_live else "SIMULATOR"
        show.out(f"mStock {kind}, API type {config.api_type}: open {server.url}/")
        show.out("Ctrl-C ends it; a session that is not logged out dies at midnight IST.")
        try:
            with contextlib.suppress(KeyboardInterrupt):
                server.wait()
        finally:
            stop()


def _port_of(config: Config) -> int:
    return urlsplit(config.redirect_url).port or urlsplit(REDIRECT_URL).port or 0
