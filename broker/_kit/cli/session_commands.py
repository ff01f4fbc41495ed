"""`funds`, `logout` and `erase`: what is done with a stored session."""

from __future__ import annotations

import click

from broker._kit.broker import FundGroup, FundLine, FundReport, LogoutResult
from broker._kit.cli import output, prompts
from broker._kit.cli.console import Exit
from broker._kit.cli.context import Context, command
from broker._kit.errors import LogInAgain
from broker._kit.sessions.report import date_time, iso
from broker._kit.sessions.stored_session import delete_session
from broker._kit.web.formatting import rupees


@command()
def funds(context: Context) -> None:
    """Show what is available to trade and all figures of the account, as of this moment."""
    context.refuse_inside_openalgo("funds")
    found, now = context.ask(context.broker.fund_report), context.clock.now()
    body = {
        "as_of": iso(now),
        "available": f"{found.available:f}",
        "in_use": f"{found.in_use:f}",
        "funds": dict(found.fields),
        "openalgo": dict(found.host_fields),
    }
    available = f"Available to trade: {rupees(found.available)} (in use: {rupees(found.in_use)})"
    scope = f"Funds {found.scope}: {context.account_words()}, {date_time(now)}"
    head = "\n".join(filter(None, (available, scope, found.note)))
    context.answer(context.account_json() | body, lambda: f"{head}\n\n{_table(found)}")


@command()
def logout(context: Context) -> None:
    """End the session at the broker and delete it here.

    Exit code 6 when the broker did not confirm it: the session is deleted here all the same, and
    at the broker it ends by itself.
    """
    context.refuse_inside_openalgo("logout")
    config, session, title = context.config, context.session(), context.broker.title
    if session is None:
        raise LogInAgain(f"No {title} session is stored, so there is none to end.")
    result = LogoutResult(True, f"The {title} session had already ended.")
    if not session.is_over:
        with context.interruptible():
            result = context.broker.log_out(config, session.token)
    delete_session(context.store, config.account, session.token)
    context.answer(
        context.account_json() | result._asdict(),
        lambda: f"{result.message} It is deleted here.",
        status="success" if result.confirmed else "unconfirmed",
        code=Exit.OK if result.confirmed else Exit.LOOK_FIRST,
    )


@command()
@click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
def erase(context: Context, yes: bool) -> None:
    """Remove passwords, TOTP secrets, sessions and the key that are stored on this computer.

    It works on damaged data too. Sessions are not logged out at the broker: run logout first, or
    they live there until they end by themselves.
    """
    context.refuse_inside_openalgo("erase")
    stores = context.stores_to_erase()
    if not yes:
        prompts.need_terminal(
            context, "Whether to erase", "Give --yes to erase without a question."
        )
        output.out(
            "This removes every stored password, TOTP secret, session and auto-login setting, of "
            "all accounts, and the key. It cannot be undone. A session that is alive is not logged "
            f"out at {context.broker.title}: run logout first to end it there.",
            err=True,
        )
    if not (yes or prompts.consent("Erase everything?")):
        words, status, code = "Nothing was removed.", "cancelled", Exit.REFUSED
        context.answer({"removed": []}, lambda: words, status=status, code=code)
    removed = [line for store in stores for line in store.erase()]
    removed += context.broker.erase_more(context.service_settings)
    found = "\n  ".join(["Removed:", *removed])
    context.answer(
        {"removed": removed},
        lambda: found if removed else "Nothing was stored, so nothing was removed.",
    )


def _table(found: FundReport) -> str:
    groups = [group for column in found.columns for group in column]
    rows: list[tuple[str, str, str]] = []
    for group in (*groups, FundGroup("OpenAlgo's dashboard", "", found.host_lines)):
        rows.append((click.style(group.title, bold=True), "", group.note))
        rows += [(f"  {line.name}", _amount(line), line.meaning) for line in group.lines]
        rows.append(("", "", ""))
    return output.columns(rows[:-1], to_the_right=1)


def _amount(line: FundLine) -> str:
    is_gain = line.signed and line.amount > 0
    colour = "red" if line.amount < 0 else "green" if is_gain else None
    return click.style(rupees(line.amount, plus=line.signed), fg=colour, dim=not line.amount)
