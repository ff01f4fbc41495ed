"""The commands, each from a module of its own."""

from __future__ import annotations

import click

from broker.mstock.cli import install
from broker.mstock.cli.auto_login import auto_login
from broker.mstock.cli.doctor import doctor
from broker.mstock.cli.erase import erase
from broker.mstock.cli.funds import funds
from broker.mstock.cli.login import login
from broker.mstock.cli.logout import logout
from broker.mstock.cli.shell import Group
from broker.mstock.cli.status import status
from broker.mstock.cli.web import web

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
