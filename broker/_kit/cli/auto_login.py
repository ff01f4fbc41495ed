"""`auto-login`: switches the daily login without the user on and off, tries it, shows it."""

from __future__ import annotations

import click

from broker._kit.cli import describe, output, prompts
from broker._kit.cli.console import Group, as_json_option
from broker._kit.cli.context import Desk, pass_desk, stopped_short
from broker._kit.cli.exit_codes import Exit
from broker._kit.sessions.auto_login import AutoLoginStatus


@click.group("auto-login", cls=Group)
def auto_login() -> None:
    """Log in each trading day without being asked."""


@auto_login.command()
@click.option("--accept-terms", is_flag=True, help="You have read the terms and agree to them.")
@as_json_option
@pass_desk
@click.pass_context
def enable(ctx: click.Context, desk: Desk, accept_terms: bool, as_json: bool) -> None:
    """Show the terms, then keep password and TOTP secret, encrypted, and switch on.

    Both are asked, hidden. Nothing is sent to mStock; `auto-login test` tries it.
    """
    from broker.mstock.terms import TERMS

    desk.refuse_inside_openalgo("auto-login")
    config = desk.config
    desk.session()  # a vault that cannot be read is told before anything is asked
    prompts.need_terminal(desk, "The password")
    for paragraph in TERMS:
        output.out(f"{paragraph}\n", err=True)
    if not accept_terms and not prompts.consent("Do you agree, and switch auto-login on?"):
        if as_json:
            output.out_json({"status": "cancelled", "message": "Auto-login stays as it was."})
        else:
            output.out("Auto-login stays as it was; nothing was kept.")
        ctx.exit(Exit.REFUSED)
    password = prompts.password()
    secret = prompts.hidden("TOTP secret (the text behind the QR code)")
    desk.auto.enable(config, password, secret, accepted=True)
    _report(desk, desk.auto.status(config.account), as_json, "Auto-login is on.")


@auto_login.command()
@as_json_option
@pass_desk
def disable(desk: Desk, as_json: bool) -> None:
    """Switch off and remove the password and the TOTP secret."""
    desk.refuse_inside_openalgo("auto-login")
    removed = desk.auto.disable(desk.config.account)
    if as_json:
        body = describe.account_json(desk.config) | {"removed": removed}
        output.out_json({"status": "success", **body})
        return
    output.out("Auto-login is off.")
    for line in removed:
        output.out(f"  {line}")


@auto_login.command()
@as_json_option
@pass_desk
@click.pass_context
def test(ctx: click.Context, desk: Desk, as_json: bool) -> None:
    """Log in once, now, with what is kept; mStock counts it like any other login.

    The new session takes the place of the one that is kept.
    """
    desk.refuse_inside_openalgo("auto-login")
    try:
        attempt = desk.auto.test(desk.config)
    except KeyboardInterrupt:
        raise stopped_short() from None
    if as_json:
        is_done = str(attempt.result) == "done"
        body = describe.account_json(desk.config) | {"attempt": describe.attempt_json(attempt)}
        output.out_json({"status": "success" if is_done else "error", **body})
    else:
        output.out(describe.attempt_words(attempt))
    ctx.exit(_EXITS.get(str(attempt.result), Exit.REFUSED))


@auto_login.command()
@as_json_option
@pass_desk
def status(desk: Desk, as_json: bool) -> None:
    """Show whether it is on, what it did and what it does next; asks mStock nothing."""
    desk.refuse_inside_openalgo("auto-login")
    _report(desk, desk.auto.status(desk.config.account), as_json)


_EXITS = {
    "done": Exit.OK,
    "retry": Exit.LATER,
    "refused": Exit.REFUSED,
    "unknown": Exit.LOOK_FIRST,
    "failed": Exit.REFUSED,
}


def _report(desk: Desk, found: AutoLoginStatus, as_json: bool, first: str = "") -> None:
    if as_json:
        body = describe.account_json(desk.config) | {"auto_login": describe.auto_json(found)}
        output.out_json({"status": "success", **body})
        return
    if first:
        output.out(first)
    rows = describe.auto_rows(found)
    rows += [("Earlier", describe.attempt_words(each)) for each in found.history[:-1]]
    output.out(output.pairs(rows))
