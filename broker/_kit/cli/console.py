"""What all commands share: exit codes, failures as a sentence, `--json`, `-v`, `--log-file`."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sys
from collections.abc import Iterable, Mapping
from enum import IntEnum
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click

from broker._kit import errors
from broker._kit.cli import output
from broker._kit.errors import BrokerError
from broker._kit.faults import guarded

log = logging.getLogger(__name__)


class Exit(IntEnum):
    """The exit codes of every command."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    NO_SESSION = 3
    LATER = 4
    SETTINGS = 5
    LOOK_FIRST = 6
    STOPPED = 130


WORDS: dict[Exit, str] = {
    Exit.OK: "Done.",
    Exit.REFUSED: "Refused, or failed: the message says why. Of doctor: something is to be done.",
    Exit.USAGE: "Not understood, or a terminal is needed to ask you something.",
    Exit.NO_SESSION: "There is no session, or it is over: log in.",
    Exit.LATER: "The broker cannot be reached, or asks to wait: try again later.",
    Exit.SETTINGS: "A setting, the API key or the stored data has to be fixed first.",
    Exit.LOOK_FIRST: "Whether the broker did it is not known: look before you repeat it.",
    Exit.STOPPED: "Stopped by you (Ctrl-C).",
}
# First match wins; what is not here is REFUSED.
FAMILIES: tuple[tuple[type[BrokerError], Exit], ...] = (
    (errors.FixConfiguration, Exit.SETTINGS),
    (errors.LogInAgain, Exit.NO_SESSION),
    (errors.WaitAndRetry, Exit.LATER),
    (errors.RefusedByBroker, Exit.REFUSED),
    (errors.PluginFault, Exit.REFUSED),
    (errors.ManualCheckRequired, Exit.LOOK_FIRST),
)
# Click's own ways to end a command.
_CLICK = (click.ClickException, click.exceptions.Exit, click.Abort, EOFError)

as_json_option = click.option(
    "--json", "as_json", is_flag=True, help="Answer with one JSON document on standard output."
)


def exit_of(error: BrokerError) -> Exit:
    """The exit code for an error."""
    return next((code for family, code in FAMILIES if isinstance(error, family)), Exit.REFUSED)


class Command(click.Command):
    """A command that ends in a sentence and an exit code, never in a traceback.

    With --json a failure is an object, `{"status": "error", "exit_code", "kind", "message", …}`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += _LOGGING_OPTIONS

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(int(code)), words) for code, words in WORDS.items()])

    def invoke(self, ctx: click.Context) -> None:
        def run() -> Exception | None:
            try:
                super(Command, self).invoke(ctx)
            except _CLICK as ending:
                return ending
            except OSError as error:
                # On Windows a pipe that nobody reads any more is an invalid argument.
                if error.errno not in (errno.EPIPE, errno.EINVAL):
                    raise
                _discard_output()
                return click.exceptions.Exit(Exit.REFUSED)
            return None

        try:
            ending = guarded(run)
        except BrokerError as error:
            _end(ctx, error, exit_of(error))
        except KeyboardInterrupt:
            _end(ctx, None, Exit.STOPPED)
        if isinstance(ending, click.Abort | EOFError):
            _end(ctx, None, Exit.STOPPED)
        if ending:
            raise ending


class Group(Command, click.Group):
    """A group of such commands; its own guard is for those that are of another kind.

    `rooms` are modules and the names of their COMMANDS: a module is loaded when one is asked for.
    """

    command_class = Command

    def __init__(self, *args: Any, rooms: Mapping[str, Iterable[str]] | None = None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._room_of = {name: room for room, names in (rooms or {}).items() for name in names}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *self._room_of})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.commands and (room := self._room_of.get(cmd_name)):
            for command in import_module(room).COMMANDS:
                self.add_command(command)
        return super().get_command(ctx, cmd_name)


def _end(ctx: click.Context, error: BrokerError | None, code: Exit) -> NoReturn:
    log.info(f"{ctx.command_path}: exit code {code}: {error or 'stopped'}")
    try:
        if ctx.params.get("as_json"):
            output.out_json(_failure_json(error, code))
        else:
            output.out(f"Error: {error}" if error else "Stopped.", err=True)
    except OSError:
        _discard_output()
    ctx.exit(code)


def _failure_json(error: BrokerError | None, code: Exit) -> dict[str, Any]:
    body: dict[str, Any] = {"status": "error", "exit_code": int(code)}
    if error is None:
        return body | {"kind": "Stopped", "message": "Stopped.", "next_step": ""}
    names = ["message", "next_step", "code", "http_status", "attempts_left"]
    names += ["retry_after"] if isinstance(error, errors.RateLimited) else []
    return body | {"kind": type(error).__name__} | {name: getattr(error, name) for name in names}


def _discard_output() -> None:
    """Nobody reads standard output any more: the rest of it goes nowhere."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def is_verbose(ctx: click.Context) -> bool:
    """Whether -v was given, to the command or to a group before it."""
    return bool(ctx.meta.get(__name__))


def _verbose(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not is_verbose(ctx):
        ctx.meta[__name__] = True
        _log_to(ctx, logging.StreamHandler())


def _log_file(ctx: click.Context, _param: click.Parameter, path: Path | None) -> None:
    if path is None:
        return
    try:
        path.touch(0o600)
        _log_to(ctx, logging.FileHandler(path, encoding="utf-8"))
    except OSError as error:
        raise click.BadParameter(f"{path} cannot be written ({error.strerror}).") from None


def _log_to(ctx: click.Context, handler: logging.Handler) -> None:
    """Log there until the command ends: what `broker` logs, which shows no secret."""
    logger = logging.getLogger("broker")
    level = logger.level

    @ctx.call_on_close
    def stop() -> None:
        logger.setLevel(level)
        logger.removeHandler(handler)
        handler.close()

    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


_LOGGING_OPTIONS: list[click.Parameter] = [
    click.Option(
        ["-v", "--verbose"],
        is_flag=True,
        expose_value=False,
        callback=_verbose,
        help="Say more, and log to standard error.",
    ),
    click.Option(
        ["--log-file"],
        type=click.Path(dir_okay=False, path_type=Path),
        expose_value=False,
        callback=_log_file,
        help="Add the log to this file; it holds no secret.",
    ),
]
