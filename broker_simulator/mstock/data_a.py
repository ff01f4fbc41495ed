"""Type A's market data routes (6.18-6.24, 6.26, 6.27)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import parse_qs

from . import checks, market_data, master_files, option_chain
from .market import Instrument
from .market.instrument import with_series
from .market_data import EXCHANGE_IDS, INTERVALS_A, SERVED
from .refusals import Reason, Refused
from .settings import Settings
from .type_a import authenticated, success
from .wire import Call, Handler, Reply, Route
from .world import World

CSV_TYPE: Final = "text/csv; charset=utf-8"


def historical(call: Call, world: World, settings: Settings) -> Reply:
    """GET instruments/historical (6.18); the older path names no exchange: the first that fits."""
    authenticated(call, world, settings, query=True)
    interval = _interval(call)
    query = parse_qs(call.query)
    missing = {name: "" for name in ("from", "to") if not query.get(name)}
    if missing:
        checks.filled(missing, *missing)
    exchanges = [call.args["exchange"].upper()] if "exchange" in call.args else SERVED
    instrument = _first(
        world.market.master.get(exchange, call.args["token"])
        for exchange in exchanges
        if exchange in SERVED
    )
    rows = market_data.history(
        world, settings, instrument, interval, query["from"][0], query["to"][0]
    )
    return success({"candles": rows})


def intraday(call: Call, world: World, settings: Settings) -> Reply:
    """GET instruments/intraday (6.19): a numeric exchange, and a token or a symbol."""
    authenticated(call, world, settings)
    interval = _interval(call)
    exchange, word = EXCHANGE_IDS.get(call.args["exchange_id"], ""), call.args["token"]
    master = world.market.master
    instrument = _first(find(exchange, word) for find in (master.get, master.find))
    return success({"candles": market_data.intraday(world, settings, instrument, interval)})


def quote_ohlc(call: Call, world: World, settings: Settings) -> Reply:
    """GET instruments/quote/ohlc (6.20)."""

    def row(instrument: Instrument) -> dict[str, Any]:
        figures = market_data.ohlc(world.market, instrument)
        last_price = figures.pop("ltp")
        return {
            "instrument_token": int(instrument.token), "last_price": last_price, "ohlc": figures,
        }  # fmt: skip

    return _quotes(call, world, settings, row)


def quote_ltp(call: Call, world: World, settings: Settings) -> Reply:
    """GET instruments/quote/ltp (6.21)."""

    def row(instrument: Instrument) -> dict[str, Any]:
        price = float(world.market.ltp(instrument))
        return {"instrument_token": int(instrument.token), "last_price": price}

    return _quotes(call, world, settings, row)


def script_master(call: Call, world: World, settings: Settings) -> Reply:
    """GET instruments/scriptmaster (6.22)."""
    authenticated(call, world, settings)
    master, bare = world.market.master, settings.revision == "older"
    return Reply(200, b"", CSV_TYPE, chunks=lambda: master_files.type_a_csv(master, bare))


def option_chain_master(call: Call, world: World, settings: Settings) -> Reply:
    """GET getoptionchainmaster (6.23)."""
    authenticated(call, world, settings)
    today = world.clock.now().date()
    return success(option_chain.chain_master(world.market, call.args["exchange_id"], today))


def option_chain_data(call: Call, world: World, settings: Settings) -> Reply:
    """GET GetOptionChain (6.24)."""
    authenticated(call, world, settings)
    return success(option_chain.chain(world.market, **call.args))


def loser_gainer(call: Call, world: World, settings: Settings) -> Reply:
    """POST losergainer (6.26)."""
    authenticated(call, world, settings, body=True)
    names = ("Exchange", "SecurityIdCode", "segment", "TypeFlag")
    fields = checks.form_fields(call, names, settings)
    checks.filled(fields, *names)
    return success(market_data.movers(world, fields["Exchange"], fields["TypeFlag"]))


def health(call: Call, world: World, settings: Settings) -> Reply:
    """GET Health/GetHealthStatistics (6.27): undocumented, so it asks for nothing."""
    return success(None)


def _quotes(
    call: Call, world: World, settings: Settings, row: Callable[[Instrument], dict[str, Any]]
) -> Reply:
    authenticated(call, world, settings, query=True)
    asked = parse_qs(call.query).get("i", [])
    if not asked:
        checks.filled({}, "i")
    data: dict[str, dict[str, Any] | None] = {}
    for words in asked:
        exchange, _, symbol = words.partition(":")
        found = world.market.master.find(exchange, symbol) if exchange in SERVED else None
        # The newer documents key the answer with the series, the older as it was asked for.
        newer = found is not None and settings.revision == "newer"
        key = f"{exchange}:{with_series(found)}" if found and newer else words
        data[key] = row(found) if found else None
    return success(data)


def _interval(call: Call) -> int:
    interval = INTERVALS_A.get(call.args["interval"].lower())
    if interval is None:
        raise checks.not_valid("interval", call.args["interval"])
    return interval


def _first(candidates: Iterable[Instrument | None]) -> Instrument:
    found = next(filter(None, candidates), None)
    if found is None:
        raise Refused(Reason.NOT_FOUND)
    return found


def _get(handler: Handler, rate_class: str | None = None) -> Route:
    return Route("GET", handler, rate_class)


ROUTES: Final = {
    "instruments/historical/{exchange}/{token}/{interval}": _get(historical, "data"),
    "instruments/historical/{token}/{interval}": _get(historical, "data"),
    "instruments/intraday/{exchange_id}/{token}/{interval}": _get(intraday, "data"),
    "instruments/quote/ohlc": _get(quote_ohlc, "quote"),
    "instruments/quote/ltp": _get(quote_ltp, "quote"),
    "instruments/scriptmaster": _get(script_master),
    "getoptionchainmaster/{exchange_id}": _get(option_chain_master),
    "GetOptionChain/{exchange_id}/{expiry}/{token}": _get(option_chain_data),
    "losergainer": Route("POST", loser_gainer),
    "Health/GetHealthStatistics": _get(health),
}
