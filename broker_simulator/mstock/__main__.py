"""`python -m broker_simulator`: starts the box and says where it is."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path

import click

from .box import Simulator
from .market.listing import SMALLEST
from .rules import INSTRUMENTS
from .settings import PROFILES, REVISIONS

PORT, WS_PORT = 5760, 5761


def env_lines(sim: Simulator, api_type: str) -> dict[str, str]:
    """The settings with which the plugin talks to this simulator's demo account."""
    return {
        "BROKER_API_KEY": sim.demo.client_code,
        "BROKER_API_SECRET": sim.demo.api_key(api_type.lower()),
        "MSTOCK_API_TYPE": api_type.upper(),
        "MSTOCK_REST_URL": sim.rest_url,
        "MSTOCK_WS_URL": sim.ws_url,
    }


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--port", default=PORT, show_default=True, help="On 127.0.0.1; 0 takes a free one.")
@click.option("--ws-port", default=WS_PORT, show_default=True, help="Of the WebSocket.")
@click.option(
    "--type",
    "api_type",
    type=click.Choice(["A", "B"], case_sensitive=False),
    default="B",
    show_default=True,
    help="Of the .env lines that are printed; both types are served.",
)
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
@click.option("--market-hours", is_flag=True, help="Take orders in market hours only, as mStock.")
@click.option("--env", type=click.Path(dir_okay=False), help="Write the .env lines into this file.")
def main(
    port: int,
    ws_port: int,
    api_type: str,
    profile: str,
    revision: str,
    gzip: bool,
    instruments: int,
    rate_limits: bool | None,
    market_hours: bool,
    env: str | None,
) -> None:
    """Run a SIMULATOR of mStock on loopback until interrupted."""
    with ExitStack() as stack:
        try:
            sim = stack.enter_context(
                Simulator(
                    profile,
                    revision,
                    port,
                    gzip,
                    instruments=instruments,
                    rate_limits=rate_limits,
                    ws_port=ws_port,
                )
            )
        except OSError as error:
            raise click.ClickException(
                f"Port {port} or {ws_port} cannot be used ({error.strerror}). Take free ones: "
                "--port 0 --ws-port 0"
            ) from None
        click.echo(f"SIMULATOR of mStock ({profile}, {revision} documents): {sim.rest_url}")
        click.echo(f"WebSocket of both types: {sim.ws_url}")
        click.echo(f"Control page, with the phone that gets the OTP: {sim.rest_url}/")
        click.echo(f"Demo client code: {sim.demo.client_code}  password: {sim.demo.password}")
        sim.world.behaviour.is_always_open = not market_hours
        lines = "".join(f"{name}={text}\n" for name, text in env_lines(sim, api_type).items())
        if env is None:
            click.echo(f"For the command line, in a folder of its own, as .env:\n\n{lines}")
        else:
            _write(Path(env), lines)
            click.echo(f"The settings for the command line are in {env}.")
        click.echo("Ctrl+C stops it.")
        try:
            # In slices, because on Windows an endless wait cannot be interrupted.
            while not threading.Event().wait(1):
                pass
        except KeyboardInterrupt:
            click.echo("stopped")


def _write(file: Path, lines: str) -> None:
    """Write the settings for their owner only; never over other ones, which may be real."""
    if file.exists() and file.read_text("utf-8") != lines:
        raise click.ClickException(f"{file} has other settings in it; name a new file.")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(0o600)
    file.write_text(lines, "utf-8")


if __name__ == "__main__":
    main()
