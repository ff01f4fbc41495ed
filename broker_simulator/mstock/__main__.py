"""`python -m broker_simulator`: starts the box and says where it is."""

from __future__ import annotations

import threading

import click

from .box import Simulator
from .market.listing import SMALLEST
from .rules import INSTRUMENTS
from .settings import PROFILES, REVISIONS


@click.command()
@click.option("--port", default=0, show_default="a free one", help="Port on 127.0.0.1.")
@click.option("--ws-port", default=0, show_default="a free one", help="Of the WebSocket.")
@click.option("--profile", type=click.Choice(PROFILES), default="strict", show_default=True)
@click.option("--revision", type=click.Choice(REVISIONS), default="older", show_default=True)
@click.option("--gzip/--no-gzip", default=True, show_default=True, help="Compress replies.")
@click.option(
    "--instruments",
    type=click.IntRange(SMALLEST, 1_000_000),
    default=INSTRUMENTS,
    show_default=True,
    help="How many the market has.",
)
@click.option(
    "--rate-limits/--no-rate-limits",
    default=None,
    help="Keep mStock's limits on calls.  [default: in the strict profile]",
)
def main(
    port: int,
    ws_port: int,
    profile: str,
    revision: str,
    gzip: bool,
    instruments: int,
    rate_limits: bool | None,
) -> None:
    """Run a SIMULATOR of mStock on loopback until interrupted."""
    with Simulator(
        profile,
        revision,
        port,
        gzip,
        instruments=instruments,
        rate_limits=rate_limits,
        ws_port=ws_port,
    ) as sim:
        click.echo(f"SIMULATOR of mStock ({profile}, {revision} documents): {sim.rest_url}")
        click.echo(f"WebSocket of both types: {sim.ws_url}")
        click.echo(f"Control page, with the phone that gets the OTP: {sim.rest_url}/")
        click.echo(f"Demo client code: {sim.demo.client_code}  password: {sim.demo.password}")
        click.echo("API keys: broker_simulator/mstock/accounts.py. Ctrl+C stops it.")
        try:
            # In slices, because on Windows an endless wait cannot be interrupted.
            while not threading.Event().wait(1):
                pass
        except KeyboardInterrupt:
            click.echo("stopped")


if __name__ == "__main__":
    main()
