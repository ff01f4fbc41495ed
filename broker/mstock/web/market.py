"""What the market page shows of an instrument, its quote and its depth; pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

from broker._kit.money import MINUS, price_text, quantity_text
from broker.mstock.mapping.quotes import Quote
from broker.mstock.mapping.symbols import InstrumentRow
from broker.mstock.web.books import Cell

_FIGURES = {"open": "Open", "high": "High", "low": "Low", "prev_close": "Previous close"}
_KINDS = {"EQ": "Share", "FUT": "Future", "CE": "Call option", "PE": "Put option", "INDEX": "Index"}


class QuoteView(NamedTuple):
    """The last price, its change against the previous close, and the day's figures by name."""

    last: str
    change: Cell | None
    figures: list[tuple[str, str]]


def quote_view(quote: Quote) -> QuoteView:
    """A quote to be shown; a figure that mStock did not give is left out."""
    figures = [
        (words, price_text(quote[name])) for name, words in _FIGURES.items() if name in quote
    ]
    return QuoteView(price_text(quote["ltp"]), _change(quote), figures)


def _change(quote: Quote) -> Cell | None:
    close = Decimal(str(quote.get("prev_close") or 0))
    if not close:
        return None
    change = Decimal(str(quote["ltp"])) - close
    sign, tone = ("+", "gain") if change > 0 else (MINUS, "loss") if change else ("", "zero")
    percent = abs(100 * change / close)
    return Cell(f"{sign}{price_text(abs(change))} ({sign}{percent:.2f} %)", tone)


class Level(NamedTuple):
    """One level of the depth: quantity and price of the bid and of the ask, "" for none."""

    bid_quantity: str
    bid: str
    ask: str
    ask_quantity: str


class DepthView(NamedTuple):
    """Five levels, the best first, and the totals of both sides, "" where they are not given."""

    levels: list[Level]
    total_bid: str
    total_ask: str


def depth_view(depth: dict[str, Any]) -> DepthView:
    """A depth of contract 5.2 to be shown; levels that are padded with zeros are empty."""
    sides = [[_level(each) for each in depth[side]] for side in ("bids", "asks")]
    levels = [Level(bid[1], bid[0], *ask) for bid, ask in zip(*sides, strict=False)]
    totals = (depth.get(name) for name in ("totalbuyqty", "totalsellqty"))
    return DepthView(levels, *(quantity_text(total) if total else "" for total in totals))


def _level(level: dict[str, Any]) -> tuple[str, str]:
    price, quantity = level["price"], level["quantity"]
    return (price_text(price), quantity_text(quantity)) if price else ("", "")


def kind_words(row: InstrumentRow) -> str:
    """What an instrument is, in a few words: its kind, strike and expiry, or its name."""
    kind = _KINDS.get(row.instrumenttype, row.instrumenttype)
    name = "" if row.symbol.startswith(row.name) else row.name
    is_option = row.instrumenttype in ("CE", "PE")
    strike = price_text(row.strike).removesuffix(".00") if is_option else ""
    return ", ".join(filter(None, (f"{kind} {strike}".rstrip(), row.expiry, name)))


def about(row: InstrumentRow) -> list[tuple[str, str]]:
    """What the instrument list says of it; fields that it does not fill are left out."""
    pairs = (
        ("Name", row.name),
        ("Kind", _KINDS.get(row.instrumenttype, row.instrumenttype)),
        ("Expiry", row.expiry),
        ("Strike", price_text(row.strike) if row.strike and row.strike > 0 else ""),
        ("Lot size", quantity_text(row.lotsize) if row.lotsize and row.lotsize > 0 else ""),
        ("Tick size", price_text(row.tick_size) if row.tick_size and row.tick_size > 0 else ""),
        ("mStock's symbol", row.brsymbol),
        ("Token", row.token),
    )
    return [(name, value) for name, value in pairs if value]
