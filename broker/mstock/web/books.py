"""What the page *Positions and orders* shows of the books' rows; pure.

Rows are OpenAlgo's, as `mapping.positions` and `mapping.order_data` make them. A position whose
last price or cost is not known has no profit and loss: it is counted, and never shown as zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from broker._kit.errors import BrokerError
from broker._kit.money import price_text, quantity_text, rupees
from broker._kit.sessions.report import date_time
from broker._kit.web.formatting import count
from broker._kit.web.messages import Problem, problem_of
from broker.mstock.mapping import order_data
from broker.mstock.mapping.orders import SymbolOf, locate
from broker.mstock.mapping.positions import Position, position_rows
from broker.mstock.mapping.vocabulary import FINAL
from broker.mstock.orders.journal import Entry

Rows = list[dict[str, Any]]

_TONES = {"complete": "gain", "rejected": "loss", "cancelled": "zero"}
_UNKNOWN = "not known"
_NOTHING = "\N{EN DASH}"


class Read(NamedTuple):
    """One book: the rows of the last reading that worked, its time, and why the newest did not."""

    rows: Rows | None = None
    at: datetime | None = None
    error: BrokerError | None = None


class LastRead(NamedTuple):
    """The books of one session as they were last read; `positions` are those of their rows."""

    reads: dict[str, Read]
    positions: list[Position]
    symbol_of: SymbolOf

    def read_at(self, name: str) -> datetime | None:
        """When a book was read, None if it was not."""
        return self.reads.get(name, Read()).at


class Cell(NamedTuple):
    """A figure or a word; `key` names it to the script that updates it, `note` may be long."""

    text: str
    tone: str = ""
    small: str = ""
    note: str = ""
    key: str = ""


class Table(NamedTuple):
    """A book as a table; `old_words` say when its rows were read if the newest reading failed."""

    name: str
    title: str
    summary: str
    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]]
    empty: str
    problem: Problem | None
    old_words: str


class Profit(NamedTuple):
    """The day's profit and loss, None where no position has one; `missing` positions have none."""

    total: Decimal | None
    booked: Decimal
    unrealized: Decimal
    missing: int

    @property
    def cells(self) -> dict[str, Cell]:
        """The three figures by their names."""
        booked, unrealized = _signed(self.booked, "booked"), _signed(self.unrealized, "open")
        if self.total is None:
            nothing = Cell(_UNKNOWN, "zero", key="total")
            return {"total": nothing, "booked": booked, "open": unrealized}
        return {"total": _signed(self.total, "total"), "booked": booked, "open": unrealized}

    @property
    def missing_words(self) -> str:
        if not self.missing:
            return ""
        which = count(self.missing, "position", "positions")
        return f"Without {which} whose last price or cost is not known."


class Page(NamedTuple):
    """The page: `profit` is None without positions, `unknown` are orders of unknown outcome."""

    profit: Profit | None
    unknown: list[str]
    tables: list[Table]
    as_of: str


def page(reads: dict[str, Read], unknown: Iterable[Entry], now: datetime) -> Page:
    """The page of what was read, by the names of `BOOKS`."""
    positions = reads["positions"].rows
    return Page(
        profit_of(positions) if positions else None,
        [unknown_words(entry) for entry in unknown],
        [BOOKS[name].table(name, read) for name, read in reads.items()],
        date_time(now) if any(read.error is None for read in reads.values()) else "",
    )


def profit_of(rows: Rows) -> Profit:
    """The sums over the positions whose profit and loss is known."""
    known = [row for row in rows if "pnl" in row]
    sums = {name: sum((_decimal(row[name]) for row in known), Decimal(0)) for name in _SUMMED}
    return Profit(
        sums["pnl"] if known or not rows else None,
        sums["realized"],
        sums["unrealized"],
        len(rows) - len(known),
    )


_SUMMED = ("pnl", "realized", "unrealized")


def with_prices(last: LastRead, live: dict[tuple[str, str], tuple[float, datetime]]) -> Rows:
    """The positions' rows at the live prices, with their times, of (symbol, exchange).

    Where there is none, or an older one, the price of the last reading stands.
    """
    rows, read_at = last.reads["positions"].rows or [], last.read_at("positions")
    shown = {row_key(row): row.get("ltp") for row in rows}

    def priced(position: Position) -> Position:
        symbol, exchange = locate(position, last.symbol_of)
        price, at = live.get((symbol, exchange), (None, None))
        if at is None or (read_at and at < read_at):
            row = {"symbol": symbol, "exchange": exchange, "product": position.product}
            price = shown.get(row_key(row))
        return position._replace(last_price=price)

    return position_rows(
        [priced(each) for each in last.positions], last.symbol_of, lambda _token, _exchange: None
    )


def live_cells(rows: Rows) -> dict[str, tuple[str, str]]:
    """Text and tone of every cell that a new price changes, by its key."""
    cells = [cell for row in _positions(rows) for cell in row]
    cells += profit_of(rows).cells.values()
    return {cell.key: (cell.text, cell.tone) for cell in cells if cell.key}


def unknown_words(entry: Entry) -> str:
    """One call of unknown outcome, in a line."""
    what = {"place": "order", "cancel": "cancel of order"}.get(entry.kind, entry.kind)
    parts = [
        f"{entry.at:%H:%M:%S}",
        f"{what} {entry.order_id}".strip(),
        entry.side,
        str(entry.quantity or ""),
        entry.symbol,
        entry.exchange,
        entry.product,
        entry.price_type,
        price_text(entry.price) if entry.price else "",
        f"(tag {entry.tag})",
    ]
    return " ".join(filter(None, parts))


def _positions(rows: Rows) -> list[tuple[Cell, ...]]:
    return [_position(row) for row in sorted(rows, key=lambda row: not row["quantity"])]


def row_key(row: dict[str, Any]) -> str:
    """What tells a position from the others."""
    return f"{row['exchange']}:{row['symbol']}:{row['product']}"


def _position(row: dict[str, Any]) -> tuple[Cell, ...]:
    key, held = row_key(row), row["quantity"]
    lacks = "cost not known" if "ltp" in row else "no last price"
    profit = Cell(_UNKNOWN, "zero", lacks, key=f"{key} pnl")
    if "pnl" in row:
        booked = _decimal(row["realized"])
        small = f"{rupees(booked, plus=True)} booked" if booked and held else ""
        profit = _signed(_decimal(row["pnl"]), f"{key} pnl", small)
    last = price_text(row["ltp"]) if "ltp" in row else _UNKNOWN if held else _NOTHING
    return (
        _instrument(row),
        Cell(quantity_text(held) if held else "closed", "" if held else "zero"),
        Cell(price_text(row["average_price"]) if held else _NOTHING),
        Cell(last, "" if "ltp" in row else "zero", key=f"{key} ltp"),
        profit,
    )


def _orders(rows: Rows) -> list[tuple[Cell, ...]]:
    newest_first = rows[::-1]
    # What can still trade comes before what is over.
    return [
        _order(row) for row in sorted(newest_first, key=lambda row: row["order_status"] in FINAL)
    ]


def _order(row: dict[str, Any]) -> tuple[Cell, ...]:
    status, filled, trigger = row["order_status"], row["filled_quantity"], row["trigger_price"]
    limit = price_text(row["price"]) if row["price"] else "market"
    paid = row["average_price"] if filled else 0
    small = [f"limit {limit}" if paid and row["price"] else ""]
    small += [f"trigger {price_text(trigger)}" if trigger else ""]
    about = (row["exchange"], row["product"], row["pricetype"], row["orderid"])
    return (
        Cell(
            f"{row['action']} {row['symbol']}",
            small=" · ".join(filter(None, about)),
            note=row.get("rejection_reason", ""),
        ),
        Cell(f"{quantity_text(filled)} of {quantity_text(row['quantity'])}"),
        Cell(price_text(paid) if paid else limit, small=", ".join(filter(None, small))),
        Cell(_clock(row["timestamp"])),
        Cell(status, _TONES.get(status, "")),
    )


def _trades(rows: Rows) -> list[tuple[Cell, ...]]:
    return [
        (
            Cell(
                f"{row['action']} {row['symbol']}",
                small=f"{row['exchange']} · {row['product']} · {row['orderid']}",
            ),
            Cell(quantity_text(row["quantity"])),
            Cell(price_text(row["average_price"])),
            Cell(_clock(row["timestamp"])),
            Cell(rupees(_decimal(row["trade_value"]))),
        )
        for row in reversed(rows)
    ]


def _holdings(rows: Rows) -> list[tuple[Cell, ...]]:
    return [
        (
            _instrument(row),
            Cell(quantity_text(row["quantity"])),
            Cell(price_text(row["average_price"])),
            Cell(price_text(row["ltp"]) if "ltp" in row else _UNKNOWN),
            _signed(_decimal(row["pnl"]), small=f"{row['pnlpercent']} %")
            if "pnl" in row
            else Cell(_UNKNOWN, "zero", "no cost" if "ltp" in row else "no last price"),
        )
        for row in rows
    ]


def _instrument(row: dict[str, Any]) -> Cell:
    return Cell(row["symbol"], small=f"{row['exchange']} · {row['product']}")


def _signed(amount: Decimal, key: str = "", small: str = "") -> Cell:
    tone = "gain" if amount > 0 else "loss" if amount < 0 else "zero"
    return Cell(rupees(amount, plus=True), tone, small, key=key)


def _clock(host_time: str) -> str:
    """HH:MM:SS of a time as the host has it; mStock's own word where it is none."""
    day, blank, clock = host_time.partition(" ")
    return clock if blank and len(day) == 10 else host_time


def _decimal(value: Any) -> Decimal:
    return Decimal(str(value))


def _positions_summary(rows: Rows) -> str:
    held = sum(bool(row["quantity"]) for row in rows)
    return f"{held} open, {len(rows) - held} closed"


def _orders_summary(rows: Rows) -> str:
    counts = order_data.calculate_order_statistics(rows)
    words = ("open", "completed", "rejected", "cancelled", "other")
    named = ((counts[f"total_{word}_orders"], word) for word in words)
    return ", ".join(f"{number} {word}" for number, word in named if number)


def _trades_summary(rows: Rows) -> str:
    worth = sum((_decimal(row["trade_value"]) for row in rows), Decimal(0))
    return f"{count(len(rows), 'trade', 'trades')}, worth {rupees(worth)}"


def _holdings_summary(rows: Rows) -> str:
    missing = sum("pnl" not in row for row in rows)
    what = count(missing, "holding", "holdings")
    without = f"without {what} whose last price or cost is not known"
    if missing == len(rows):
        return without
    sums = order_data.calculate_portfolio_statistics(rows)
    worth, profit = (_decimal(sums[f"total{x}"]) for x in ("holdingvalue", "profitandloss"))
    words = f"worth {rupees(worth)}, profit and loss {rupees(profit, plus=True)}"
    return f"{words}, {without}" if missing else words


class Book(NamedTuple):
    """How one book becomes a table."""

    title: str
    columns: tuple[str, ...]
    empty: str
    cells: Callable[[Rows], list[tuple[Cell, ...]]]
    summary: Callable[[Rows], str]

    def table(self, name: str, read: Read) -> Table:
        rows, error = read.rows or [], read.error
        old = f"These are the rows of {date_time(read.at)}." if error and read.at else ""
        return Table(
            name,
            self.title,
            self.summary(rows) if rows else "",
            self.columns,
            self.cells(rows),
            "" if read.rows is None else self.empty,
            problem_of(error) if error else None,
            old,
        )


_HELD = ("Instrument", "Quantity", "Average", "Last price", "Profit and loss")
BOOKS: dict[str, Book] = {
    "positions": Book(
        "Positions", _HELD, "No positions today.", _positions, _positions_summary
    ),
    "orders": Book(
        "Orders",
        ("Order", "Filled", "Price", "Time", "Status"),
        "No orders today.",
        _orders,
        _orders_summary,
    ),
    "trades": Book(
        "Trades",
        ("Trade", "Quantity", "Price", "Time", "Value"),
        "No trades today.",
        _trades,
        _trades_summary,
    ),
    "holdings": Book("Holdings", _HELD, "No holdings.", _holdings, _holdings_summary),
}  # fmt: skip
