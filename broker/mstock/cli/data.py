"""Market data on the command line: chain, quote, history."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from broker._kit.cli import output
from broker._kit.cli.context import Context, command
from broker._kit.errors import CorrectInput
from broker._kit.money import price_text, quantity_text
from broker._kit.secret import Secret
from broker._kit.sessions.trading_calendar import load_calendar
from broker.mstock.cli.instruments import (
    expiries_of,
    find,
    instrument_argument,
    name_argument,
    open_table,
)
from broker.mstock.cli.titles import title
from broker.mstock.client.dialects import Client, client_for
from broker.mstock.database.symbol_table import SymbolTable
from broker.mstock.mapping.candles import INTERVALS, Candle
from broker.mstock.mapping.quotes import Quote
from broker.mstock.mapping.symbols import InstrumentRow
from broker.mstock.market_data.chart import svg
from broker.mstock.market_data.history import history as candles_of
from broker.mstock.market_data.history import parse_day
from broker.mstock.market_data.quotes import Wanted, quotes
from broker.mstock.settings import Config

T = TypeVar("T")

_NEAR = 10  # strikes shown on each side of the money
_FORMATS = ("csv", "parquet", "chart")


@command(standalone=True)
@name_argument
@click.option("--expiry", help="Such as 25-AUG-26; the nearest unless given.")
@click.option(
    "--all", "shows_all", is_flag=True, help="All strikes, not only those near the money."
)
def chain(context: Context, name: str, expiry: str | None, shows_all: bool) -> None:
    """Show an option chain: prices of calls and puts by strike."""
    table = open_table(context)
    exchange, underlying, known = expiries_of(table, name)
    chosen = (expiry or known[0]).upper()
    if chosen not in known:
        raise CorrectInput(
            f"{underlying} has no contracts that expire on {chosen}.", f"Known: {', '.join(known)}."
        )
    rows = table.contracts(underlying, exchange, chosen)
    future = next((row for row in rows if row.instrumenttype == "FUT"), None)
    options = [row for row in rows if row.instrumenttype in ("CE", "PE")]
    strikes = sorted({row.strike for row in options})
    middle = _spot(context, table, underlying, future)
    if middle and not shows_all:
        near = sorted(strikes, key=lambda strike: abs(strike - middle))[: 2 * _NEAR + 1]
        strikes = sorted(near)
    shown = [row for row in options if row.strike in set(strikes)]
    prices = _quotes(context, shown, ltp_only=True)
    by_place = {
        (row.strike, row.instrumenttype): quote["ltp"]
        for row, quote in zip(shown, prices, strict=True)
        if quote
    }
    lines = [
        {
            "strike": strike,
            "call": by_place.get((strike, "CE")),
            "put": by_place.get((strike, "PE")),
        }
        for strike in strikes
    ]
    context.answer(
        {"underlying": underlying, "expiry": chosen, "spot": middle, "chain": lines},
        lambda: (
            f"{underlying}, last price {_price(middle)}, contracts that expire on {chosen}\n\n"
            + output.table(
                ("Call", "Strike", "Put"),
                ((_price(x["call"]), f"{x['strike']:g}", _price(x["put"])) for x in lines),
            )
        ),
    )


@command(standalone=True)
@instrument_argument
def quote(context: Context, instrument: str) -> None:
    """Show an instrument's last price and its day's figures."""
    row = find(open_table(context), instrument)
    (found,) = _quotes(context, [row])
    if found is None:
        raise CorrectInput(f"mStock has no quote for {row.symbol} on {row.exchange}.")
    context.answer(
        {"symbol": row.symbol, "exchange": row.exchange, "quote": found},
        lambda: output.pairs((title(name), _price(value)) for name, value in found.items()),
    )


@command(standalone=True)
@instrument_argument
@click.option("--interval", default="D", show_default=True, help=f"One of {', '.join(INTERVALS)}.")
@click.option(
    "--from", "first", help="First day, YYYY-MM-DD; a month before the last unless given."
)
@click.option("--to", "last", help="Last day; today unless given.")
@click.option("--csv", type=click.Path(dir_okay=False), help="Write a CSV file.")
@click.option("--parquet", type=click.Path(dir_okay=False), help="Write a Parquet file.")
@click.option("--chart", type=click.Path(dir_okay=False), help="Draw an SVG picture.")
def history(
    context: Context,
    instrument: str,
    interval: str,
    first: str | None,
    last: str | None,
    **files: str | None,
) -> None:
    """Get candles, and show or write them.

    Times in files are epoch seconds, as OpenAlgo has them.
    """
    end = parse_day(last, "--to") if last else context.clock.now().date()
    begin = parse_day(first, "--from") if first else end - timedelta(days=30)
    row = find(open_table(context), instrument)
    calendar = load_calendar(context.service_settings.home)
    found = _ask(
        context,
        lambda client, token: candles_of(
            client, token, row, interval, begin, end, calendar, context.clock
        ),
    )
    heading = f"{row.symbol} on {row.exchange}, {interval}, {begin} to {end}"
    written = {
        kind: path
        for kind in _FORMATS
        if (path := files[kind]) and _write(kind, Path(path), found, interval, heading)
    }
    context.answer(
        {"candles": len(found), "files": written} if written else {"candles": _json(found)},
        lambda: (
            f"{quantity_text(len(found))} candles: {', '.join(written.values())}"
            if written
            else _candle_lines(found, interval)
        ),
    )


COMMANDS = (chain, quote, history)


def _ask(context: Context, call: Callable[[Client, Secret], T]) -> T:
    return context.ask(lambda config, token: call(client_for(cast(Config, config)), token))


def _quotes(
    context: Context, rows: list[InstrumentRow], *, ltp_only: bool = False
) -> list[Quote | None]:
    wanted = [Wanted.of(row) for row in rows]
    if not wanted:
        return []
    found = _ask(
        context,
        lambda client, token: quotes(client, token, wanted, context.clock, ltp_only=ltp_only),
    )
    return [found.get(each.key) for each in wanted]


def _spot(
    context: Context, table: SymbolTable, name: str, future: InstrumentRow | None
) -> float | None:
    """The underlying's last price, the future's where it has none of its own."""
    places = ("NSE_INDEX", "BSE_INDEX", "NSE", "BSE")
    row = next((row for place in places if (row := table.find(name, place))), future)
    quote = _quotes(context, [row], ltp_only=True)[0] if row else None
    return quote["ltp"] if quote else None


def _write(kind: str, path: Path, found: list[Candle], interval: str, heading: str) -> bool:
    """Write a file. Raises `CorrectInput` when it cannot be."""
    from broker.mstock.api.data import data_frame  # pandas takes its time to load

    try:
        if kind == "chart":
            picture = svg(heading, found, is_daily=not INTERVALS[interval].minutes)
            path.write_text(picture, encoding="utf-8")
        elif kind == "csv":
            data_frame(found, interval).to_csv(path, index=False)
        else:
            data_frame(found, interval).to_parquet(path, index=False)
    except OSError as error:
        raise CorrectInput(f"{path} cannot be written ({error.strerror or error}).") from None
    except ImportError:
        raise CorrectInput(
            "Parquet files need the package fastparquet or pyarrow.",
            "Install one: pip install fastparquet",
        ) from None
    return True


def _json(found: list[Candle]) -> list[dict[str, Any]]:
    return [{**candle._asdict(), "start": candle.start.isoformat()} for candle in found]


def _candle_lines(found: list[Candle], interval: str) -> str:
    form = "%Y-%m-%d %H:%M" if INTERVALS[interval].minutes else "%Y-%m-%d"
    titles = ("Start", "Open", "High", "Low", "Close", "Volume")
    lines = [
        (
            candle.start.strftime(form),
            *(_price(each) for each in candle[1:5]),
            quantity_text(candle.volume),
        )
        for candle in found
    ]
    return output.table(titles, lines) if lines else "No candles in these days."


def _price(value: float | None) -> str:
    return output.NOTHING if value is None else price_text(value)
