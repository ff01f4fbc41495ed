"""mStock's script masters, both API types, as rows of the host's symbol table; pure.

Source: protocol section 8 for mStock's columns, contract 7.3 for the host's grammar. A row that
cannot be understood is counted and left out; nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple


class InstrumentRow(NamedTuple):
    """One instrument in the host's columns (contract 7.3).

    `brexchange` is mStock's exchange in the master. `expiry` is DD-MMM-YY or "", `strike` and
    `tick_size` are rupees, `instrumenttype` is EQ, FUT, CE, PE or INDEX.
    """

    symbol: str
    brsymbol: str
    name: str
    exchange: str
    brexchange: str
    token: str
    expiry: str
    strike: float
    lotsize: int
    instrumenttype: str
    tick_size: float


COLUMNS = InstrumentRow._fields
# The same without names, which take their time for each of a master's rows.
SymbolRow = tuple[str, str, str, str, str, str, str, float, int, str, float]

_LARGE = 1 << 22  # mStock's tokens have up to seven digits

# Indices that the Type B master lacks and Type A's may lack: host symbol, mStock's name, exchange,
# token. Source: protocol 5.4.
INDICES: tuple[tuple[str, str, str, str], ...] = (
    ("NIFTY", "NIFTY 50", "NSE", "26000"),
    ("BANKNIFTY", "NIFTY BANK", "NSE", "26009"),
    ("FINNIFTY", "FINNIFTY", "NSE", "26037"),
    ("MIDCPNIFTY", "MIDCPNIFTY", "NSE", "26074"),
    ("NIFTYNXT50", "NIFTY NEXT 50", "NSE", "26013"),
    ("INDIAVIX", "INDIA VIX", "NSE", "26017"),
    ("SENSEX", "SENSEX", "BSE", "51"),
    ("BANKEX", "BANKEX", "BSE", "69"),
)
# BSE's other indices are rows of the master under short codes (protocol 8.2).
_BSE_INDICES = {
    "SNSX50": "SENSEX50",
    "SNXT50": "BSESENSEXNEXT50",
    "MIDSEL": "BSEMIDCAPSELECTINDEX",
    "BSE CG": "BSECAPITALGOODS",
    "BSE IT": "BSEINFORMATIONTECHNOLOGY",
}
_INDEX_TOKENS = {(exchange, token) for _, _, exchange, token in INDICES}

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_CURRENCY = frozenset({"FUTCUR", "OPTCUR", "FUTIRC", "OPTIRC", "FUTIRT"})
_DERIVATIVES = {"NSE": "NFO", "BSE": "BFO", "NFO": "NFO", "BFO": "BFO", "CDS": "CDS", "BCD": "BCD"}
_CURRENCIES = {"NSE": "CDS", "BSE": "BCD", "CDS": "CDS", "BCD": "BCD"}
_KNOWN = frozenset({"NSE", "BSE", "NFO", "BFO", "CDS", "BCD", "MCX"})
# The series that trades under the bare name; all others keep theirs, so that no two are mixed up.
_BARE_SERIES = frozenset({"", "EQ"})
_SYMBOL = re.compile(
    r"(?P<name>.+?)(?P<expiry>\d{2}(?:" + "|".join(MONTHS) + r")\d{2})"
    r"(?:(?P<strike>\d+(?:\.\d+)?)(?P<option>CE|PE)|FUT)"
)


class Contract(NamedTuple):
    """What a derivative's host symbol says; `strike` and `option` are None for a future."""

    name: str
    expiry: date
    strike: Decimal | None
    option: str | None


def parse_symbol(symbol: str) -> Contract | None:
    """A derivative's host symbol taken apart; None for shares and indices."""
    found = _SYMBOL.fullmatch(symbol)
    if found is None:
        return None
    day, month, year = found["expiry"][:2], found["expiry"][2:5], found["expiry"][5:]
    try:
        expiry = date(2000 + int(year), MONTHS.index(month) + 1, int(day))
    except ValueError:
        return None
    strike = Decimal(found["strike"]) if found["strike"] else None
    return Contract(found["name"], expiry, strike, found["option"])


class Normaliser:
    """Turns pieces of a master into the host's rows, each (symbol, exchange) and (token, exchange)
    once.

    Contracts that expired before `today` are left out. `left_out` counts them and what could not
    be understood or stood there twice.
    """

    def __init__(self, api_type: str, today: date) -> None:
        self._fields = _FIELDS[api_type]
        self._today = today
        # Hashes take half the memory of the texts; that two of a day's meet in 64 bits is less
        # likely than a fault of the machine.
        self._symbols: dict[str, set[int]] = {}
        self._tokens: dict[str, _Numbers] = {}
        self.left_out = 0

    def indices(self) -> list[SymbolRow]:
        """The index rows that belong into the table whatever the master holds."""
        rows = [
            (symbol, name, name, f"{exchange}_INDEX", exchange, token, "", 0.0, 1, "INDEX", 0.05)
            for symbol, name, exchange, token in INDICES
        ]
        return [row for row in rows if self._is_new(row)]

    def rows(self, piece: Iterable[Mapping[str, str]]) -> list[SymbolRow]:
        """The host's rows of one piece of the master."""
        found: list[SymbolRow] = []
        keep = found.append
        for row in piece:
            try:
                made = self._row(*self._fields(row))
                if made is not None and self._is_new(made):
                    keep(made)
                    continue
            except (LookupError, TypeError, AttributeError, ValueError):
                pass  # no object, a value that is no text, or none: one row spoils no list
            self.left_out += 1
        return found

    def _is_new(self, row: SymbolRow) -> bool:
        symbol, exchange, token = hash(row[0]), row[3], int(row[5])
        symbols = self._symbols.setdefault(exchange, set())
        tokens = self._tokens.setdefault(exchange, _Numbers())
        if symbol in symbols or not tokens.add(token):
            return False
        symbols.add(symbol)
        return True

    def _row(
        self,
        token: str,
        trading_symbol: str,
        base: str,
        series: str,
        kind: str,
        exchange: str,
        expiry: str,
        strike: str,
        lot: str,
        tick: str,
        company: str,
    ) -> SymbolRow | None:
        if not token.isdigit() or not trading_symbol or exchange not in _KNOWN:
            return None
        lot_size, tick_size = _lot(lot), _tick(tick)
        if kind not in ("FUT", "CE", "PE"):
            if (exchange, token) in _INDEX_TOKENS:
                return None  # it is there already, under the host's name
            index = _BSE_INDICES.get(trading_symbol) if exchange == "BSE" else None
            if index:
                where = "BSE_INDEX"
                return (index, trading_symbol, base, where, exchange, token, "", 0.0, 1, "INDEX",
                        tick_size)  # fmt: skip
            # BSE's series are groups of companies (A, B, X ...), of which each is in one.
            is_bare = exchange == "BSE" or series in _BARE_SERIES
            symbol = base if is_bare else f"{base}-{series}"
            name = company or base
            return (symbol, trading_symbol, name, exchange, exchange, token, "", 0.0, lot_size,
                    "EQ", tick_size)  # fmt: skip
        known = _expiry(expiry)
        if known is None or known[0] < self._today or not base:
            return None
        where = (_CURRENCIES if series in _CURRENCY else _DERIVATIVES).get(exchange, exchange)
        if kind == "FUT":
            symbol, price = f"{base}{known[1]}FUT", 0.0
        else:
            words = _strike(strike)
            if words is None:
                return None
            symbol, price = f"{base}{known[1]}{words[0]}{kind}", words[1]
        return (symbol, trading_symbol, base, where, exchange, token, known[2], price, lot_size,
                kind, tick_size)  # fmt: skip


class _Numbers:
    """A set of numbers, most of them small: those take a byte each."""

    def __init__(self) -> None:
        self._small = bytearray()
        self._large: set[int] = set()

    def add(self, number: int) -> bool:
        """Add a number; False when it was there."""
        if number >= _LARGE:
            is_new = number not in self._large
            self._large.add(number)
            return is_new
        if number >= len(self._small):
            self._small.extend(bytes(number + 4096 - len(self._small)))
        is_new = not self._small[number]
        self._small[number] = 1
        return is_new


Fields = tuple[str, str, str, str, str, str, str, str, str, str, str]


def _type_a(row: Mapping[str, str]) -> Fields:
    kind, symbol = row["instrument_type"], row["tradingsymbol"]
    if kind in ("FUT", "CE", "PE"):
        base, series = row["name"], ""
    else:
        series = kind
        base = symbol[: -len(series) - 1] if symbol.endswith(f"-{series}") else symbol
    return (
        row["exchange_token"],
        symbol,
        base,
        series,
        kind,
        row["exchange"],
        row["expiry"],
        row["strike"],
        row["lot_size"],
        row["tick_size"],
        row["name"],
    )


def _type_b(row: Mapping[str, str]) -> Fields:
    given, symbol, base = row["instrumenttype"], row["name"], row["symbol"]
    if given.startswith("FUT"):
        kind, series = "FUT", given
    elif given.startswith("OPT"):
        kind, series = symbol[-2:], given
    else:
        kind, series = "EQ", symbol[len(base) + 1 :] if symbol.startswith(f"{base}-") else ""
    return (
        row["token"],
        symbol,
        base,
        series,
        kind,
        row["exch_seg"],
        row["expiry"],
        row["strike"],
        row["lotsize"],
        row["tick_size"],
        "",
    )


_FIELDS = {"A": _type_a, "B": _type_b}


# A master has few different expiries, strikes, lots and ticks: each is read once.


@lru_cache(maxsize=4096)
def _expiry(text: str) -> tuple[date, str, str] | None:
    """An expiry as a date, as part of a host symbol (25SEP26), and for its column (25-SEP-26)."""
    for form in ("%d%b%Y", "%Y-%m-%d"):
        try:
            day = datetime.strptime(text, form).date()  # noqa: DTZ007  a date has no zone
        except ValueError:
            continue
        month = MONTHS[day.month - 1]
        return day, f"{day:%d}{month}{day:%y}", f"{day:%d}-{month}-{day:%y}"
    return None


@lru_cache(maxsize=65536)
def _strike(text: str) -> tuple[str, float] | None:
    """A strike as it stands in a host symbol, without needless decimals, and in rupees."""
    try:
        price = Decimal(text)
    except ArithmeticError:
        return None
    if not price.is_finite() or price <= 0:
        return None
    words = f"{price:f}"
    return (words.rstrip("0").rstrip(".") if "." in words else words), float(price)


@lru_cache(maxsize=4096)
def _lot(text: str) -> int:
    """A lot size, 1 where the master does not say."""
    try:
        return max(1, int(Decimal(text)))
    except (ArithmeticError, ValueError):
        return 1


@lru_cache(maxsize=4096)
def _tick(text: str) -> float:
    """A tick size in rupees, 0.0 where the master does not say."""
    try:
        return max(0.0, float(text))
    except ValueError:
        return 0.0
