"""`install` and `uninstall`: show what they would do, ask, do it, and look the result over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

import click

from broker._kit.cli.install_questions import asked, unasked
from broker._kit.errors import BrokerError, HostError
from broker._kit.openalgo.installer import Finding, apply, findings, plan, plan_undo, repair, undo
from broker._kit.openalgo.installer.inspect import Checkout, Place, is_listening, look
from broker._kit.openalgo.installer.journal import refuse_interrupted
from broker._kit.openalgo.installer.plan import Plan, other_broker
from broker._kit.openalgo.installer.plugin_files import UNBUILT, own_folder, read_package

_PATH = click.argument(
    "path", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="PATH"
)
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Show what would be done; write nothing.")
_YES = click.option("--yes", is_flag=True, help="Ask nothing.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Answer in JSON; asks nothing.")


_IN_THE_DATABASE = (
    "If auto-login is on, switch it off on its page in OpenAlgo first: that removes your password "
    "and TOTP secret from OpenAlgo's database, which this command leaves alone."
)


class _Talk:
    """Says things to a person, or keeps them for one JSON object at the end."""

    def __init__(self, as_json: bool, **first: Any) -> None:
        self.as_json = as_json
        self._card: dict[str, Any] = {"status": "ok", "message": "", **first}

    def say(self, text: str) -> None:
        if not self.as_json:
            click.echo(text)

    def listing(self, name: str, title: str, lines: list[str]) -> None:
        self._card[name] = lines
        if lines:
            self.say("\n".join([title, *(f"  - {line}" for line in lines)]))

    def text(self, name: str, text: str) -> None:
        self._card[name] = text
        if text:
            self.say(text)

    def findings(self, found: list[Finding]) -> None:
        self._card["findings"] = [one._asdict() for one in found]
        for one in found:
            mark = "ok   " if one.ok else "LOOK "
            self.say(f"  {mark} {one.name}: {one.words}" + (f" {one.todo}" if one.todo else ""))

    def end(self, message: str, status: str = "ok") -> None:
        self._card.update(status=status, message=message)
        click.echo(json.dumps(self._card, ensure_ascii=False) if self.as_json else message)

    def refuse(self, error: BrokerError) -> NoReturn:
        if not self.as_json:
            raise click.ClickException(str(error)) from None
        self.end(str(error), "error")
        raise SystemExit(1) from None


@click.command()
@_PATH
@click.option(
    "--preview", is_flag=True, help=f"Install although {', '.join(UNBUILT)} are not built yet."
)
@_DRY_RUN
@_YES
@click.option("--force", is_flag=True, help="Go on with an unknown or a running OpenAlgo.")
@click.option("--no-patch", is_flag=True, help="Leave app.py alone: login by authenticator only.")
@click.option("--no-env", is_flag=True, help="Leave .env alone.")
@click.option("--api-type", type=click.Choice(["A", "B"]), help="Set MSTOCK_API_TYPE in .env.")
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Install this copy of the plugin, such as a backup, instead of the release's.",
)
@click.option("--repair", "repairs", is_flag=True, help="Only take back an interrupted install.")
@_JSON
def install(
    path: Path,
    preview: bool,
    dry_run: bool,
    yes: bool,
    force: bool,
    no_patch: bool,
    no_env: bool,
    api_type: str | None,
    source: Path | None,
    repairs: bool,
    as_json: bool,
) -> None:
    """Put the plugin into the OpenAlgo in PATH, in the place of the one that it came with.

    Asks for your keys, shows the change of app.py, and keeps a dated copy of whatever it changes.
    Ends with exit code 1 when it refuses; nothing has been changed then.
    """
    talk = _Talk(as_json, openalgo=str(path.resolve()), dry_run=dry_run)
    quiet = yes or dry_run or as_json
    try:
        if repairs:
            _repair(path, dry_run, talk)
            return
        _warn_unbuilt(preview, dry_run, talk)
        _need_a_word(as_json, yes, dry_run)
        host = look(path)
        _look_around(host, quiet, force, dry_run, talk)
        changes = {}
        if host.env and not no_env:
            changes = (unasked if quiet else asked)(host.env, api_type)
        wanted = plan(
            path,
            package=read_package(source or own_folder()),
            changes=changes,
            patch=not no_patch,
            force=force,
        )
        _show(wanted, no_env, talk)
        if wanted.is_done:
            talk.findings(findings(path))
            talk.end("Everything is installed already; nothing was changed.")
            return
        if dry_run:
            talk.end("Nothing was changed: this was a dry run.")
            return
        if not quiet:
            click.confirm("Do this?", abort=True)
        apply(wanted)
        talk.findings(findings(path))
        talk.text("backup", f"What was there before is kept in {wanted.host.place.home}.")
        talk.end("Installed. Start OpenAlgo, and log in.")
    except BrokerError as error:
        talk.refuse(error)


@click.command()
@_PATH
@_DRY_RUN
@_YES
@click.option("--force", is_flag=True, help="Put back what was changed since the install, too.")
@_JSON
def uninstall(path: Path, dry_run: bool, yes: bool, force: bool, as_json: bool) -> None:
    """Take the plugin out of the OpenAlgo in PATH, and put back what was there before it.

    Whatever was changed since the install is named and left alone. Ends with exit code 1 when it
    refuses, or when something was left.
    """
    talk = _Talk(as_json, openalgo=str(path.resolve()), dry_run=dry_run)
    try:
        _need_a_word(as_json, yes, dry_run)
        wanted = plan_undo(path, force=force)
        _warn_running(wanted.host, yes or as_json or dry_run, force, dry_run, talk)
        talk.listing("steps", "This will", list(wanted.words))
        talk.listing("left", "This is left alone:", list(wanted.left))
        talk.text("diff", wanted.diff)
        talk.text("database", _IN_THE_DATABASE)
        if dry_run:
            talk.end("Nothing was changed: this was a dry run.")
            return
        if not (yes or as_json):
            click.confirm("Do this?", abort=True)
        kept = undo(wanted)
        talk.listing("kept", "Mind:", kept)
        if wanted.left:
            talk.end("Not everything was taken out; see above.", "left")
            raise SystemExit(1)
        talk.end("Taken out. What the installer had changed is put back.")
    except BrokerError as error:
        talk.refuse(error)


COMMANDS = (install, uninstall)


def _need_a_word(as_json: bool, yes: bool, dry_run: bool) -> None:
    if as_json and not (yes or dry_run):
        raise click.UsageError("--json asks nothing: give --yes or --dry-run with it.")


def _repair(path: Path, dry_run: bool, talk: _Talk) -> None:
    if not Place(path.resolve()).journal.exists():
        talk.end("No install was interrupted; nothing was changed.")
    elif dry_run:
        talk.end("An install was interrupted; --repair would put back what was there before.")
    else:
        talk.listing("steps", "Done:", repair(path))
        talk.findings(findings(path))
        talk.end("OpenAlgo is as it was before the interrupted install.")


def _warn_unbuilt(preview: bool, dry_run: bool, talk: _Talk) -> None:
    if not UNBUILT:
        return
    what = f"{', '.join(UNBUILT[:-1])} and {UNBUILT[-1]}" if UNBUILT[1:] else UNBUILT[0]
    words = (
        f"This release logs in, shows funds and logs out. Not available yet: {what}. A trader with "
        "open positions could not see or close them from OpenAlgo, only in the mStock app."
    )
    if not (preview or dry_run):
        raise HostError(words, "If you want to try it all the same, give --preview.")
    talk.text("preview", words)


def _look_around(host: Checkout, quiet: bool, force: bool, dry_run: bool, talk: _Talk) -> None:
    refuse_interrupted(host.place)
    talk.say(f"OpenAlgo {host.version} in {host.place.openalgo}")
    _warn_running(host, quiet, force, dry_run, talk)
    if Path("/.dockerenv").exists():
        talk.text(
            "container",
            "This runs in a container: what is changed here is gone when the container is made "
            "anew. Install outside it and build the image again (see docs/openalgo.md).",
        )
    other = other_broker(host.env) if host.env else ""
    if other and quiet:
        talk.text(
            "broker",
            f"OpenAlgo is set to {other}: REDIRECT_URL is left as it is. Let it end in "
            "/mstock/callback when you want to use mStock.",
        )


def _warn_running(host: Checkout, quiet: bool, force: bool, dry_run: bool, talk: _Talk) -> None:
    if not is_listening(host.port):
        return
    words = f"Something listens on port {host.port}: OpenAlgo seems to run. Stop it first."
    talk.text("running", words)
    if dry_run or force:
        return
    if quiet:
        raise HostError(words, "If that is another program, give --force.")
    click.confirm("Is that another program, and OpenAlgo does not run?", abort=True)


def _show(wanted: Plan, no_env: bool, talk: _Talk) -> None:
    talk.listing("steps", "This will", list(wanted.words))
    if wanted.host.env is None and not no_env:
        talk.text("env", "There is no .env yet: copy .sample.env to .env and run this again.")
    talk.text("diff", wanted.diff)
