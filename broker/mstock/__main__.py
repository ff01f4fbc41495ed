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
from broker.mstock.cli import books, data, instruments, orders, positions, prices
from broker.mstock.cli.live_check import live_check

_ROOMS = (instruments, data, books, orders, positions, prices)
_OWN = tuple(command for room in _ROOMS for command in room.COMMANDS)

cli = command_line(MSTOCK, (*commands(MSTOCK), *_OWN), host_checks, live_check)


def main() -> None:
    """Run the command of `sys.argv`; never returns."""
    cli()


if __name__ == "__main__":
    main()
