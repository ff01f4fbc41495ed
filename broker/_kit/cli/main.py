"""The commands, each from a module of its own."""

from __future__ import annotations

import click

from broker._kit.cli import install
from broker._kit.cli.auto_login import auto_login
from broker._kit.cli.console import Group
from broker._kit.cli.doctor import doctor
from broker._kit.cli.erase import erase
from broker._kit.cli.funds import funds
from broker._kit.cli.login import login
from broker._kit.cli.logout import logout
from broker._kit.cli.status import status
from broker._kit.cli.web import web

COMMANDS: tuple[click.Command, ...] = (
    login,
    status,
    funds,
    logout,
    auto_login,
    doctor,
    erase,
    web,
    *install.COMMANDS,
)


@click.group(cls=Group)
def main() -> None:
    """mStock for OpenAlgo.

    Settings are read from the .env of the working folder or above it. No secret is ever printed,
    and none is taken from an argument or the environment.
    """


for _command in COMMANDS:
    main.add_command(_command)
