"""Type A's order, book, portfolio and margin routes (6.6-6.17); forms in, Kite-like rows out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from . import checks, literals, order_fields, order_rows
from . import order_rows_a as rows
from .exchange.orders import OrderChange, OrderRequest, Product, Variety
from .order_fields import ORDER_TYPES_A, SIDES, VALIDITIES, by_symbol, rupees, whole, word
from .refusals import Reason
from .settings import Settings
from .type_a import authenticated, success
from .wire import Call, Refusals, Reply, Route, error_body, in_both, in_list
from .world import World

VARIETIES: Final = {variety.value: variety for variety in Variety}
# Older documents' names beside the present ones (4.1).
PRODUCTS: Final = {
    "CNC": Product.DELIVERY,
    "MIS": Product.INTRADAY,
    "NRML": Product.CARRYFORWARD,
    "MTF": Product.MTF,
    "INTRADAY": Product.INTRADAY,
    "MARGIN": Product.MARGIN,
}

REQUIRED: Final = (
    "tradingsymbol", "exchange", "transaction_type", "order_type", "quantity", "product",
    "validity",
)  # fmt: skip
MODIFIED: Final = (
    "order_type", "quantity", "price", "validity", "trigger_price", "disclosed_quantity",
)  # fmt: skip
PLACED: Final = (*REQUIRED, "price", "trigger_price", "disclosed_quantity", "tag")
# The documents' table of 6.7 lists these too.
MODIFIED_TOO: Final = (
    "variety", "tradingsymbol", "exchange", "transaction_type", "product", "modqty_remng",
)  # fmt: skip
CONVERTED: Final = (
    "tradingsymbol", "exchange", "transaction_type", "position_type", "quantity", "old_product",
    "new_product",
)  # fmt: skip
MARGIN_OF: Final = (
    "exchange", "tradingsymbol", "transaction_type", "variety", "product", "order_type",
    "quantity", "price", "trigger_price",
)  # fmt: skip


_input = in_both(200, error_body("{text}", "InputException"))
_core = in_both(200, error_body("{text}", "MiraeException"))

# Sections 3.6, 6.6-6.8 and 6.15.
REFUSALS: Final[Refusals] = {
    ("*", Reason.ORDER_FIELD): _input,
    ("*", Reason.PRODUCT): _input,
    ("*", Reason.TRIGGER_PRICE): _input,
    ("*", Reason.MARKET_CLOSED): in_both(200, error_body(literals.MARKET_CLOSED, "InputException")),
    ("*", Reason.ORDER_GONE): in_both(200, error_body(literals.ORDER_GONE, "InputException")),
    ("*", Reason.FUNDS): _core,
    ("*", Reason.CONVERSION): _core,
}


def place(call: Call, world: World, settings: Settings) -> Reply:
    """POST orders/{variety} (6.6): an id for whatever is accepted; risk refusals show later."""
    session = authenticated(call, world, settings, body=True)
    fields = checks.form_fields(call, PLACED, settings)
    checks.filled(fields, *REQUIRED)
    variety = word(call.args, "variety", VARIETIES)
    order_type = word(fields, "order_type", ORDER_TYPES_A)
    request = OrderRequest(
        instrument=by_symbol(world, fields["exchange"], fields["tradingsymbol"]),
        side=word(fields, "transaction_type", SIDES),
        order_type=order_type,
        product=word(fields, "product", PRODUCTS),
        quantity=whole(fields, "quantity"),
        price=rupees(fields, "price"),
        trigger_price=rupees(fields, "trigger_price"),
        disclosed_quantity=whole(fields, "disclosed_quantity"),
        ioc=word(fields, "validity", VALIDITIES),
        variety=variety,
        tag=fields.get("tag", ""),
    )
    order = world.exchange.place(session.account.client_code, request)
    # Seen live inside a list of one (15 row 3).
    return in_list(success({"order_id": order.order_id}))


def modify(call: Call, world: World, settings: Settings) -> Reply:
    """PUT orders/{variety}/{order_id} (6.7)."""
    session = authenticated(call, world, settings, body=True)
    fields = checks.form_fields(call, (*MODIFIED, *MODIFIED_TOO), settings)
    checks.filled(fields, "order_type", "quantity")
    change = OrderChange(
        order_type=word(fields, "order_type", ORDER_TYPES_A),
        quantity=whole(fields, "quantity"),
        price=rupees(fields, "price"),
        trigger_price=rupees(fields, "trigger_price"),
        disclosed_quantity=whole(fields, "disclosed_quantity"),
        ioc=word(fields, "validity", VALIDITIES) if fields.get("validity") else None,
    )
    client = session.account.client_code
    order = world.exchange.modify(client, call.args["order_id"], change)
    return success({"order_id": order.order_id})


def cancel(call: Call, world: World, settings: Settings) -> Reply:
    """DELETE orders/{variety}/{order_id} (6.8)."""
    session = authenticated(call, world, settings)
    order = world.exchange.cancel(session.account.client_code, call.args["order_id"])
    return success({"order_id": order.order_id})


def cancel_all(call: Call, world: World, settings: Settings) -> Reply:
    """POST orders/cancelall (6.9): one id, the last."""
    session = authenticated(call, world, settings)
    return success({"order_id": world.exchange.cancel_all(session.account.client_code).order_id})


def order_book(call: Call, world: World, settings: Settings) -> Reply:
    """GET orders (6.10)."""
    session = authenticated(call, world, settings)
    client = session.account.client_code
    orders = reversed(world.exchange.order_book(client))
    return success([rows.book_row(order, client, settings) for order in orders] or None)


def details(call: Call, world: World, settings: Settings) -> Reply:
    """POST order/details (6.11): a row for each state, the latest first."""
    session = authenticated(call, world, settings, body=True)
    fields = checks.form_fields(call, ("order_no", "segment"), settings)
    checks.filled(fields, "order_no")
    states = reversed(world.exchange.history(session.account.client_code, fields["order_no"]))
    return success([rows.details_row(state, settings) for state in states] or None)


def trade_history(call: Call, world: World, settings: Settings) -> Reply:
    """POST trades (6.12): `[]` when there is none."""
    session = authenticated(call, world, settings, body=True)
    fields = checks.form_fields(call, ("fromdate", "todate"), settings)
    checks.filled(fields, "fromdate", "todate")
    days = (order_fields.day(fields, "fromdate"), order_fields.day(fields, "todate"))
    trades = world.exchange.trades(session.account.client_code, *days)
    return success([rows.history_row(trade) for trade in trades])


def trade_book(call: Call, world: World, settings: Settings) -> Reply:
    """GET tradebook (6.13)."""
    session = authenticated(call, world, settings)
    client = session.account.client_code
    return success(order_rows.trade_book(world.exchange.trades(client), client))


def positions(call: Call, world: World, settings: Settings) -> Reply:
    """GET portfolio/positions (6.14): all in `net`, `day` is null."""
    session = authenticated(call, world, settings)
    net = [
        rows.position_row(position, world.market.quote(position.instrument))
        for position in world.exchange.positions(session.account.client_code)
    ]
    return success({"net": net, "day": None} if net else None)


def holdings(call: Call, world: World, settings: Settings) -> Reply:
    """GET portfolio/holdings (6.16)."""
    session = authenticated(call, world, settings)
    held = [
        rows.holding_row(holding, world.market.quote(holding.instrument), settings)
        for holding in world.exchange.holdings(session.account.client_code)
    ]
    return success(held or None)


def convert_position(call: Call, world: World, settings: Settings) -> Reply:
    """POST portfolio/convertposition (6.15)."""
    session = authenticated(call, world, settings, body=True)
    fields = checks.form_fields(call, CONVERTED, settings)
    checks.filled(fields, *CONVERTED)
    instrument = by_symbol(world, fields["exchange"], fields["tradingsymbol"])
    products = (word(fields, "old_product", PRODUCTS), word(fields, "new_product", PRODUCTS))
    side, quantity = word(fields, "transaction_type", SIDES), whole(fields, "quantity")
    client = session.account.client_code
    order_rows.convert(world.exchange, client, instrument, side, quantity, products)
    return success(None)


def order_margin(call: Call, world: World, settings: Settings) -> Reply:
    """POST margins/orders (6.17): JSON, a single order."""
    authenticated(call, world, settings, body=True)
    fields = checks.json_fields(call, MARGIN_OF, settings, numbers=True)
    checks.filled(fields, "exchange", "tradingsymbol", "transaction_type", "product", "quantity")
    request = OrderRequest(
        instrument=by_symbol(world, fields["exchange"], fields["tradingsymbol"]),
        side=word(fields, "transaction_type", SIDES),
        order_type=word({"order_type": "MARKET", **fields}, "order_type", ORDER_TYPES_A),
        product=word(fields, "product", PRODUCTS),
        quantity=whole(fields, "quantity"),
        price=rupees(fields, "price"),
        trigger_price=rupees(fields, "trigger_price"),
    )
    margin = world.exchange.margin(request)
    return success(rows.margin_data(request.instrument, fields["tradingsymbol"], margin))


ROUTES: Final[Mapping[str, Route]] = {
    "orders/place": Route("POST", place, "orders", "orders/{variety}"),
    "orders/modify": Route("PUT", modify, "orders", "orders/{variety}/{order_id}"),
    "orders/cancel": Route("DELETE", cancel, "orders", "orders/{variety}/{order_id}"),
    "orders/cancelall": Route("POST", cancel_all, "orders"),
    "orders": Route("GET", order_book),
    "order/details": Route("POST", details),
    "trades": Route("POST", trade_history),
    "tradebook": Route("GET", trade_book),
    "portfolio/positions": Route("GET", positions),
    "portfolio/convertposition": Route("POST", convert_position),
    "portfolio/holdings": Route("GET", holdings),
    "margins/orders": Route("POST", order_margin),
}
