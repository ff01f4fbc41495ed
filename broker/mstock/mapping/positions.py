"""mStock's positions and holdings as the host shows them, both API types; pure.

Source: protocol sections 6.14, 6.16, 7.14 and 7.17. mStock's own P&L fields are 0 in every sample,
so P&L is reckoned from the rows. Type B positions carry no last price: it is given by the caller,
and where there is none `ltp` and `pnl` are left out of the row; `pnl` also where mStock does not
say what the open part has cost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from broker.mstock.mapping import vocabulary
from broker.mstock.mapping.orders import SymbolOf, locate
from broker.mstock.mapping.rows import Row, needed_quantity, number, price, rows_of, text

# The last price of (token, host exchange), None when it is not known.
PriceOf = Callable[[str, str], float | None]

_BOOK = "positions"


class Position(NamedTuple):
    """One row of the net positions; `quantity` is signed, `product_word` mStock's own spelling.

    `bought` and `sold` are values in rupees, `open_average` the average of the side that is open,
    `last_price` None where mStock gives none.
    """

    token: str
    candidates: tuple[str, ...]
    symbol: str
    product: str
    product_word: str
    quantity: int
    average_price: float
    open_average: float
    bought: float
    sold: float
    multiplier: float
    last_price: float | None


# mStock's keys in each API type: of a row, and of its side that is open, bought or sold.
_KEYS = {
    "A": ("instrument_token", "product", "quantity", "average_price", "buy_value", "sell_value"),
    "B": ("symboltoken", "producttype", "netqty", "avgnetprice", "totalbuyvalue", "totalsellvalue"),
}
_AVERAGES = {"A": ("{}_price",), "B": ("{}avgprice", "cf{}avgprice")}  # cf: carried forward


def positions(api_type: str, data: Any) -> list[Position]:
    """The net positions, closed ones too."""
    if api_type == "A" and isinstance(data, Mapping):
        data = data.get("net")
    return [_position(row, api_type) for row in rows_of(data, _BOOK)]


def _position(row: Row, api_type: str) -> Position:
    token, product_key, net, average, bought, sold = _KEYS[api_type]
    product, exchange = text(row, product_key), text(row, "exchange").upper()
    quantity, last = needed_quantity(row, net, _BOOK), number(row, "last_price")
    side = "buy" if quantity > 0 else "sell"
    averages = (price(row, key.format(side)) for key in _AVERAGES[api_type])
    return Position(
        text(row, token),
        vocabulary.candidate_exchanges(exchange)
        if api_type == "A"
        else (vocabulary.host_exchange(exchange, text(row, "instrumenttype")),),
        text(row, "tradingsymbol") or text(row, "symbolname"),
        vocabulary.host_product(product),
        product,
        quantity,
        price(row, average) if quantity else 0.0,
        next(filter(None, averages), 0.0),
        price(row, bought),
        price(row, sold),
        price(row, "multiplier") or 1.0,
        float(last) if last else None,
    )


def find_position(
    found: list[Position], symbol_of: SymbolOf, where: tuple[str, str, str]
) -> Position | None:
    """The position at the host's (symbol, exchange, product)."""
    for each in found:
        if each.product == where[2] and locate(each, symbol_of) == where[:2]:
            return each
    return None


def quantity_held(found: list[Position], token: str, product: str) -> int:
    """The signed quantity of a token in a product."""
    return sum(each.quantity for each in found if (each.token, each.product) == (token, product))


def position_rows(
    found: list[Position], symbol_of: SymbolOf, price_of: PriceOf
) -> list[dict[str, Any]]:
    """Positions as the host shows them; `pnl` is booked and open part together.

    `realized` and `unrealized` stand beside it. A closed position needs no last price.
    """
    return [_position_row(each, *locate(each, symbol_of), price_of) for each in found]


def _position_row(
    position: Position, symbol: str, exchange: str, price_of: PriceOf
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "symbol": symbol,
        "exchange": exchange,
        "product": position.product,
        "quantity": position.quantity,
        "average_price": round(position.average_price, 2),
    }
    last = position.last_price
    if last is None:
        last = price_of(position.token, exchange)
    if last is not None:
        row["ltp"] = last
    paid = position.open_average and (position.bought if position.quantity > 0 else position.sold)
    if (last is not None and paid) or not position.quantity:
        units = position.quantity * position.multiplier
        total = position.sold - position.bought + units * (last or 0.0)
        unrealized = units * ((last or 0.0) - position.open_average) if units else 0.0
        # mStock rounds averages: where nothing was closed, that would book a few paise.
        if units and not (position.sold if units > 0 else position.bought):
            unrealized = total
        row["pnl"] = round(total, 2)
        row["unrealized"] = round(unrealized, 2)
        row["realized"] = round(total - unrealized, 2)
    return row


_HOLDING_KEYS = {
    "A": ("instrument_token", "average_price", "last_price"),
    "B": ("symboltoken", "averageprice", "ltp"),
}


def holding_rows(api_type: str, data: Any, symbol_of: SymbolOf) -> list[dict[str, Any]]:
    """Holdings as the host shows them. Symbols are found by token: mStock gives company names.

    `ltp` is left out of a row without a last price, `pnl` and `pnlpercent` also of one without a
    cost: shares that came from another account are no gain.
    """
    token_key, average_key, last_key = _HOLDING_KEYS[api_type]
    found = []
    for row in rows_of(data, "holdings"):
        token, count = text(row, token_key), needed_quantity(row, "quantity", "holdings")
        exchange = text(row, "exchange").upper()
        candidates = (exchange,) if exchange else ("NSE", "BSE")
        symbol, where = next(
            ((name, each) for each in candidates if (name := symbol_of(token, each))),
            (text(row, "tradingsymbol"), candidates[0]),
        )
        average, last = price(row, average_key), price(row, last_key)
        found.append(
            {
                "symbol": symbol,
                "exchange": where,
                "quantity": count,
                "product": "CNC",
                "average_price": average,
                **({"ltp": last} if last else {}),
                **(_profit(count, average, last) if last and average else {}),
            }
        )
    return found


def _profit(count: int, average: float, last: float) -> dict[str, float]:
    profit, invested = (last - average) * count, average * count
    percent = round(100 * profit / invested, 2) if invested else 0.0
    return {"pnl": round(profit, 2), "pnlpercent": percent}
