"""What an order must satisfy before it gets an order id: quantity, prices, trigger, disclosure."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from broker_simulator.mstock.market import Instrument
from broker_simulator.mstock.refusals import Reason, Refused

from .orders import OrderRequest, Product, Side, Variety

# 6.6 and 7.6: at least 30 % of the quantity, and less than all of it.
DISCLOSED_SHARE: Final = Decimal("0.3")
DERIVATIVE_PRODUCTS: Final = frozenset({Product.INTRADAY, Product.CARRYFORWARD, Product.MARGIN})
EQUITY_PRODUCTS: Final = frozenset(
    {Product.DELIVERY, Product.INTRADAY, Product.MTF, Product.MARGIN}
)

BAD_QUANTITY: Final = "Enter valid quantity."
BAD_LOT: Final = "Quantity should be in multiples of lot size {lot}."
BAD_FREEZE: Final = "Quantity exceeds the freeze quantity {freeze}."
BAD_PRICE: Final = "Enter valid price."
BAD_TICK: Final = "Price should be in multiples of tick size {tick}."
BAD_TRIGGER: Final = "Enter valid trigger price."
BAD_DISCLOSED: Final = (
    "Disclosed quantity should be at least 30% of quantity and less than quantity."
)
BAD_PRODUCT: Final = "Invalid product for this instrument."
BAD_COVER: Final = "Cover orders need product MIS, order type MARKET or LIMIT and DAY validity."
BAD_INSTRUMENT: Final = "Orders cannot be placed for an index."


def check(request: OrderRequest, ltp: Decimal) -> None:
    """Refuse what mStock would not take at all; raises Refused with the first reason."""
    instrument = request.instrument
    if instrument.kind == "INDEX":
        raise Refused(Reason.ORDER_FIELD, text=BAD_INSTRUMENT)
    _check_product(request)
    _check_quantity(request, instrument)
    if request.order_type.has_limit:
        _check_price(request.price, instrument, Reason.ORDER_FIELD, BAD_PRICE)
    if request.order_type.is_stop or request.variety is Variety.COVER:
        _check_price(request.trigger_price, instrument, Reason.TRIGGER_PRICE, BAD_TRIGGER)
        _check_trigger_side(request, ltp)


def _check_product(request: OrderRequest) -> None:
    derivative = request.instrument.kind in ("FUT", "CE", "PE")
    if request.product not in (DERIVATIVE_PRODUCTS if derivative else EQUITY_PRODUCTS):
        raise Refused(Reason.ORDER_FIELD, text=BAD_PRODUCT)
    cover = request.variety is Variety.COVER
    plain_type = not request.order_type.is_stop and not request.ioc
    if cover and (derivative or request.product is not Product.INTRADAY or not plain_type):
        raise Refused(Reason.ORDER_FIELD, text=BAD_COVER)


def _check_quantity(request: OrderRequest, instrument: Instrument) -> None:
    quantity, disclosed = request.quantity, request.disclosed_quantity
    if quantity <= 0:
        raise Refused(Reason.ORDER_FIELD, text=BAD_QUANTITY)
    if quantity % instrument.lot_size:
        raise Refused(Reason.ORDER_FIELD, text=BAD_LOT.format(lot=instrument.lot_size))
    if instrument.freeze_quantity and quantity > instrument.freeze_quantity:
        text = BAD_FREEZE.format(freeze=instrument.freeze_quantity)
        raise Refused(Reason.ORDER_FIELD, text=text)
    if disclosed and not quantity * DISCLOSED_SHARE <= disclosed < quantity:
        raise Refused(Reason.ORDER_FIELD, text=BAD_DISCLOSED)


def _check_price(price: Decimal, instrument: Instrument, kind: Reason, text: str) -> None:
    if price <= 0:
        raise Refused(kind, text=text)
    if instrument.tick_size and price % instrument.tick_size:
        raise Refused(Reason.ORDER_FIELD, text=BAD_TICK.format(tick=instrument.tick_size))


def _check_trigger_side(request: OrderRequest, ltp: Decimal) -> None:
    side = request.side
    if request.variety is Variety.COVER:
        # The trigger is that of the exit, which goes the other way.
        side = side.opposite
        wrong = False
    else:
        # Worked out from the trigger, the limit must be no worse than it.
        gap = request.price - request.trigger_price
        wrong = request.order_type.has_limit and gap * side.sign < 0
    beyond = request.trigger_price > ltp if side is Side.BUY else request.trigger_price < ltp
    if wrong or not beyond:
        raise Refused(Reason.TRIGGER_PRICE, text=BAD_TRIGGER)
