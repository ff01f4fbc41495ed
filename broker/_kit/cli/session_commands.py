"""`status`, `funds`, `logout` and `erase`: what is done with what is stored."""

from __future__ import annotations

from datetime import datetime

import click

from broker._kit.broker import FundGroup, FundLine, FundReport, LogoutResult
from broker._kit.cli import output, prompts
from broker._kit.cli.console import Exit, is_verbose
from broker._kit.cli.context import Context, command
from broker._kit.cli.service import manager_of, state_json, state_words
from broker._kit.errors import BrokerError, LogInAgain
from broker._kit.money import rupees
from broker._kit.sessions import report
from broker._kit.sessions.stored_session import (
    StoredSession,
    delete_session,
    end_reason,
    live_session,
)
from broker._kit.settings import ServiceSettings, environment
from broker._kit.web.formatting import fund_text, tone

_COLOURS = {"gain": "green", "loss": "red"}


@command()
def status(context: Context) -> None:
    """Show who is logged in and until when.

    On one line; with -v all that is known.

    The broker is not asked: a session that was ended elsewhere shows here once a call was refused.
    Exit code 3 when there is no session that can be alive.
    """
    body = context.account_json() | {"inside_openalgo": context.openalgo is not None}
    if context.openalgo is not None:
        see = context.openalgo_page("status")
        words = f"This folder belongs to OpenAlgo, which keeps the session itself: see {see}"
        context.answer(body | {"see": see}, lambda: words)
    session, now, account = context.session(), context.clock.now(), context.config.account
    is_in = session is not None and not session.is_over
    others = [] if is_in else _other_types(context)
    auto, fault = None, ""
    try:
        auto = context.auto_login.status(account)
    except BrokerError as error:  # which must not hide the session
        fault = str(error)
    service = manager_of(context).state()
    body |= {
        "logged_in": is_in,
        "session": report.session_json(session),
        "stored_for_other_api_types": others,
        "auto_login": report.auto_login_json(auto) if auto else {"error": fault},
        "service": state_json(service),
    }
    changed = "".join(
        f"A session of API type {each} is stored, and {context.broker.api_type_setting} is now "
        f"{account.api_type}: a session of one type is of no use to the other."
        for each in others
    )
    log_in = "" if is_in else f"Log in: {context.command_line('login')}"

    def text() -> str:
        if is_verbose(click.get_current_context()):
            lines = [("Account", context.account_words()), ("Changed type", changed)]
            lines += report.session_lines(context.broker, session, now)
            lines += report.auto_login_lines(auto) if auto else [("Auto-login", fault)]
            lines.append(("Service", state_words(service)))
            return "\n".join(filter(None, (output.pairs(lines), log_in)))
        line = "" if context.config.is_live else "SIMULATOR: "
        if end := end_reason(context.store, account, now):
            line += f"Not logged in: {report.end_words(context.broker, end)}"
        else:
            line += _session_words(session, now)
        if auto and auto.blocked:
            line += "; auto-login has stopped"
        elif auto and auto.enabled and auto.next_at:
            line += f"; next login {report.day_time(auto.next_at, now)}"
        if service.is_installed and service.is_running is False:
            line += "; its service does not run"
        trouble = auto.notice or auto.blocked if auto else fault
        calendar = auto.calendar_words if auto and auto.enabled else ""
        return "\n".join(filter(None, (line, changed, trouble, calendar, log_in)))

    context.answer(body, text, code=Exit.OK if is_in else Exit.NO_SESSION)


def _other_types(context: Context) -> list[str]:
    """The API types other than the one set of which this client code's live session is stored."""
    mine, store, now = context.config.account, context.store, context.clock.now()
    others = [each for each in context.broker.api_types if each != mine.api_type]
    return [each for each in others if live_session(store, mine._replace(api_type=each), now)]


def _session_words(session: StoredSession | None, now: datetime) -> str:
    if session is None:
        return "Not logged in"
    life = session.life
    if life.ends_at is None:
        return "Logged in; until when is not known"
    is_late = life.expected_until is not None and now >= life.expected_until
    until = report.until_words(life.ends_at, now)
    return f"Logged in until {until}{', but it may end at any moment' if is_late else ''}"


@command(standalone=True)
def funds(context: Context) -> None:
    """Show what is available to trade, and all other figures."""
    found, now = context.ask(context.broker.fund_report), context.clock.now()
    body = {
        "as_of": report.iso(now),
        "available": f"{found.available:f}",
        "in_use": f"{found.in_use:f}",
        "funds": dict(found.fields),
        "openalgo": dict(found.host_fields),
    }
    available = f"Available to trade: {rupees(found.available)} (in use: {rupees(found.in_use)})"
    scope = f"Funds {found.scope}: {context.account_words()}, {report.date_time(now)}"
    head = "\n".join(filter(None, (available, scope, found.note)))
    context.answer(context.account_json() | body, lambda: f"{head}\n\n{_table(found)}")


def _table(found: FundReport) -> str:
    def figure(line: FundLine) -> str:
        kind = tone(line)
        return click.style(fund_text(line), fg=_COLOURS.get(kind), dim=kind == "zero")

    groups = [group for column in found.columns for group in column]
    rows: list[tuple[str, str, str]] = []
    for group in (*groups, FundGroup("OpenAlgo's dashboard", "", found.host_lines)):
        rows.append((click.style(group.title, bold=True), "", group.note))
        rows += [(f"  {line.name}", figure(line), line.meaning) for line in group.lines]
        rows.append(("", "", ""))
    return output.columns(rows[:-1])


@command(standalone=True)
def logout(context: Context) -> None:
    """End the session at the broker and delete it here.

    Exit code 6 when the broker did not confirm it: the session is deleted here all the same, and
    at the broker it ends by itself.
    """
    config, session, title = context.config, context.session(), context.broker.title
    if session is None:
        delete_session(context.store, config.account)  # no browser goes on with a later one
        raise LogInAgain(f"No {title} session is stored, so there is none to end.")
    result = LogoutResult(True, f"The {title} session had already ended.")
    if not session.is_over:
        with context.interruptible():
            result = context.broker.end_session(config, session.token)
    delete_session(context.store, config.account, session.token)
    context.answer(
        context.account_json() | result._asdict(),
        lambda: f"{result.message} It is deleted here.",
        status="success" if result.confirmed else "unconfirmed",
        code=Exit.OK if result.confirmed else Exit.LOOK_FIRST,
    )


@command(standalone=True)
@click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
def erase(context: Context, yes: bool) -> None:
    """Remove what is stored of your accounts on this computer.

    That is passwords, TOTP secrets, sessions, their key and the order journal.

    It works on damaged data too. Sessions are not logged out at the broker: run logout first, or
    they live there until they end by themselves.
    """
    # Without the `.env` that named the store, it is the environment's. The program folder's own,
    # with its key in a file or the keyring, may be left from before BROKER_STORE or BROKER_KEYRING.
    env = context.settings if context.env_file else environment()
    chosen = ServiceSettings.from_env(env)
    in_folder = chosen._replace(store_url=None)
    ways = (chosen, in_folder, in_folder._replace(uses_keyring=False))
    stores = dict.fromkeys(context.open_store(context.broker, way) for way in ways)
    if not yes:
        how = "Give --yes to erase without a question."
        prompts.need_terminal(context, "Whether to erase", how)
        output.out(
            "This removes every stored password, TOTP secret, session and auto-login setting, of "
            "all accounts, and the key. It cannot be undone. A session that is alive is not logged "
            f"out at {context.broker.title}: run logout first to end it there.",
            err=True,
        )
        if not click.confirm("Erase everything?", err=True):
            words, code = "Nothing was removed.", Exit.REFUSED
            context.answer({"removed": []}, lambda: words, status="cancelled", code=code)
    removed = [line for store in stores for line in store.erase()]
    removed += context.broker.erase_more(chosen)
    found = "\n  ".join(["Removed:", *removed])
    context.answer(
        {"removed": removed},
        lambda: found if removed else "Nothing was stored, so nothing was removed.",
    )
