"""mStock's own clients' tickers connect to the simulator's WebSocket and read what its market says.

Both do all of it: LOGIN, subscriptions in every mode, ticks, order and trade updates, the end.
What their decoders make of it differs from the packet in these points, which are theirs:

- Client A gives open interest divided by 100 and as a tuple of one; its change is in percent.
- Client A takes the last byte of a token for a segment, and by it what is tradable.
- Client B knows one packet a frame and no header; packets with a header are not for it.
- Client B takes any exchange name that it does not know for NSE's cash market.
- Both write the hour in twelve hours, and read a time in India as one in UTC.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from broker_simulator.mstock.exchange import OrderRequest
from broker_simulator.mstock.exchange.orders import OrderType, Product, Side
from broker_simulator.mstock.market import Quote
from tests.official.test_official_clients import install, walk
from tests.support.stage import MORNING, morning_box

# What the tickers need besides requests; the packages name neither six nor TLS.
NEEDS = ("autobahn", "twisted[tls]", "six")
TOKENS = ("1594", "22", "26000")
PRICE = Decimal("1500.05")


@pytest.fixture
def needs() -> Path:
    return install(*NEEDS, alone=False)


def clock(moment: datetime) -> str:
    """A time as both clients print it."""
    return moment.strftime("%Y-%m-%dT%I:%M:%S%p")


def prices(quote: Quote) -> dict[str, float]:
    return {name: float(getattr(quote, name)) for name in ("open", "high", "low", "close")}


def depth(quote: Quote, side: str) -> list[tuple[float, int, int]]:
    levels = quote.bids if side == "bid" else quote.asks
    return [(float(price), quantity, orders) for price, quantity, orders in levels]


def told(tick: dict[str, Any], side: str) -> list[tuple[float, int, int]]:
    levels = tick["depth"][side] if "depth" in tick else tick[side]
    return [(level["price"], level["quantity"], level["orders"]) for level in levels]


def check_a(mode: str, token: str, tick: dict[str, Any], quote: Quote, now: datetime) -> None:
    assert (tick["mode"], tick["last_price"]) == (mode, float(quote.ltp))
    if mode == "ltp":
        return
    assert tick["ohlc"] == prices(quote)
    change = float((quote.ltp - quote.close) * 100 / quote.close)
    assert tick["change"] == pytest.approx(change)
    if token == "26000":
        if mode == "full":
            assert tick["exchange_timestamp"] == clock(now)
        return
    assert tick["volume_traded"] == quote.volume
    assert tick["last_traded_quantity"] == quote.last_quantity
    assert tick["total_buy_quantity"] == quote.buy_quantity
    assert tick["total_sell_quantity"] == quote.sell_quantity
    assert tick["average_traded_price"] == pytest.approx(float(quote.average_price), abs=0.01)
    if mode == "full":
        assert tick["last_traded_timestamp"] == clock(quote.last_traded_at)
        assert tick["exchange_timestamp"] == clock(now)
        assert tick["open_interest"] == [0.0]
        assert [told(tick, side) for side in ("bid", "ask")] == [
            depth(quote, side) for side in ("bid", "ask")
        ]
        bands = (tick["upper_circuit"], tick["lower_circuit"])
        assert bands == (float(quote.upper_band or 0), float(quote.lower_band or 0))


def check_b(mode: str, token: str, tick: dict[str, Any], quote: Quote, now: datetime) -> None:
    assert (str(tick["subscription_mode"]), tick["exchange_type"]) == (mode, 1)
    assert (tick["ltp"], tick["ex_timestamp"]) == (float(quote.ltp), clock(now))
    if mode == "1":
        return
    assert tick["ohlc"] == prices(quote)
    assert tick["vol_traded_today"] == quote.volume
    assert tick["last_traded_qty"] == quote.last_quantity
    assert (tick["tot_buy_qty"], tick["tot_sell_qty"]) == (quote.buy_quantity, quote.sell_quantity)
    assert tick["avg_traded_price"] == pytest.approx(float(quote.average_price), abs=0.01)
    if mode == "3":
        assert tick["last_traded_timestamp"] == clock(quote.last_traded_at)
        assert (tick["open_interest"], tick["open_interest_percent"]) == (quote.oi or 0, 0)
        assert [told(tick, side) for side in ("bid", "ask")] == [
            depth(quote, side) for side in ("bid", "ask")
        ]
        bands = (tick["upper_circuit_lmt"], tick["lower_circuit_lmt"])
        assert bands == (float(quote.upper_band or 0), float(quote.lower_band or 0))


def test_the_official_ticker_reads_what_the_market_says(
    api_type: str, needs: Path, tmp_path: Path
) -> None:
    # Tolerant, because the tickers put the key into the address as it stands.
    with morning_box(profile="tolerant") as simulator:
        now = MORNING.replace(hour=11)
        simulator.clock.set(now, frozen=True)
        market = simulator.world.market
        shares = {token: market.master.get("NSE", token) for token in TOKENS}
        quotes = {token: market.quote(share) for token, share in shares.items()}
        infy = shares["1594"]

        def trade() -> None:
            request = OrderRequest(infy, Side.BUY, OrderType.MARKET, Product.INTRADAY, 10)
            simulator.exchange.place(simulator.demo.client_code, request)

        wishes = {"move?": lambda: market.set_price(infy, PRICE), "order?": trade}
        steps = walk(simulator, api_type, "otp", tmp_path, "watch.py", [needs], wishes)
        verdicts = [entry.verdict for entry in simulator.journal if entry.route == "stream"]

    modes = ("quote", "full", "ltp") if api_type == "A" else ("1", "2", "3")
    check = check_a if api_type == "A" else check_b
    for mode in modes:
        ticks = steps[f"mode {mode}"]
        assert ticks.keys() == set(TOKENS)
        for token, tick in ticks.items():
            check(mode, token, tick, quotes[token], now)
    assert steps["moved"]["last_price" if api_type == "A" else "ltp"] == float(PRICE)
    pending, done = steps["order Pending"], steps["trade"]
    if api_type == "A":
        assert (done["status"], done["filled_quantity"], done["instrument_token"]) == (
            "Traded", 10, 1594,
        )  # fmt: skip
        assert pending["order_id"] == done["order_id"]
    else:
        assert (done["status"], done["filledshares"], done["symboltoken"]) == (
            "Traded", "10", "1594",
        )  # fmt: skip
        assert pending["orderid"] == done["orderid"]
        assert done["fillid"]
    assert steps["closed"] == 1000
    assert "error" not in steps
    assert verdicts[:2] == ["upgraded", "logged in"]
    assert set(verdicts[2:-1]) == {"ok"}
    assert verdicts[-1] == "closed by the client"
