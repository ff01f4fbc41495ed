"""The demo's command: prints where to look and what to enter, and runs until Ctrl-C."""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Iterable, Mapping

import click
from rich.console import Console
from rich.table import Table

from broker._kit.settings import environment
from broker_simulator.demo.stage import Demo


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--type",
    "api_type",
    type=click.Choice(["A", "B"], case_sensitive=False),
    default="B",
    show_default=True,
    help="Which of mStock's two API types to speak.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port of the web page; a free one unless given.",
)
def main(api_type: str, port: int) -> None:
    """Try the pages against a simulated mStock, without an account."""
    console = Console()
    try:
        with Demo(api_type.upper(), port) as demo:
            demo.trade()
            console.print(_welcome(demo, api_type.upper()))
            with contextlib.suppress(KeyboardInterrupt):
                demo.wait()
            console.print("\nStopping the page and the simulator.")
    except OSError as error:
        raise click.ClickException(f"Port {port} cannot be used: {error.strerror}.") from None


def _welcome(demo: Demo, api_type: str) -> Table:
    table = Table.grid(padding=(0, 2))
    table.title = f"[bold]mStock demo, SIMULATOR, API Type {api_type}[/bold]"
    table.title_justify = "left"
    table.add_row("1. Open", f"[bold link={demo.url}]{demo.url}[/]")
    table.add_row("2. Client code", f"{demo.client_code} (filled in already)")
    table.add_row("   Password", f"[bold]{demo.password}[/bold]")
    table.add_row("3. The OTP appears at", f"[bold link={demo.phone_url}]{demo.phone_url}[/]")
    table.add_row("   Faults, TOTP, clock", f"{demo.simulator.rest_url}/")
    if line := tunnel(environment(), demo.ports):
        table.add_row("From your computer, first", line)
    table.add_row("Stop", "Ctrl-C")
    return table


def tunnel(env: Mapping[str, str], ports: Iterable[int]) -> str:
    """The command that brings these ports to the computer from which one came by ssh; else ""."""
    # Source: sshd(8): the client's address and port, then the server's.
    parts = env.get("SSH_CONNECTION", "").split()
    if len(parts) != 4:
        return ""
    ways = " ".join(f"-L {port}:127.0.0.1:{port}" for port in ports)
    return f"ssh -N {ways} {getpass.getuser()}@{parts[2]} -p {parts[3]}"


if __name__ == "__main__":
    main()
