"""How the commands of orders ask mStock, show rows, ask once before sending, and report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar, cast

import click

from broker._kit.broker import BrokerSettings
from broker._kit.cli import output, prompts
from broker._kit.cli.console import Exit
from broker._kit.cli.context import Context
from broker._kit.money import price_text, quantity_text
from broker._kit.secret import Secret
from broker._kit.sessions.token_guard import TokenGuard
from broker.mstock.cli.instruments import open_table
from broker.mstock.cli.titles import title
from broker.mstock.database.instruments import NoInstruments
from broker.mstock.orders.desk import Desk
from broker.mstock.orders.exits import Failed
from broker.mstock.settings import Config

Rows = list[dict[str, Any]]

T = TypeVar("T")

# None of these is ever 0: OpenAlgo's rows have one where there is no price.
_PRICES = ("price", "trigger_price", "average_price")

symbol_argument = click.argument("symbol", metavar="[EXCHANGE:]SYMBOL")
exchange_option = click.option("--exchange", help="Such as NSE or NFO; NSE unless given.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask; for scripts.")


def split_symbol(text: str, exchange: str | None) -> tuple[str, str]:
    """Symbol and exchange of `[EXCHANGE:]SYMBOL` and --exchange. Raises for two exchanges."""
    before, _, symbol = text.upper().rpartition(":")
    if exchange and before and before != exchange.upper():
        raise click.UsageError(f"{text} and --exchange {exchange} name two exchanges.")
    return symbol, before or (exchange or "NSE").upper()


def ask(context: Context, work: Callable[[Desk], T]) -> T:
    """What work with the stored session gives. Raises `BrokerError`, inside OpenAlgo too."""
    context.refuse_inside_openalgo(str(click.get_current_context().info_name))

    def call(config: BrokerSettings, token: Secret) -> T:
        services, clock = context.service_settings, context.clock
        guard = TokenGuard(context.broker, clock)
        return work(Desk(cast(Config, config), token, services, guard, clock))

    with context.interruptible():
        try:
            return context.ask(call)
        except NoInstruments:  # they are looked for before anything is sent
            open_table(context)
            return context.ask(call)


def show(
    context: Context, key: str, rows: Rows, names: tuple[str, ...], head: str, **more: Any
) -> NoReturn:
    """End the command with a table of these fields under a sentence; in JSON with all fields."""

    def table() -> str:
        titles = tuple(map(title, names))
        cells = (tuple(_cell(name, row.get(name)) for name in names) for row in rows)
        return f"{head}\n\n{output.table(titles, cells)}" if rows else head

    context.answer(context.account_json() | {key: rows} | more, table)


def _cell(name: str, value: str | int | float | None) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if name in _PRICES and not value:
        return output.NOTHING
    return price_text(value) if isinstance(value, float) else quantity_text(value)


def agreed_to(context: Context, question: str, what: Callable[[], str] | None = None) -> bool:
    """Ask once at the terminal, after saying `what` is asked about.

    Ends the command with exit code 2 where nobody can be asked.
    """
    prompts.need_terminal(context, "Whether to send it", "Give --yes to send it unasked.")
    if what is None:
        question = f"{context.account_words()}. {question}"
    else:
        output.out(f"{context.account_words()}: {what()}.", err=True)
    return click.confirm(question, default=False, err=True)


def report_sent(
    context: Context, done: dict[str, Any] | None, words: Callable[[dict[str, Any]], str]
) -> NoReturn:
    """End the command: what was sent, or that nothing was since the user did not agree."""
    if done is None:
        nothing_sent(context)
    context.answer(context.account_json() | done, lambda: words(done))


def nothing_sent(context: Context) -> NoReturn:
    """End the command: the user did not agree."""
    words = "Nothing was sent."
    context.answer({"message": words}, lambda: words, status="cancelled", code=Exit.REFUSED)


def report_each(
    context: Context, verb: str, done: list[str], failed: list[Failed], *, nothing: str
) -> NoReturn:
    """End the command: what was done one by one, and what was not; exit code 1 then.

    `nothing` is said when there was nothing to do.
    """
    first = f"{verb} {', '.join(done) or 'nothing'}." if done or failed else nothing
    lines = [first, *map(str, failed)]
    context.answer(
        context.account_json() | {"done": done, "failed": list(map(str, failed))},
        lambda: "\n".join(lines),
        status="error" if failed else "success",
        code=Exit.REFUSED if failed else Exit.OK,
    )
