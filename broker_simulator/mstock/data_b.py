"""Type B's market data routes (7.18-7.22, 7.24-7.26)."""

from __future__ import annotations

from typing import Any, Final

from . import checks, literals, market_data, master_files, option_chain
from .market import Market
from .market_data import EXCHANGE_IDS, INTERVALS_A, INTERVALS_B
from .refusals import Reason, Refused
from .settings import Settings
from .type_b import authenticated, success
from .wire import Call, Reply, Route, json_reply
from .world import World

# FULL's own answer is documented nowhere: it is treated as OHLC (15 row 24).
MODES: Final = ("LTP", "OHLC", "FULL")


def historical(call: Call, world: World, settings: Settings) -> Reply:
    """POST, or GET with a body, instruments/historical (7.18)."""
    authenticated(call, world, settings, body=True)
    names = ("exchange", "symboltoken", "interval", "fromdate", "todate")
    fields = checks.json_fields(call, names, settings)
    checks.filled(fields, *names)
    interval = _interval(fields["interval"], INTERVALS_B)
    instrument = market_data.served(world.market, fields["exchange"], fields["symboltoken"])
    rows = market_data.history(
        world, settings, instrument, interval, fields["fromdate"], fields["todate"]
    )
    return success("true", "SUCCESS", "", {"candles": rows})


def intraday(call: Call, world: World, settings: Settings) -> Reply:
    """POST instruments/intraday (7.19): a numeric exchange; older clients send `symbolname`."""
    authenticated(call, world, settings, body=True)
    names = ("exchange", "symboltoken", "symbolname", "interval")
    fields = checks.json_fields(call, names, settings)
    word = "symbolname" if "symbolname" in fields else "symboltoken"
    checks.filled(fields, "exchange", word, "interval")
    # Its table has Type A's words, its samples Type B's (4.3).
    interval = _interval(fields["interval"], INTERVALS_A | INTERVALS_B)
    exchange, master = EXCHANGE_IDS.get(fields["exchange"], ""), world.market.master
    find = master.find if word == "symbolname" else master.get
    instrument = find(exchange, fields[word])
    if instrument is None:
        raise Refused(Reason.NOT_FOUND)
    rows = market_data.intraday(world, settings, instrument, interval)
    return success(True, "SUCCESS", "", {"candles": rows})


def quote(call: Call, world: World, settings: Settings) -> Reply:
    """POST, or GET with a body, instruments/quote (7.20): who is unknown is told apart."""
    authenticated(call, world, settings, body=True)
    fields = checks.json_object(call, ("mode", "exchangeTokens"), settings)
    mode, asked = fields["mode"], fields["exchangeTokens"]
    if mode not in MODES:
        raise checks.not_valid("mode", mode)
    rows = [_quote(world.market, *pair, price_only=mode == "LTP") for pair in _tokens(asked)]
    data = {
        "fetched": [row for row in rows if "errorCode" not in row],
        "unfetched": [row for row in rows if "errorCode" in row],
    }
    return success("true", "SUCCESS", "", data)


def script_master(call: Call, world: World, settings: Settings) -> Reply:
    """GET instruments/OpenAPIScripMaster (7.21): a bare array."""
    authenticated(call, world, settings)
    master = world.market.master
    return Reply(200, b"", chunks=lambda: master_files.type_b_json(master))


def option_chain_master(call: Call, world: World, settings: Settings) -> Reply:
    """GET getoptionchainmaster (7.24)."""
    authenticated(call, world, settings)
    today = world.clock.now().date()
    data = option_chain.chain_master(world.market, call.args["exchange_id"], today)
    return success(True, "SUCCESS", "", data)


def option_chain_data(call: Call, world: World, settings: Settings) -> Reply:
    """GET GetOptionChain (7.25)."""
    authenticated(call, world, settings)
    return success(True, "SUCCESS", "", option_chain.chain(world.market, **call.args))


def loser_gainer(call: Call, world: World, settings: Settings) -> Reply:
    """POST losergainer (7.22)."""
    authenticated(call, world, settings, body=True)
    names = ("Exchange", "SecurityIdCode", "segment", "TypeFlag")
    fields = checks.json_object(call, names, settings)
    data = market_data.movers(world, str(fields["Exchange"]), str(fields["TypeFlag"]))
    return success(True, "SUCCESS", "", data)


def health(call: Call, world: World, settings: Settings) -> Reply:
    """GET Health/GetHealthStatistics (7.26): undocumented, so it asks for nothing."""
    return json_reply({"status": "success", "data": None})


def _interval(word: str, table: dict[str, int]) -> int:
    if word not in table:
        raise checks.not_valid("interval", word)
    return table[word]


def _tokens(asked: object) -> list[tuple[str, str]]:
    """Return (exchange, token) of an object of lists of strings."""
    lists = asked if isinstance(asked, dict) else {"": None}
    pairs: list[tuple[str, str]] = []
    for exchange, tokens in lists.items():
        if not (isinstance(tokens, list) and all(isinstance(token, str) for token in tokens)):
            raise checks.not_valid("exchangeTokens", asked)
        pairs += [(exchange, token) for token in tokens]
    return pairs


def _quote(market: Market, exchange: str, token: str, price_only: bool) -> dict[str, Any]:
    named = {"exchange": exchange, "symbolToken": token}
    try:
        found = market_data.served(market, exchange, token)
    except Refused:
        return named | {"message": literals.NOT_FOUND, "errorCode": "IA400"}
    figures = {"ltp": float(market.ltp(found))} if price_only else market_data.ohlc(market, found)
    return {"exchange": exchange, "tradingSymbol": found.symbol, "symbolToken": token, **figures}


ROUTES: Final = {
    "instruments/historical": Route("POST, GET", historical, "data"),
    "instruments/intraday": Route("POST", intraday, "data"),
    "instruments/quote": Route("POST, GET", quote, "quote"),
    "instruments/OpenAPIScripMaster": Route("GET", script_master),
    "getoptionchainmaster/{exchange_id}": Route("GET", option_chain_master),
    "GetOptionChain/{exchange_id}/{expiry}/{token}": Route("GET", option_chain_data),
    "losergainer": Route("POST", loser_gainer),
    "Health/GetHealthStatistics": Route("GET", health),
}
