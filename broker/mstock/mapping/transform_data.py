"""The host's orders, checked and turned into mStock's, both API types; pure.

What is refused is refused by the field's name, with what is allowed. Only what the protocol or a
filled field of the instrument master says is checked; the rest is left to mStock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from broker.mstock.errors import InputException
from broker.mstock.mapping.positions import Position
from broker.mstock.mapping.vocabulary import PRICE_TYPES, PRODUCTS, VALIDITIES

_SENT_NOTHING = "Nothing was sent."
_ZERO = Decimal(0)
CASH = frozenset({"NSE", "BSE"})
_DERIVATIVES = frozenset({"NFO", "BFO", "CDS", "BCD", "MCX"})
# Which products each kind of exchange takes; MTF and MARGIN are mStock's own.
_PRODUCTS_BY_KIND = {
    "cash": ("CNC", "MIS", "MTF", "MARGIN"),
    "derivatives": ("NRML", "MIS"),
}
NEEDS_PRICE = frozenset({"LIMIT", "SL"})
NEEDS_TRIGGER = frozenset({"SL", "SL-M"})
_TOO_LARGE = Decimal(10) ** 12
_LEAST_DISCLOSED = Decimal("0.3")  # of the quantity (7.6)


class Instrument(NamedTuple):
    """What an order needs of the instrument master; None where the master does not say."""

    token: str
    symbol: str
    exchange: str
    lot_size: int | None = None
    tick_size: Decimal | None = None
    freeze_quantity: int | None = None


class OrderRequest(NamedTuple):
    """An order in the host's words, its numbers read and its fields checked for sense."""

    symbol: str
    exchange: str
    action: str
    quantity: int
    price_type: str = "MARKET"
    product: str = "MIS"
    price: Decimal = _ZERO
    trigger_price: Decimal = _ZERO
    disclosed_quantity: int = 0
    validity: str = "DAY"
    is_after_market: bool = False
    is_cover: bool = False


def read_order(data: Mapping[str, Any]) -> OrderRequest:
    """The host's order data, whatever types its callers use (contract 4.2).

    `validity` and the varieties `is_after_market`, `is_cover` and `is_bracket` are our own
    commands' and not the host's; mStock takes no bracket orders any more.
    Raises `InputException` naming the field.
    """
    if data.get("is_bracket"):
        raise _refused("variety", "bracket is in mStock's older documents only and is not taken")
    price_type = _word(data, "pricetype", "MARKET", tuple(PRICE_TYPES["A"]))
    price, trigger = _decimal(data, "price"), _decimal(data, "trigger_price")
    is_cover = bool(data.get("is_cover"))
    request = OrderRequest(
        symbol=_text(data, "symbol"),
        exchange=_text(data, "exchange").upper(),
        action=_word(data, "action", "", ("BUY", "SELL")),
        quantity=_count(data, "quantity", least=1),
        price_type=price_type,
        product=_word(data, "product", "MIS", tuple(PRODUCTS["A"])),
        price=price if price_type in NEEDS_PRICE else _ZERO,
        trigger_price=trigger if price_type in NEEDS_TRIGGER or is_cover else _ZERO,
        disclosed_quantity=_count(data, "disclosed_quantity"),
        validity=_word(data, "validity", "DAY", VALIDITIES),
        is_after_market=bool(data.get("is_after_market")),
        is_cover=is_cover,
    )
    if price_type in NEEDS_PRICE and price <= 0:
        raise _refused("price", f"must be above 0 for a {price_type} order")
    if (price_type in NEEDS_TRIGGER or is_cover) and trigger <= 0:
        kind = "cover" if is_cover else price_type
        raise _refused("trigger_price", f"must be above 0 for a {kind} order")
    if price_type == "SL":
        # A stop that would trigger beyond its own limit could never trade.
        if request.action == "BUY" and trigger > price:
            raise _refused("trigger_price", "of a buy must not be above its price")
        if request.action == "SELL" and trigger < price:
            raise _refused("trigger_price", "of a sell must not be below its price")
    disclosed, quantity = request.disclosed_quantity, request.quantity
    if disclosed and not _LEAST_DISCLOSED * quantity <= disclosed < quantity:
        raise _refused(
            "disclosed_quantity", "must be 0, or at least 30 % of the quantity and less than it"
        )
    return request


def read_target(data: Mapping[str, Any]) -> tuple[int, int]:
    """A smart order's target, signed, and its quantity, which may be 0.

    Raises `InputException` naming the field.
    """
    value = str(data.get("position_size", "")).strip()
    try:
        target = Decimal(value)
        is_whole = abs(target) < _TOO_LARGE and target == target.to_integral_value()
    except InvalidOperation:  # NaN is not compared either
        is_whole = False
    if not is_whole:
        raise _refused("position_size", "must be a whole number")
    return int(target), _count(data, "quantity")


def read_quantity(value: object) -> int:
    """A quantity of 1 or more. Raises `InputException`."""
    return _count({"quantity": value}, "quantity", least=1)


def read_order_id(data: Mapping[str, Any]) -> str:
    """The order id. Raises `InputException` without one."""
    order_id = str(data.get("orderid") or "").strip()
    if not order_id:
        raise _refused("orderid", "is missing")
    return order_id


def check_order(request: OrderRequest, instrument: Instrument) -> None:
    """Check against the master: product, lot and tick. Raises `InputException` naming the field."""
    check_product(request.product, request.exchange)
    lot = instrument.lot_size
    if lot and request.quantity % lot:
        raise _refused("quantity", f"must be a multiple of the lot size {lot} of {request.symbol}")
    tick = instrument.tick_size
    for name, value in (("price", request.price), ("trigger_price", request.trigger_price)):
        if tick and value % tick:
            raise _refused(name, f"must be a multiple of the tick size {tick} of {request.symbol}")


def check_product(product: str, exchange: str) -> None:
    """Raises `InputException` for a product that one of the host's exchanges does not take."""
    allowed = _PRODUCTS_BY_KIND["cash" if exchange in CASH else "derivatives"]
    if exchange in CASH | _DERIVATIVES and product not in allowed:
        raise _refused("product", f"must be {_either(allowed)} on {exchange}")


def order_body(
    api_type: str, request: OrderRequest, instrument: Instrument, tag: str
) -> dict[str, str]:
    """The body of a new order; in Type A the variety is part of the path (see `variety`)."""
    price_type = PRICE_TYPES[api_type][request.price_type]
    # A product that only mStock knows goes back as it came, out of a position's row.
    product = PRODUCTS[api_type].get(request.product, request.product)
    if api_type == "A":
        return {
            "tradingsymbol": instrument.symbol,
            "exchange": instrument.exchange,
            "transaction_type": request.action,
            "order_type": price_type,
            "quantity": str(request.quantity),
            "product": product,
            "validity": request.validity,
            "price": _plain(request.price),
            "trigger_price": _plain(request.trigger_price),
            "disclosed_quantity": str(request.disclosed_quantity),
            "tag": tag,
        }
    return {
        "variety": variety(api_type, request),
        "tradingsymbol": instrument.symbol,
        "symboltoken": instrument.token,
        "exchange": instrument.exchange,
        "transactiontype": request.action,
        "ordertype": price_type,
        "quantity": str(request.quantity),
        "producttype": product,
        "price": _plain(request.price),
        "triggerprice": _plain(request.trigger_price),
        "squareoff": "0",
        "stoploss": "0",
        "trailingStopLoss": "",
        "disclosedquantity": str(request.disclosed_quantity),
        "duration": request.validity,
        "ordertag": tag,
    }


def modify_body(
    api_type: str, order_id: str, request: OrderRequest, instrument: Instrument
) -> dict[str, str]:
    """The body of a modification, which carries every field anew."""
    body = order_body(api_type, request, instrument, "")
    if api_type == "A":
        wanted = ("order_type", "quantity", "price", "validity", "trigger_price")
        return {name: body[name] for name in (*wanted, "disclosed_quantity")}
    unwanted = ("squareoff", "stoploss", "trailingStopLoss", "ordertag")
    body = {name: value for name, value in body.items() if name not in unwanted}
    return {**body, "orderid": order_id, "modqty_remng": "0"}


def convert_body(
    api_type: str,
    position: Position,
    instrument: Instrument,
    side: str,
    quantity: int,
    product: str,
) -> dict[str, Any]:
    """The body that converts a position's product; the new one in the host's word."""
    if quantity < 1 or quantity > abs(position.quantity):
        raise _refused("quantity", f"must be 1 to {abs(position.quantity)}")
    known = PRODUCTS[api_type]
    if product not in known or product == position.product:
        others = [each for each in known if each != position.product]
        raise _refused("product", f"must be {_either(others)}: the position is {position.product}")
    old = known.get(position.product, position.product_word)
    if api_type == "A":
        return {
            "tradingsymbol": instrument.symbol,
            "exchange": instrument.exchange,
            "transaction_type": side,
            "position_type": "DAY",
            "quantity": str(quantity),
            "old_product": old,
            "new_product": known[product],
        }
    return {
        "exchange": instrument.exchange,
        "symboltoken": position.token,
        "oldproducttype": old,
        "newproducttype": known[product],
        "tradingsymbol": instrument.symbol,
        "symbolname": position.symbol or instrument.symbol,
        "transactiontype": side,
        "quantity": quantity,
        "type": "DAY",
    }


def variety(api_type: str, request: OrderRequest) -> str:
    """Type A's path segment, Type B's field."""
    if api_type == "A":
        return "amo" if request.is_after_market else "co" if request.is_cover else "regular"
    if request.is_cover:
        raise _refused("variety", "cover is known to Type A keys only")
    if request.is_after_market:
        return "AMO"
    return "STOPLOSS" if request.price_type in NEEDS_TRIGGER else "NORMAL"


def _plain(amount: Decimal) -> str:
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not value.strip():
        raise _refused(name, "is missing")
    return value.strip()


def _word(data: Mapping[str, Any], name: str, default: str, allowed: tuple[str, ...]) -> str:
    value = str(data.get(name) or default).strip().upper()
    if value not in allowed:
        raise _refused(name, f"must be {_either(allowed)}")
    return value


def _count(data: Mapping[str, Any], name: str, least: int = 0) -> int:
    found = _decimal(data, name)
    if found != found.to_integral_value() or found < least:
        raise _refused(name, f"must be a whole number, {least} or more")
    return int(found)


def _decimal(data: Mapping[str, Any], name: str) -> Decimal:
    value = data.get(name)
    if value is None or value == "":
        return _ZERO
    try:
        # A float by its shortest text: 100.05 is meant, not its binary neighbour.
        found = Decimal(str(value).strip())
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or found < 0 or found >= _TOO_LARGE:
        raise _refused(name, "must be a number, 0 or more")
    return found


def _either(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _refused(name: str, why: str) -> InputException:
    return InputException(f"{name} {why}.", _SENT_NOTHING)
