"""`auto-login`: switches the daily unattended login on and off, tests it, shows it."""

from __future__ import annotations

import click

from broker._kit.cli import output, prompts
from broker._kit.cli.console import Exit, Group
from broker._kit.cli.context import Context, command
from broker._kit.sessions import report

# By an auto-login attempt's result.
EXITS = {
    "done": Exit.OK,
    "retry": Exit.LATER,
    "refused": Exit.REFUSED,
    "unknown": Exit.LOOK_FIRST,
    "failed": Exit.REFUSED,
}


@click.group("auto-login", cls=Group)
def auto_login() -> None:
    """Log in each trading day without being asked."""


@command(auto_login, standalone=True)
@click.option("--accept-terms", is_flag=True, help="You have read the terms and agree to them.")
def enable(context: Context, accept_terms: bool) -> None:
    """Show the terms, store password and TOTP secret, switch on.

    Both are asked, hidden, and stored encrypted. Nothing is sent to the broker; `auto-login test`
    tests them.
    """
    context.session()  # a store that cannot be read is told before anything is asked
    prompts.need_terminal(context, "The password")
    for paragraph in context.broker.terms:
        output.out(f"{paragraph}\n", err=True)
    if not (accept_terms or click.confirm("Do you agree, and switch auto-login on?", err=True)):
        words, code = "Auto-login stays as it was; nothing was stored.", Exit.REFUSED
        context.answer({"message": words}, lambda: words, status="cancelled", code=code)
    password = prompts.password(context)
    secret = prompts.hidden("TOTP secret (the text behind the QR code)")
    context.auto_login.enable(context.config, password, secret, accepted=True)
    _show(context)


@command(auto_login, standalone=True)
def disable(context: Context) -> None:
    """Switch off and remove the password and the TOTP secret."""
    removed = context.auto_login.disable(context.config.account)
    body = context.account_json() | {"removed": removed}
    context.answer(body, lambda: "\n  ".join(["Auto-login is off.", *removed]))


@command(auto_login, standalone=True)
def test(context: Context) -> None:
    """Log in once, now, with what is stored.

    The broker counts it like any other login. The new session replaces the one that is stored.
    """
    with context.interruptible():
        attempt = context.auto_login.test(context.config)
    code = EXITS[str(attempt.result)]
    context.answer(
        context.account_json() | {"attempt": report.attempt_json(attempt)},
        lambda: report.attempt_line(attempt),
        status="error" if code else "success",
        code=code,
    )


@command(auto_login, standalone=True)
def status(context: Context) -> None:
    """Show whether it is on, what it did and does next.

    The broker is not asked.
    """
    _show(context)


def _show(context: Context) -> None:
    found = context.auto_login.status(context.config.account)
    earlier = [("Earlier", report.attempt_line(each)) for each in found.history[-2::-1]]
    context.answer(
        context.account_json() | {"auto_login": report.auto_login_json(found)},
        lambda: output.pairs([*report.auto_login_lines(found), *earlier]),
    )
