"""`watch`: live prices in the terminal, as a table or as lines of JSON."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from broker._kit.cli import output
from broker._kit.cli.context import Context, command
from broker._kit.clock import IST
from broker._kit.errors import LogInAgain
from broker._kit.money import price_text, quantity_text
from broker._kit.secret import Secret

if TYPE_CHECKING:
    from rich.table import Table

    from broker.mstock.streaming.live_prices import LivePrice, LivePrices

_COLUMNS = ("Symbol", "Price", "Change", "Bid", "Ask", "Volume", "At")
_NOTHING = "\N{EN DASH}"
_REDRAW_S = 0.25


@command()
@click.argument("symbols", nargs=-1, required=True, metavar="SYMBOL...")
def watch(context: Context, symbols: tuple[str, ...]) -> None:
    """Show live prices until Ctrl-C.

    With --json one line for each price. SYMBOL is OpenAlgo's, such as INFY or NFO:NIFTY24NOV26FUT;
    on NSE unless an exchange is given.
    """
    # What only these commands need; websocket-client takes its time to load.
    from broker.mstock.database.instruments import instruments
    from broker.mstock.settings import Config
    from broker.mstock.streaming.live_prices import MODES, LivePrices

    home = context.service_settings.home
    prices = LivePrices(
        Config.from_env(context.settings),
        lambda: _token(context),
        find_in=lambda config: instruments(config, home),
    )
    names = [_name(each) for each in symbols]
    with prices, contextlib.suppress(KeyboardInterrupt):
        for name in names:
            prices.subscribe(*name, MODES["DEPTH"])
        if context.as_json:
            _print_lines(prices)
        else:
            _draw_table(prices, names)


@command()
@click.argument("instrument", metavar="[EXCHANGE:]SYMBOL")
def depth(context: Context, instrument: str) -> None:
    """Show the best five bids and asks.

    They come out of mStock's live stream.
    """
    from broker.mstock.database.instruments import instruments
    from broker.mstock.settings import Config
    from broker.mstock.streaming.connection import FeedLogin
    from broker.mstock.streaming.depth import look_at_depth

    config = Config.from_env(context.settings)
    symbol, exchange = _name(instrument)
    _token(context)
    known = instruments(config, context.service_settings.home)
    found = look_at_depth(
        config, lambda: FeedLogin.of(config, _token(context)), known, symbol, exchange
    )
    context.answer(
        {"symbol": symbol, "exchange": exchange, "depth": found}, lambda: _depth_table(found)
    )


def _depth_table(found: dict[str, Any]) -> str:
    """Both sides, the best first; a level without an order is a dash."""
    rows = [("BIDS", "PRICE", "PRICE", "ASKS")]
    for bid, ask in zip(found["bids"], found["asks"], strict=True):
        prices = _money(bid["price"]), _money(ask["price"])
        rows.append((_count(bid["quantity"]), *prices, _count(ask["quantity"])))
    return output.columns(rows)


def _count(quantity: int) -> str:
    return quantity_text(quantity) if quantity else _NOTHING


def _token(context: Context) -> Secret:
    session = context.session()
    if session is None or session.is_over:
        login = context.command_line("login")
        raise LogInAgain("There is no mStock session.", f"Log in: {login}")
    return session.token


def _name(instrument: str) -> tuple[str, str]:
    """Symbol and exchange of `[EXCHANGE:]SYMBOL`."""
    exchange, _, symbol = instrument.upper().rpartition(":")
    return symbol, exchange or "NSE"


def _print_lines(prices: LivePrices) -> None:
    for price in prices:
        line = {"symbol": price.symbol, "exchange": price.exchange, **price.values}
        output.out(json.dumps(line))


def _draw_table(prices: LivePrices, names: Iterable[tuple[str, str]]) -> None:
    from rich.live import Live

    newest: dict[tuple[str, str], LivePrice | None] = dict.fromkeys(names)
    with Live(_table(newest, prices), auto_refresh=False) as live:
        while True:
            price = prices.next(_REDRAW_S)
            while price is not None:
                newest[price.symbol, price.exchange] = price
                price = prices.next(0)
            live.update(_table(newest, prices), refresh=True)


def _table(newest: dict[tuple[str, str], LivePrice | None], prices: LivePrices) -> Table:
    from rich.table import Table

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
        _NOTHING if change is None else f"{change:+.2%}",
        *map(_money, best),
        _count(values.get("volume", 0)),
        f"{datetime.fromtimestamp(at / 1000, IST):%H:%M:%S}" if at else _NOTHING,
    ]


def _money(value: float | None) -> str:
    return price_text(value) if value else _NOTHING


COMMANDS = (watch, depth)
