"""`status`: who is logged in and until when, and what auto-login does; asks mStock nothing."""

from __future__ import annotations

from typing import Any

import click

from broker._kit.cli import describe, openalgo, output
from broker._kit.cli.console import Command, as_json_option
from broker._kit.cli.context import Desk, pass_desk
from broker._kit.cli.describe import LOG_IN, Rows
from broker._kit.cli.exit_codes import Exit
from broker._kit.errors import BrokerError
from broker._kit.secret import masked


@click.command(cls=Command)
@as_json_option
@pass_desk
@click.pass_context
def status(ctx: click.Context, desk: Desk, as_json: bool) -> None:
    """Show who is logged in and until when.

    mStock is not asked: a session that was ended elsewhere shows here once a call was refused.
    Exit code 3 when there is no session that can be alive.
    """
    config = desk.config
    head: Rows = [
        ("mStock", f"{describe.mode(config)}, API type {config.api_type}"),
        ("Client code", masked(config.client_code)),
    ]
    if desk.openalgo is not None:
        where = openalgo.page(desk.settings, "/mstock/auto-login")
        words = f"this folder belongs to OpenAlgo, which keeps the session itself: see {where}"
        if as_json:
            body = describe.account_json(config) | {"inside_openalgo": True, "see": where}
            output.out_json({"status": "success", **body})
        else:
            output.out(output.pairs([*head, ("Session", words)]))
        return
    session = desk.session()
    is_in = session is not None and not session.is_over
    others = [] if is_in else _other_types(desk)
    auto_body, auto_rows = _auto(desk)
    if as_json:
        output.out_json(
            {
                "status": "success",
                **describe.account_json(config),
                "inside_openalgo": False,
                "logged_in": is_in,
                "session": describe.session_json(session),
                "kept_for_other_api_types": others,
                "auto_login": auto_body,
            }
        )
    else:
        rows = [*head, *describe.session_rows(session, desk.clock.now())]
        for other in others:
            rows.append(
                (
                    "Changed type",
                    f"a session of API type {other} is kept, and MSTOCK_API_TYPE is now "
                    f"{config.api_type}: a session of one type is of no use to the other. "
                    f"Log in: {LOG_IN}",
                )
            )
        output.out(output.pairs([*rows, *auto_rows]))
    ctx.exit(Exit.OK if is_in else Exit.NO_SESSION)


def _other_types(desk: Desk) -> list[str]:
    """The API types other than the one set of which this client code's live session is kept."""
    mine = desk.config.account
    found = []
    for letter in ("A", "B"):
        session = desk.session(mine._replace(api_type=letter))
        if letter != mine.api_type and session is not None and not session.is_over:
            found.append(letter)
    return found


def _auto(desk: Desk) -> tuple[dict[str, Any], Rows]:
    """Auto-login as JSON and as lines; a fault of its own settings must not hide the session."""
    try:
        found = desk.auto.status(desk.config.account)
    except BrokerError as error:
        return {"error": str(error)}, [("Auto-login", str(error))]
    return describe.auto_json(found), describe.auto_rows(found)
