"""The commands `positions`, `close` and `convert`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import click

from broker._kit.cli.context import Context, command
from broker._kit.errors import BrokerError, CorrectInput, ManualCheckRequired
from broker._kit.money import rupees
from broker._kit.web.formatting import count
from broker.mstock.cli.answers import (
    Rows,
    agreed_to,
    ask,
    exchange_option,
    nothing_sent,
    report_each,
    report_sent,
    show,
    split_symbol,
    symbol_argument,
    yes_option,
)
from broker.mstock.mapping.orders import locate
from broker.mstock.mapping.positions import position_rows
from broker.mstock.market_data.last_prices import prices_of
from broker.mstock.orders.conversion import read_conversion
from broker.mstock.orders.desk import Desk
from broker.mstock.orders.exits import Results, cancel_all, close, close_all
from broker.mstock.orders.lookup import Lookup
from broker.mstock.orders.settler import LOOKED_FOR

Where = tuple[str, str, str]  # symbol, exchange, product


@command()
def positions(context: Context) -> None:
    """Show the net positions and the day's profit and loss."""

    def read(desk: Desk) -> Rows:
        rows, master = desk.service.positions(), desk.lookup_or_none
        prices = prices_of(desk.config, desk.token, rows, master.symbol_of)
        return position_rows(rows, master.symbol_of, prices)

    rows = ask(context, read)
    known = [row["pnl"] for row in rows if "pnl" in row]
    total = round(sum(known), 2) if known or not rows else None
    words = "not known" if total is None else rupees(Decimal(str(total)), plus=True)
    head = f"{count(len(rows), 'position', 'positions')}, profit and loss {words}."
    if len(known) < len(rows):
        head += f" Without {len(rows) - len(known)} of them, whose last price or cost is not known."
    names = (
        "symbol", "exchange", "product", "quantity", "average_price", "ltp", "realized",
        "unrealized", "pnl",
    )  # fmt: skip
    show(
        context, "positions", rows, names, head if rows else "No positions today.", total_pnl=total
    )


@command()
@click.argument("symbol", required=False, metavar="[EXCHANGE:]SYMBOL")
@exchange_option
@click.option("--product", default="MIS", show_default=True, help="MIS, CNC, NRML…")
@click.option("--all", "every", is_flag=True, help="Every open position.")
@click.option("--cancel-orders", is_flag=True, help="Cancel the symbol's open orders first.")
@yes_option
def close_position(
    context: Context,
    symbol: str | None,
    exchange: str | None,
    product: str,
    every: bool,
    cancel_orders: bool,
    yes: bool,
) -> None:
    """Close a position at the market, or all of them.

    Exit code 1 when one was not closed. With --cancel-orders the symbol's open orders are cancelled
    first; if one is not, nothing is closed.
    """
    if every == bool(symbol) or (every and cancel_orders):
        raise click.UsageError("Give a symbol, or --all (without --cancel-orders).")
    where = (*split_symbol(symbol or "", exchange), product.upper())
    what = "every open position" if every else f"{where[0]} on {where[1]}, {where[2]},"
    if not yes and not agreed_to(context, f"Close {what} at the market?"):
        nothing_sent(context)

    def work(desk: Desk) -> Results:
        master = desk.lookup_or_none
        if every:
            return close_all(desk.service, master)
        cancelled = _cancel_first(desk, master, where) if cancel_orders else []
        try:
            sent = close(desk.service, master, where)
        except BrokerError as error:
            if cancelled:
                error.message = f"The position is open, without its stop. {error.message}"
            raise
        if not sent:
            _name_what_is_open(desk, master, where)
        return Results([what.rstrip(",")] if sent else [], [])

    which = "No position" if every else f"No position {' '.join(where)}"
    nothing = f"{which} is open, or what closes it is on its way. Nothing was sent."
    report_each(context, "Closing", *ask(context, work), nothing=nothing)


close_position.name = "close"


def _name_what_is_open(desk: Desk, master: Lookup, where: Where) -> None:
    """Raises when the symbol is open on another exchange or in another product."""
    rows = [row for row in desk.service.positions() if row.quantity]
    found = [(*locate(row, master.symbol_of), row.product) for row in rows]
    others = [each for each in found if each[0] == where[0] and each != where]
    if others:
        symbol, exchange, product = where
        raise CorrectInput(
            f"Nothing was sent: {symbol} on {exchange}, {product}, is closed, or an order that "
            "closes it is on its way.",
            "Still open: "
            + "; ".join(
                f"--exchange {exchange} --product {product}" for _, exchange, product in others
            )
            + ".",
        )


def _cancel_first(desk: Desk, master: Lookup, where: Where) -> list[str]:
    tokens = (
        {
            order.token
            for order in desk.service.order_book()
            if locate(order, master.symbol_of) == where[:2]
        }
        | {
            entry.token
            for entry in desk.service.journal.sent_within(LOOKED_FOR)  # the book may lack it yet
            if (entry.symbol, entry.exchange) == where[:2]
        }
    )
    done, failed = cancel_all(
        desk.service, lambda token, product: token in tokens and product == where[2]
    )
    if failed:
        raise ManualCheckRequired(
            f"Nothing was closed: not every order was cancelled. {' '.join(map(str, failed))}",
            f"Cancelled were: {', '.join(done) or 'none'}.",
        )
    return done


@command()
@symbol_argument
@click.argument("to", metavar="PRODUCT")
@exchange_option
@click.option("--product", default="MIS", show_default=True, help="What the position is now.")
@click.option("--quantity", help="How much of it; all unless given.")
@yes_option
def convert(
    context: Context,
    symbol: str,
    to: str,
    exchange: str | None,
    product: str,
    quantity: str | None,
    yes: bool,
) -> None:
    """Convert a position to another product: convert INFY CNC.

    Exit code 6 when it is not known whether mStock did it: look with `positions` before you repeat
    it.
    """
    where = (*split_symbol(symbol, exchange), product.upper())

    def work(desk: Desk) -> dict[str, Any] | None:
        rows, master = desk.service.positions(), desk.lookup_or_none
        found = read_conversion(rows, master, where, to, quantity)
        if not yes and not agreed_to(context, f"Convert {found}?"):
            return None
        with desk.service.position_lock(*where):
            desk.service.convert(found.row, found.instrument, found.quantity, found.product)
        return {"conversion": str(found)}

    report_sent(context, ask(context, work), lambda done: f"Converted {done['conversion']}.")


COMMANDS = (positions, close_position, convert)
