"""`python -m broker.mstock` and the installed command `mstock`."""

from __future__ import annotations

import sys

from broker.mstock import kit_problem

# Nothing below can be imported then; 5 is the exit code of what has to be fixed first.
if problem := kit_problem():
    sys.stderr.write(f"Error: {problem}\n")
    sys.exit(5)

from broker._kit.cli.main import command_line
from broker._kit.openalgo.installer.checks import host_checks
from broker._kit.openalgo.installer.commands import commands
from broker.mstock.broker import MSTOCK
from broker.mstock.cli.live_check import live_check

_CLI = "broker.mstock.cli"
# Loaded when one of their commands is asked for: a quarter of the start of `status` without them.
ROOMS = {
    f"{_CLI}.books": ("orders", "order", "trades", "holdings"),
    f"{_CLI}.data": ("chain", "quote", "history"),
    f"{_CLI}.instruments": ("instruments", "search", "lookup", "expiries"),
    f"{_CLI}.orders": ("margin", "place", "modify", "cancel"),
    f"{_CLI}.positions": ("positions", "close", "convert"),
    f"{_CLI}.prices": ("watch", "depth"),
}

cli = command_line(MSTOCK, commands(MSTOCK), ROOMS, host_checks, live_check)


def main() -> None:
    """Run the command of `sys.argv`; never returns."""
    cli()


if __name__ == "__main__":
    main()
