"""The instruments after a login, and market data over the host's REST API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests

from broker_simulator.mstock import Simulator
from tests.support.openalgo.visitor import Visitor

INFY = {"symbol": "INFY", "exchange": "NSE"}


def test_market_data_over_rest(ask: Callable[..., Any], simulator: Simulator) -> None:
    market = simulator.world.market
    infy = market.master.get("NSE", "1594")
    assert infy is not None
    quote = ask("quotes", **INFY)["data"]
    assert quote["prev_close"] == float(market.quote(infy).close)
    assert ask("quotes", symbol="NIFTY", exchange="NSE_INDEX")["data"]["ltp"] > 0
    several = ask("multiquotes", symbols=[INFY, {"symbol": "NIFTY", "exchange": "NSE_INDEX"}])
    assert all(each["data"]["ltp"] > 0 for each in several["results"])
    found = ask("search", query="BAJAJ-AUTO", exchange="NSE")["data"]
    assert "BAJAJ-AUTO" in {row["symbol"] for row in found}
    expiries = ask("expiry", symbol="NIFTY", exchange="NFO", instrumenttype="options")["data"]
    chain = ask(
        "optionchain",
        underlying="NIFTY",
        exchange="NSE_INDEX",
        expiry_date=expiries[0].replace("-", ""),
        strike_count=5,
    )
    assert chain["status"] == "success", chain
    assert len(chain["chain"]) >= 5
    days = {"start_date": "2026-11-16", "end_date": "2026-11-20"}
    daily = ask("history", **INFY, interval="D", **days)["data"]
    assert len(daily) == 5
    assert "4h" in ask("intervals")["data"]["hours"]
    depth = ask("depth", **INFY)
    assert depth["status"] == "error"
    assert "live stream" in depth["message"]


def test_history_comes_into_historify(ask: Callable[..., Any], trader: Visitor) -> None:
    days = {"start_date": "2026-11-16", "end_date": "2026-11-20"}
    csrf = {"X-CSRFToken": trader.csrf()}
    for interval, count in (("D", 5), ("1m", 5 * 375)):
        body = {**INFY, "interval": interval, **days}
        done = trader.ask("POST", "/historify/api/download", json=body, headers=csrf).json()
        assert done["status"] == "success", done
        where = "&".join(f"{name}={value}" for name, value in body.items())
        kept = trader.json(f"/historify/api/data?{where}")
        told = ask("history", **body)["data"]
        assert len(kept["data"]) == len(told) == count
        for row, candle in zip(kept["data"], told, strict=True):
            assert [row[name] for name in ("open", "high", "low", "close", "volume")] == [
                candle[name] for name in ("open", "high", "low", "close", "volume")
            ]


def test_ticker_and_instruments(ask: Callable[..., Any], trader: Visitor) -> None:
    key = trader.api_key()

    def get(door: str, **fields: str) -> requests.Response:
        given = {"apikey": key, **fields}
        return requests.get(f"{trader.url}/api/v1/{door}", params=given, timeout=60)

    days = {"from": "2026-11-19", "to": "2026-11-20"}
    candles = get("ticker/NSE:INFY", interval="1h", format="json", **days).json()
    assert candles["status"] == "success", candles
    intraday = ask("history", **INFY, interval="1h", start_date=days["from"], end_date=days["to"])
    assert [row["close"] for row in candles["data"]] == [row["close"] for row in intraday["data"]]
    lines = get("ticker/NSE:INFY", interval="D", format="txt", **days).text.splitlines()
    assert [line.split(",")[:2] for line in lines] == [
        ["NSE:INFY", "2026-11-19"], ["NSE:INFY", "2026-11-20"],
    ]  # fmt: skip
    rows = get("instruments", exchange="NSE").json()["data"]
    assert "INFY" in {row["symbol"] for row in rows}
    assert "BAJAJ-AUTO" in get("instruments", exchange="NSE", format="csv").text


def test_every_interval_of_the_list_is_served(ask: Callable[..., Any]) -> None:
    days = {"start_date": "2026-11-02", "end_date": "2026-11-20"}
    for names in ask("intervals")["data"].values():
        for interval in names:
            found = ask("history", **INFY, interval=interval, **days)
            assert found["status"] == "success", (interval, found)
            assert found["data"], interval


def test_greeks_of_several_options(ask: Callable[..., Any]) -> None:
    expiries = ask("expiry", symbol="NIFTY", exchange="NFO", instrumenttype="options")["data"]
    chain = ask(
        "optionchain", underlying="NIFTY", exchange="NSE_INDEX",
        expiry_date=expiries[-1].replace("-", ""), strike_count=2,
    )["chain"]  # fmt: skip
    wanted = [
        {"symbol": strike[side]["symbol"], "exchange": "NFO", "underlying_symbol": "NIFTY",
         "underlying_exchange": "NSE_INDEX"}
        for strike in chain for side in ("ce", "pe") if strike.get(side)
    ]  # fmt: skip
    found = ask("multioptiongreeks", symbols=wanted)
    assert found["status"] == "success", found
    assert len(found["data"]) == len(wanted)
    for each in found["data"]:
        # Their inputs are ours: spot, option price, strike and expiry.
        assert each["spot_price"] > 0, each
        assert each["option_price"] > 0, each
