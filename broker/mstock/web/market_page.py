"""The market page: instruments by name, and one instrument's quote, depth and candles."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

from flask import Response, abort, jsonify, request, url_for

from broker._kit.errors import BrokerError, CorrectInput, SessionExpired
from broker._kit.money import quantity_text
from broker._kit.sessions.report import date_time
from broker._kit.sessions.trading_calendar import load_calendar
from broker._kit.web.broker_pages import PageTools, Visit
from broker._kit.web.messages import problem_of, status_of
from broker._kit.web.pages import see_other
from broker.mstock.client.dialects import client_for
from broker.mstock.database.instruments import local_instruments, source_of
from broker.mstock.database.master_contract_db import download, is_fresh
from broker.mstock.database.symbol_table import SymbolTable
from broker.mstock.mapping.candles import INTERVALS, Candle
from broker.mstock.mapping.quotes import Quote
from broker.mstock.mapping.symbols import InstrumentRow
from broker.mstock.market_data.chart import NARROW, WIDTH, svg
from broker.mstock.market_data.history import history
from broker.mstock.market_data.quotes import Wanted, quotes
from broker.mstock.settings import Config
from broker.mstock.streaming.connection import FeedLogin
from broker.mstock.streaming.depth import look_at_depth
from broker.mstock.web import market

_MOST_FOUND, _MOST_SUGGESTED, _LONGEST_TEXT = 40, 12, 60
DEPTH_WAIT_S = 3.0  # outside market hours nothing may come
# The charts by interval, and the days that each shows.
CHARTS = {"5m": 3, "1h": 20, "D": 180}


class _List(NamedTuple):
    """The instruments on this computer: `words` on their age, `is_here` when they can be used."""

    table: SymbolTable
    is_here: bool
    is_fresh: bool
    words: str


class MarketPage:
    """The views."""

    def __init__(self, tools: PageTools) -> None:
        self._tools = tools
        self._downloading = threading.Lock()

    def search(self) -> Response:
        """The search box, and what the text in `q` finds; EXCHANGE:SYMBOL leads on at once."""
        return self._tools.show(self._search)

    def _search(self, visit: Visit) -> Response:
        known, text = self._list(visit.config), request.args.get("q", "").strip()[:_LONGEST_TEXT]
        found: list[InstrumentRow] = []
        if known.is_here and text:
            exchange, _, symbol = text.upper().partition(":")
            if symbol and known.table.find(symbol, exchange):
                return see_other(url_for(".instrument", exchange=exchange, symbol=symbol))
            found = known.table.search(
                symbol or text, exchange if symbol else None, _MOST_FOUND + 1
            )
        has_more = len(found) > _MOST_FOUND
        return self._render(
            visit, "market", text=text, known=known, found=found[:_MOST_FOUND], market=market,
            has_more=has_more,
        )  # fmt: skip

    def suggestions(self) -> Response:
        """`{"instruments": [{"name", "about"}]}` for the text in `q`."""
        visit = self._tools.visit()
        if visit is None:
            abort(401)
        known, text = self._list(visit.config), request.args.get("q", "")[:_LONGEST_TEXT]
        found = known.table.search(text, limit=_MOST_SUGGESTED) if known.is_here else []
        rows = [
            {"name": f"{row.exchange}:{row.symbol}", "about": market.kind_words(row)}
            for row in found
        ]
        return jsonify(instruments=rows)

    def download(self) -> Response:
        """Download today's instruments, once for two clicks."""

        def load(visit: Visit) -> Response:
            with self._downloading:
                known = self._list(visit.config)
                if not known.is_fresh:
                    tools = self._tools
                    download(
                        visit.config, visit.token, known.table, clock=tools.clock, guard=tools.guard
                    )
            return see_other(url_for(".market"))

        try:
            return self._tools.show(load)
        except BrokerError as error:
            return self._tools.pages.error(
                status_of(error),
                "The instruments were not downloaded",
                problem_of(error),
                back=url_for(".market"),
                back_words="Back to the market",
            )

    def instrument(self, exchange: str, symbol: str) -> Response:
        """One instrument."""

        def page(visit: Visit) -> Response:
            row, known = self._find(visit, exchange, symbol)
            quote, quote_problem = self._ask(lambda: self._quote(visit, row))
            depth, depth_problem = self._ask(
                lambda: look_at_depth(
                    visit.config, lambda: FeedLogin.of(visit.config, visit.token), known,
                    row.symbol, row.exchange, seconds=DEPTH_WAIT_S,
                )
            )  # fmt: skip
            interval = request.args.get("interval", "D")
            return self._render(
                visit,
                "instrument",
                row=row,
                quote=market.quote_view(quote) if quote else None,
                quote_problem=quote_problem,
                depth=market.depth_view(depth) if depth else None,
                depth_problem=depth_problem,
                about=market.about(row),
                charts=tuple(CHARTS),
                interval=interval if interval in CHARTS else "D",
                as_of=date_time(self._tools.clock.now()),
            )

        return self._tools.show(page)

    def chart(self, exchange: str, symbol: str) -> Response:
        """Its candles as a picture, which says why where there are none."""
        visit, interval = self._tools.visit(), request.args.get("interval", "D")
        if visit is None or interval not in CHARTS:
            abort(404)
        (row, _), clock = self._find(visit, exchange, symbol), self._tools.clock
        last = clock.now().date()
        calendar = load_calendar(self._tools.services.home)
        found, status, without = list[Candle](), 200, "No candles in these days."
        try:
            found = self._tools.guard.run(
                visit.config,
                visit.token,
                lambda: history(
                    client_for(visit.config), visit.token, row, interval,
                    last - timedelta(days=CHARTS[interval]), last, calendar, clock,
                ),
            )  # fmt: skip
        except BrokerError as error:
            status, without = status_of(error), error.message
        title = f"{row.symbol} on {row.exchange}, {interval}"
        is_daily = not INTERVALS[interval].minutes
        width = NARROW if "narrow" in request.args else WIDTH
        picture = svg(title, found, is_daily=is_daily, without=without, width=width)
        return Response(picture, status, mimetype="image/svg+xml")

    def _list(self, config: Config) -> _List:
        table = local_instruments(config, self._tools.services.home)
        mark = table.mark()
        if mark is None or mark.source != source_of(config):
            return _List(table, False, False, "")
        fresh = is_fresh(mark, config, self._tools.clock.now())
        words = f"{quantity_text(mark.rows)} instruments, of {date_time(mark.stored_at)}."
        return _List(table, True, fresh, words)

    def _find(self, visit: Visit, exchange: str, symbol: str) -> tuple[InstrumentRow, SymbolTable]:
        known = self._list(visit.config)
        row = known.table.find(symbol, exchange) if known.is_here else None
        if row is None:
            abort(404)
        return row, known.table

    def _quote(self, visit: Visit, row: InstrumentRow) -> Quote:
        wanted = Wanted.of(row)
        found = self._tools.guard.run(
            visit.config,
            visit.token,
            lambda: quotes(client_for(visit.config), visit.token, [wanted], self._tools.clock),
        )
        if quote := found.get(wanted.key):
            return quote
        raise CorrectInput(f"mStock has no quote for {row.symbol} on {row.exchange}.")

    @staticmethod
    def _ask(read: Callable[[], dict[str, Any]]) -> tuple[dict[str, Any] | None, Any]:
        """What was read, or the problem: one part of the page does not hide the others."""
        try:
            return read(), None
        except SessionExpired:
            raise
        except BrokerError as error:
            return None, problem_of(error)

    def _render(self, visit: Visit, template: str, **shown: Any) -> Response:
        return self._tools.pages.render(f"mstock/{template}", config=visit.config, **shown)
