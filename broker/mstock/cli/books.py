"""The commands `orders`, `order`, `trades` and `holdings`."""

from __future__ import annotations

from decimal import Decimal

import click

from broker._kit.cli.context import Context, command
from broker._kit.money import rupees
from broker._kit.web.formatting import count
from broker.mstock.cli.answers import Rows, ask, show
from broker.mstock.mapping import order_data
from broker.mstock.mapping.orders import locate
from broker.mstock.mapping.positions import holding_rows
from broker.mstock.orders.desk import Desk
from broker.mstock.orders.journal import Entry


@command()
@click.argument("which", type=click.Choice(["all", "unknown"]), default="all")
def orders(context: Context, which: str) -> None:
    """Show today's orders.

    With `unknown` those whose outcome is not known, after another look.
    """
    if which == "unknown":
        _unknown(context)
    rows: Rows = ask(
        context,
        lambda desk: order_data.order_rows(
            desk.service.order_book(), desk.lookup_or_none.symbol_of
        ),
    )
    counts = order_data.calculate_order_statistics(rows)
    names = (
        "timestamp", "orderid", "action", "quantity", "filled_quantity", "symbol", "exchange",
        "product", "pricetype", "price", "trigger_price", "average_price", "order_status",
        "rejection_reason",
    )  # fmt: skip
    head = (
        f"{count(len(rows), 'order', 'orders')}: {counts['total_completed_orders']} complete, "
        f"{counts['total_open_orders']} open, {counts['total_rejected_orders']} rejected, "
        f"{counts['total_cancelled_orders']} cancelled."
    )
    show(context, "orders", rows, names, head if rows else "No orders today.", statistics=counts)


def _unknown(context: Context) -> None:
    def look(desk: Desk) -> list[Entry]:
        if desk.service.journal.unknown():
            desk.service.settler.look()
        return desk.service.journal.unknown()

    names = (
        "at", "tag", "kind", "order_id", "side", "quantity", "symbol", "exchange", "price_type",
    )  # fmt: skip
    rows = [{name: _plain(getattr(each, name)) for name in names} for each in ask(context, look)]
    calls = count(len(rows), "call", "calls")
    head = f"{calls} whose outcome is unknown: look in the mStock app."
    show(context, "unknown", rows, names, head if rows else "Every outcome is known.")


def _rupees(value: float, *, plus: bool = False) -> str:
    return rupees(Decimal(str(value)), plus=plus)


def _plain(value: object) -> object:
    return value if isinstance(value, int) and not isinstance(value, bool) else str(value)


@command()
@click.argument("order_id")
def order(context: Context, order_id: str) -> None:
    """Show what became of one order of today, state by state."""

    def read(desk: Desk) -> tuple[str, Rows]:
        order = desk.service.find_order(order_id)
        symbol, exchange = locate(order, desk.lookup_or_none.symbol_of)
        states = desk.service.history(order_id, exchange)
        # The states' own tokens and symbols may be empty.
        rows = order_data.order_rows(states, lambda _token, _exchange: symbol)
        for row, state in zip(rows, states, strict=True):
            row |= {"exchange": exchange, "message": state.text}
        return f"{order.side} {order.quantity} {symbol} on {exchange}, {order.product}", rows

    what, rows = ask(context, read)
    names = (
        "timestamp", "order_status", "quantity", "filled_quantity", "pending_quantity", "pricetype",
        "price", "trigger_price", "average_price", "message",
    )  # fmt: skip
    show(
        context,
        "history",
        rows,
        names,
        f"{order_id}: {what}, {count(len(rows), 'state', 'states')}.",
    )


@command()
def trades(context: Context) -> None:
    """Show today's fills."""
    rows: Rows = ask(
        context,
        lambda desk: order_data.trade_rows(
            desk.service.trade_book(), desk.lookup_or_none.symbol_of
        ),
    )
    value = sum(row["trade_value"] for row in rows)
    names = (
        "timestamp", "orderid", "action", "quantity", "symbol", "exchange", "product",
        "average_price", "trade_value",
    )  # fmt: skip
    head = f"{count(len(rows), 'trade', 'trades')}, worth {_rupees(value)} in all."
    show(context, "trades", rows, names, head if rows else "No trades today.")


@command()
def holdings(context: Context) -> None:
    """Show the holdings with what they cost and are worth."""
    rows: Rows = ask(
        context,
        lambda desk: holding_rows(
            desk.config.api_type, desk.service.holdings(), desk.lookup_or_none.symbol_of
        ),
    )
    sums = order_data.calculate_portfolio_statistics(rows)
    head = (
        f"{count(len(rows), 'holding', 'holdings')} worth {_rupees(sums['totalholdingvalue'])}, "
        f"profit and loss {_rupees(sums['totalprofitandloss'], plus=True)} "
        f"({sums['totalpnlpercentage']} %)."
    )
    if missing := sum("pnl" not in row for row in rows):
        head += f" Without {missing} of them, whose last price or cost is not known."
    names = ("symbol", "exchange", "quantity", "average_price", "ltp", "pnl", "pnlpercent")
    show(context, "holdings", rows, names, head if rows else "No holdings.", statistics=sums)


COMMANDS = (orders, order, trades, holdings)
