"""Asks the user at a terminal: secrets hidden, everything on standard error, nothing guessed."""

from __future__ import annotations

import getpass
import re
import warnings

import click

from broker._kit.cli import output
from broker._kit.cli.context import Context
from broker._kit.secret import Secret

_LONGEST_PASSWORD = 256
_UNREADABLE = "[\ud800-\udfff\ufffd]"  # what a terminal passes on in another encoding


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
            typed = click.prompt(
                words, default="", show_default=False, hide_input=True, err=True, type=str
            )
        except getpass.GetPassWarning:
            typed = None
    if typed is None:
        raise click.UsageError("This terminal cannot hide what is typed; nothing was sent.")
    return Secret(typed)


def password(context: Context) -> Secret:
    """A password that can be sent; asked again until it is one."""
    while True:
        typed = hidden(f"{context.broker.title} password")
        text = typed.reveal()
        if text.strip() and len(text) <= _LONGEST_PASSWORD and not re.search(_UNREADABLE, text):
            return typed
        output.out("The password is empty, too long or not readable; nothing was sent.", err=True)


def code(words: str, *, may_be_empty: bool = False) -> Secret:
    """Six digits, without the blank that apps show between them; asked again until they are."""
    while True:
        typed = "".join(hidden(words).reveal().split())
        if re.fullmatch(r"[0-9]{6}", typed) or (may_be_empty and not typed):
            return Secret(typed)
        output.out("That must be six digits; nothing was sent, and no attempt is lost.", err=True)


def wants_otp(context: Context) -> bool:
    """True when the user gets an OTP from the broker, False with an authenticator app."""
    words = "sends a code to your phone. totp: an authenticator app shows it."
    output.out(f"otp: {context.broker.title} {words}", err=True)
    chosen = click.prompt("Which one", type=click.Choice(["otp", "totp"]), err=True)
    return bool(chosen == "otp")


def consent(words: str) -> bool:
    """A plain yes; anything but yes is no."""
    return click.confirm(words, default=False, err=True)
