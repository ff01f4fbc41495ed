"""mStock's words for orders and instruments, to the host's and back; tables, and no I/O.

Source: protocol sections 4 and 5. A word that no table knows keeps mStock's own spelling.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache

from broker._kit.clock import IST

# Products: the host's to each API type's. MTF and MARGIN are mStock's alone: they are shown as
# such and closed as such.
PRODUCTS: dict[str, dict[str, str]] = {
    "A": {"CNC": "CNC", "MIS": "MIS", "NRML": "NRML", "MTF": "MTF", "MARGIN": "MARGIN"},
    "B": {
        "CNC": "DELIVERY",
        "MIS": "INTRADAY",
        "NRML": "CARRYFORWARD",
        "MTF": "MTF",
        "MARGIN": "MARGIN",
    },
}
_HOST_PRODUCTS = {
    "C": "CNC",
    "CNC": "CNC",
    "DELIVERY": "CNC",
    "MIS": "MIS",
    "INTRADAY": "MIS",
    "NRML": "NRML",
    "CARRYFORWARD": "NRML",
    "MFT": "MTF",  # mStock's glossary has this misprint
}

PRICE_TYPES: dict[str, dict[str, str]] = {
    "A": {"MARKET": "MARKET", "LIMIT": "LIMIT", "SL": "SL", "SL-M": "SL-M"},
    "B": {
        "MARKET": "MARKET",
        "LIMIT": "LIMIT",
        "SL": "STOPLOSS_LIMIT",
        "SL-M": "STOPLOSS_MARKET",
    },
}
_HOST_PRICE_TYPES = {
    "MKT": "MARKET",
    "MARKET": "MARKET",
    "LMT": "LIMIT",
    "LIMIT": "LIMIT",
    "SL": "SL",
    "STOP_LOSS": "SL",
    "STOPLOSS_LIMIT": "SL",
    "SL-M": "SL-M",
    "STOPLOSS_MARKET": "SL-M",
    "STOP_LOSS_MARKET": "SL-M",
}
VALIDITIES = ("DAY", "IOC")
SIDES = {"BUY": "BUY", "B": "BUY", "SELL": "SELL", "S": "SELL"}

# First match wins. `Triggered` is a stop that has fired and rests as an ordinary order.
_STATUSES = (
    (re.compile(r"trade(d| confirmed)|complete", re.I), "complete"),
    (re.compile(r"reject", re.I), "rejected"),
    (re.compile(r"cancel", re.I), "cancelled"),
    (re.compile(r"trigger[ _]pending", re.I), "trigger pending"),
    (re.compile(r"transit|pending|open|modified|confirmed|triggered", re.I), "open"),
)
# The host's statuses of an order that can no longer trade.
FINAL = frozenset({"complete", "rejected", "cancelled"})

# mStock says NSE or BSE for derivatives, too; the instrument type tells.
_CURRENCY = frozenset({"FUTCUR", "OPTCUR", "FUTIRC", "OPTIRC", "FUTIRT"})
_EXCHANGES_BY_KIND = {
    "NSE": ("NSE", "NFO", "CDS"),
    "BSE": ("BSE", "BFO", "BCD"),
}

_TIME_FORMATS = (
    "%Y-%m-%d %H:%M:%S",
    "%d-%m-%Y %H:%M:%S",
    "%d-%m-%Y %I:%M:%S %p",
    "%Y-%b-%d %H:%M:%S",
    "%Y-%b-%d %H: %M: %S",  # a documented sample has blanks after the colons
    "%Y-%m-%dT%H:%M:%S",
)


def host_product(word: str) -> str:
    """The host's word for a product, mStock's own when the host has none."""
    return _HOST_PRODUCTS.get(word.upper(), word)


def host_price_type(word: str, has_price: bool) -> str:
    """The host's price type. A stop comes back as SL whether or not it has a price (4.1)."""
    found = _HOST_PRICE_TYPES.get(word.upper(), word)
    return "SL-M" if found == "SL" and not has_price else found


@lru_cache(maxsize=256)
def host_status(word: str) -> str:
    """The host's order status, mStock's own word when none matches."""
    return next((status for pattern, status in _STATUSES if pattern.search(word)), word)


@lru_cache(maxsize=256)
def host_exchange(exchange: str, instrument_type: str) -> str:
    """The host's exchange for an instrument of that type: NFO where mStock says NSE and OPTIDX."""
    cash, derivatives, currency = _EXCHANGES_BY_KIND.get(exchange, (exchange,) * 3)
    kind = instrument_type.upper()
    if kind in _CURRENCY:
        return currency
    return derivatives if kind.startswith(("FUT", "OPT")) else cash


def candidate_exchanges(exchange: str) -> tuple[str, ...]:
    """Where to look for a token when the row has no instrument type (Type A)."""
    return _EXCHANGES_BY_KIND.get(exchange, (exchange,))


@lru_cache(maxsize=32768)  # a session has 22,500 seconds
def parse_time(text: str) -> datetime | None:
    """A time of one of mStock's routes, aware, in IST; None when it is none of its formats."""
    for form in _TIME_FORMATS:
        try:
            return datetime.strptime(text.strip(), form).replace(tzinfo=IST)
        except ValueError:
            continue
    return None


@lru_cache(maxsize=32768)
def host_time(text: str) -> str:
    """The same as the host wants it, `YYYY-MM-DD HH:MM:SS` IST; "" when it is no time."""
    time = parse_time(text)
    return f"{time:%Y-%m-%d %H:%M:%S}" if time else ""
