"""Quotes and history as OpenAlgo asks for them, over a real socket, against the market's truth."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from broker._kit.clock import IST
from broker._kit.errors import (
    BrokerError,
    CorrectInput,
    FixConfiguration,
    RateLimited,
    SessionExpired,
)
from broker._kit.http.rate_limits import Rate
from broker._kit.sessions.trading_calendar import load_calendar
from broker.mstock.api import data as data_module
from broker.mstock.api.data import BrokerData
from broker.mstock.client import data_calls
from broker.mstock.client.dialects import client_for
from broker.mstock.client.routes import RATE_LIMITS
from broker.mstock.database.instruments import local_instruments
from broker.mstock.database.master_contract_db import download
from broker.mstock.errors import InputException
from broker.mstock.mapping import candles as mapping
from broker.mstock.mapping.candles import INTERVALS
from broker.mstock.mapping.symbols import InstrumentRow
from broker.mstock.market_data import quotes as quotes_module
from broker.mstock.market_data.history import history
from broker.mstock.market_data.last_prices import last_prices
from broker.mstock.settings import Config
from broker.mstock.streaming.connection import FeedLogin
from broker.mstock.streaming.feed import FeedListener
from broker.mstock.streaming.shared_feed import has_feed, join_feed, leave_feed
from broker_simulator.mstock.market import DAY, Candle, Instrument
from tests.data.conftest import NOW, Desk, token_of

Row = tuple[int, float, float, float, float, int]
HISTORY = "instruments/historical"
TWICE = "51"  # SENSEX, and a share of NSE


@pytest.fixture
def data(desk: Desk) -> Iterator[BrokerData]:
    """The door, with the instruments in the local file."""
    quotes_module._index_names.clear()
    download(desk.config, desk.secret, local_instruments(desk.config), clock=desk.clock)
    return BrokerData(desk.token, clock=desk.clock)


def instrument(desk: Desk, exchange: str, token: str) -> Instrument:
    found = desk.box.world.market.master.get(exchange, token)
    assert found is not None
    return found


def truth(desk: Desk, minutes: int, first: date, last: date, token: str = "1594") -> list[Row]:
    """The market's own candles in the host's columns, from the first day through the last."""
    start = datetime.combine(first, time.min, IST)
    end = datetime.combine(last + timedelta(days=1), time.min, IST) - timedelta(seconds=1)
    found = desk.box.world.market.candles(instrument(desk, "NSE", token), minutes, start, end)
    return [host_row(candle, minutes) for candle in found]


def host_row(candle: Candle, minutes: int) -> Row:
    start = candle.at
    if minutes == DAY:
        start = datetime(start.year, start.month, start.day, tzinfo=UTC)
    prices = (candle.open, candle.high, candle.low, candle.close)
    return (int(start.timestamp()), *map(float, prices), candle.volume)  # type: ignore[return-value]


def asked(desk: Desk, data: BrokerData, interval: str, first: object, last: object) -> list[Row]:
    frame = data.get_history("INFY", "NSE", interval, first, last)
    return [tuple(row) for row in frame.itertuples(index=False)]


def calls(desk: Desk, path: str) -> int:
    return sum(path in entry.path for entry in desk.box.journal.data)


class TestQuotes:
    @pytest.mark.parametrize(
        ("symbol", "exchange", "token"),
        [("INFY", "NSE", "1594"), ("M&M", "NSE", None), ("BAJAJ-AUTO", "NSE", None)],
    )
    def test_a_share(
        self, desk: Desk, data: BrokerData, symbol: str, exchange: str, token: str | None
    ) -> None:
        row = local_instruments(desk.config).find(symbol, exchange)
        assert row is not None
        assert token in (None, row.token)
        quote = desk.box.world.market.quote(instrument(desk, exchange, row.token))
        assert data.get_quotes(symbol, exchange) == {
            "ltp": float(quote.ltp),
            "open": float(quote.open),
            "high": float(quote.high),
            "low": float(quote.low),
            "prev_close": float(quote.close),
        }

    @pytest.mark.parametrize(
        ("symbol", "exchange", "token"),
        [
            ("NIFTY", "NSE", "26000"),
            ("BANKNIFTY", "NSE", "26009"),
            ("FINNIFTY", "NSE", "26037"),
            ("MIDCPNIFTY", "NSE", "26074"),
            ("NIFTYNXT50", "NSE", "26013"),
            ("INDIAVIX", "NSE", "26017"),
            ("SENSEX", "BSE", "51"),
            ("BANKEX", "BSE", "69"),
        ],
    )
    def test_an_index(
        self, desk: Desk, data: BrokerData, symbol: str, exchange: str, token: str
    ) -> None:
        price = float(desk.box.world.market.ltp(instrument(desk, exchange, token)))
        for _ in range(2):
            assert data.get_quotes(symbol, f"{exchange}_INDEX")["ltp"] == price

    def test_a_whole_chain_in_few_calls(self, desk: Desk, data: BrokerData) -> None:
        table = local_instruments(desk.config)
        chain = [
            row
            for expiry in table.expiries("NIFTY", "NFO")
            for row in table.contracts("NIFTY", "NFO", expiry)
        ][:510]
        wanted = [{"symbol": row.symbol, "exchange": row.exchange} for row in chain]
        found = data.get_multiquotes(wanted)
        market = desk.box.world.market
        for n, (row, answer) in enumerate(zip(chain, found, strict=True)):
            assert (answer["symbol"], answer["exchange"]) == (row.symbol, row.exchange)
            if n % 20:  # the simulator takes its time to price an option
                assert answer["data"]["ltp"] > 0
                continue
            price = market.ltp(instrument(desk, "NFO", row.token))
            assert answer["data"]["ltp"] == float(price)
        most = -(-len(chain) // 500) if desk.api_type == "B" else len(chain) // 60
        assert calls(desk, "instruments/quote") <= most

    def test_bad_ones_spoil_nothing(self, desk: Desk, data: BrokerData) -> None:
        good = {"symbol": "INFY", "exchange": "NSE"}
        bad = [{"symbol": "NOSUCH", "exchange": "NSE"}, {"symbol": "INFY"}, {}, good]
        found = data.get_multiquotes([good, *bad])  # type: ignore[list-item]
        assert found[0]["data"] == found[4]["data"]
        for answer in found[1:4]:
            assert "data" not in answer
            assert answer["error"]

    def test_one_that_mstock_does_not_serve_spoils_nothing(
        self, desk: Desk, data: BrokerData
    ) -> None:
        table = local_instruments(desk.config)
        currency = table.search("USDINR", "CDS")[0]
        found = data.get_multiquotes(
            [
                {"symbol": currency.symbol, "exchange": "CDS"},
                {"symbol": "INFY", "exchange": "NSE"},
            ]
        )
        assert "CDS" in found[0]["error"]
        assert found[1]["data"]["ltp"] > 0

    @pytest.mark.parametrize("api_type", ["B"])
    def test_an_exchange_that_mstock_calls_otherwise_is_no_other_ones_price(
        self, desk: Desk, data: BrokerData, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given: list[dict[str, str]] = []
        monkeypatch.setattr(data_calls, "quotes_by_token", lambda *_a, **_k: {"fetched": given})
        table = local_instruments(desk.config)
        future = table.contracts("NIFTY", "NFO", table.expiries("NIFTY", "NFO")[0])[0]
        given.append({"exchange": "NSE", "symbolToken": future.token, "ltp": "24000.05"})
        assert data.get_quotes(future.symbol, "NFO") == {"ltp": 24000.05}
        rows = [table.by_token(TWICE, exchange) for exchange in ("NSE", "BSE_INDEX")]
        both = [{"symbol": row.symbol, "exchange": row.exchange} for row in rows if row]
        given[0] = {"exchange": "NSE", "symbolToken": TWICE, "ltp": "1.05"}
        found = {each["exchange"]: each for each in data.get_multiquotes(both)}
        assert found["NSE"]["data"] == {"ltp": 1.05}
        assert "error" in found["BSE_INDEX"]

    def test_an_unknown_symbol_alone_is_said(self, data: BrokerData) -> None:
        with pytest.raises(InputException, match="NOSUCH on NSE"):
            data.get_quotes("NOSUCH", "NSE")

    def test_a_dead_session_fails_the_call(self, desk: Desk, data: BrokerData) -> None:
        with pytest.raises(SessionExpired):
            BrokerData("eyJhbGciOiJIUzI1NiJ9.e30.dead").get_quotes("INFY", "NSE")

    def test_last_prices_by_token(self, desk: Desk, data: BrokerData) -> None:
        pairs = [("NSE", "1594"), ("BSE", "500325"), ("NSE_INDEX", "26000"), ("NSE", "999999")]
        found = last_prices(desk.config, desk.secret, pairs, clock=desk.clock)
        market = desk.box.world.market
        assert found == {
            (exchange, token): float(
                market.ltp(instrument(desk, exchange.removesuffix("_INDEX"), token))
            )
            for exchange, token in pairs[:3]
        }


class TestDepth:
    @pytest.fixture
    def stream(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MSTOCK_WS_URL", desk.box.ws_url)

    def test_five_levels_are_the_markets(self, desk: Desk, data: BrokerData, stream: None) -> None:
        depth = data.get_depth("INFY", "NSE")
        quote = desk.box.world.market.quote(instrument(desk, "NSE", "1594"))
        for side, levels in (("bids", quote.bids), ("asks", quote.asks)):
            assert [(each["price"], each["quantity"]) for each in depth[side]] == [
                (float(price), quantity) for price, quantity, _ in levels
            ]
        assert len(depth["bids"]) == len(depth["asks"]) == 5
        assert depth["ltp"] == float(quote.ltp)
        assert set(depth) == {
            *("bids", "asks", "open", "high", "low", "ltp", "ltq", "prev_close", "volume", "oi"),
            *("totalbuyqty", "totalsellqty"),
        }
        assert not has_feed(Config.from_env())

    @pytest.mark.parametrize("is_allowed", [True, False])
    def test_in_a_host_whose_prices_run_elsewhere_only_by_the_setting(
        self,
        desk: Desk,
        data: BrokerData,
        stream: None,
        monkeypatch: pytest.MonkeyPatch,
        is_allowed: bool,
    ) -> None:
        monkeypatch.setattr("broker._kit.openalgo.host.is_present", lambda: True)
        monkeypatch.setattr(data_module, "_instruments", lambda: local_instruments(desk.config))
        if is_allowed:
            monkeypatch.setenv("MSTOCK_WS_SOCKETS", "2")
            assert data.get_depth("INFY", "NSE")["bids"]
        else:
            with pytest.raises(FixConfiguration, match="MSTOCK_WS_SOCKETS=2"):
                data.get_depth("INFY", "NSE")
            assert not any(entry.route == "stream" for entry in desk.box.journal)

    def test_in_a_host_whose_prices_will_run_here_it_may_connect(
        self, desk: Desk, data: BrokerData, stream: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        proxy = ModuleType("websocket_proxy.app_integration")
        proxy.__dict__["_websocket_thread"] = threading.current_thread()
        monkeypatch.setitem(sys.modules, proxy.__name__, proxy)
        monkeypatch.setattr("broker._kit.openalgo.host.is_present", lambda: True)
        monkeypatch.setattr(data_module, "_instruments", lambda: local_instruments(desk.config))
        assert data.get_depth("INFY", "NSE")["bids"]

    def test_in_a_host_whose_prices_run_here_it_is_one_socket(
        self, desk: Desk, data: BrokerData, stream: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        config = Config.from_env()
        ticks = FeedListener(lambda _tick: None)
        shared = join_feed(config, ticks, lambda: FeedLogin.of(config, desk.secret))
        monkeypatch.setattr("broker._kit.openalgo.host.is_present", lambda: True)
        monkeypatch.setattr(data_module, "_instruments", lambda: local_instruments(desk.config))
        try:
            assert data.get_depth("INFY", "NSE")["asks"]
            assert len(desk.box.stream.connections) == 1
        finally:
            leave_feed(shared, ticks)

    def test_an_index_and_an_unknown_symbol_are_refused_by_name(
        self, data: BrokerData, stream: None
    ) -> None:
        with pytest.raises(CorrectInput, match="NIFTY is an index"):
            data.get_depth("NIFTY", "NSE_INDEX")
        with pytest.raises(CorrectInput, match="NOSUCH on NSE"):
            data.get_depth("NOSUCH", "NSE")


class TestHistory:
    @pytest.mark.parametrize("name", [name for name, each in INTERVALS.items() if not each.group])
    def test_row_for_row_over_a_weekend_and_today(
        self, desk: Desk, data: BrokerData, name: str
    ) -> None:
        first = NOW.date() - timedelta(days=5)
        minutes = INTERVALS[name].minutes or DAY
        assert asked(desk, data, name, first, NOW.date()) == truth(desk, minutes, first, NOW.date())

    def test_daily_over_years_in_as_few_calls_as_the_cap_allows(
        self, desk: Desk, data: BrokerData
    ) -> None:
        first, last = date(2020, 3, 2), date(2026, 11, 20)
        wanted = truth(desk, DAY, first, last)
        assert asked(desk, data, "D", f"{first}", f"{last}") == wanted
        assert len(wanted) > 1600
        assert calls(desk, HISTORY) == -(-len(wanted) // 999)

    def test_minutes_over_holidays_and_special_sessions(self, desk: Desk, data: BrokerData) -> None:
        # Budget day on a Saturday in a year that the plugin's table does not know; muhurat.
        for first, last in (
            (date(2025, 1, 30), date(2025, 2, 3)),
            (date(2025, 10, 20), date(2025, 10, 23)),
            (date(2026, 11, 6), date(2026, 11, 11)),
        ):
            wanted = truth(desk, 1, first, last)
            assert asked(desk, data, "1m", first, last) == wanted
            assert len(wanted) > 60

    @pytest.mark.parametrize(
        ("name", "minutes"), [("2m", 2), ("20m", 20), ("2h", 120), ("4h", 240)]
    )
    def test_built_intervals_hold_all_that_was_traded(
        self, desk: Desk, data: BrokerData, name: str, minutes: int
    ) -> None:
        first, last = date(2026, 11, 19), date(2026, 11, 20)
        built = asked(desk, data, name, first, last)
        ones = truth(desk, 1, first, last)
        assert sum(row[5] for row in built) == sum(row[5] for row in ones)
        assert built[0][0] == ones[0][0]
        for start, opened, high, low, close, volume in built:
            inside = [row for row in ones if start <= row[0] < start + 60 * minutes]
            assert opened == inside[0][1]
            assert high == max(row[2] for row in inside)
            assert low == min(row[3] for row in inside)
            assert close == inside[-1][4]
            assert volume == sum(row[5] for row in inside)

    @pytest.mark.parametrize("name", ["W", "M"])
    def test_weeks_and_months_are_whole(self, desk: Desk, data: BrokerData, name: str) -> None:
        built = asked(desk, data, name, date(2026, 10, 14), NOW.date())
        begin = date(2026, 10, 12) if name == "W" else date(2026, 10, 1)
        assert datetime.fromtimestamp(built[0][0], UTC).date() == begin
        days = truth(desk, DAY, begin, NOW.date())
        assert sum(row[5] for row in built) == sum(row[5] for row in days)

    def test_an_index_and_a_contract(self, desk: Desk, data: BrokerData) -> None:
        table = local_instruments(desk.config)
        future = next(
            row
            for row in table.contracts("NIFTY", "NFO", table.expiries("NIFTY", "NFO")[0])
            if row.instrumenttype == "FUT"
        )
        day = date(2026, 11, 20)
        for symbol, exchange in (("NIFTY", "NSE_INDEX"), (future.symbol, "NFO")):
            assert len(data.get_history(symbol, exchange, "15m", day, day)) == 25

    def test_nothing_on_a_holiday_is_an_empty_frame(self, desk: Desk, data: BrokerData) -> None:
        frame = data.get_history("INFY", "NSE", "5m", date(2026, 11, 10), date(2026, 11, 10))
        assert list(frame.columns) == ["timestamp", "open", "high", "low", "close", "volume"]
        assert len(frame) == 0
        assert str(frame["timestamp"].dtype) == "int64"

    @pytest.mark.parametrize("interval", ["D", "15m"])
    @pytest.mark.parametrize("revision", ["older"])
    def test_candles_of_other_days_are_left_out(
        self, desk: Desk, data: BrokerData, monkeypatch: pytest.MonkeyPatch, interval: str
    ) -> None:
        wanted = asked(desk, data, interval, "2026-11-19", "2026-11-23")

        def with_more(name: str) -> Any:
            ask = getattr(data_calls, name)

            def answer(*given: Any) -> list[list[Any]]:
                rows = mapping.rows(ask(*given))
                other = [["2026-11-18T09:15:00+0530", 9.0, 9.0, 9.0, 9.0, 9]]
                return [*other, *rows, *other]

            return answer

        for name in ("historical", "intraday"):
            monkeypatch.setattr(data_calls, name, with_more(name))
        assert asked(desk, data, interval, "2026-11-19", "2026-11-23") == wanted

    def test_a_cut_answer_is_split(
        self, desk: Desk, data: BrokerData, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # As if every day were a trading day of one minute: chunks far over the cap.
        monkeypatch.setattr("broker.mstock.mapping.candles.STOCK_MINUTES", 1)
        chunks = "broker.mstock.market_data.history.mapping.chunks"
        monkeypatch.setattr(chunks, lambda *_: iter([(date(2026, 11, 9), date(2026, 11, 20))]))
        wanted = truth(desk, 1, date(2026, 11, 9), date(2026, 11, 20))
        assert asked(desk, data, "1m", date(2026, 11, 9), date(2026, 11, 20)) == wanted

    def test_a_cut_answer_with_a_row_twice_is_split_too(
        self, data: BrokerData, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        opens = datetime(2026, 11, 16, 9, 15)  # noqa: DTZ001  a stamp of mStock's says no more
        stamps = [opens + timedelta(days=day, minutes=n) for day in range(5) for n in range(375)]
        days = opens.date(), stamps[-1].date()

        def historical(*given: Any) -> object:
            first, last = given[-2:]
            rows = [[f"{at}", 1, 1, 1, 1, 1] for at in stamps if first <= at.date() <= last]
            return {"candles": [rows[0], *rows][:1000]}

        monkeypatch.setattr(data_calls, "historical", historical)
        chunks = "broker.mstock.market_data.history.mapping.chunks"
        monkeypatch.setattr(chunks, lambda *_: iter([days]))
        assert len(data.get_history("INFY", "NSE", "1m", *days)) == len(stamps)

    def test_today_of_a_special_session_that_the_user_has_written_down(
        self, desk: Desk, data: BrokerData
    ) -> None:
        # Budget day on a Saturday in a year that the plugin's table does not know.
        desk.set_time(datetime(2025, 2, 1, 11, 7, 33, tzinfo=IST))
        data = BrokerData(token_of(desk.box, desk.api_type), clock=desk.clock)
        today = desk.clock.now().date()
        assert asked(desk, data, "5m", today, today) == []
        home = Path(os.environ["BROKER_HOME"])
        hours = {"name": "Budget", "opens": "09:15", "closes": "15:30"}
        (home / "trading-days.json").write_text(
            json.dumps({"special_sessions": {f"{today}": hours}})
        )
        assert asked(desk, data, "5m", today, today) == truth(desk, 5, today, today)

    @pytest.mark.parametrize(
        ("exchange", "last", "built"),
        [
            ("MCX", time(23, 15), ["09:00", "13:00", "17:00", "21:00"]),
            ("CDS", time(16, 45), ["09:00", "13:00"]),
            ("BCD", time(16, 45), ["09:00", "13:00"]),
            ("NSE", time(15, 15), ["09:15", "13:15"]),
        ],
    )
    def test_four_hours_count_from_the_opening_of_the_exchange(
        self,
        desk: Desk,
        monkeypatch: pytest.MonkeyPatch,
        exchange: str,
        last: time,
        built: list[str],
    ) -> None:
        # Nothing was traded before ten: the candles keep to the opening all the same.
        day = date(2026, 11, 20)
        at, rows = datetime.combine(day, time(10)), []
        while at.time() <= last and at.date() == day:
            rows.append([f"{at:%Y-%m-%dT%H:%M:%S+05}", 1, 1, 1, 1, 1])
            at += timedelta(minutes=15)
        monkeypatch.setattr(data_calls, "historical", lambda *_: {"candles": rows})
        row = InstrumentRow("X", "X", "X", exchange, exchange, "1", "", 0.0, 1, "FUT", 0.05)
        found = history(
            client_for(desk.config), desk.secret, row, "4h", day, day, load_calendar(), desk.clock
        )
        assert [f"{candle.start:%H:%M}" for candle in found] == built
        assert sum(candle.volume for candle in found) == len(rows)

    def test_today_is_asked_for_from_the_opening_on(self, desk: Desk, data: BrokerData) -> None:
        today = NOW.date()
        for moment, times in ((time(9, 14, 59), 0), (time(9, 15), 1)):
            desk.set_time(datetime.combine(today, moment, IST))
            found = asked(desk, data, "5m", today, today)
            assert calls(desk, "instruments/intraday") == times
            assert found == truth(desk, 5, today, today)

    def test_a_part_that_fails_fails_the_whole(self, desk: Desk, data: BrokerData) -> None:
        # The past has come by then; only today's part is missing.
        path = "instruments/intraday"
        route = f"a/{path}/{{exchange_id}}/{{token}}/{{interval}}"
        desk.box.faults.set(route if desk.api_type == "A" else f"b/{path}", "general_error")
        with pytest.raises(BrokerError):
            data.get_history("INFY", "NSE", "1m", date(2026, 11, 20), NOW.date())
        assert calls(desk, HISTORY) == 1

    @pytest.mark.parametrize(
        ("interval", "first", "last", "words"),
        [
            ("7m", "2026-11-20", "2026-11-20", "7m is no interval"),
            ("Q", "2026-11-20", "2026-11-20", "Q is no interval"),
            ("D", "yesterday", "2026-11-20", "start_date"),
            ("D", "2026-11-20", None, "end_date"),
            ("D", "2026-11-20", "2026-11-19", "end date"),
        ],
    )
    def test_bad_input_is_refused_by_name(
        self, desk: Desk, data: BrokerData, interval: str, first: object, last: object, words: str
    ) -> None:
        with pytest.raises(InputException, match=words):
            data.get_history("INFY", "NSE", interval, first, last)
        assert calls(desk, HISTORY) == 0

    def test_calls_wait_for_their_turn(
        self, desk: Desk, data: BrokerData, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        times = iter([RateLimited("Too many.", retry_after=2), RateLimited("Too many.")])

        def historical(*_: object) -> object:
            if error := next(times, None):
                raise error
            return {"candles": []}

        monkeypatch.setattr(data_calls, "historical", historical)
        data.get_history("INFY", "NSE", "D", date(2026, 11, 20), date(2026, 11, 20))
        assert desk.clock.slept == [2, 1]


def test_the_limits_are_mstocks_own() -> None:
    assert RATE_LIMITS["data"] == (Rate(1, 1), Rate(1000, 60), Rate(5000, 3600))


def test_the_hosts_map_and_count_of_arguments() -> None:
    door = BrokerData("token")
    assert BrokerData.__init__.__code__.co_argcount == 4
    assert list(door.timeframe_map) == list(INTERVALS)
