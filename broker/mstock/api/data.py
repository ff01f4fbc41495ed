"""The host's door to quotes, depth and history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.faults import guarded
from broker._kit.openalgo import host
from broker._kit.secret import Secret
from broker._kit.sessions.token_guard import token_guard
from broker.mstock.broker import MSTOCK
from broker.mstock.client.dialects import Client, client_for
from broker.mstock.errors import InputException
from broker.mstock.mapping.candles import INTERVALS, Candle, epoch
from broker.mstock.mapping.quotes import Quote
from broker.mstock.mapping.symbols import InstrumentRow
from broker.mstock.market_data.calendar import trading_calendar
from broker.mstock.market_data.history import history, parse_day
from broker.mstock.market_data.quotes import Wanted, quotes
from broker.mstock.settings import Config

if TYPE_CHECKING:
    from pandas import DataFrame

    from broker.mstock.database.symbol_table import Instruments

T = TypeVar("T")

_SEARCH = "Use a symbol of OpenAlgo's list, such as INFY on NSE."


class BrokerData:
    """Made for each request: reads no setting and opens nothing before it is asked something.

    `timeframe_map` has the host's names of intervals, and what mStock is asked for: an interval of
    mStock's, or the one that it is built from. Every method raises `BrokerError`, whose text the
    host shows.
    """

    # The host counts the arguments, and gives as many as there are (contract 5.1).
    def __init__(
        self,
        auth_token: str,
        feed_token: str | None = None,
        user_id: str | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._token = Secret(auth_token if isinstance(auth_token, str) else "")
        self._clock = clock
        self.timeframe_map = {name: interval.words["B"] for name, interval in INTERVALS.items()}

    def get_quotes(self, symbol: str, exchange: str) -> Quote:
        """`ltp`, `open`, `high`, `low`, `prev_close` in rupees.

        mStock gives neither volume nor bid, ask or open interest here: they are left out.
        """
        (answer,) = self.get_multiquotes([{"symbol": symbol, "exchange": exchange}])
        if "error" in answer:
            raise InputException(answer["error"], _SEARCH)
        return answer["data"]  # type: ignore[no-any-return]

    def get_multiquotes(self, symbols: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """For each `{"symbol", "exchange"}` the same with `data`, a quote, or with `error`.

        Five hundred instruments take a call in Type B, about two hundred in Type A.
        """
        return guarded(lambda: self._multiquotes(symbols))

    def get_depth(self, symbol: str, exchange: str) -> dict[str, Any]:
        """Five `bids` and `asks` and the day's figures, out of mStock's live stream.

        Over the connection for live prices where that is in this process; over one more only if
        MSTOCK_WS_SOCKETS allows it.
        """
        return guarded(lambda: self._depth(symbol, exchange))

    def get_history(
        self, symbol: str, exchange: str, interval: str, start_date: object, end_date: object
    ) -> DataFrame:
        """Candles from `start_date` to `end_date`, IST dates, both included.

        Columns `timestamp` (epoch seconds: the true moment in a day, midnight UTC of a date from D
        on), `open`, `high`, `low`, `close` in rupees, `volume`. mStock gives no open interest. An
        empty frame when nothing was traded; a part that cannot be had fails the whole.
        """
        return guarded(lambda: self._history(symbol, exchange, interval, start_date, end_date))

    def _multiquotes(self, symbols: list[dict[str, Any]]) -> list[dict[str, Any]]:
        config, known = Config.from_env(), _instruments()
        rows = [_find(known, each) for each in symbols]
        wanted = {n: Wanted.of(row) for n, row in enumerate(rows) if not isinstance(row, str)}
        found: dict[tuple[str, str], Quote] = {}
        if wanted:
            found = _run(
                config,
                self._token,
                lambda client: quotes(client, self._token, wanted.values(), self._clock),
            )

        def answer(n: int, each: Any) -> dict[str, Any]:
            given = each if isinstance(each, Mapping) else {}
            echo = {"symbol": given.get("symbol"), "exchange": given.get("exchange")}
            row = rows[n]
            if isinstance(row, str):
                return {**echo, "error": row}
            if quote := found.get(wanted[n].key):
                return {**echo, "data": dict(quote)}
            return {**echo, "error": f"mStock has no quote for {row.symbol} on {row.exchange}."}

        return [answer(n, each) for n, each in enumerate(symbols)]

    def _depth(self, symbol: str, exchange: str) -> dict[str, Any]:
        # websocket-client takes its time to load where nothing else has loaded it.
        from broker.mstock.streaming.connection import FeedLogin
        from broker.mstock.streaming.depth import look_at_depth

        config = Config.from_env()
        return look_at_depth(
            config,
            lambda: FeedLogin.of(config, self._token),
            _instruments(),
            symbol,
            exchange,
            may_connect=config.most_sockets > 1 or host.serves_prices() or not host.is_present(),
        )

    def _history(
        self, symbol: str, exchange: str, interval: str, start_date: object, end_date: object
    ) -> DataFrame:
        first, last = parse_day(start_date, "start_date"), parse_day(end_date, "end_date")
        row = _find(_instruments(), {"symbol": symbol, "exchange": exchange})
        if isinstance(row, str):
            raise InputException(row, _SEARCH)
        calendar = trading_calendar()
        found = _run(
            Config.from_env(),
            self._token,
            lambda client: history(
                client, self._token, row, interval, first, last, calendar, self._clock
            ),
        )
        return data_frame(found, interval)


def data_frame(found: list[Candle], interval: str) -> DataFrame:
    """Candles in the host's columns (contract 5.2), of an interval of `INTERVALS`."""
    import pandas as pd

    is_daily = not INTERVALS[interval].minutes
    columns: dict[str, list[Any]] = {
        "timestamp": [epoch(candle.start, is_daily=is_daily) for candle in found]
    }
    for name in ("open", "high", "low", "close", "volume"):
        columns[name] = [getattr(candle, name) for candle in found]
    frame = pd.DataFrame(columns)
    return frame.astype({"timestamp": "int64", "volume": "int64"})


def _instruments() -> Instruments:
    # SQLAlchemy takes its time to load where the host has not loaded it.
    from broker.mstock.database.instruments import instruments

    return instruments()


def _find(known: Instruments, given: Any) -> InstrumentRow | str:
    """The instrument, or a sentence on why there is none."""
    symbol, exchange = (
        (given.get(name) if isinstance(given, Mapping) else None) for name in ("symbol", "exchange")
    )
    if not isinstance(symbol, str) or not isinstance(exchange, str) or not symbol or not exchange:
        return "A symbol and an exchange are needed; mStock was not asked."
    row = known.find(symbol, exchange)
    return row or f"{symbol} on {exchange} is not in mStock's instrument list."


def _run(config: Config, token: Secret, call: Callable[[Client], T]) -> T:
    return token_guard(MSTOCK).run(config, token, lambda: call(client_for(config)))
