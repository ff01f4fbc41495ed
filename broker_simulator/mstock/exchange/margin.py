"""The risk desk's arithmetic: margin of an order, refusal texts, price bands (12.2, 12.3)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from broker_simulator.mstock.market import Instrument, Quote

from .lookup import CASH
from .orders import ZERO, OrderRequest, OrderType, Product, Side

# Intraday 25 % and delivery 100 % are derived in 12.2; the rest is in no source.
EQUITY_RATES: Final = {
    Product.DELIVERY: Decimal(1),
    Product.INTRADAY: Decimal("0.25"),
    Product.MTF: Decimal("0.5"),
    Product.MARGIN: Decimal("0.5"),
    Product.CARRYFORWARD: Decimal(1),
}
SPAN_RATE: Final = Decimal("0.12")
EXPOSURE_RATE: Final = Decimal("0.03")

INDICES: Final = frozenset(
    {"NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "NIFTYNXT50", "SENSEX", "SENSEX50", "BANKEX"}
)
CURRENCY_EXCHANGES: Final = frozenset({"CDS", "BCD"})

OUT_OF_RANGE: Final = "EXCH:16284:The order price is out of the days price range."
PRICE_FREEZE: Final = "EXCH:16308:The order has been canceled due to price freeze."


@dataclass(frozen=True, slots=True)
class Margin:
    """What an order or a position needs, in rupees, by the names of the margin calculator."""

    var: Decimal = ZERO
    span: Decimal = ZERO
    exposure: Decimal = ZERO
    premium: Decimal = ZERO

    def __add__(self, other: Margin) -> Margin:
        """Add two margins part by part."""
        return Margin(
            self.var + other.var,
            self.span + other.span,
            self.exposure + other.exposure,
            self.premium + other.premium,
        )

    @property
    def total(self) -> Decimal:
        """The whole margin, to the paisa."""
        return paise(self.var + self.span + self.exposure + self.premium)


def paise(amount: Decimal) -> Decimal:
    """Round to the paisa, half up."""
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def plain(amount: Decimal) -> str:
    """Write a figure as mStock does: no trailing zeros, no exponent (`3125`, `572.36`)."""
    text = f"{paise(amount):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def margin_of(
    instrument: Instrument, side: Side, product: Product, quantity: int, price: Decimal
) -> Margin:
    """Return the margin of so many units at a price: the whole of it, nothing netted."""
    value = quantity * price
    if instrument.kind not in ("FUT", "CE", "PE"):
        return Margin(var=value * EQUITY_RATES[product])
    if instrument.kind != "FUT":
        if side is Side.BUY:
            return Margin(premium=value)
        # A written option risks the contract's value, not its premium.
        value = quantity * (instrument.strike or price)
    return Margin(span=value * SPAN_RATE, exposure=value * EXPOSURE_RATE)


def margin_price(request: OrderRequest, ltp: Decimal) -> Decimal:
    """Return the price an order is margined at: its own, its trigger, or the last price (12.2)."""
    if request.order_type.has_limit:
        return request.price
    return request.trigger_price if request.order_type is OrderType.STOP_MARKET else ltp


def exchange_refusal(request: OrderRequest, quote: Quote) -> str:
    """Return the exchange's refusal text by the price bands, "" if it takes the order."""
    lower, upper = quote.lower_band, quote.upper_band
    if lower is None or upper is None:
        return ""
    prices = [request.price] if request.order_type.has_limit else []
    prices += [request.trigger_price] if request.order_type.is_stop else []
    if not all(lower <= price <= upper for price in prices):
        return OUT_OF_RANGE
    at_limit = quote.ltp == (upper if request.side is Side.BUY else lower)
    return PRICE_FREEZE if at_limit and request.order_type is OrderType.MARKET else ""


def instrument_type(instrument: Instrument) -> str:
    """Return the books' instrument type (4.5), such as EQUITY, OPTIDX or FUTSTK."""
    if instrument.kind not in ("FUT", "CE", "PE"):
        return "EQUITY"
    what = "FUT" if instrument.kind == "FUT" else "OPT"
    if instrument.exchange in CURRENCY_EXCHANGES:
        return f"{what}CUR"
    if instrument.exchange == "MCX":
        return "FUTCOM" if what == "FUT" else "OPTFUT"
    return f"{what}{'IDX' if underlying(instrument) in INDICES else 'STK'}"


def underlying(instrument: Instrument) -> str:
    """Return the symbol without series, or the derivative's underlying."""
    if instrument.kind in ("FUT", "CE", "PE"):
        return instrument.name
    return instrument.symbol.removesuffix(f"-{instrument.series}")


def company(instrument: Instrument) -> str:
    """Return a company name, which some rows show in place of the symbol (6.12, 6.16)."""
    return f"{underlying(instrument)} LIMITED"


def book_exchange(instrument: Instrument) -> str:
    """Return the exchange as the books name it: the cash one for derivatives too (4.2)."""
    return CASH.get(instrument.exchange, instrument.exchange)


# Section 12.3, and what the products are called there.
RMS_TEXT: Final = (
    "RMS:{order_id}:{exchange},{kind},{token},{symbol},{product},,{series},{client},{side},"
    "{quantity},I,{price:.5f},{reason}"
)
FUNDS_SHORT: Final = (
    "FUND LIMIT INSUFFICIENT,AVAILABLE FUND={available},"
    "ADDITIONAL REQUIRED FUND={missing},CALCULATED MARGIN FOR ORDER={margin}"
)
# The simulator's own words: no source shows a delivery sale without holdings.
HOLDINGS_SHORT: Final = "HOLDING QUANTITY INSUFFICIENT,AVAILABLE QUANTITY={available}"
PRODUCT_WORDS: Final = {
    Product.DELIVERY: "DELIVERY",
    Product.INTRADAY: "INTRADAY",
    Product.CARRYFORWARD: "CARRYFORWARD",
    Product.MTF: "MTF",
    Product.MARGIN: "MARGIN",
}


def rms_text(order_id: str, request: OrderRequest, client: str, price: Decimal, reason: str) -> str:
    """Return the risk desk's refusal in mStock's words (12.3)."""
    instrument = request.instrument
    return RMS_TEXT.format(
        order_id=order_id,
        exchange=book_exchange(instrument),
        kind=instrument_type(instrument),
        token=instrument.token,
        symbol=underlying(instrument),
        product=PRODUCT_WORDS[request.product],
        series=instrument.series if instrument_type(instrument) == "EQUITY" else "",
        client=client,
        side=request.side[0],
        quantity=request.quantity,
        price=price,
        reason=reason,
    )


def funds_short(available: Decimal, margin: Decimal) -> str:
    """Return the funds clause of a refusal; a negative balance is shown as 0."""
    have = max(available, ZERO)
    return FUNDS_SHORT.format(
        available=plain(have), missing=plain(margin - have), margin=plain(margin)
    )
