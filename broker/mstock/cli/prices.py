"""`watch`: live prices as a table or as lines of JSON; `depth`: one look at bids and asks."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, cast

import click
from rich.live import Live
from rich.table import Table

from broker._kit.cli import output
from broker._kit.cli.context import Context, command
from broker._kit.clock import IST
from broker._kit.money import price_text, quantity_text
from broker._kit.secret import Secret
from broker.mstock.cli.instruments import find, instrument_argument, open_table
from broker.mstock.settings import Config
from broker.mstock.streaming.connection import FeedLogin
from broker.mstock.streaming.depth import look_at_depth
from broker.mstock.streaming.feed import FeedStatus
from broker.mstock.streaming.live_prices import MODES, LivePrice, LivePrices, stored_token

_COLUMNS = ("Symbol", "Price", "Change", "Bid", "Ask", "Volume", "At")
_REDRAW_S = 0.25


@command(standalone=True)
@click.argument("symbols", nargs=-1, required=True, metavar="[EXCHANGE:]SYMBOL...")
def watch(context: Context, symbols: tuple[str, ...]) -> None:
    """Show live prices until Ctrl-C.

    With --json one line for each price, and why none comes on standard error. SYMBOL is OpenAlgo's,
    such as INFY, NIFTY or NFO:NIFTY24NOV26FUT.
    """
    table = open_table(context)
    rows = [find(table, each) for each in symbols]
    names = [(row.symbol, row.exchange) for row in rows]
    config = cast(Config, context.config)
    prices = LivePrices(
        config,
        _login(context),
        on_state=_print_reason if context.as_json else lambda _status: None,  # a table shows it
        find_in=lambda _config: table,
    )
    with prices, contextlib.suppress(KeyboardInterrupt):
        for name in names:
            prices.subscribe(*name, MODES["DEPTH"])
        if context.as_json:
            _print_lines(prices)
        else:
            _draw_table(prices, names)


@command(standalone=True)
@instrument_argument
def depth(context: Context, instrument: str) -> None:
    """Show the best five bids and asks.

    They come out of mStock's live stream.
    """
    config, table = cast(Config, context.config), open_table(context)
    row = find(table, instrument)
    token = _login(context)
    found = look_at_depth(
        config, lambda: FeedLogin.of(config, token()), table, row.symbol, row.exchange
    )
    context.answer(
        {"symbol": row.symbol, "exchange": row.exchange, "depth": found},
        lambda: _depth_table(found),
    )


def _depth_table(found: dict[str, Any]) -> str:
    """Both sides, the best first; a level without an order is a dash."""
    rows = (
        (
            _count(bid["quantity"]),
            *map(_money, (bid["price"], ask["price"])),
            _count(ask["quantity"]),
        )
        for bid, ask in zip(found["bids"], found["asks"], strict=True)
    )
    return output.table(("Bid quantity", "Bid", "Ask", "Ask quantity"), rows)


def _count(quantity: int) -> str:
    return quantity_text(quantity) if quantity else output.NOTHING


def _login(context: Context) -> Callable[[], Secret]:
    """What gives the newest stored token on any thread. Raises `LogInAgain` without a session."""
    context.ask(lambda _config, _token: None)  # its words name the command that was typed
    config, store = cast(Config, context.config), context.store
    return lambda: stored_token(config, store, context.clock)


def _print_lines(prices: LivePrices) -> None:
    for price in prices:
        line = {"symbol": price.symbol, "exchange": price.exchange, **price.values}
        output.out(json.dumps(line))


def _print_reason(status: FeedStatus) -> None:
    if status.reason:
        output.out(f"{status.state.capitalize()}: {status.reason}", err=True)


def _draw_table(prices: LivePrices, names: Iterable[tuple[str, str]]) -> None:
    newest: dict[tuple[str, str], LivePrice | None] = dict.fromkeys(names)
    with Live(_table(newest, prices), auto_refresh=False) as live:
        while True:
            price = prices.next(_REDRAW_S)
            while price is not None:
                newest[price.symbol, price.exchange] = price
                price = prices.next(0)
            live.update(_table(newest, prices), refresh=True)


def _table(newest: dict[tuple[str, str], LivePrice | None], prices: LivePrices) -> Table:
    status = prices.status()
    table = Table(caption=": ".join(filter(None, (status.state.capitalize(), status.reason))))
    for n, column in enumerate(_COLUMNS):
        table.add_column(column, justify="right" if n else "left")
    for (symbol, exchange), price in newest.items():
        table.add_row(f"{exchange}:{symbol}", *_cells(price.values if price else {}))
    return table


def _cells(values: dict[str, Any]) -> list[str]:
    """The cells behind the symbol; what mStock did not send is a dash, never a zero."""
    last, close = values.get("ltp"), values.get("close")
    depth = values.get("depth", {})
    best = [(depth.get(side) or [{}])[0].get("price") for side in ("buy", "sell")]
    at = values.get("ltt") or values.get("timestamp")
    change = (last - close) / close if last and close else None
    return [
        _money(last),
        output.NOTHING if change is None else f"{change:+.2%}",
        *map(_money, best),
        quantity_text(values["volume"]) if "volume" in values else output.NOTHING,
        f"{datetime.fromtimestamp(at / 1000, IST):%H:%M:%S}" if at else output.NOTHING,
    ]


def _money(value: float | None) -> str:
    return price_text(value) if value else output.NOTHING


COMMANDS = (watch, depth)
