"""What the rows of both dialects share: figures, symbols, products, and the trade book."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any, Final

from .exchange import Exchange
from .exchange.margin import book_exchange, company, instrument_type, plain, underlying
from .exchange.orders import Order, OrderType, Product, Side, Trade
from .market import Instrument
from .refusals import Reason, Refused
from .settings import Settings

Row = dict[str, Any]

# The core's words, which Type A's books and both trade books show (4.1).
CORE_PRODUCTS: Final = {
    Product.DELIVERY: "CNC",
    Product.INTRADAY: "INTRADAY",
    Product.CARRYFORWARD: "NRML",
    Product.MTF: "MTF",
    Product.MARGIN: "MARGIN",
}
PRODUCT_LETTERS: Final = {
    Product.DELIVERY: "C",
    Product.INTRADAY: "I",
    Product.CARRYFORWARD: "M",
    Product.MTF: "F",
    Product.MARGIN: "M",
}
CONVERSION_TEXT: Final = (
    "{exchange} EQUITY {token} EQ {client} {side} {quantity} {product} INSUFICIENT QUANTITY TO "
    "CONVERT. INSUFICIENT QUANTITY: {missing} AVAILABLE QUANTITY: {available}"
)


def number(amount: Decimal) -> int | float:
    """Return a figure as a JSON number."""
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def order_type(kind: OrderType) -> str:
    """Return the order type as the books show it: `SL` for both stop types (4.1)."""
    return "SL" if kind.is_stop else kind.value


def is_derivative(instrument: Instrument) -> bool:
    """True for futures and options."""
    return instrument.kind in ("FUT", "CE", "PE")


def book_symbol(instrument: Instrument) -> str:
    """Return the books' symbol: `ACC`, `ACC-28Nov2024-FUT`, `ACC-28Nov2024-2400-CE` (8.3)."""
    if not is_derivative(instrument) or instrument.expiry is None:
        return underlying(instrument)
    parts = [underlying(instrument), f"{instrument.expiry:%d%b%Y}"]
    if instrument.strike is not None and instrument.kind != "FUT":
        parts.append(plain(instrument.strike))
    return "-".join((*parts, instrument.kind))


def strike(instrument: Instrument) -> Decimal:
    """Return the strike price as books show it: -0.01 for a future, 0 for equity (7.10)."""
    if instrument.kind == "FUT":
        return Decimal("-0.01")
    return instrument.strike or Decimal(0)


def option_type(instrument: Instrument) -> str:
    """Return CE or PE, XX for anything else."""
    return instrument.kind if instrument.kind in ("CE", "PE") else "XX"


def expiry(instrument: Instrument, layout: str, otherwise: date | str) -> str:
    """Return the expiry in a layout; for equity `otherwise`, a date or a text."""
    shown = instrument.expiry or otherwise
    return shown if isinstance(shown, str) else shown.strftime(layout)


def tag(order: Order, place: str, settings: Settings) -> str:
    """Return the order's tag where it comes back, "" elsewhere. `place`: "details" or "book"."""
    shown = {"dropped": (), "details": ("details",), "book": ("details", "book")}[settings.tags]
    return order.request.tag if place in shown else ""


def convert(
    exchange: Exchange,
    client: str,
    instrument: Instrument,
    side: Side,
    quantity: int,
    products: tuple[Product, Product],
) -> None:
    """Convert a position; a refusal for lack of units gets mStock's sentence (3.6)."""
    try:
        exchange.convert(client, instrument, side, quantity, products)
    except Refused as refused:
        if refused.reason is not Reason.CONVERSION:
            raise
        text = CONVERSION_TEXT.format(
            exchange=book_exchange(instrument),
            token=instrument.token,
            client=client,
            side=side[0],
            quantity=quantity,
            product=PRODUCT_LETTERS[products[0]],
            missing=quantity - int(refused.text),
            available=refused.text,
        )
        raise Refused(Reason.CONVERSION, text=text) from None


def trade_book(trades: Iterable[Trade], client: str) -> list[Row] | None:
    """Return the trade book (7.12, alike on both types), newest first; None when empty."""
    newest_first = reversed(list(trades))
    return [_trade_row(trade, client, n) for n, trade in enumerate(newest_first, 1)] or None


def _trade_row(trade: Trade, client: str, row_number: int) -> Row:
    instrument = trade.instrument
    return {
        "ALGO_ID": "0",
        "BUY_SELL": trade.side.title(),
        "CLIENT_ID": client,
        "ENCASH_FLG": "N",
        "EXCHANGE": book_exchange(instrument),
        "EXCH_ORDER_NUMBER": trade.exchange_order_id,
        "EXPIRY_DATE": expiry(instrument, "%d-%b-%Y", "0"),
        "FULL_SYMBOL": company(instrument),
        "GTC_FLG": "N",
        "INSTRUMENT_NAME": instrument_type(instrument),
        "MKT_PROTECT_FLG": "N",
        "MKT_PROTECT_VAL": 0,
        "MKT_TYPE": "NL",
        "OPT_TYPE": option_type(instrument),
        "ORDER_DATE_TIME": f"{trade.at:%d-%m-%Y %H:%M:%S}",
        "ORDER_NUMBER": trade.order_id,
        "ORDER_TYPE": order_type(trade.order_type),
        "PAN_NO": "AAAAA0000A",
        "PARTICIPANT_TYPE": "B",
        "PRICE": number(trade.price),
        "PRODUCT": CORE_PRODUCTS[trade.product],
        "QUANTITY": trade.quantity,
        "R": row_number,
        "REMARKS1": "NA",
        "REMARKS2": "NA",
        "SEC_ID": instrument.token,
        "SEGMENT": "D" if is_derivative(instrument) else "E",
        "SETTLOR": "90144",
        "SOURCE_FLG": "WEB",
        "STRIKE_PRICE": number(max(strike(instrument), Decimal(0))),
        "SYMBOL": underlying(instrument),
        "TRADE_NUMBER": trade.trade_id,
        "TRADE_VALUE": number(trade.price * trade.quantity),
    }
