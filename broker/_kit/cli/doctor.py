"""`doctor`: looks at everything a login needs; each line is fine or says what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from broker._kit.cli import output, prompts
from broker._kit.cli.checks.check import SKIPPED, TODO, Check
from broker._kit.cli.checks.network import network
from broker._kit.cli.checks.settings import host, kept, program, repaired, settings
from broker._kit.cli.checks.trial import trial
from broker._kit.cli.console import Command, as_json_option
from broker._kit.cli.context import Desk, pass_desk
from broker._kit.cli.exit_codes import Exit
from broker._kit.cli.report import scrubber
from broker._kit.openalgo.installer.inspect import is_openalgo

_STYLES = {"ok": "green", TODO: "bold red", SKIPPED: "dim"}


@click.command(cls=Command)
@click.option(
    "--login", "with_login", is_flag=True, help="Also log in once and out again, after asking."
)
@click.option(
    "--openalgo",
    "pointed_at",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="OpenAlgo's folder: look there, at its settings, its version and the plugin in it.",
)
@click.option(
    "--report",
    is_flag=True,
    help="A copy to give away: without secrets, client code, paths, names and addresses.",
)
@click.option(
    "--repair",
    "repairs",
    is_flag=True,
    help="First take back an install into OpenAlgo, or an uninstall, that was interrupted.",
)
@as_json_option
@pass_desk
@click.pass_context
def doctor(
    ctx: click.Context,
    desk: Desk,
    with_login: bool,
    pointed_at: Path | None,
    report: bool,
    repairs: bool,
    as_json: bool,
) -> None:
    """Check settings, rights, network and clock; with --login also password, TOTP, key and IP.

    Without --login mStock is sent a greeting and nothing else. Exit code 1 when something is to
    be done.
    """
    if pointed_at is not None and not is_openalgo(pointed_at):
        raise click.BadParameter("that is not OpenAlgo's folder.", param_hint="--openalgo")
    if pointed_at is not None:
        desk.move_to(pointed_at)
    if with_login:
        prompts.need_terminal(desk, "The password")
    checks = [
        *(repaired(desk) if repairs else ()),
        program(),
        *settings(desk),
        *kept(desk),
        *host(desk),
        *network(desk),
    ]
    if with_login:
        checks += _trial(desk)
    if report:
        clean = scrubber(desk, pointed_at)
        checks = [clean.check(check) for check in checks]
    if as_json:
        output.out_json(_json(checks))
    else:
        output.out(_lines(checks))
    ctx.exit(Exit.REFUSED if any(check.state == TODO for check in checks) else Exit.OK)


def _trial(desk: Desk) -> list[Check]:
    output.out(
        "This logs in to mStock once and out again. mStock counts a wrong password, and a login "
        "may end the session that you have now.",
        err=True,
    )
    if not prompts.consent("Log in?"):
        return [Check("Login", SKIPPED, "you did not want it")]
    return trial(desk)


def _json(checks: list[Check]) -> dict[str, Any]:
    """`{"status", "checks": [{"name", "state", "words", "todo"}]}`."""
    is_fine = all(check.state != TODO for check in checks)
    return {
        "status": "success" if is_fine else "to do",
        "checks": [check._asdict() for check in checks],
    }


def _lines(checks: list[Check]) -> str:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    for check in checks:
        words = Text(check.words)
        if check.todo:
            words.append(f" {check.todo}" if check.words.endswith(".") else f". {check.todo}")
        grid.add_row(
            Text(check.state, style=_STYLES[check.state]), Text(check.name, style="bold"), words
        )
    return output.render(grid)
