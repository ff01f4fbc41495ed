"""`install` and `uninstall`: show what they would do, ask, do it, and look the result over."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from broker._kit.broker import Broker
from broker._kit.cli import output
from broker._kit.cli.console import Command, Exit, as_json_option
from broker._kit.errors import HostError, SettingError
from broker._kit.openalgo.installer.apply import apply
from broker._kit.openalgo.installer.checks import host_checks
from broker._kit.openalgo.installer.env_file import EnvFile
from broker._kit.openalgo.installer.inspect import Checkout, look
from broker._kit.openalgo.installer.plan import (
    Plan,
    other_broker,
    plan,
    plan_undo,
    suggested,
)
from broker._kit.secret import Secret

_PATH = click.argument(
    "path", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="PATH"
)
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Show what would be done; write nothing.")
_YES = click.option("--yes", is_flag=True, help="Ask nothing.")


def commands(broker: Broker) -> tuple[click.Command, ...]:
    """The commands `install` and `uninstall` of a broker's plugin."""

    @click.command(cls=Command)
    @_PATH
    @click.option(
        "--preview",
        is_flag=True,
        help=f"Install although {', '.join(broker.unbuilt)} are not built yet.",
        hidden=not broker.unbuilt,
    )
    @_DRY_RUN
    @_YES
    @click.option("--force", is_flag=True, help="Go on with an unknown or a running OpenAlgo.")
    @click.option("--no-patch", is_flag=True, help="Leave app.py alone: authenticator login only.")
    @click.option("--no-env", is_flag=True, help="Leave .env alone.")
    @click.option(
        "--api-type",
        type=click.Choice(broker.api_types),
        help=f"Set {broker.api_type_setting} in .env.",
        hidden=not broker.api_types,
    )
    @as_json_option
    def install(
        path: Path,
        preview: bool,
        force: bool,
        no_patch: bool,
        no_env: bool,
        api_type: str | None,
        **flags: bool,
    ) -> None:
        """Put the plugin into the OpenAlgo in PATH.

        It takes the place of the one that OpenAlgo came with. Asks for your keys, shows the change
        of app.py, and keeps a copy of whatever it changes. When it refuses, nothing has been
        changed.
        """
        report = _Report(path, **flags)
        _warn_unbuilt(broker, preview, report)
        host = look(broker, path)
        report.say("version", f"OpenAlgo {host.version} in {host.place.openalgo}")
        _refuse_running(host, force, report)
        if Path("/.dockerenv").exists():
            report.say(
                "container",
                "This runs in a container: what is changed here is gone when the container is made "
                "again. Install outside it and build the image again (see docs/openalgo.md).",
            )
        changes = None if no_env else _changes(host, api_type, report)
        wanted = plan(host, changes=changes, patch=not no_patch, force=force)
        if not no_env:
            _check_settings(broker, wanted.env, report)
        report.plan(wanted)
        if not wanted.is_done and report.may_go_on():
            apply(wanted)
            report.say("backup", f"What was there before is kept in {host.place.home}.")
        if not report.dry_run:
            report.checks(broker, path)
        was_done = "Everything is installed already; nothing was changed."
        report.end(was_done if wanted.is_done else "Installed. Start OpenAlgo, and log in.")

    @click.command(cls=Command)
    @_PATH
    @_DRY_RUN
    @_YES
    @click.option("--force", is_flag=True, help="Put back what was changed since the install, too.")
    @as_json_option
    def uninstall(path: Path, force: bool, **flags: bool) -> None:
        """Take the plugin out of the OpenAlgo in PATH.

        What was there before is put back. Whatever was changed since the install is named and left
        alone. Ends with exit code 1 when something was left.
        """
        report = _Report(path, **flags)
        host = look(broker, path)
        wanted = plan_undo(host, force=force)
        _refuse_running(host, force, report)
        report.plan(wanted)
        report.say(
            "database",
            "If auto-login is on, switch it off on its page in OpenAlgo first: that removes your "
            "password and TOTP secret from OpenAlgo's database, which this command leaves alone.",
        )
        if report.may_go_on():
            backups = f"What had been changed in the plugin is kept in {host.place.backups}."
            report.say("kept", [backups] if apply(wanted) else [], "Mind:")
            if wanted.left:
                report.end("Not everything was taken out; see above.", "left")
                click.get_current_context().exit(Exit.REFUSED)
        report.end("Taken out. What the installer had changed is put back.")

    return install, uninstall


class _Report:
    """Says things to a person, or collects them for one JSON object at the end."""

    def __init__(self, path: Path, *, dry_run: bool, yes: bool, as_json: bool) -> None:
        if as_json and not (yes or dry_run):
            raise click.UsageError("--json asks nothing: give --yes or --dry-run with it.")
        self.asks = not (as_json or yes or dry_run)
        self.dry_run = dry_run
        self._as_json = as_json
        self._body: dict[str, Any] = {"openalgo": str(path.resolve()), "dry_run": dry_run}

    def say(self, name: str, words: str | list[str], title: str = "") -> None:
        self._body[name] = words
        if words and not self._as_json:
            lines = [words] if isinstance(words, str) else [title, *(f"  - {w}" for w in words)]
            output.out("\n".join(lines))

    def plan(self, wanted: Plan) -> None:
        self.say("steps", list(wanted.words), "This will")
        if wanted.package is None:
            self.say("left", list(wanted.left), "This is left alone:")
        self.say("diff", wanted.diff)

    def may_go_on(self) -> bool:
        if self.asks:
            click.confirm("Do this?", abort=True)
        return not self.dry_run

    def checks(self, broker: Broker, path: Path) -> None:
        found = host_checks(broker, path)
        self._body["findings"] = [one._asdict() for one in found]
        for name, ok, words, todo in found if not self._as_json else ():
            output.out(f"  {'ok   ' if ok else 'LOOK '} {name}: {words} {todo}".rstrip())

    def end(self, message: str, status: str = "ok") -> None:
        if self.dry_run:
            message = "Nothing was changed: this was a dry run."
        body = {"status": status, "message": message, **self._body}
        output.out_json(body) if self._as_json else output.out(message)


def _warn_unbuilt(broker: Broker, is_known: bool, report: _Report) -> None:
    if not broker.unbuilt:
        return
    words = (
        f"Not available yet in this release: {', '.join(broker.unbuilt)}. Until then, use the "
        f"{broker.title} app for it."
    )
    if not (is_known or report.dry_run):
        raise HostError(words, "If you want to try it all the same, give --preview.")
    report.say("preview", words)


def _refuse_running(host: Checkout, force: bool, report: _Report) -> None:
    if host.env is None:  # OpenAlgo does not start without
        return
    given = host.env.values.get("FLASK_PORT", "")
    port = int(given) if given.isdecimal() and int(given) < 65536 else 5000
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.5).close()
    except OSError:
        return
    words = f"Something listens on port {port}: OpenAlgo seems to run. Stop it first."
    report.say("running", words)
    if force or report.dry_run:
        return
    if not report.asks:
        raise HostError(words, "If that is another program, give --force.")
    click.confirm("Is that another program, and OpenAlgo does not run?", abort=True)


def _changes(host: Checkout, api_type: str | None, report: _Report) -> dict[str, Secret]:
    """The values to set in `.env`, by name: asked for, or what may be set without a question.

    Unasked no key is set, and nothing that another broker uses.
    """
    if host.env is None:
        return {}
    broker, other = host.broker, other_broker(host.broker, host.env)
    wanted = suggested(broker, host.env)
    if report.asks:
        question = (
            f"{f'OpenAlgo is set to {other}. ' if other else ''}Make {broker.title} OpenAlgo's "
            f"broker ({' and '.join(wanted)} in .env)?"
        )
        if wanted and not click.confirm(question, default=not other):
            wanted = {}
        wanted |= _asked(broker, host.env, api_type)
    else:
        if other:
            wanted = {}
            report.say(
                "broker",
                f"OpenAlgo is set to {other}: REDIRECT_URL is left as it is. Let it end in "
                f"{broker.callback_path} when you want to use {broker.title}.",
            )
        if api_type:
            wanted[broker.api_type_setting] = api_type
    return {name: Secret(value) for name, value in wanted.items()}


def _asked(broker: Broker, env: EnvFile, api_type: str | None) -> dict[str, str]:
    """The account's values as the user answers; Enter keeps the current one."""
    output.out("Your keys for .env. What you type is not shown; Enter keeps the current value.")
    changes: dict[str, str] = {}
    while True:
        typed = {
            name: click.prompt(
                f"{broker.title} {prompt}", default="", hide_input=True, show_default=False
            ).strip()
            for name, prompt in broker.credentials
        }
        changes |= {name: text for name, text in typed.items() if text}
        values = {**env.values, **changes}
        fault = _fault(broker, {name: values.get(name, "") for name, _ in broker.credentials})
        if not (fault and any(typed.values())):
            break
        output.out(str(fault))
    current = env.values.get(broker.api_type_setting, "").upper()
    if not broker.api_types:
        return changes
    kind = api_type or click.prompt(
        "Type of the API key",
        type=click.Choice(broker.api_types, case_sensitive=False),
        default=current if current in broker.api_types else broker.api_types[-1],
    )
    return {**changes, broker.api_type_setting: str(kind).upper()}


def _fault(broker: Broker, values: Mapping[str, str]) -> SettingError | None:
    try:
        broker.read_settings(values)
    except SettingError as error:
        return error
    return None


def _check_settings(broker: Broker, env: EnvFile | None, report: _Report) -> None:
    """Refuse to call a plugin installed that could not log in. Raises `SettingError`."""
    fault = None if env is None or other_broker(broker, env) else _fault(broker, env.values)
    if fault and report.dry_run:
        report.say("settings", f"{fault.message} `install` asks for it; with --yes it must be set.")
    elif fault:
        todo = f"{fault.next_step} Or install with --no-env, and fill .env in afterwards.".strip()
        raise SettingError(f"{fault.message} Nothing was changed.", todo)
