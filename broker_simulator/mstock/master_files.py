"""The instruments as mStock's files, A's CSV and B's JSON, made while they are sent (8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from functools import lru_cache
from itertools import islice
from typing import Final

from .market import Instrument, InstrumentMaster
from .market.instrument import bare_symbol, plain

ROWS_PER_PIECE: Final = 2000

CSV_HEADER: Final = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,"
    "lot_size,instrument_type,segment,exchange\n"
)
COMPANIES: Final = {
    "INFY": "INFOSYS LIMITED", "RELIANCE": "RELIANCE INDUSTRIES LTD", "ACC": "ACC LIMITED",
    "SBIN": "STATE BANK OF INDIA", "M&M": "MAHINDRA & MAHINDRA LTD", "RVNL": "RAIL VIKAS NIGAM",
    "BAJAJ-AUTO": "BAJAJ AUTO LIMITED", "IDEA": "VODAFONE IDEA LIMITED",
    "SUZLON": "SUZLON ENERGY LIMITED", "GOLDSTAR": "GOLDSTAR POWER LIMITED",
    "91D101220": "GOI TBILL 91D-10/12/20",
}  # fmt: skip
# The rows of 8.1 that have no tick size.
WITHOUT_TICK: Final = ("SM", "TB")
# What a currency future has for a strike: one of the values that mean none (5.3).
NO_STRIKE: Final = "-0.01"
CURRENCIES: Final = {"CDS": "NSE", "BCD": "BSE"}


def type_a_csv(master: InstrumentMaster, bare: bool) -> Iterator[bytes]:
    """Yield Type A's file; `bare` writes a share's symbol without its series, as older rows do."""
    yield CSV_HEADER.encode()

    def row(i: Instrument) -> str:
        expiry = i.expiry.isoformat() if i.expiry else ""
        tick = "" if i.series in WITHOUT_TICK else plain(i.tick_size)
        symbol = bare_symbol(i) if bare and i.kind == "EQ" else i.symbol
        if i.kind == "EQ":
            name, kind = COMPANIES.get(i.name) or f"{i.name} LIMITED", i.series
            segment = kind
        else:
            name, kind = i.name, i.kind
            segment = f"{i.exchange}-{'FUT' if kind == 'FUT' else 'OPT'}"
        return (
            f"{i.token},{i.token},{symbol},{name},,{expiry},{_strike(i)},{tick},{i.lot_size},"
            f"{kind},{segment},{i.exchange}\n"
        )

    # Whether this file has indices is unknown, so a client must do without them.
    rows = (i for i in master if i.kind != "INDEX")
    for piece in _pieces(rows, row):
        yield piece.encode()


def type_b_json(master: InstrumentMaster) -> Iterator[bytes]:
    """Yield Type B's file: `symbol` is the base and `name` the trading symbol (8.2)."""
    indices = {i.name for i in master.listed if i.kind == "INDEX"}

    def row(i: Instrument) -> str:
        currency = CURRENCIES.get(i.exchange)
        if not i.is_derivative:
            kind = i.kind
        else:
            what = "CUR" if currency else ("IDX" if i.name in indices else "STK")
            kind = f"{'FUT' if i.kind == 'FUT' else 'OPT'}{what}"
        strike = NO_STRIKE if kind == "FUTCUR" else _strike(i)
        return (
            f'{{"token":"{i.token}","symbol":"{i.name}","name":"{i.symbol}",'
            f'"expiry":"{_day(i.expiry)}","strike":"{strike}","lotsize":"{i.lot_size}",'
            f'"instrumenttype":"{kind}","exch_seg":"{currency or i.exchange}",'
            f'"tick_size":"{plain(i.tick_size)}"}},'
        )

    # NSE's indices are missing from this file, BSE's are in it.
    rows = (i for i in master if (i.kind, i.exchange) != ("INDEX", "NSE"))
    before = "["
    for piece in _pieces(rows, row):
        # The last row has no comma: it is put before the row that follows.
        yield f"{before}{piece[:-1]}".encode()
        before = ","
    yield b"]"


def _pieces(rows: Iterable[Instrument], row: Callable[[Instrument], str]) -> Iterator[str]:
    remaining = iter(rows)
    while piece := "".join(map(row, islice(remaining, ROWS_PER_PIECE))):
        yield piece


def _strike(instrument: Instrument) -> str:
    return "" if instrument.strike is None else plain(instrument.strike)


@lru_cache(maxsize=1024)
def _day(expiry: date | None) -> str:
    return f"{expiry:%d%b%Y}" if expiry else ""
