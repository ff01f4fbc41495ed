"""The commands `orders`, `trades`, `positions`, `holdings`, `margin`, `place`, `modify`, `cancel`,
`close`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn, TypeVar, cast

import click

from broker._kit.broker import BrokerSettings
from broker._kit.cli import output, prompts
from broker._kit.cli.console import Exit
from broker._kit.cli.context import Context, command
from broker._kit.errors import BrokerError, ManualCheckRequired
from broker._kit.secret import Secret
from broker._kit.sessions.token_guard import TokenGuard
from broker.mstock.api.order_api import prices_of
from broker.mstock.errors import InputException
from broker.mstock.mapping import order_data
from broker.mstock.mapping.margin_data import host_margin
from broker.mstock.mapping.orders import locate
from broker.mstock.mapping.positions import holding_rows, position_rows
from broker.mstock.mapping.transform_data import Instrument, OrderRequest, check_order, read_order
from broker.mstock.orders.desk import Desk
from broker.mstock.orders.exits import Failed, cancel_all, close, close_all
from broker.mstock.orders.journal import Entry
from broker.mstock.orders.lookup import Lookup
from broker.mstock.settings import Config

T = TypeVar("T")
Rows = list[dict[str, Any]]
_lock = threading.RLock()  # one command trades one thing at a time


def _ask(context: Context, work: Callable[[Desk], T]) -> T:
    context.refuse_inside_openalgo(str(click.get_current_context().info_name))

    def call(config: BrokerSettings, token: Secret) -> T:
        services, clock = context.service_settings, context.clock
        guard = TokenGuard(context.broker, clock)
        return work(Desk(cast(Config, config), token, services, guard, clock))

    with context.interruptible():
        return context.ask(call)


# Books


@command()
@click.argument("which", type=click.Choice(["all", "unknown"]), default="all")
def orders(context: Context, which: str) -> None:
    """Show today's orders; with `unknown` those whose outcome is not known, after another look."""
    if which == "unknown":
        _unknown(context)
    rows: Rows = _ask(
        context,
        lambda desk: order_data.order_rows(
            desk.service.order_book(), desk.lookup_or_none.symbol_of
        ),
    )
    counts = order_data.calculate_order_statistics(rows)
    names = (
        "timestamp", "orderid", "action", "quantity", "filled_quantity", "symbol", "exchange",
        "product", "pricetype", "price", "trigger_price", "order_status", "rejection_reason",
    )  # fmt: skip
    head = (
        f"{len(rows)} orders: {counts['total_completed_orders']} complete, "
        f"{counts['total_open_orders']} open, {counts['total_rejected_orders']} rejected."
    )
    _show(context, "orders", rows, names, head, statistics=counts)


def _unknown(context: Context) -> None:
    def look(desk: Desk) -> list[Entry]:
        if desk.service.journal.unknown():
            desk.service.settler.look()
        return desk.service.journal.unknown()

    names = (
        "at",
        "tag",
        "kind",
        "order_id",
        "side",
        "quantity",
        "symbol",
        "exchange",
        "price_type",
    )
    rows = [{name: _plain(getattr(each, name)) for name in names} for each in _ask(context, look)]
    head = f"{len(rows)} calls whose outcome is unknown: look for them in the mStock app."
    _show(context, "unknown", rows, names, head if rows else "Every outcome is known.")


@command()
def trades(context: Context) -> None:
    """Show today's fills."""
    rows: Rows = _ask(
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
    _show(context, "trades", rows, names, f"{len(rows)} trades, worth {value:,.2f} in all.")


@command()
def positions(context: Context) -> None:
    """Show the net positions and the day's profit and loss."""

    def read(desk: Desk) -> Rows:
        rows, master = desk.service.positions(), desk.lookup_or_none
        prices = prices_of(desk.config, desk.token, rows, master)
        return position_rows(rows, master.symbol_of, prices)

    rows = _ask(context, read)
    known = [row["pnl"] for row in rows if "pnl" in row]
    head = f"{len(rows)} positions, profit and loss {sum(known):,.2f}."
    if len(known) < len(rows):
        head += f" Without {len(rows) - len(known)} of them, whose last price is not known."
    names = (
        "symbol", "exchange", "product", "quantity", "average_price", "ltp", "realized",
        "unrealized", "pnl",
    )  # fmt: skip
    _show(context, "positions", rows, names, head, total_pnl=round(sum(known), 2))


@command()
def holdings(context: Context) -> None:
    """Show the holdings with what they cost and are worth."""
    rows: Rows = _ask(
        context,
        lambda desk: holding_rows(
            desk.config.api_type, desk.service.holdings(), desk.lookup_or_none.symbol_of
        ),
    )
    sums = order_data.calculate_portfolio_statistics(rows)
    head = (
        f"{len(rows)} holdings worth {sums['totalholdingvalue']:,.2f}, "
        f"profit and loss {sums['totalprofitandloss']:,.2f} ({sums['totalpnlpercentage']} %)."
    )
    names = ("symbol", "exchange", "quantity", "average_price", "ltp", "pnl", "pnlpercent")
    _show(context, "holdings", rows, names, head, statistics=sums)


# Orders

_SIDE = click.Choice(["BUY", "SELL"], case_sensitive=False)


def _order_options(work: Callable[..., None]) -> Callable[..., None]:
    """The arguments and options that describe an order."""
    for option in reversed(
        (
            click.argument("action", type=_SIDE),
            click.argument("quantity"),
            click.argument("symbol"),
            click.option("--exchange", default="NSE", show_default=True),
            click.option("--product", default="MIS", show_default=True, help="MIS, CNC, NRML…"),
            click.option("--price", help="A limit; without one at the market."),
            click.option("--trigger", help="A stop: SL with --price, SL-M without."),
            click.option("--disclosed", default="0", help="Disclosed quantity."),
            click.option("--ioc", is_flag=True, help="Immediate or cancel; otherwise for the day."),
            click.option("--amo", is_flag=True, help="After-market order."),
            click.option("--cover", is_flag=True, help="Cover order, its exit at --trigger."),
        )
    ):
        work = option(work)
    return work


def _request(options: Mapping[str, Any]) -> OrderRequest:
    price, trigger, is_cover = (options[name] for name in ("price", "trigger", "cover"))
    has_stop = bool(trigger) and not is_cover
    price_type = ("SL" if price else "SL-M") if has_stop else ("LIMIT" if price else "MARKET")
    return read_order(
        {
            **{name: options[name] for name in ("action", "quantity", "product")},
            "symbol": options["symbol"].upper(),
            "exchange": options["exchange"].upper(),
            "pricetype": price_type,
            "price": price,
            "trigger_price": trigger,
            "disclosed_quantity": options["disclosed"],
            "validity": "IOC" if options["ioc"] else "DAY",
            "is_after_market": options["amo"],
            "is_cover": is_cover,
        }
    )


def _words(request: OrderRequest) -> str:
    parts = [
        request.action, str(request.quantity), request.symbol, "on", request.exchange,
        request.product, request.price_type,
    ]  # fmt: skip
    parts += [f"at {request.price.normalize():f}"] if request.price else []
    parts += [f"trigger {request.trigger_price.normalize():f}"] if request.trigger_price else []
    parts += [request.validity] if request.validity != "DAY" else []
    parts += ["after market"] if request.is_after_market else []
    parts += ["cover"] if request.is_cover else []
    return " ".join(parts)


@command()
@_order_options
def margin(context: Context, **options: Any) -> None:
    """Show the margin of an order; nothing is placed."""

    def read(desk: Desk) -> tuple[OrderRequest, dict[str, Any]]:
        request = _request(options)
        leg = (request, desk.lookup.instrument(request.symbol, request.exchange))
        return request, host_margin(desk.service.margin([leg]), is_sum=False)

    request, found = _ask(context, read)
    required = found["total_margin_required"]
    context.answer(
        context.account_json() | {"margin": found},
        lambda: f"{_words(request)} needs a margin of {required:,.2f}.",
    )


@command()
@_order_options
@click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
def place(context: Context, yes: bool, **options: Any) -> None:
    """Place an order, after showing it and its margin: place BUY 10 INFY --price 1500.

    Exit code 6 when it is not known whether mStock took it: look with `orders` before you repeat
    it.
    """

    def work(desk: Desk) -> dict[str, Any] | None:
        request = _request(options)
        instrument = desk.lookup.instrument(request.symbol, request.exchange)
        check_order(request, instrument)
        if not yes and not _agreed(context, desk, request, instrument):
            return None
        placed = desk.service.place(request, instrument)
        return {"orderid": placed.order_id, "tag": placed.tag, "order": _words(request)}

    done = _ask(context, work)
    if done is None:
        _nothing_sent(context)
    words = f"mStock took the order {done['orderid']}: {done['order']}. See it with: orders"
    context.answer(context.account_json() | done, lambda: words)


def _agreed(context: Context, desk: Desk, request: OrderRequest, instrument: Instrument) -> bool:
    prompts.need_terminal(context, "Whether to send the order", "Give --yes to send it unasked.")
    try:
        found = desk.service.margin([(request, instrument)])
        need = f"a margin of {found.total:,.2f}"
    except BrokerError as error:
        need = f"a margin that mStock did not tell ({error.message})"
    output.out(f"{context.account_words()}: {_words(request)}, {need}.", err=True)
    return _consent("Send this order?")


@command()
@click.argument("order_id")
@click.option("--quantity")
@click.option("--price")
@click.option("--trigger")
@click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
def modify(
    context: Context,
    order_id: str,
    quantity: str | None,
    price: str | None,
    trigger: str | None,
    yes: bool,
) -> None:
    """Change quantity, price or trigger of an open order; the rest stays as it is."""

    def work(desk: Desk) -> dict[str, Any] | None:
        master = desk.lookup
        book = desk.service.order_book()
        order = next((each for each in book if each.order_id == order_id), None)
        if order is None:
            raise InputException(f"There is no order {order_id} today. Nothing was sent.")
        symbol, exchange = locate(order, master.symbol_of)
        request = read_order(
            {
                "symbol": symbol,
                "exchange": exchange,
                "action": order.side,
                "quantity": quantity or order.quantity,
                "pricetype": order.price_type,
                "product": order.product,
                "price": price or order.price,
                "trigger_price": trigger or order.trigger_price,
                "disclosed_quantity": order.disclosed_quantity,
                "validity": order.validity,
            }
        )
        instrument = master.instrument(symbol, exchange)
        check_order(request, instrument)
        if not yes and not _agreed_to(context, f"Change order {order_id} to: {_words(request)}?"):
            return None
        desk.service.modify(order_id, request, instrument)
        return {"orderid": order_id, "order": _words(request)}

    done = _ask(context, work)
    if done is None:
        _nothing_sent(context)
    words = f"The order {order_id} is changed: {done['order']}."
    context.answer(context.account_json() | done, lambda: words)


@command()
@click.argument("order_ids", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Every open order.")
@click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
def cancel(context: Context, order_ids: tuple[str, ...], every: bool, yes: bool) -> None:
    """Cancel orders by their ids, or all open ones; exit code 1 when one was not cancelled."""
    if every == bool(order_ids):
        raise click.UsageError("Give order ids, or --all.")
    what = "every open order" if every else ", ".join(order_ids)
    if not yes and not _agreed_to(context, f"Cancel {what}?"):
        _nothing_sent(context)

    def work(desk: Desk) -> tuple[list[str], list[Failed]]:
        if every:
            return cancel_all(desk.service)
        done: list[str] = []
        failed: list[Failed] = []
        for order_id in order_ids:
            try:
                desk.service.cancel(order_id)
                done.append(order_id)
            except BrokerError as error:
                failed.append(Failed(order_id, error))
        return done, failed

    _report(context, "Cancelled", *_ask(context, work))


@command(has_json=True)
@click.argument("symbol", required=False)
@click.option("--exchange", default="NSE", show_default=True)
@click.option("--product", default="MIS", show_default=True)
@click.option("--all", "every", is_flag=True, help="Every open position.")
@click.option("--cancel-orders", is_flag=True, help="Cancel the symbol's open orders first.")
@click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
def close_position(
    context: Context,
    symbol: str | None,
    exchange: str,
    product: str,
    every: bool,
    cancel_orders: bool,
    yes: bool,
) -> None:
    """Close a position at the market, or all of them; exit code 1 when one was not closed.

    With --cancel-orders the symbol's open orders are cancelled first; if one is not, nothing is
    closed.
    """
    if every == bool(symbol) or (every and cancel_orders):
        raise click.UsageError("Give a symbol, or --all (without --cancel-orders).")
    where = ((symbol or "").upper(), exchange.upper(), product.upper())
    what = "every open position" if every else f"{where[0]} on {where[1]}, {where[2]},"
    if not yes and not _agreed_to(context, f"Close {what} at the market?"):
        _nothing_sent(context)

    def work(desk: Desk) -> tuple[list[str], list[Failed]]:
        master = desk.lookup_or_none
        if every:
            return close_all(desk.service, master, lambda *_: _lock)
        cancelled = _cancel_first(desk, master, where) if cancel_orders else []
        try:
            sent = close(desk.service, master, lambda *_: _lock, where)
        except BrokerError as error:
            if cancelled:
                error.message = f"The position is open, without its stop. {error.message}"
            raise
        return ([what.rstrip(",")] if sent else []), []

    _report(context, "Closing", *_ask(context, work))


close_position.name = "close"


def _cancel_first(desk: Desk, master: Lookup, where: tuple[str, str, str]) -> list[str]:
    tokens = {
        order.token
        for order in desk.service.order_book()
        if locate(order, master.symbol_of) == where[:2]
    }
    done, failed = cancel_all(
        desk.service, lambda token, product: token in tokens and product == where[2]
    )
    if failed:
        raise ManualCheckRequired(
            f"Nothing was closed: not every order was cancelled. {' '.join(map(str, failed))}",
            f"Cancelled were: {', '.join(done) or 'none'}.",
        )
    return done


# Answers


def _consent(question: str) -> bool:
    return click.confirm(question, default=False, err=True)


def _agreed_to(context: Context, question: str) -> bool:
    prompts.need_terminal(context, "Whether to send it", "Give --yes to send it unasked.")
    return _consent(f"{context.account_words()}. {question}")


def _nothing_sent(context: Context) -> NoReturn:
    words = "Nothing was sent."
    context.answer({"message": words}, lambda: words, status="cancelled", code=Exit.REFUSED)


def _report(context: Context, verb: str, done: list[str], failed: list[Failed]) -> None:
    lines = [f"{verb} {', '.join(done) if done else 'nothing'}.", *map(str, failed)]
    context.answer(
        context.account_json() | {"done": done, "failed": list(map(str, failed))},
        lambda: "\n".join(lines),
        status="error" if failed else "success",
        code=Exit.REFUSED if failed else Exit.OK,
    )


def _show(
    context: Context, key: str, rows: Rows, names: Iterable[str], head: str, **more: Any
) -> None:
    def table() -> str:
        titles = tuple(click.style(name.replace("_", " "), bold=True) for name in names)
        cells = [tuple(_cell(row.get(name)) for name in names) for row in rows]
        return f"{head}\n\n{output.columns([titles, *cells])}" if rows else head

    context.answer(context.account_json() | {key: rows} | more, table)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:,.2f}" if isinstance(value, float) else str(value)


def _plain(value: object) -> object:
    return value if isinstance(value, int) and not isinstance(value, bool) else str(value)


COMMANDS = (
    orders, trades, positions, holdings, margin, place, modify, cancel, close_position,
)  # fmt: skip
