"""mStock's own pages of the standalone app: positions and orders, and the market."""

from __future__ import annotations

from broker._kit.web.broker_pages import BrokerPages, PageTools
from broker.mstock.web.books_page import BooksPage
from broker.mstock.web.live import EventStreams
from broker.mstock.web.market_page import MarketPage


def pages(tools: PageTools) -> BrokerPages:
    """The pages at `/mstock/positions` and `/mstock/market`, with their scripts."""
    blueprint = tools.pages.blueprint(
        "own", has_static=True, package=__name__, static_url="/mstock/scripts"
    )
    books, market = BooksPage(tools), MarketPage(tools)
    streams = EventStreams(tools, books)
    one = "/mstock/market/<exchange>/<symbol>"
    for rule, endpoint, view, method in (
        ("/mstock/positions", "positions", books.answer, "GET"),
        ("/mstock/positions/events", "events", streams.answer, "GET"),
        ("/mstock/market", "market", market.search, "GET"),
        ("/mstock/market", "download", market.download, "POST"),
        ("/mstock/market/suggestions", "suggestions", market.suggestions, "GET"),
        (one, "instrument", market.instrument, "GET"),
        (f"{one}/chart.svg", "chart", market.chart, "GET"),
    ):
        blueprint.add_url_rule(rule, endpoint, view, methods=[method])
    name = blueprint.name
    return BrokerPages(
        blueprint,
        (("Positions and orders", f"{name}.positions"), ("Market", f"{name}.market")),
    )
