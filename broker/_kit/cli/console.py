"""What all commands share: errors in words and exit codes, never a traceback, and `--json`."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from typing import Any

import click

from broker._kit.cli import output
from broker._kit.cli.exit_codes import WORDS, Exit, exit_of
from broker._kit.errors import BrokerError, PluginFault, RateLimited
from broker._kit.faults import fault_location

as_json_option = click.option(
    "--json", "as_json", is_flag=True, help="Answer with one JSON document on standard output."
)
# On Windows a pipe that nobody reads any more is an invalid argument.
_CLOSED = (errno.EPIPE, errno.EINVAL)


class _Explained(click.Command):
    """Says at the end of its help what its exit codes mean."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(int(code)), words) for code, words in WORDS.items()])


class _Guarded(click.Command):
    """Lets failures end in a sentence, or with --json in an object, and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        failure: BrokerError | None = None
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except (KeyboardInterrupt, EOFError, click.Abort):
            pass
        except BrokerError as error:
            failure = error
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _CLOSED:
                _hush()
                ctx.exit(Exit.REFUSED)
            # Its text could quote what was entered.
            what = f"The mStock plugin failed ({fault_location(error)})."
            failure = PluginFault(what, "Please report this fault in it.")
        return self._end(ctx, failure, exit_of(failure) if failure else Exit.STOPPED)

    def _end(self, ctx: click.Context, error: BrokerError | None, code: Exit) -> None:
        try:
            if ctx.params.get("as_json"):
                output.out_json(_failure(error, code))
            else:
                output.out(f"Error: {error}" if error else "Stopped.", err=True)
        except OSError:
            _hush()
        ctx.exit(code)


class Command(_Explained, _Guarded):
    """A command as all of these are."""


class Group(_Explained, _Guarded, click.Group):
    """A group of such commands; its own guard is for those that are of another kind."""

    command_class = Command


Group.group_class = Group


def _failure(error: BrokerError | None, code: Exit) -> dict[str, Any]:
    """`{"status": "error", "exit_code", "kind", "message", "next_step", …}`."""
    body: dict[str, Any] = {"status": "error", "exit_code": int(code)}
    if error is None:
        return body | {"kind": "Stopped", "message": "Stopped.", "next_step": ""}
    body |= {
        "kind": type(error).__name__,
        "message": error.message,
        "next_step": error.next_step,
        "code": error.code,
        "http_status": error.http_status,
        "attempts_left": error.attempts_left,
    }
    if isinstance(error, RateLimited):
        body["retry_after"] = error.retry_after
    return body


def _hush() -> None:
    """Nobody reads any more: let what is still to be written go nowhere, without a word."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
