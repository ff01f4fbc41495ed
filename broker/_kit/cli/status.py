"""`status`: who is logged in and until when, and what auto-login does; asks the broker nothing."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

import click

from broker._kit.cli import output
from broker._kit.cli.console import Exit, is_verbose
from broker._kit.cli.context import Context, command
from broker._kit.clock import IST
from broker._kit.errors import BrokerError
from broker._kit.sessions import report
from broker._kit.sessions.stored_session import EndReason, StoredSession, end_reason

if TYPE_CHECKING:
    from broker._kit.sessions.auto_login import AutoLoginStatus


@command()
def status(context: Context) -> None:
    """Show who is logged in and until when, on one line; with -v all that is known.

    The broker is not asked: a session that was ended elsewhere shows here once a call was refused.
    Exit code 3 when there is no session that can be alive.
    """
    body = context.account_json() | {"inside_openalgo": context.openalgo is not None}
    if context.openalgo is not None:
        see = context.openalgo_page("status")
        words = f"This folder belongs to OpenAlgo, which keeps the session itself: see {see}"
        context.answer(body | {"see": see}, lambda: words)
    session = context.session()
    is_in = session is not None and not session.is_over
    others = [] if is_in else _other_types(context)
    auto, fault = _auto_login(context)
    body |= {
        "logged_in": is_in,
        "session": report.session_json(session),
        "stored_for_other_api_types": others,
        "auto_login": report.auto_login_json(auto) if auto else {"error": fault},
    }
    changed = "".join(_changed_type(context, each) for each in others)
    log_in = "" if is_in else f"Log in: {context.command_line('login')}"

    def text() -> str:
        if is_verbose(click.get_current_context()):
            lines = report.session_lines(session, context.clock.now())
            lines += report.auto_login_lines(auto) if auto else [("Auto-login", fault)]
            first = [("Account", context.account_words()), ("Changed type", changed)]
            return "\n".join(filter(None, (output.pairs([*first, *lines]), log_in)))
        end = end_reason(context.store, context.config.account, context.clock.now())
        line = status_line(session, end, auto, context.clock.now())
        line = line if context.config.is_live else f"SIMULATOR: {line}"
        trouble = auto.notice or auto.blocked if auto else fault
        calendar = auto.calendar_words if auto and auto.enabled else ""
        return "\n".join(filter(None, (line, changed, trouble, calendar, log_in)))

    context.answer(body, text, code=Exit.OK if is_in else Exit.NO_SESSION)


def status_line(
    session: StoredSession | None,
    end: EndReason | None,
    auto: AutoLoginStatus | None,
    now: datetime,
) -> str:
    """The one line for a trader: Logged in until midnight; next login Monday 08:35.

    `end` is why the last session ended, None when it has not or there was none.
    """
    words = _session_words(session, end, now)
    if auto is not None and auto.blocked:
        return f"{words}; auto-login has stopped"
    if auto is None or not auto.enabled or auto.next_at is None:
        return words
    return f"{words}; next login {day_time(auto.next_at, now)}"


def _session_words(session: StoredSession | None, end: EndReason | None, now: datetime) -> str:
    if end is not None:
        return f"Not logged in: {report.END_WORDS[end]}"
    if session is None:
        return "Not logged in"
    life = session.life
    if life.ends_at is None:
        return "Logged in; until when is not known"
    is_late = life.expected_until is not None and now >= life.expected_until
    is_midnight = life.ends_at.astimezone(IST).time() == time()
    until = "midnight" if is_midnight else day_time(life.ends_at, now)
    return f"Logged in until {until}{', but it may end at any moment' if is_late else ''}"


def day_time(moment: datetime, now: datetime) -> str:
    """today 08:35, Monday 08:35, or further off 7 December 08:35."""
    there = moment.astimezone(IST)
    ahead = there.date() - now.astimezone(IST).date()
    day = f"{there:%A}" if ahead < timedelta(7) else f"{there.day} {there:%B}"
    return f"{day if ahead else 'today'} {there:%H:%M}"


def _other_types(context: Context) -> list[str]:
    """The API types other than the one set of which this client code's live session is stored."""
    mine = context.config.account
    others = (mine._replace(api_type=each) for each in context.broker.api_types)
    sessions = ((each, context.session(each)) for each in others if each != mine)
    return [each.api_type for each, session in sessions if session and not session.is_over]


def _changed_type(context: Context, other: str) -> str:
    return (
        f"A session of API type {other} is stored, and {context.broker.api_type_setting} is now "
        f"{context.config.api_type}: a session of one type is of no use to the other."
    )


def _auto_login(context: Context) -> tuple[AutoLoginStatus | None, str]:
    """Auto-login's status, or why there is none: its fault must not hide the session."""
    try:
        return context.auto_login.status(context.config.account), ""
    except BrokerError as error:
        return None, str(error)
