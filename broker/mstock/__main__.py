"""`python -m broker.mstock` and the installed command `mstock`."""

from __future__ import annotations

from broker._kit.cli.main import command_line
from broker.mstock.broker import MSTOCK

try:
    from broker._kit.openalgo.installer.commands import (  # type: ignore[import-not-found]
        commands,
        host_checks,
    )
except ImportError:
    # TEMPORARY, until the installer has `commands` and `host_checks` that are handed a broker.
    from broker._kit.cli.install import COMMANDS
    from broker._kit.openalgo.installer import findings

    def commands(_broker):  # type: ignore[no-untyped-def]
        return COMMANDS

    def host_checks(_broker, folder):  # type: ignore[no-untyped-def]
        return findings(folder)


cli = command_line(MSTOCK, commands(MSTOCK), host_checks)


def main() -> None:
    """Run the command of `sys.argv`; never returns."""
    cli()


if __name__ == "__main__":
    main()
