"""`doctor`: looks at everything a login needs; each line is fine or says what to do."""

from __future__ import annotations

import re
from pathlib import Path

import click

from broker._kit.broker import BrokerSettings, LoginClient
from broker._kit.cli import output, prompts
from broker._kit.cli.checks import OK, SETTINGS_FIRST, SKIPPED, TODO, Check, all_checks, failed
from broker._kit.cli.console import Exit
from broker._kit.cli.context import Context, command
from broker._kit.cli.redact import redactor
from broker._kit.errors import AccessRefused, BrokerError, CorrectInput
from broker._kit.openalgo.checkout import is_openalgo
from broker._kit.secret import Secret

TRIAL_NAMES = ("Password", "IP whitelist", "TOTP", "API key and its type", "Logout")
_PASSWORD, _ADDRESS, _TOTP, _KEY, _LOGOUT = TRIAL_NAMES
# A refusal of the address and not of the key says so in these words.
_ABOUT_THE_ADDRESS = "internet address"
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
    """Ask for password and code, log in once, log out; nothing of it is stored."""
    title = context.broker.title
    output.out(
        f"This logs in to {title} once and out again. {title} counts a wrong password, and a login "
        "may end the session that you have now.",
        err=True,
    )
    if not prompts.consent("Log in?"):
        return [Check("Login", SKIPPED, "you did not want it")]
    try:
        config = context.config
    except BrokerError:
        return [Check(name, SKIPPED, SETTINGS_FIRST) for name in TRIAL_NAMES]
    password = prompts.password(context)
    code = prompts.code("Authenticator code (TOTP)")
    output.out("Logging in once ...", err=True)
    with context.login_lock(needs_store=False):
        client = context.broker.login_client(config, context.clock)
        checks, token = _steps(title, config, client, password, code)
    if token is not None:
        result = context.broker.log_out(config, token)
        checks.append(
            Check(_LOGOUT, OK, "the trial's session was ended again")
            if result.confirmed
            else Check(_LOGOUT, TODO, "the trial's session may still be alive", result.message)
        )
    told = {check.name for check in checks}
    return checks + [
        Check(name, SKIPPED, "not reached") for name in TRIAL_NAMES if name not in told
    ]


def _steps(
    title: str, config: BrokerSettings, client: LoginClient, password: Secret, code: Secret
) -> tuple[list[Check], Secret | None]:
    try:
        reply = client.login(config.client_code, password)
    except BrokerError as error:
        return [_refused(error, _PASSWORD)], None
    checks = [Check(_PASSWORD, OK, f"{title} takes it, with this client code")]
    access = [
        Check(_KEY, OK, f"{title} takes the key, and it is of type {config.api_type}"),
        Check(_ADDRESS, OK, f"{title} takes this connection's internet address"),
    ]
    if re.search(r"\botp\b", reply.message, re.IGNORECASE):
        words = f"{title} has sent an OTP instead: TOTP is not enabled for this account"
        todo = f"Enable TOTP for this account at {title}, or log in with the OTP."
        return [*checks, Check(_TOTP, TODO, words, todo)], None
    try:
        token = client.verify_totp(reply.ticket, code)
    except BrokerError as error:
        refused = _refused(error, _TOTP)
        # The key and the address are looked at before the code.
        is_code = refused.name == _TOTP and isinstance(error, CorrectInput)
        return [*checks, *(access if is_code else ()), refused], None
    return [*checks, *access, Check(_TOTP, OK, f"{title} takes the code")], token


def _refused(error: BrokerError, step: str) -> Check:
    """The failure under the name of what it is about: key, address, or the step itself."""
    if not isinstance(error, AccessRefused):
        return failed(step, error)
    return failed(_ADDRESS if _ABOUT_THE_ADDRESS in error.message else _KEY, error)


def _lines(checks: list[Check]) -> str:
    rows = []
    for check in checks:
        todo = f"{check.words.removesuffix('.')}. {check.todo}" if check.todo else check.words
        state = click.style(check.state, fg=_COLOURS[check.state])
        rows.append((state, click.style(check.name, bold=True), todo))
    return output.columns(rows)
