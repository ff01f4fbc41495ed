"""`install` and `uninstall`: show what they would do, ask, do it, and look the result over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from broker._kit.broker import Broker
from broker._kit.cli import output
from broker._kit.cli.console import Command, Exit, as_json_option
from broker._kit.errors import HostError, SettingError
from broker._kit.openalgo.installer.apply import apply, undo
from broker._kit.openalgo.installer.checks import host_checks
from broker._kit.openalgo.installer.env_file import EnvFile
from broker._kit.openalgo.installer.inspect import Checkout, is_listening, look
from broker._kit.openalgo.installer.plan import (
    no_env,
    other_broker,
    plan,
    plan_undo,
    suggested,
)
from broker._kit.secret import Secret

__all__ = ["commands", "host_checks"]

_CODE, _KEY = "BROKER_API_KEY", "BROKER_API_SECRET"
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
    )
    @as_json_option
    def install(path: Path, **options: Any) -> None:
        """Put the plugin into the OpenAlgo in PATH, in the place of the one that it came with.

        Asks for your keys, shows the change of app.py, and keeps a copy of whatever it changes.
        When it refuses, nothing has been changed.
        """
        _install(broker, path, **options)

    @click.command(cls=Command)
    @_PATH
    @_DRY_RUN
    @_YES
    @click.option("--force", is_flag=True, help="Put back what was changed since the install, too.")
    @as_json_option
    def uninstall(path: Path, **options: Any) -> None:
        """Take the plugin out of the OpenAlgo in PATH, and put back what was there before it.

        Whatever was changed since the install is named and left alone. Ends with exit code 1 when
        something was left.
        """
        _uninstall(broker, path, **options)

    return install, uninstall


class _Report:
    """Says things to a person, or collects them for one JSON object at the end."""

    def __init__(self, as_json: bool, yes: bool, dry_run: bool, path: Path) -> None:
        if as_json and not (yes or dry_run):
            raise click.UsageError("--json asks nothing: give --yes or --dry-run with it.")
        self.asks = not (as_json or yes or dry_run)
        self._as_json = as_json
        self._body: dict[str, Any] = {"openalgo": str(path.resolve()), "dry_run": dry_run}

    def say(self, name: str, words: str | list[str], title: str = "") -> None:
        self._body[name] = words
        if words and not self._as_json:
            lines = [words] if isinstance(words, str) else [title, *(f"  - {w}" for w in words)]
            output.out("\n".join(lines))

    def checks(self, broker: Broker, path: Path) -> None:
        found = host_checks(broker, path)
        self._body["findings"] = [one._asdict() for one in found]
        for one in found if not self._as_json else ():
            output.out(
                f"  {'ok   ' if one.ok else 'LOOK '} {one.name}: {one.words} {one.todo}".rstrip()
            )

    def end(self, message: str, status: str = "ok") -> None:
        body = {"status": status, "message": message, **self._body}
        output.out_json(body) if self._as_json else output.out(message)


def _install(
    broker: Broker,
    path: Path,
    *,
    preview: bool,
    dry_run: bool,
    yes: bool,
    force: bool,
    no_patch: bool,
    no_env: bool,
    api_type: str | None,
    as_json: bool,
) -> None:
    report = _Report(as_json, yes, dry_run, path)
    _warn_unbuilt(broker, preview or dry_run, report)
    host = look(broker, path)
    report.say("version", f"OpenAlgo {host.version} in {host.place.openalgo}")
    _refuse_running(host, force or dry_run, report)
    if Path("/.dockerenv").exists():
        report.say(
            "container",
            "This runs in a container: what is changed here is gone when the container is made "
            "again. Install outside it and build the image again (see docs/openalgo.md).",
        )
    changes = {} if no_env else _changes(broker, host, api_type, report)
    wanted = plan(broker, host, changes=changes, patch=not no_patch, force=force)
    if not no_env:
        _check_settings(broker, wanted.env or host.env, dry_run, report)
    report.say("steps", list(wanted.words), "This will")
    report.say("diff", wanted.diff)
    if not (wanted.is_done or dry_run):
        if report.asks:
            click.confirm("Do this?", abort=True)
        apply(wanted)
        report.say("backup", f"What was there before is kept in {host.place.home}.")
    if dry_run:
        report.end("Nothing was changed: this was a dry run.")
        return
    report.checks(broker, path)
    if wanted.is_done:
        report.end("Everything is installed already; nothing was changed.")
    else:
        report.end("Installed. Start OpenAlgo, and log in.")


def _uninstall(
    broker: Broker, path: Path, *, dry_run: bool, yes: bool, force: bool, as_json: bool
) -> None:
    report = _Report(as_json, yes, dry_run, path)
    host = look(broker, path)
    wanted = plan_undo(broker, host, force=force)
    _refuse_running(host, force or dry_run, report)
    report.say("steps", list(wanted.words), "This will")
    report.say("left", list(wanted.left), "This is left alone:")
    report.say("diff", wanted.diff)
    report.say(
        "database",
        "If auto-login is on, switch it off on its page in OpenAlgo first: that removes your "
        "password and TOTP secret from OpenAlgo's database, which this command leaves alone.",
    )
    if dry_run:
        report.end("Nothing was changed: this was a dry run.")
        return
    if report.asks:
        click.confirm("Do this?", abort=True)
    report.say("kept", undo(wanted), "Mind:")
    if wanted.left:
        report.end("Not everything was taken out; see above.", "left")
        click.get_current_context().exit(Exit.REFUSED)
    report.end("Taken out. What the installer had changed is put back.")


def _warn_unbuilt(broker: Broker, is_known: bool, report: _Report) -> None:
    if not broker.unbuilt:
        return
    *some, last = broker.unbuilt
    missing = f"{', '.join(some)} and {last}" if some else last
    words = (
        f"Not available yet in this release: {missing}. Until then, use the {broker.title} app "
        "for it."
    )
    if not is_known:
        raise HostError(words, "If you want to try it all the same, give --preview.")
    report.say("preview", words)


def _refuse_running(host: Checkout, is_forced: bool, report: _Report) -> None:
    port = is_listening(host)
    if port is None:
        return
    words = f"Something listens on port {port}: OpenAlgo seems to run. Stop it first."
    report.say("running", words)
    if report.asks and not is_forced:
        click.confirm("Is that another program, and OpenAlgo does not run?", abort=True)
    elif not is_forced:
        raise HostError(words, "If that is another program, give --force.")


def _changes(
    broker: Broker, host: Checkout, api_type: str | None, report: _Report
) -> dict[str, Secret]:
    """The values to set in `.env`, by name: asked for, or what may be set without a question.

    Unasked no key is set, and nothing that another broker uses.
    """
    if host.env is None:
        raise no_env()
    other = other_broker(broker, host.env)
    if report.asks:
        return _asked(broker, host.env, other, api_type)
    wanted = {} if other else suggested(broker, host.env)
    if other:
        report.say(
            "broker",
            f"OpenAlgo is set to {other}: REDIRECT_URL is left as it is. Let it end in "
            f"{broker.callback_path} when you want to use {broker.title}.",
        )
    if api_type:
        wanted[broker.api_type_setting] = api_type
    return {name: Secret(value) for name, value in wanted.items()}


def _asked(broker: Broker, env: EnvFile, other: str, api_type: str | None) -> dict[str, Secret]:
    """The values as the user answers; Enter keeps what stands there."""
    wanted = suggested(broker, env)
    question = (
        f"{f'OpenAlgo is set to {other}. ' if other else ''}Make {broker.title} OpenAlgo's broker "
        f"({' and '.join(wanted)} in .env)?"
    )
    if wanted and not click.confirm(question, default=not other):
        wanted = {}
    changes = {name: Secret(value) for name, value in wanted.items()}
    output.out("Your keys for .env. What you type is not shown; Enter keeps what stands there.")
    values = dict(env.values)
    for prompt, name in (("client code (the login id)", _CODE), ("API key", _KEY)):
        typed = _hidden(broker, f"{broker.title} {prompt}", name, values)
        if typed:
            values[name] = typed
            changes[name] = Secret(typed)
    present = env.values.get(broker.api_type_setting, "").upper()
    kind = api_type or click.prompt(
        "Type of the API key",
        type=click.Choice(broker.api_types, case_sensitive=False),
        default=present if present in broker.api_types else broker.api_types[-1],
    )
    return {**changes, broker.api_type_setting: Secret(str(kind).upper())}


def _hidden(broker: Broker, prompt: str, name: str, values: Mapping[str, str]) -> str:
    """What is typed, once it passes the plugin's own check; "" for Enter."""
    while True:
        typed = click.prompt(prompt, default="", hide_input=True, show_default=False).strip()
        if not typed:
            return ""
        # The other of the two may not be filled in yet: a fault of that one is not told here.
        others = {_CODE: "C1"} if name == _KEY else {_KEY: "K1"}
        code = values.get(_CODE, "")
        if name == _KEY and not _fault(broker, {_CODE: code, _KEY: "K1"}):
            others = {_CODE: code}
        fault = _fault(broker, {**others, name: typed})
        if not fault:
            return typed
        output.out(str(fault))


def _fault(broker: Broker, values: Mapping[str, str]) -> SettingError | None:
    try:
        broker.read_settings(values)
    except SettingError as error:
        return error
    return None


def _check_settings(broker: Broker, env: EnvFile | None, is_dry_run: bool, report: _Report) -> None:
    """Refuse to call a plugin installed that could not log in. Raises `SettingError`."""
    fault = None if env is None or other_broker(broker, env) else _fault(broker, env.values)
    if fault and is_dry_run:
        report.say("settings", f"{fault.message} `install` asks for it; with --yes it must be set.")
    elif fault:
        todo = f"{fault.next_step} Or install with --no-env, and fill .env in afterwards.".strip()
        raise SettingError(f"{fault.message} Nothing was changed.", todo)
