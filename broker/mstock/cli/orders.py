"""The commands `margin`, `place`, `modify` and `cancel`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import click

from broker._kit.cli.context import Context, command
from broker._kit.errors import BrokerError, CorrectInput
from broker._kit.money import rupees
from broker.mstock.cli.answers import (
    agreed_to,
    ask,
    exchange_option,
    nothing_sent,
    report_each,
    report_sent,
    split_symbol,
    symbol_argument,
    yes_option,
)
from broker.mstock.mapping.margin_data import host_margin
from broker.mstock.mapping.orders import locate
from broker.mstock.mapping.transform_data import (
    NEEDS_PRICE,
    NEEDS_TRIGGER,
    Instrument,
    OrderRequest,
    read_order,
)
from broker.mstock.orders.desk import Desk
from broker.mstock.orders.exits import Results, cancel_all, cancel_orders

_SIDE = click.Choice(["BUY", "SELL"], case_sensitive=False)


def _order_options(work: Callable[..., None]) -> Callable[..., None]:
    """The arguments and options that describe an order."""
    for option in reversed(
        (
            click.argument("action", type=_SIDE),
            click.argument("quantity"),
            symbol_argument,
            exchange_option,
            click.option("--product", default="MIS", show_default=True, help="MIS, CNC, NRML…"),
            click.option("--price", help="A limit; without one at the market."),
            click.option("--trigger", help="A stop: SL with --price, SL-M without."),
            click.option("--disclosed", default="0", help="Disclosed quantity."),
            click.option("--ioc", is_flag=True, help="Immediate or cancel; otherwise for the day."),
            click.option("--amo", is_flag=True, help="After-market order."),
            click.option("--cover", is_flag=True, help="Cover order, its exit at --trigger."),
            # Only mStock's older documents have it: whoever looks for it reads so.
            click.option("--bracket", is_flag=True, hidden=True),
        )
    ):
        work = option(work)
    return work


def _request(options: Mapping[str, Any]) -> OrderRequest:
    price, trigger, is_cover = (options[name] for name in ("price", "trigger", "cover"))
    has_stop = bool(trigger) and not is_cover
    symbol, exchange = split_symbol(options["symbol"], options["exchange"])
    price_type = ("SL" if price else "SL-M") if has_stop else ("LIMIT" if price else "MARKET")
    return read_order(
        {
            **{name: options[name] for name in ("action", "quantity", "product")},
            "symbol": symbol,
            "exchange": exchange,
            "pricetype": price_type,
            "price": price,
            "trigger_price": trigger,
            "disclosed_quantity": options["disclosed"],
            "validity": "IOC" if options["ioc"] else "DAY",
            "is_after_market": options["amo"],
            "is_cover": is_cover,
            "is_bracket": options["bracket"],
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

    request, found = ask(context, read)
    required = found["total_margin_required"]
    context.answer(
        context.account_json() | {"margin": found},
        lambda: f"{_words(request)} needs a margin of {rupees(Decimal(str(required)))}.",
    )


@command()
@_order_options
@yes_option
def place(context: Context, yes: bool, **options: Any) -> None:
    """Place an order, after showing it and its margin.

    For example: place BUY 10 INFY --price 1500

    Exit code 6 when it is not known whether mStock took it: look with `orders` before you repeat
    it.
    """

    def work(desk: Desk) -> dict[str, Any] | None:
        request = _request(options)
        instrument = desk.lookup.instrument(request.symbol, request.exchange)
        desk.service.check(request, instrument)
        if not yes and not _agreed(context, desk, request, instrument):
            return None
        placed = desk.service.place(request, instrument)
        return {"orderid": placed.order_id, "tag": placed.tag, "order": _words(request)}

    report_sent(
        context,
        ask(context, work),
        lambda done: (
            f"mStock took the order {done['orderid']}: {done['order']}. "
            f"See it: {context.command_line('orders')}"
        ),
    )


def _agreed(context: Context, desk: Desk, request: OrderRequest, instrument: Instrument) -> bool:
    def need() -> str:
        try:
            total = desk.service.margin([(request, instrument)]).total
            return f"a margin of {rupees(total)}"
        except BrokerError as error:
            return f"a margin that mStock did not tell ({error.message})"

    return agreed_to(context, "Send this order?", lambda: f"{_words(request)}, {need()}")


@command()
@click.argument("order_id")
@click.option("--quantity", help="The whole order's, filled units included.")
@click.option("--price", help="The new limit.")
@click.option("--trigger", help="The new trigger price.")
@yes_option
def modify(
    context: Context,
    order_id: str,
    quantity: str | None,
    price: str | None,
    trigger: str | None,
    yes: bool,
) -> None:
    """Change quantity, price or trigger of an open order."""
    if not (quantity or price or trigger):
        raise click.UsageError("Give --quantity, --price or --trigger.")

    def work(desk: Desk) -> dict[str, Any] | None:
        order = desk.service.find_order(order_id)
        for name, value, types in (
            ("--price", price, NEEDS_PRICE),
            ("--trigger", trigger, NEEDS_TRIGGER),
        ):
            if value and order.price_type not in types:
                raise CorrectInput(
                    f"{name} does not fit: {order_id} is a {order.price_type} order. "
                    "Nothing was sent.",
                    "To change its type, cancel it and place another.",
                )
        symbol, exchange = locate(order, desk.lookup.symbol_of)
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
        instrument = desk.lookup.instrument(symbol, exchange)
        desk.service.check(request, instrument)
        question = f"Change order {order_id} to: {_words(request)}?"
        if not yes and not agreed_to(context, question):
            return None
        desk.service.modify(order_id, request, instrument)
        return {"orderid": order_id, "order": _words(request)}

    report_sent(
        context,
        ask(context, work),
        lambda done: f"The order {order_id} is changed: {done['order']}.",
    )


@command()
@click.argument("order_ids", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Every open order.")
@yes_option
def cancel(context: Context, order_ids: tuple[str, ...], every: bool, yes: bool) -> None:
    """Cancel orders by their ids, or all open ones.

    Exit code 1 when one was not cancelled.
    """
    if every == bool(order_ids):
        raise click.UsageError("Give order ids, or --all.")
    what = "every open order" if every else ", ".join(order_ids)
    if not yes and not agreed_to(context, f"Cancel {what}?"):
        nothing_sent(context)

    def work(desk: Desk) -> Results:
        return cancel_all(desk.service) if every else cancel_orders(desk.service, order_ids)

    report_each(context, "Cancelled", *ask(context, work), nothing="No order is open.")


COMMANDS = (margin, place, modify, cancel)
