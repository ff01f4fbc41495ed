"""The page *Positions and orders*: reads the books, and shows them as `books` says."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from flask import Response, request, url_for

from broker._kit.errors import BrokerError, SessionExpired
from broker._kit.sessions.token_guard import fingerprint
from broker._kit.web.broker_pages import PageTools, Visit
from broker._kit.web.messages import problem_of, status_of
from broker.mstock.mapping import order_data
from broker.mstock.mapping.positions import holding_rows, position_rows
from broker.mstock.market_data.last_prices import prices_of
from broker.mstock.orders.desk import Desk
from broker.mstock.orders.journal import Entry
from broker.mstock.settings import Config
from broker.mstock.streaming.order_listener import OrderBook
from broker.mstock.web import books
from broker.mstock.web.books import LastRead, Read, Rows

_ALWAYS, _MORE = ("positions", "orders"), ("trades", "holdings")


class BooksPage:
    """The view, and the tables that the last readings brought."""

    def __init__(self, tools: PageTools) -> None:
        self._tools = tools
        # By the token's fingerprint, this session's only: another day's are nobody's last.
        self._last: dict[str, LastRead] = {}
        self._desks: dict[tuple[Config, str], Desk] = {}

    def answer(self) -> Response:
        """Positions and today's orders; with `?all=1` trades and holdings too."""
        return self._tools.show(self._page)

    def last_read(self, visit: Visit) -> LastRead:
        """What this session's page showed last; without one the positions are read."""
        return self._last.get(fingerprint(visit.token)) or self._read(visit, ("positions",))[0]

    def order_book(self, visit: Visit) -> OrderBook:
        """This session's order book, whose reading settles what is not known."""
        service = self._desk(visit).service
        return OrderBook(service.settler.look, lambda: bool(service.journal.unknown()))

    def _desk(self, visit: Visit) -> Desk:
        tools, key = self._tools, (visit.config, fingerprint(visit.token))
        desk = self._desks.get(key) or Desk(
            visit.config, visit.token, tools.services, tools.guard, tools.clock
        )
        self._desks = {key: desk}
        return desk

    def _page(self, visit: Visit) -> Response:
        has_more = "all" in request.args
        last, unknown, journal_error = self._read(visit, _ALWAYS + (_MORE if has_more else ()))
        errors = [read.error for read in last.reads.values()]
        failed = next(filter(None, errors), None) if all(errors) else None
        return self._tools.pages.render(
            "mstock/positions",
            status_of(failed) if failed else 200,
            config=visit.config,
            page=books.page(last.reads, unknown, self._tools.clock.now()),
            journal_problem=problem_of(journal_error) if journal_error else None,
            has_more=has_more,
            here=url_for(".positions", all=1 if has_more else None),
        )

    def _read(
        self, visit: Visit, names: tuple[str, ...]
    ) -> tuple[LastRead, list[Entry], BrokerError | None]:
        """The books, the calls of unknown outcome, and why the journal could not be read."""
        tools, mark = self._tools, fingerprint(visit.token)
        desk = self._desk(visit)
        # Remembered: live figures ask for the same ones again with each message.
        symbol_of = cache(desk.lookup_or_none.symbol_of)
        before = self._last.get(mark, LastRead({}, [], symbol_of))
        positions, unknown, journal_error = before.positions, [], None

        def read_positions() -> Rows:
            nonlocal positions
            found = desk.service.positions()
            prices = prices_of(
                visit.config, visit.token, found, symbol_of,
                clock=tools.clock, guard=tools.guard,
            )  # fmt: skip
            positions = found
            return position_rows(found, symbol_of, prices)

        def read_orders() -> Rows:
            nonlocal unknown, journal_error
            try:
                unknown = desk.service.journal.unknown()
            except BrokerError as error:
                journal_error = error
            found = desk.service.settler.look() if unknown else desk.service.order_book()
            unknown = desk.service.journal.unknown() if unknown else []
            return order_data.order_rows(found, symbol_of)

        readers: dict[str, Callable[[], Rows]] = {
            "positions": read_positions,
            "orders": read_orders,
            "trades": lambda: order_data.trade_rows(desk.service.trade_book(), symbol_of),
            "holdings": lambda: holding_rows(
                desk.config.api_type, desk.service.holdings(), symbol_of
            ),
        }
        reads: dict[str, Read] = {}
        for name in names:
            at = tools.clock.now()  # what is heard from now on is newer than the book
            try:
                reads[name] = Read(readers[name](), at)
            except SessionExpired:
                raise
            except BrokerError as error:
                reads[name] = before.reads.get(name, Read())._replace(error=error)
        self._last = {mark: LastRead({**before.reads, **reads}, positions, symbol_of)}
        return LastRead(reads, positions, symbol_of), unknown, journal_error
