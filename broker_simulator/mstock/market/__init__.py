"""The simulated market: instruments, prices, quotes, depth and candles, all from one seed."""

from .candles import DAY, Candle
from .instruments import Instrument, InstrumentMaster, build_master
from .market import Level, Market, Quote

__all__ = [
    "DAY", "Candle", "Instrument", "InstrumentMaster", "Level", "Market", "Quote", "build_master",
]  # fmt: skip
