"""`erase`: removes everything that is kept, the key too, and says what it removed."""

from __future__ import annotations

import click

from broker._kit.cli import output, prompts
from broker._kit.cli.console import Command, as_json_option
from broker._kit.cli.context import Desk, pass_desk
from broker._kit.cli.exit_codes import Exit


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
        prompts.need_terminal(desk, "Whether to erase", "Give --yes to erase without being asked.")
        output.out(
            "This removes every password, TOTP secret, session and setting of auto-login that is "
            "kept, of all accounts, and the key. It cannot be undone. A session that is alive is "
            "not logged out at mStock: run logout first to end it there.",
            err=True,
        )
        if not prompts.consent("Erase everything?"):
            if as_json:
                output.out_json({"status": "cancelled", "removed": []})
            else:
                output.out("Nothing was removed.")
            ctx.exit(Exit.REFUSED)
    removed = [line for store in stores for line in store.erase()]
    if as_json:
        output.out_json({"status": "success", "removed": removed})
    elif removed:
        output.out("Removed:")
        for line in removed:
            output.out(f"  {line}")
    else:
        output.out("Nothing was kept, so nothing was removed.")
