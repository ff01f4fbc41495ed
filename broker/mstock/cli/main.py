"""The commands; so far one, which serves the login and funds pages with the settings in `.env`."""

from __future__ import annotations

import contextlib
from urllib.parse import urlsplit

import click

from broker.mstock.cli import install
from broker.mstock.config import REDIRECT_URL, Config, from_env_file
from broker.mstock.errors import MstockError
from broker.mstock.web.server import LoopbackServer
from broker.mstock.web.standalone import create_app


@click.group()
def main() -> None:
    """mStock for OpenAlgo."""


@main.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to listen on; REDIRECT_URL's unless given."
)
def web(port: int | None) -> None:
    """Serve the login and funds pages to this computer's browser, until Ctrl-C.

    Ends with exit code 1 when a setting is unusable or the port is taken.
    """
    try:
        config = from_env_file()
    except MstockError as error:
        raise click.ClickException(str(error)) from None
    wanted = _port_of(config) if port is None else port
    try:
        server = LoopbackServer(wanted)
    except OSError as error:
        raise click.ClickException(
            f"Port {wanted} cannot be used ({error.strerror}). Try another with --port."
        ) from None
    with server:
        # Read anew at each request: a mended line needs no restart.
        server.start(create_app(from_env_file))
        kind = "LIVE" if config.is_live else "SIMULATOR"
        click.echo(f"mStock {kind}, API type {config.api_type}: open {server.url}/")
        click.echo("Ctrl-C ends it; a session that is not logged out dies at midnight IST.")
        with contextlib.suppress(KeyboardInterrupt):
            server.wait()


def _port_of(config: Config) -> int:
    return urlsplit(config.redirect_url).port or urlsplit(REDIRECT_URL).port or 0


for _command in install.COMMANDS:
    main.add_command(_command)
