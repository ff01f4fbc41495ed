"""The command line of a broker: the commands that any broker has, and those of its host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import click

from broker._kit.broker import Broker
from broker._kit.cli.auto_login import auto_login
from broker._kit.cli.console import Group
from broker._kit.cli.context import Context, HostChecks, LiveCheck
from broker._kit.cli.doctor import doctor
from broker._kit.cli.login import login
from broker._kit.cli.service import service
from broker._kit.cli.session_commands import erase, funds, logout, status
from broker._kit.cli.web import demo, web

_HELP = """{title} for OpenAlgo.

Settings are read from the .env of the working folder or above it. No secret is ever printed, and
none is taken from an argument or the environment.
"""


def command_line(
    broker: Broker,
    extra_commands: Iterable[click.Command] = (),
    rooms: Mapping[str, Iterable[str]] | None = None,
    host_checks: HostChecks = Context.host_checks,
    live_check: LiveCheck = Context.live_check,
) -> click.Group:
    """The commands for one broker; `rooms` are its own, see `Group`.

    `host_checks` are what `doctor` looks at in an OpenAlgo, `live_check` what `doctor --live` asks
    of the broker.
    """

    @click.group(
        broker.name,
        cls=Group,
        rooms=rooms,
        help=_HELP.format(title=broker.title),
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    @click.version_option(broker.version, message=f"{broker.title} for OpenAlgo %(version)s")
    @click.pass_context
    def main(ctx: click.Context) -> None:
        ctx.obj = ctx.obj or Context(broker, host_checks, live_check)

    usual = (login, status, funds, logout, auto_login, doctor, erase, web, service, demo)
    for command in (*usual, *extra_commands):
        main.add_command(command)
    return main
