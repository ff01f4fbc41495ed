"""Type B's order, book, portfolio and margin routes (7.6-7.17); JSON in, SmartAPI-like rows out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from . import checks, literals, order_fields, order_rows
from . import order_rows_b as rows
from .exchange.lookup import find
from .exchange.orders import OrderChange, OrderRequest, OrderType, Product, Status, Variety
from .order_fields import (
    ORDER_TYPES_B,
    SIDES,
    VALIDITIES,
    by_token,
    known,
    rupees,
    whole,
    word,
)  # fmt: skip
from .refusals import Reason, Refused
from .settings import Settings
from .type_b import KEY, TOKEN, authenticated, false_body, success
from .wire import Call, Refusals, Reply, Route, error_body, in_both, in_list, json_reply
from .world import World

VARIETIES: Final = {
    "NORMAL": Variety.REGULAR,
    "STOPLOSS": Variety.REGULAR,
    "AMO": Variety.AMO,
}
PRODUCTS: Final = {
    "DELIVERY": Product.DELIVERY,
    "INTRADAY": Product.INTRADAY,
    "MARGIN": Product.MARGIN,
    "CARRYFORWARD": Product.CARRYFORWARD,
}
PRODUCT_TEXT: Final = (
    "Invalid product. valid product types allowed are DELIVERY, INTRADAY and CARRYFORWARD."
)
TAG_LENGTH: Final = 20  # and under (7.6)
TAG_TEXT: Final = "Invalid ordertag."
BLANK_TRIGGER: Final = "Trigger price can not be blank."

REQUIRED: Final = (
    "variety", "tradingsymbol", "symboltoken", "exchange", "transactiontype", "ordertype",
    "quantity", "producttype", "duration",
)  # fmt: skip
PLACED: Final = (
    *REQUIRED, "price", "triggerprice", "squareoff", "stoploss", "trailingStopLoss",
    "disclosedquantity", "ordertag",
)  # fmt: skip
MODIFY_REQUIRED: Final = (
    "variety", "tradingsymbol", "symboltoken", "exchange", "orderid", "ordertype", "quantity",
    "producttype", "duration",
)  # fmt: skip
MODIFIED: Final = (
    *MODIFY_REQUIRED, "price", "triggerprice", "transactiontype", "disclosedquantity",
    "modqty_remng",
)  # fmt: skip
CONVERT_REQUIRED: Final = (
    "exchange", "symboltoken", "oldproducttype", "newproducttype", "tradingsymbol", "symbolname",
    "transactiontype", "quantity", "type",
)  # fmt: skip
CONVERTED: Final = (
    *CONVERT_REQUIRED, "instrumenttype", "priceden", "pricenum", "genden", "gennum", "precision",
    "multiplier", "boardlotsize", "buyqty", "sellqty", "buyamount", "sellamount",
)  # fmt: skip
MARGIN_OF: Final = (
    "product_type", "transaction_type", "quantity", "price", "exchange", "symbol_name", "token",
    "trigger_price",
)  # fmt: skip


_parameter = in_both(400, false_body("{text}", "IA400"))


def place(call: Call, world: World, settings: Settings) -> Reply:
    """POST orders/regular (7.6): all varieties; a risk refusal is told at once if set so."""
    session = authenticated(call, world, settings, body=True)
    fields = checks.json_fields(call, PLACED, settings, numbers=not settings.strict)
    checks.filled(fields, *REQUIRED)
    request = OrderRequest(
        instrument=by_token(world, fields["exchange"], fields["symboltoken"]),
        side=word(fields, "transactiontype", SIDES),
        order_type=word(fields, "ordertype", ORDER_TYPES_B),
        product=word(fields, "producttype", PRODUCTS, Reason.PRODUCT),
        quantity=whole(fields, "quantity"),
        price=rupees(fields, "price"),
        trigger_price=rupees(fields, "triggerprice"),
        disclosed_quantity=whole(fields, "disclosedquantity"),
        ioc=word(fields, "duration", VALIDITIES),
        variety=word(fields, "variety", VARIETIES),
        tag=_tag(fields),
    )
    order = world.exchange.place(session.account.client_code, request)
    if settings.refuse_at_once and order.status is Status.REJECTED and order.text[:4] == "RMS:":
        raise Refused(Reason.FUNDS, text=order.text)
    data = {"script": fields["tradingsymbol"], "orderid": order.order_id, "uniqueorderid": ""}
    # Seen live inside a list of one (15 row 3).
    return in_list(_success(data))


def modify(call: Call, world: World, settings: Settings) -> Reply:
    """PUT orders/regular/{order_id} (7.7): the id comes back with a leading space."""
    session = authenticated(call, world, settings, body=True)
    fields = checks.json_fields(call, MODIFIED, settings, numbers=not settings.strict)
    checks.filled(fields, *MODIFY_REQUIRED)
    if not fields.get("triggerprice"):
        raise Refused(Reason.ORDER_FIELD, text=BLANK_TRIGGER)
    disclosed = fields.get("disclosedquantity")
    change = OrderChange(
        order_type=word(fields, "ordertype", ORDER_TYPES_B),
        quantity=whole(fields, "quantity"),
        price=rupees(fields, "price"),
        trigger_price=rupees(fields, "triggerprice"),
        disclosed_quantity=None if disclosed is None else whole(fields, "disclosedquantity"),
        ioc=word(fields, "duration", VALIDITIES),
    )
    client = session.account.client_code
    order = world.exchange.modify(client, call.args["order_id"], change)
    return _success({"orderid": f" {order.order_id}", "uniqueorderid": ""})


def cancel(call: Call, world: World, settings: Settings) -> Reply:
    """DELETE orders/regular/{order_id} (7.8), with a JSON body."""
    session = authenticated(call, world, settings, body=True)
    fields = checks.json_fields(call, ("variety", "orderid"), settings)
    checks.filled(fields, "variety", "orderid")
    order = world.exchange.cancel(session.account.client_code, call.args["order_id"])
    return _success({"orderid": order.order_id, "uniqueorderid": ""})


def cancel_all(call: Call, world: World, settings: Settings) -> Reply:
    """POST orders/cancelall (7.9): answers in Type A's shape."""
    session = authenticated(call, world, settings)
    order = world.exchange.cancel_all(session.account.client_code)
    return json_reply({"status": "success", "data": {"order_id": order.order_id}})


def order_book(call: Call, world: World, settings: Settings) -> Reply:
    """GET orders (7.10)."""
    session = authenticated(call, world, settings)
    orders = reversed(world.exchange.order_book(session.account.client_code))
    return _success([rows.book_row(order, settings) for order in orders] or None)


def details(call: Call, world: World, settings: Settings) -> Reply:
    """POST or GET order/details (7.11): a row for each state, the latest first."""
    session = authenticated(call, world, settings, body=True)
    fields = checks.json_fields(call, ("order_no", "segment"), settings)
    checks.filled(fields, "order_no")
    states = reversed(world.exchange.history(session.account.client_code, fields["order_no"]))
    return _success([rows.details_row(state, settings) for state in states] or None)


def trade_book(call: Call, world: World, settings: Settings) -> Reply:
    """GET tradebook (7.12)."""
    session = authenticated(call, world, settings)
    client = session.account.client_code
    return _success(order_rows.trade_book(world.exchange.trades(client), client))


def trade_history(call: Call, world: World, settings: Settings) -> Reply:
    """POST or GET trades (7.13): `[]` when there is none."""
    session = authenticated(call, world, settings, body=True)
    fields = checks.json_fields(call, ("fromdate", "todate"), settings)
    checks.filled(fields, "fromdate", "todate")
    days = (order_fields.day(fields, "fromdate"), order_fields.day(fields, "todate"))
    trades = world.exchange.trades(session.account.client_code, *days)
    return _success([rows.history_row(trade) for trade in trades])


def positions(call: Call, world: World, settings: Settings) -> Reply:
    """GET portfolio/positions (7.14)."""
    session = authenticated(call, world, settings)
    now = world.clock.now()
    found = world.exchange.positions(session.account.client_code)
    return _success([rows.position_row(position, now) for position in found] or None)


def convert_position(call: Call, world: World, settings: Settings) -> Reply:
    """POST portfolio/convertposition (7.15): `data` is null."""
    session = authenticated(call, world, settings, body=True)
    fields = checks.json_fields(call, CONVERTED, settings, numbers=True)
    checks.filled(fields, *CONVERT_REQUIRED)
    # Positions name the cash exchange for derivatives too, so a client may send it back.
    instrument = known(find(world.market, fields["exchange"], fields["symboltoken"]))
    products = (
        word(fields, "oldproducttype", PRODUCTS, Reason.PRODUCT),
        word(fields, "newproducttype", PRODUCTS, Reason.PRODUCT),
    )
    side, quantity = word(fields, "transactiontype", SIDES), whole(fields, "quantity")
    client = session.account.client_code
    order_rows.convert(world.exchange, client, instrument, side, quantity, products)
    return _success(None)


def order_margin(call: Call, world: World, settings: Settings) -> Reply:
    """POST margins/orders (7.16): `errorcode` is null; one charges item for each order."""
    authenticated(call, world, settings, body=True)
    orders = checks.json_list(call, "orders", MARGIN_OF, settings)
    margins = [world.exchange.margin(_margin_request(fields, world)) for fields in orders]
    return _success(rows.margin_data(margins), errorcode=None)


def holdings(call: Call, world: World, settings: Settings) -> Reply:
    """GET portfolio/holdings (7.17): `errorcode` is null."""
    session = authenticated(call, world, settings)
    held = [
        rows.holding_row(holding, world.market.quote(holding.instrument))
        for holding in world.exchange.holdings(session.account.client_code)
    ]
    return _success(held or None, errorcode=None)


def _margin_request(fields: Mapping[str, str], world: World) -> OrderRequest:
    checks.filled(fields, "product_type", "transaction_type", "quantity", "exchange", "token")
    price = rupees(fields, "price")
    return OrderRequest(
        instrument=by_token(world, fields["exchange"], fields["token"]),
        side=word(fields, "transaction_type", SIDES),
        # No order type is sent: without a price it is the last price that counts.
        order_type=OrderType.LIMIT if price else OrderType.MARKET,
        product=word(fields, "product_type", PRODUCTS, Reason.PRODUCT),
        quantity=whole(fields, "quantity"),
        price=price,
    )


def _tag(fields: Mapping[str, str]) -> str:
    tag = fields.get("ordertag", "")
    if tag and not (tag.isascii() and tag.isalnum() and len(tag) < TAG_LENGTH):
        raise Refused(Reason.ORDER_FIELD, text=TAG_TEXT)
    return tag


def _success(data: object, errorcode: str | None = "") -> Reply:
    return success("true", "SUCCESS", errorcode, data)


ROUTES: Final[Mapping[str, Route]] = {
    "orders/place": Route("POST", place, "orders", "orders/regular"),
    "orders/modify": Route("PUT", modify, "orders", "orders/regular/{order_id}"),
    "orders/cancel": Route("DELETE", cancel, "orders", "orders/regular/{order_id}"),
    "orders/cancelall": Route("POST", cancel_all, "orders"),
    "orders": Route("GET", order_book),
    "order/details": Route("POST, GET", details),
    "tradebook": Route("GET", trade_book),
    "trades": Route("POST, GET", trade_history),
    "portfolio/positions": Route("GET", positions),
    "portfolio/convertposition": Route("POST", convert_position),
    "margins/orders": Route("POST", order_margin),
    "portfolio/holdings": Route("GET", holdings),
}
# Sections 3.3, 3.6 and 7.6-7.16.
REFUSALS: Final[Refusals] = {
    **{(name, Reason.KEY): in_both(400, KEY) for name in ROUTES},
    ("*", Reason.ORDER_FIELD): _parameter,
    ("*", Reason.PRODUCT): in_both(400, false_body(PRODUCT_TEXT, "400")),
    ("*", Reason.TRIGGER_PRICE): _parameter,
    ("orders/modify", Reason.TRIGGER_PRICE): in_both(401, false_body("{text}", "400")),
    ("*", Reason.MARKET_CLOSED): in_both(200, false_body(literals.MARKET_CLOSED, "MA500")),
    ("*", Reason.FUNDS): in_both(200, false_body("{text}", "RS-0111")),
    ("*", Reason.ORDER_GONE): in_both(200, false_body(literals.ORDER_FINISHED, "RS-0034")),
    ("orders/cancel", Reason.ORDER_GONE): in_both(
        200, false_body(literals.ORDER_FINISHED, "RS-00093")
    ),
    ("orders/cancelall", Reason.ORDER_GONE): in_both(
        200, error_body(literals.ORDER_GONE, "InputException")
    ),
    ("*", Reason.CONVERSION): in_both(200, false_body("{text}", "MA0034")),
    ("orders/place", Reason.TOKEN): in_both(400, TOKEN),
    ("orders", Reason.TOKEN): in_both(400, TOKEN),
    ("margins/orders", Reason.TOKEN): in_both(200, TOKEN),
}
