"""Asks the user at a terminal: secrets hidden, everything on standard error, nothing guessed."""

from __future__ import annotations

import getpass
import re
import warnings

import click

from broker._kit.cli import output
from broker._kit.cli.context import Context
from broker._kit.secret import Secret

# A surrogate or a replacement character is what a terminal passes on in another encoding.
_PASSWORD = r"(?=.*\S)[^\ud800-\udfff\ufffd]{1,256}"


def need_terminal(context: Context, what: str, instead: str = "") -> None:
    """End with exit code 2 when nobody can be asked."""
    if not context.is_terminal():
        raise click.UsageError(
            f"{what} is asked at a terminal, and there is none here. Nothing was done. {instead}"
        )


def hidden(words: str) -> Secret:
    """What the user types, which is not shown; may be empty."""
    with warnings.catch_warnings():
        # It would be shown after all.
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return Secret(
                click.prompt(words, default="", show_default=False, hide_input=True, err=True)
            )
        except getpass.GetPassWarning:
            words = "This terminal cannot hide what is typed; nothing was sent."
            raise click.UsageError(words) from None


def password(context: Context) -> Secret:
    """A password that can be sent; asked again until it is one."""
    question = f"{context.broker.title} password"
    while not re.fullmatch(_PASSWORD, (typed := hidden(question)).reveal()):
        output.out("The password is empty, too long or not readable; nothing was sent.", err=True)
    return typed


def code(words: str, *, may_be_empty: bool = False) -> Secret:
    """Six digits, without the blank that apps show between them; asked again until they are."""
    while True:
        typed = "".join(hidden(words).reveal().split())
        if re.fullmatch(r"[0-9]{6}", typed) or (may_be_empty and not typed):
            return Secret(typed)
        output.out("That must be six digits; nothing was sent, and no attempt is lost.", err=True)
