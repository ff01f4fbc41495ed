"""The instruments after a login, and market data over the host's REST API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from broker_simulator.mstock import Simulator

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
