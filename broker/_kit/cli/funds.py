"""`funds`: the account's fund_figures, as a table for people and as decimal strings for scripts."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from typing import Any

import click

from broker._kit.cli import describe, output
from broker._kit.cli.console import Command, as_json_option
from broker._kit.cli.context import Desk, pass_desk
from broker._kit.cli.describe import LOG_IN
from broker._kit.errors import LogInAgain
from broker._kit.secret import Secret
from broker._kit.sessions import stored_session
from broker._kit.sessions.token_guard import TokenGuard
from broker._kit.settings import Account
from broker._kit.web import fund_figures
from broker._kit.web.formatting import date_time
from broker._kit.web.fund_figures import Group, Line
from broker.mstock.client.connection import client_for
from broker.mstock.mapping import funds as mapping
from broker.mstock.mapping.funds import FundSummary

_STYLES = {"gain": "green", "loss": "red", "zero": "dim"}


@click.command(cls=Command)
@as_json_option
@pass_desk
def funds(desk: Desk, as_json: bool) -> None:
    """Show the account's funds, as mStock gives them at this moment."""
    desk.refuse_inside_openalgo("funds")
    summary = _ask(desk)
    config, now = desk.config, desk.clock.now()
    margin = mapping.margin_of(summary, config.funds_view)
    if as_json:
        output.out_json(
            {
                "status": "success",
                **describe.account_json(config),
                "as_of": output.moment(now),
                "funds": _plain(summary),
                "openalgo": margin.for_host(),
            }
        )
        return
    seen = Group("OpenAlgo's dashboard", "", fund_figures.openalgo_lines(margin, config.funds_view))
    output.out(
        f"Funds {fund_figures.segment_words(summary)}: mStock {describe.mode(config)}, API type "
        f"{config.api_type}, {date_time(now)}"
    )
    output.out(_table((*fund_figures.groups(summary), seen)))


def _ask(desk: Desk) -> FundSummary:
    """The fund summary; a session that is over is not tried, and a dead one is marked so."""
    config, session = desk.config, desk.session()
    if session is None:
        raise LogInAgain("There is no mStock session.", f"Log in: {LOG_IN}")
    if session.is_over:
        raise LogInAgain(
            "The mStock session is over: mStock sessions end at midnight IST.", f"Log in: {LOG_IN}"
        )

    def note(account: Account, token: Secret) -> None:
        stored_session.mark_revoked(desk.store, account, token)

    watch = TokenGuard(desk.clock, note)
    if session.logged_in_at is not None:
        watch.logged_in(session.token, session.logged_in_at)
    data = watch.run(config, session.token, lambda: client_for(config).fund_summary(session.token))
    return mapping.summary(data)


def _plain(summary: FundSummary) -> dict[str, Any]:
    """mStock's 24 fields: figures as decimal strings, exactly as they came, and two words."""
    values = {each.name: getattr(summary, each.name) for each in fields(summary)}
    return {
        name: f"{value:f}" if isinstance(value, Decimal) else value
        for name, value in values.items()
    }


def _table(groups: tuple[Group, ...]) -> str:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, show_header=False, show_edge=False, pad_edge=False)
    table.add_column()
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    for group in groups:
        table.add_row(Text(group.title, style="bold"), "", Text(group.note, style="dim"))
        for line in group.lines:
            table.add_row(Text(f"  {line.name}"), _amount(line), Text(line.meaning, style="dim"))
        table.add_section()
    return output.render(table)


def _amount(line: Line) -> Any:
    from rich.text import Text

    return Text(line.text, style=_STYLES.get(line.tone, ""))
