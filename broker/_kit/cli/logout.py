"""`logout`: ends the session at mStock, once, and forgets it here."""

from __future__ import annotations

import click

from broker._kit.broker import LogoutResult
from broker._kit.cli import describe, output
from broker._kit.cli.console import Command, as_json_option
from broker._kit.cli.context import Desk, pass_desk, stopped_short
from broker._kit.cli.exit_codes import Exit
from broker._kit.errors import LogInAgain
from broker._kit.sessions import stored_session
from broker.mstock.client import login as mstock


@click.command(cls=Command)
@as_json_option
@pass_desk
@click.pass_context
def logout(ctx: click.Context, desk: Desk, as_json: bool) -> None:
    """End the session at mStock and forget it here.

    Exit code 6 when mStock did not confirm it: the session is forgotten here all the same, and at
    mStock it dies at midnight IST.
    """
    desk.refuse_inside_openalgo("logout")
    config = desk.config
    session = desk.session()
    if session is None:
        raise LogInAgain("No mStock session is kept, so there is none to end.")
    if session.is_over:
        farewell = LogoutResult(True, "The mStock session had already ended.")
    else:
        try:
            farewell = mstock.logout(config, session.token)
        except KeyboardInterrupt:
            raise stopped_short() from None
    stored_session.delete_session(desk.store, config.account, session.token)
    if as_json:
        body = {"confirmed": farewell.confirmed, "message": farewell.message}
        output.out_json(
            {
                "status": "success" if farewell.confirmed else "unconfirmed",
                **describe.account_json(config),
                **body,
            }
        )
    else:
        output.out(f"{farewell.message} It is forgotten here.")
    ctx.exit(Exit.OK if farewell.confirmed else Exit.LOOK_FIRST)
