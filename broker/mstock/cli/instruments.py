"""The instrument list on the command line: instruments, search, lookup, expiries."""

from __future__ import annotations

from typing import Any, cast

import click

from broker._kit.cli import output
from broker._kit.cli.context import Context, command
from broker._kit.errors import BrokerError, CorrectInput
from broker._kit.money import quantity_text
from broker._kit.sessions.report import date_time
from broker.mstock.cli.titles import title
from broker.mstock.database import instruments as local
from broker.mstock.database.master_contract_db import download, is_fresh
from broker.mstock.database.symbol_table import SymbolTable
from broker.mstock.mapping.symbols import InstrumentRow
from broker.mstock.settings import Config

_EXCHANGES = ("NFO", "BFO", "MCX", "CDS", "BCD")

instrument_argument = click.argument("instrument", metavar="[EXCHANGE:]SYMBOL")
name_argument = click.argument("name", metavar="[EXCHANGE:]NAME")


@command(standalone=True)
@click.option("--force", is_flag=True, help="Download also when today's list is here.")
def instruments(context: Context, force: bool) -> None:
    """Download mStock's instrument list.

    Today's is not downloaded twice.
    """
    table = open_table(context, force=force, needs_today=True)
    mark = table.mark()
    rows = mark.rows if mark else 0
    stored_at = mark.stored_at if mark else context.clock.now()
    context.answer(
        {"instruments": rows, "stored_at": stored_at.isoformat()},
        lambda: f"{quantity_text(rows)} instruments, of {date_time(stored_at)}.",
    )


@command(standalone=True)
@click.argument("text", nargs=-1, required=True)
@click.option("--exchange", help="Only on this exchange, such as NSE or NFO.")
@click.option("--limit", default=20, show_default=True, help="How many at the most.")
def search(context: Context, text: tuple[str, ...], exchange: str | None, limit: int) -> None:
    """Find instruments by parts of symbol or name, or by token."""
    words = " ".join(text)
    # One more than is shown, to know whether there are more.
    found = open_table(context).search(words, exchange and exchange.upper(), limit + 1)
    shown = found[:limit]
    more = (
        f"\n\nThere are more: --limit {5 * limit}, or more of the symbol." if shown != found else ""
    )
    context.answer(
        {"instruments": [row._asdict() for row in shown]},
        lambda: _rows(shown) + more if found else f"Nothing is called {words}.",
    )


@command(standalone=True)
@instrument_argument
def lookup(context: Context, instrument: str) -> None:
    """Show one instrument: token, expiry, strike, lot, tick."""
    row = find(open_table(context), instrument)._asdict()
    context.answer(
        {"instrument": row},
        lambda: output.pairs((title(name), str(value)) for name, value in row.items() if value),
    )


@command(standalone=True)
@name_argument
def expiries(context: Context, name: str) -> None:
    """List the expiry dates of an underlying's contracts."""
    _, _, found = expiries_of(open_table(context), name)
    context.answer({"expiries": found}, lambda: "\n".join(found))


COMMANDS = (instruments, search, lookup, expiries)


def open_table(context: Context, *, force: bool = False, needs_today: bool = False) -> SymbolTable:
    """The local instruments, downloaded first when today's are not there.

    Where they cannot be downloaded now, older ones serve, and it is said of which day they are.
    """
    config = cast(Config, context.config)
    table = local.local_instruments(config, context.service_settings.home)
    mark = table.mark()
    if is_fresh(mark, config, context.clock.now()) and not force:
        return table
    try:
        with _Bar() as bar:
            context.ask(
                lambda _config, token: download(config, token, table, bar.show, context.clock)
            )
    except BrokerError as error:
        if needs_today or mark is None or mark.source != local.source_of(config):
            raise
        output.out(f"Instruments of {date_time(mark.stored_at)} are used. {error}", err=True)
    return table


class _Bar:
    """A bar on standard error, where that is a terminal."""

    def __enter__(self) -> _Bar:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not Console(stderr=True).is_terminal,
        )
        self._tasks: dict[str, Any] = {}
        self._progress.__enter__()
        return self

    def show(self, what: str, done: int, everything: int) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=None)
        self._progress.update(self._tasks[what], completed=done, total=everything or None)

    def __exit__(self, *ending: Any) -> None:
        self._progress.__exit__(*ending)


def find(table: SymbolTable, text: str) -> InstrumentRow:
    """The instrument of `[EXCHANGE:]SYMBOL`. Raises `CorrectInput`, with what is close to it."""
    exchange, _, symbol = text.upper().rpartition(":")
    places = (exchange,) if exchange else ("NSE", "NSE_INDEX", "BSE", "BSE_INDEX", *_EXCHANGES)
    for place in places:
        if row := table.find(symbol, place):
            return row
    close = ", ".join(f"{row.exchange}:{row.symbol}" for row in table.search(symbol, limit=5))
    raise CorrectInput(
        f"{text} is not in mStock's instrument list.",
        f"Do you mean {close}?" if close else f"Look for it: {Context.command_line('search')}",
    )


def expiries_of(table: SymbolTable, text: str) -> tuple[str, str, list[str]]:
    """The exchange, the underlying and its expiries, the nearest first. Raises `CorrectInput`."""
    exchange, _, name = text.upper().rpartition(":")
    for place in (exchange,) if exchange else _EXCHANGES:
        if found := table.expiries(name, place):
            return place, name, found
    raise CorrectInput(
        f"{text} has no contracts in mStock's list.",
        f"Look for it: {Context.command_line('search')}",
    )


def _rows(found: list[InstrumentRow]) -> str:
    names = ("exchange", "symbol", "token", "lotsize", "name")
    lines = (tuple(str(getattr(row, name)) for name in names) for row in found)
    return output.table(tuple(map(title, names)), lines)
