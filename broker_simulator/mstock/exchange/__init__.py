"""The simulated exchange and risk desk: orders, trades, positions, holdings, margins; no HTTP."""

from .behaviour import Behaviour
from .exchange import Exchange
from .orders import Order, OrderChange, OrderRequest, Trade

__all__ = ["Behaviour", "Exchange", "Order", "OrderChange", "OrderRequest", "Trade"]
