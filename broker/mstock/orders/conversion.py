"""What a user wants converted: a position, how much of it, to which product; pure."""

from __future__ import annotations

from typing import NamedTuple

from broker.mstock.errors import InputException
from broker.mstock.mapping.positions import Position, find_position
from broker.mstock.mapping.transform_data import Instrument, check_product, read_quantity
from broker.mstock.orders.lookup import Lookup
from broker.mstock.orders.smart import exit_instrument


class Conversion(NamedTuple):
    """So much of a position to another product."""

    row: Position
    instrument: Instrument
    symbol: str
    exchange: str
    quantity: int
    product: str

    def __str__(self) -> str:
        return (
            f"{self.quantity} {self.symbol} on {self.exchange} from {self.row.product} to "
            f"{self.product}"
        )


def read_conversion(
    rows: list[Position],
    lookup: Lookup,
    where: tuple[str, str, str],
    product: str,
    quantity: object = None,
) -> Conversion:
    """Convert the position at (symbol, exchange, product), all of it unless `quantity` is given.

    Raises `InputException` when there is no such position or the product cannot be.
    """
    symbol, exchange, old = where
    row = find_position(rows, lookup.symbol_of, where)
    if row is None or not row.quantity:
        raise InputException(f"There is no open position {symbol} on {exchange}, {old}.")
    product = product.upper()
    check_product(product, exchange)
    return Conversion(
        row,
        exit_instrument(lookup, row, exchange),
        symbol,
        exchange,
        abs(row.quantity) if quantity is None else read_quantity(quantity),
        product,
    )
