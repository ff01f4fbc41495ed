"""Type B's rows for orders, trades, positions, holdings, margins and order updates (7.10-7.17)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from .exchange.margin import (
    PRODUCT_WORDS,
    Margin,
    book_exchange,
    company,
    instrument_type,
    plain,
)
from .exchange.orders import Order, Side, Trade
from .exchange.positions import Holding, Position
from .market import Quote
from .order_rows import (
    Row,
    book_symbol,
    expiry,
    is_derivative,
    number,
    option_type,
    order_type,
    strike,
    tag,
)
from .settings import Settings

BOOK_DATE: Final = "%Y-%b-%d"
BOOK_TIME: Final = f"{BOOK_DATE} %H:%M:%S"
DETAILS_TIME: Final = "%d-%m-%Y %I:%M:%S %p"

# Section 7.16.
CHARGES: Final = (
    "BROKERAGE", "BROKER_BROKERAGE", "EXPOMARGIN", "LEVIES_BROKERAGE", "OTHER_BROKERAGE",
    "SPANMARGIN", "VARELMMARGIN",
)  # fmt: skip


def book_row(order: Order, settings: Settings) -> Row:
    """Return a row of the order book (7.10): strings and nulls only, no tag."""
    request, instrument = order.request, order.request.instrument
    at = order.updated_at.strftime(BOOK_TIME)
    row: Row = {
        "variety": None,
        "ordertype": order_type(request.order_type),
        "producttype": PRODUCT_WORDS[request.product],
        "duration": "IOC" if request.ioc else "DAY",
        "price": f"{request.price:.2f}",
        "triggerprice": plain(request.trigger_price),
        "quantity": str(request.quantity),
        "disclosedquantity": str(request.disclosed_quantity),
        "squareoff": "0",
        "stoploss": "0",
        "trailingstoploss": "0",
        "tradingsymbol": book_symbol(instrument),
        "transactiontype": request.side.value,
        "exchange": book_exchange(instrument),
        "symboltoken": instrument.token,
        "instrumenttype": instrument_type(instrument),
        "strikeprice": plain(strike(instrument)),
        "optiontype": option_type(instrument),
        "expirydate": expiry(instrument, BOOK_DATE, order.placed_at.date()),
        "lotsize": "0" if is_derivative(instrument) else "",
        "cancelsize": str(order.cancelled),
        "averageprice": plain(order.average_price),
        "filledshares": str(order.filled),
        "unfilledshares": str(order.pending),
        "orderid": order.order_id,
        "text": order.text,
        "status": order.status.value,
        "orderstatus": order.status.value,
        "updatetime": at,
        "exchtime": "",
        "exchorderupdatetime": at,
        "fillid": "",
        "filltime": "",
        "parentorderid": order.parent_order_id,
        "uniqueorderid": "",
        "exchangeorderid": order.exchange_order_id,
    }
    if echoed := tag(order, "book", settings):
        row["ordertag"] = echoed
    return row


def details_row(order: Order, settings: Settings) -> Row:
    """Return one state of an order's history (7.11): prices are numbers, a tag is added."""
    row = {
        **book_row(order, settings),
        **_prices(order),
        "updatetime": order.updated_at.strftime(DETAILS_TIME),
        "ordertag": tag(order, "details", settings),
    }
    del row["exchangeorderid"]
    return row


def order_update(order: Order, settings: Settings) -> Row:
    """Return the WebSocket message for a new state: `order`, or `trade` for a fill (11.5)."""
    row = {**book_row(order, settings), **_prices(order), "variety": _variety(order)}
    for name in ("uniqueorderid", "exchangeorderid"):
        del row[name]
    row["exchtime"] = row["updatetime"]
    if echoed := tag(order, "details", settings):
        row["ordertag"] = echoed
    if order.trade:
        row |= {"fillid": order.trade.trade_id, "filltime": f"{order.trade.at:%H:%M:%S}"}
    return {"order_status": "trade" if order.trade else "order", "orderData": row}


def _prices(order: Order) -> Row:
    return {
        "price": number(order.request.price),
        "triggerprice": number(order.request.trigger_price),
        "squareoff": 0,
        "stoploss": 0,
        "trailingstoploss": 0,
        "strikeprice": number(strike(order.request.instrument)),
    }


def _variety(order: Order) -> str:
    if order.request.order_type.is_stop:
        return "STOPLOSS"
    return "AMO" if order.request.variety == "amo" else "NORMAL"


def history_row(trade: Trade) -> Row:
    """Return a row of the trade history (7.13): strings only."""
    empty = dict.fromkeys(
        ("instrumenttype", "symbolgroup", "strikeprice", "optiontype", "expirydate", "marketlot",
         "precision", "multiplier", "tradevalue"), "",
    )  # fmt: skip
    return {
        "exchange": book_exchange(trade.instrument),
        "producttype": PRODUCT_WORDS[trade.product],
        "tradingsymbol": company(trade.instrument),
        **empty,
        "transactiontype": trade.side.value,
        "fillprice": plain(trade.price),
        "fillsize": str(trade.quantity),
        "orderid": trade.exchange_order_id,
        "fillid": trade.trade_id,
        "filltime": f"{trade.at:%H:%M:%S}",
    }


def position_row(position: Position, now: datetime) -> Row:
    """Return a row of the positions (7.14): strings, no last price, no P&L, an empty symbol."""
    instrument = position.instrument
    day_buy, day_sell = position.day[Side.BUY], position.day[Side.SELL]
    buy, sell = position.total(Side.BUY), position.total(Side.SELL)
    carried = position.carried
    empty = dict.fromkeys(
        ("priceden", "pricenum", "genden", "gennum", "precision", "boardlotsize", "symbolgroup"), ""
    )
    average = plain(position.average_price)
    return {
        "exchange": book_exchange(instrument),
        "symboltoken": instrument.token,
        "producttype": PRODUCT_WORDS[position.product],
        "tradingsymbol": "",
        "symbolname": book_symbol(instrument),
        "instrumenttype": instrument_type(instrument),
        **empty,
        "multiplier": "1",
        "buyqty": str(day_buy.quantity),
        "sellqty": str(day_sell.quantity),
        # The sample's "amounts" hold averages.
        "buyamount": plain(day_buy.price),
        "sellamount": plain(day_sell.price),
        "strikeprice": plain(strike(instrument)),
        "optiontype": option_type(instrument),
        "expirydate": expiry(instrument, "%d-%b-%Y", now.date()),
        "lotsize": str(instrument.lot_size),
        "cfbuyqty": str(carried[Side.BUY].quantity),
        "cfsellqty": str(carried[Side.SELL].quantity),
        "cfbuyamount": "",
        "cfsellamount": "",
        "buyavgprice": plain(day_buy.price),
        "sellavgprice": plain(day_sell.price),
        "avgnetprice": average,
        "netvalue": plain(-position.value),
        "netqty": str(position.quantity),
        "totalbuyvalue": plain(buy.value),
        "totalsellvalue": plain(sell.value),
        "cfbuyavgprice": plain(carried[Side.BUY].price),
        "cfsellavgprice": plain(carried[Side.SELL].price),
        "totalbuyavgprice": "",
        "totalsellavgprice": "",
        "netprice": average,
    }


def holding_row(holding: Holding, quote: Quote) -> Row:
    """Return a row of the holdings (7.17)."""
    return {
        "tradingsymbol": company(holding.instrument),
        "exchange": None,
        "isin": holding.instrument.isin,
        "t1quantity": holding.t1_quantity,
        "realisedquantity": holding.quantity,
        "quantity": holding.quantity,
        "authorisedquantity": 0,
        "product": None,
        "collateralquantity": 0,
        "collateraltype": None,
        "haircut": 0,
        "averageprice": number(holding.average_price),
        "ltp": number(quote.ltp),
        "symboltoken": holding.instrument.token,
        "close": number(quote.close),
        "profitandloss": 0,
        "pnlpercentage": 0,
    }


def margin_data(margins: Iterable[Margin]) -> Row:
    """Return the margin calculator's data (7.16): a summary, and one item for each order."""
    each = list(margins)
    whole = sum(each, Margin())
    return {"summary": _charges(whole), "charges": [_charges(margin) for margin in each]}


def _charges(margin: Margin) -> Row:
    amounts = {
        "EXPOMARGIN": margin.exposure,
        "SPANMARGIN": margin.span,
        "VARELMMARGIN": margin.var + margin.premium,
    }
    return {
        "total_charges": number(margin.total),
        "trade_value": 0,
        "breakup": [
            {
                "name": name,
                "amount": number(amounts[name]) if name in amounts else 0,
                "msg": "",
                "breakup": [],
            }
            for name in CHARGES
        ],
    }
