"""Type A's rows for orders, trades, positions, holdings, margins and order updates (6.10-6.17)."""

from __future__ import annotations

from typing import Final

from .exchange.margin import Margin, book_exchange, company
from .exchange.orders import Order, Side, Trade
from .exchange.positions import Holding, Position
from .market import Instrument, Quote
from .order_rows import CORE_PRODUCTS, Row, book_symbol, is_derivative, number, order_type, tag
from .settings import Settings

BOOK_TIME: Final = "%d-%m-%Y %H:%M:%S"
DETAILS_TIME: Final = "%d-%m-%Y %I:%M:%S %p"


def _common(order: Order) -> Row:
    request = order.request
    return {
        "order_id": order.order_id,
        "exchange_order_id": order.exchange_order_id,
        "status": order.status.value,
        "status_message": order.text,
        "exchange": book_exchange(request.instrument),
        "tradingsymbol": book_symbol(request.instrument),
        "instrument_token": int(request.instrument.token),
        "order_type": order_type(request.order_type),
        "transaction_type": request.side.value,
        "validity": "IOC" if request.ioc else "DAY",
        "product": CORE_PRODUCTS[request.product],
        "quantity": request.quantity,
        "disclosed_quantity": request.disclosed_quantity,
        "price": number(request.price),
        "trigger_price": number(request.trigger_price),
        "average_price": number(order.average_price),
        "filled_quantity": order.filled,
        "pending_quantity": order.pending,
        "cancelled_quantity": order.cancelled,
    }


def book_row(order: Order, client: str, settings: Settings) -> Row:
    """Return a row of the order book (6.10)."""
    echoed = tag(order, "book", settings)
    return {
        "placed_by": client,
        **_common(order),
        "parent_order_id": order.parent_order_id or None,
        "status_message_raw": None,
        "order_timestamp": order.placed_at.strftime(BOOK_TIME),
        "exchange_update_timestamp": None,
        "exchange_timestamp": None,
        "variety": None,
        "modified": "true" if order.modified else "false",
        "market_protection": 0,
        "meta": {"demat_consent": "physical"},
        "tag": [echoed] if echoed else [],
        "guid": "",
    }


def details_row(order: Order, settings: Settings) -> Row:
    """Return one state of an order's history (6.11)."""
    return {
        **_common(order),
        "exchange_timestamp": None,
        "parent_order_id": None,
        "tag": tag(order, "details", settings) or None,
        "variety": None,
        "order_timestamp": order.updated_at.strftime(DETAILS_TIME),
        "modified": False if settings.revision == "older" else 0,
    }


def order_update(client: str, order: Order, settings: Settings) -> Row:
    """Return the WebSocket message for a new state: `order`, or `trade` for a fill (10.7)."""
    at = order.updated_at.strftime(BOOK_TIME)
    data = {
        "user_id": client,
        "app_id": 0,
        "placed_by": client,
        **_common(order),
        "unfilled_quantity": order.pending,
        "checksum": "",
        "parent_order_id": order.parent_order_id,
        "status_message_raw": None,
        "order_timestamp": order.placed_at.strftime(BOOK_TIME),
        "exchange_update_timestamp": at,
        "exchange_timestamp": at,
        "variety": order.request.variety.value,
        "market_protection": 0,
        "guid": "",
    }
    if echoed := tag(order, "details", settings):
        data["tag"] = echoed
    return {"type": "trade" if order.trade else "order", "data": data}


def history_row(trade: Trade) -> Row:
    """Return a row of the trade history (6.12)."""
    at = f"{trade.at:%Y-%m-%d %H:%M:%S}"
    return {
        "trade_id": trade.trade_id,
        "order_id": trade.exchange_order_id,
        "exchange": book_exchange(trade.instrument),
        "tradingsymbol": company(trade.instrument),
        "instrument_token": 0,
        "product": CORE_PRODUCTS[trade.product],
        "average_price": number(trade.price),
        "quantity": trade.quantity,
        "exchange_order_id": trade.exchange_order_id,
        "transaction_type": trade.side.value,
        "fill_timestamp": f"{trade.at:%H:%M:%S}",
        "order_timestamp": at,
        "exchange_timestamp": at,
    }


def position_row(position: Position, quote: Quote) -> Row:
    """Return a row of the positions (6.14): P&L figures stay 0, `m2m` holds the profit."""
    buy, sell = position.total(Side.BUY), position.total(Side.SELL)
    day_buy, day_sell = position.day[Side.BUY], position.day[Side.SELL]
    return {
        "tradingsymbol": book_symbol(position.instrument),
        "exchange": book_exchange(position.instrument),
        "instrument_token": int(position.instrument.token),
        "product": CORE_PRODUCTS[position.product],
        "quantity": position.quantity,
        "overnight_quantity": position.overnight_quantity,
        "multiplier": 1,
        "average_price": number(position.average_price),
        "close_price": number(quote.close),
        "last_price": number(quote.ltp),
        "value": number(position.value),
        "pnl": 0,
        "m2m": number(position.m2m(quote.ltp)),
        "unrealised": 0,
        "realised": 0,
        "buy_quantity": buy.quantity,
        "buy_price": number(buy.price),
        "buy_value": number(buy.value),
        "buy_m2m": 0,
        "sell_quantity": sell.quantity,
        "sell_price": number(sell.price),
        "sell_value": number(sell.value),
        "sell_m2m": 0,
        "day_buy_quantity": day_buy.quantity,
        "day_buy_price": number(day_buy.price),
        "day_buy_value": number(day_buy.value),
        "day_sell_quantity": day_sell.quantity,
        "day_sell_price": number(day_sell.price),
        "day_sell_value": number(day_sell.value),
    }


def holding_row(holding: Holding, quote: Quote, settings: Settings) -> Row:
    """Return a row of the holdings (6.16)."""
    average = number(holding.average_price)
    return {
        "tradingsymbol": company(holding.instrument),
        "exchange": None,
        "instrument_token": int(holding.instrument.token),
        "isin": holding.instrument.isin,
        "product": None,
        "price": average,
        "quantity": holding.quantity,
        "used_quantity": holding.sold,
        "t1_quantity": holding.t1_quantity,
        "realised_quantity": holding.quantity,
        "authorised_quantity": 0,
        "authorised_date": None,
        "opening_quantity": holding.quantity,
        "collateral_quantity": 0,
        "collateral_type": None,
        "discrepancy": False if settings.revision == "older" else 0,
        "average_price": average,
        "last_price": number(quote.ltp),
        "close_price": number(quote.close),
        "pnl": 0,
        "day_change": 0,
        "day_change_percentage": 0,
    }


def margin_data(instrument: Instrument, symbol: str, margin: Margin) -> Row:
    """Return the margin calculator's data (6.17): `total` is the margin required."""
    total = number(margin.total)
    return {
        "type": "derivative" if is_derivative(instrument) else "equity",
        "tradingsymbol": symbol,
        "exchange": instrument.exchange,
        "span": number(margin.span),
        "exposure": number(margin.exposure),
        "option_premium": number(margin.premium),
        "additional": total,
        "bo": 0,
        "cash": 0,
        "var": 0,
        "pnl": {"realised": 0, "unrealised": 0},
        "leverage": 0,
        "charges": {
            "transaction_tax": 0,
            "transaction_tax_type": "stt",
            "exchange_turnover_charge": 0,
            "sebi_turnover_charge": 0,
            "brokerage": 0,
            "stamp_duty": 0,
            "gst": {"igst": 0, "cgst": 0, "sgst": 0, "total": 0},
            "total": 0,
        },
        "total": total,
    }
