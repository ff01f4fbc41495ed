"""`doctor --live`: how this account answers what the broker's documents leave open."""

from __future__ import annotations

from typing import NoReturn

import click

from broker._kit.cli import output, prompts
from broker._kit.cli.console import Exit
from broker._kit.cli.context import Context
from broker._kit.cli.redacted import private, redacted
from broker._kit.errors import CorrectInput

_LIVE_WORDS = {
    "reads": (
        "This reads your funds, books, positions, holdings and a share's candles at {title} with "
        "your session. It changes nothing, and prints shapes and yes or no: no figure, no name."
    ),
    "packets": (
        "This opens a connection for live prices for some twenty seconds. {title} may end another "
        "one of this account for it: whether OpenAlgo or another program streams cannot be known "
        "from here, so say yes only if none does."
    ),
}


def live_report(context: Context, what: str) -> NoReturn:
    """How this account answers what the broker's documents leave open; reads only, after a yes."""
    if context.openalgo is not None:
        raise CorrectInput(
            f"This folder belongs to OpenAlgo, which keeps the {context.broker.title} session "
            "itself.",
            "Run this in a folder of its own with a .env, after a login there, outside market "
            "hours: whether that login ends OpenAlgo's session is not known.",
        )
    prompts.need_terminal(context, "Whether to ask")
    title = context.broker.title
    output.out(_LIVE_WORDS[what].format(title=title), err=True)
    if not click.confirm(f"Ask {title}?", err=True):
        nothing: dict[str, list[str]] = {"findings": []}
        context.answer(nothing, lambda: "Nothing was asked.", status="cancelled", code=Exit.REFUSED)
    with context.interruptible():
        found = context.ask(
            lambda config, token: list(context.live_check(config, token, context.clock, what))
        )
    texts, words = private(context)
    rows = [(name, redacted(said, texts, words)) for name, said in found]
    config, now = context.config, context.clock.now()
    mode = "LIVE" if config.is_live else "SIMULATOR"
    kind = config.account.type_words
    head = f"{title} {mode}{kind}, plugin {context.broker.version}, {now:%B %Y}"
    context.answer(
        {"about": head, "findings": [{"question": name, "answer": said} for name, said in rows]},
        lambda: "\n".join((head, *map(": ".join, rows))),
    )
