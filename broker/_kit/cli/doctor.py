"""`doctor`: looks at everything a login needs; each line is fine or says what to do."""

from __future__ import annotations

from pathlib import Path

import click

from broker._kit.cli import output, prompts
from broker._kit.cli.checks import OK, SKIPPED, TODO, Check, all_checks
from broker._kit.cli.console import Exit
from broker._kit.cli.context import Context, command
from broker._kit.cli.redact import redactor
from broker._kit.cli.trial import trial
from broker._kit.openalgo.checkout import is_openalgo

_COLOURS = {OK: "green", TODO: "red", SKIPPED: "bright_black"}


@command()
@click.option(
    "--login", "with_login", is_flag=True, help="Also log in once and out again, after asking."
)
@click.option(
    "--openalgo",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="OpenAlgo's folder: look there, at its settings, its version and the plugin in it.",
)
@click.option(
    "--report",
    is_flag=True,
    help="A copy to give away: without secrets, client code, paths, names and addresses.",
)
def doctor(context: Context, with_login: bool, folder: Path | None, report: bool) -> None:
    """Check settings, rights, network and clock; with --login also password, TOTP, key and IP.

    Without --login the broker is sent a greeting and nothing else. Exit code 1 when something is
    to be done.
    """
    if folder is not None:
        if not is_openalgo(folder):
            raise click.BadParameter("that is not OpenAlgo's folder.", param_hint="--openalgo")
        context.move_to(folder)
    if with_login:
        prompts.need_terminal(context, "The password")
    checks = list(all_checks(context))
    if with_login:
        checks += _trial(context)
    if report:
        checks = [redactor(context, folder).check(check) for check in checks]
    is_fine = all(check.state != TODO for check in checks)
    context.answer(
        {"checks": [check._asdict() for check in checks]},
        lambda: _lines(checks),
        status="success" if is_fine else "to do",
        code=Exit.OK if is_fine else Exit.REFUSED,
    )


def _trial(context: Context) -> list[Check]:
    title = context.broker.title
    output.out(
        f"This logs in to {title} once and out again. {title} counts a wrong password, and a login "
        "may end the session that you have now.",
        err=True,
    )
    if not prompts.consent("Log in?"):
        return [Check("Login", SKIPPED, "you did not want it")]
    return trial(context)


def _lines(checks: list[Check]) -> str:
    rows = []
    for check in checks:
        todo = f"{check.words.removesuffix('.')}. {check.todo}" if check.todo else check.words
        state = click.style(check.state, fg=_COLOURS[check.state])
        rows.append((state, click.style(check.name, bold=True), todo))
    return output.columns(rows)
