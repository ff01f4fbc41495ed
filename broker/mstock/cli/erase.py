"""`erase`: removes everything that is kept, the key too, and says what it removed."""

from __future__ import annotations

import click

from broker.mstock.cli import ask, show
from broker.mstock.cli.desk import Desk, pass_desk
from broker.mstock.cli.exits import Exit
from broker.mstock.cli.shell import Command, as_json_option


@click.command(cls=Command)
@click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
@as_json_option
@pass_desk
@click.pass_context
def erase(ctx: click.Context, desk: Desk, yes: bool, as_json: bool) -> None:
    """Remove passwords, TOTP secrets, sessions and the key that are kept on this computer.

    It works on a damaged vault too. Sessions are not logged out at mStock: run logout first, or
    they live there until midnight IST.
    """
    desk.refuse_inside_openalgo("erase")
    stores = desk.stores_to_erase()
    if not yes:
        ask.need_terminal(desk, "Whether to erase", "Give --yes to erase without being asked.")
        show.out(
            "This removes every password, TOTP secret, session and setting of auto-login that is "
            "kept, of all accounts, and the key. It cannot be undone. A session that is alive is "
            "not logged out at mStock: run logout first to end it there.",
            err=True,
        )
        if not ask.consent("Erase everything?"):
            if as_json:
                show.out_json({"status": "cancelled", "removed": []})
            else:
                show.out("Nothing was removed.")
            ctx.exit(Exit.REFUSED)
    removed = [line for store in stores for line in store.erase()]
    if as_json:
        show.out_json({"status": "success", "removed": removed})
    elif removed:
        show.out("Removed:")
        for line in removed:
            show.out(f"  {line}")
    else:
        show.out("Nothing was kept, so nothing was removed.")
