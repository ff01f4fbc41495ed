"""The instruments listed by hand: the well-known ones, and every awkward symbol there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from itertools import count, islice
from typing import Final, NamedTuple

from .instrument import Instrument, contract_symbol
from .price_model import closing_price
from .trading_calendar import previous_trading_day, trading_day_until

SMALLEST: Final = 50
TUESDAY, THURSDAY, FRIDAY = 1, 3, 4
# Since this day NSE's contracts expire on Tuesdays and BSE's on Thursdays; before, the reverse.
EXPIRY_DAYS_SWAPPED: Final = date(2025, 9, 1)

# Token, symbol, name, series. Section 5.4 has the indices' tokens, BSE's short codes are of 8.2.
INDICES: Final = {
    "NSE": (
        ("26000", "NIFTY 50", "NIFTY"), ("26009", "NIFTY BANK", "BANKNIFTY"),
        ("26037", "FINNIFTY", "FINNIFTY"), ("26074", "MIDCPNIFTY", "MIDCPNIFTY"),
        ("26013", "NIFTY NEXT 50", "NIFTYNXT50"), ("26017", "INDIA VIX", "INDIAVIX"),
    ),
    "BSE": (
        ("51", "SENSEX", "SENSEX"), ("69", "BANKEX", "BANKEX"), ("47", "SNSX50", "SNSX50"),
        ("48", "SNXT50", "SNXT50"), ("75", "MIDSEL", "MIDSEL"), ("15", "BSE CG", "BSE CG"),
        ("27", "BSE IT", "BSE IT"),
    ),
}  # fmt: skip
SHARES: Final = {
    "NSE": (
        ("1594", "INFY", "EQ", "INE009A01021"), ("2885", "RELIANCE", "EQ", "INE002A01018"),
        ("3045", "SBIN", "EQ", "INE062A01020"), ("22", "ACC", "EQ", "INE012A01025"),
        ("2031", "M&M", "EQ", "INE101A01026"), ("16669", "BAJAJ-AUTO", "EQ", "INE917I01010"),
        ("14366", "IDEA", "EQ", "INE669E01016"),
        # One name in several series, bare in Type A's file.
        ("12018", "SUZLON", "EQ", "INE040H01021"), ("12019", "SUZLON", "BE", "INE040H01021"),
        ("12020", "SUZLON", "BZ", "INE040H01021"), ("9552", "RVNL", "EQ", "INE415G01027"),
        ("1", "GOLDSTAR", "SM", "INE405Y01021"), ("2", "91D101220", "TB", "IN002020X282"),
        # Their tokens are those of SENSEX and BANKEX on BSE.
        ("51", "TWINFIFTYONE", "EQ", "INE051T01011"), ("69", "TWINSIXTYNINE", "EQ", "INE069T01011"),
    ),
    "BSE": (
        ("500325", "RELIANCE", "A", "INE002A01018"), ("500410", "ACC", "A", "INE012A01025"),
        ("500209", "INFY", "A", "INE009A01021"), ("500112", "SBIN", "A", "INE062A01020"),
        ("500520", "M&M", "A", "INE101A01026"), ("532977", "BAJAJ-AUTO", "A", "INE917I01010"),
        ("532822", "IDEA", "A", "INE669E01016"), ("532667", "SUZLON", "A", "INE040H01021"),
    ),
}  # fmt: skip


class Chain(NamedTuple):
    """The contracts of one underlying: strikes `reach` steps around the money, and expiries."""

    exchange: str
    lot_size: int
    freeze_quantity: int | None
    step: str
    reach: int
    weeklies: int = 0
    weekly_day: int | None = None
    tick_size: str = "0.05"


CHAINS: Final = {
    "NIFTY": Chain("NFO", 65, 1800, "50", 30, weeklies=4),
    "BANKNIFTY": Chain("NFO", 30, 600, "100", 25, weeklies=4),
    "FINNIFTY": Chain("NFO", 60, 1200, "50", 20, weeklies=4),
    # Weeklies on another day than the monthlies: both kinds expire in one week.
    "MIDCPNIFTY": Chain("NFO", 120, 2800, "25", 20, weeklies=6, weekly_day=FRIDAY),
    "RELIANCE": Chain("NFO", 500, 20000, "10", 12),
    "INFY": Chain("NFO", 400, 16000, "20", 12),
    "SBIN": Chain("NFO", 750, 30000, "5", 12),
    "ACC": Chain("NFO", 300, 12000, "20", 12),
    "M&M": Chain("NFO", 200, 8000, "50", 12),
    "BAJAJ-AUTO": Chain("NFO", 75, 3000, "100", 12),
    "IDEA": Chain("NFO", 71475, None, "0.5", 8, tick_size="0.01"),
    "SENSEX": Chain("BFO", 20, 1000, "100", 25, weeklies=4),
    "BANKEX": Chain("BFO", 30, 900, "100", 20),
    "USDINR": Chain("CDS", 1, 10000, "0.25", 10, weeklies=2, tick_size="0.0025"),
}
BSE_FIRST: Final = ("SENSEX", "BANKEX", "BSE IT")
Tokens = Mapping[str, Iterator[int]]
FIRST_TOKENS: Final = {"NFO": 35001, "BFO": 870001, "CDS": 1001, "BCD": 1001}
MONTHLIES: Final = 3


def listed_instruments(seed: int, today: date) -> list[Instrument]:
    """Return the hand-made part of a day's master, one of everything in the first 50."""
    found = [*_indices(), *_shares(seed, today)]
    tokens = {exchange: count(first) for exchange, first in FIRST_TOKENS.items()}
    found += (i for name in CHAINS for i in _chain(tokens, seed, name, today))
    found += _expired(tokens, seed, today)
    found.append(_contract(tokens, "USDINR", monthly_expiries("BCD", today, 1)[0], "FUT", on="BCD"))
    first = _first_fifty(found, today)
    shown = set(first)
    return [*first, *(i for i in found if i not in shown)]


def weekly_expiries(exchange: str, today: date, number: int, day: int | None = None) -> list[date]:
    """Return the next weekly expiries from `today`, the monthly ones left out."""
    monthly = set(monthly_expiries(exchange, today - timedelta(days=31), number // 4 + 4))
    days = (today + timedelta(days=i) for i in count())
    weekly = (
        trading_day_until(d) for d in days if d.weekday() == (day or _expiry_weekday(exchange, d))
    )
    return list(islice((d for d in weekly if d >= today and d not in monthly), number))


def monthly_expiries(exchange: str, today: date, number: int) -> list[date]:
    """Return the next monthly expiries from `today`: the last expiry weekday of each month."""
    found: list[date] = []
    year, month = today.year, today.month
    while len(found) < number:
        year, month = (year + month // 12, month % 12 + 1)
        last = date(year, month, 1) - timedelta(days=1)
        last -= timedelta(days=(last.weekday() - _expiry_weekday(exchange, last)) % 7)
        if trading_day_until(last) >= today:
            found.append(trading_day_until(last))
    return found


def _expiry_weekday(exchange: str, day: date) -> int:
    swapped = day >= EXPIRY_DAYS_SWAPPED
    return THURSDAY if (exchange == "BFO") == swapped else TUESDAY


def _indices() -> Iterator[Instrument]:
    for exchange, rows in INDICES.items():
        for token, symbol, name in rows:
            yield Instrument(
                exchange, token, symbol, name, "", "INDEX", None, None, 1, Decimal("0.05"), None, ""
            )


def _shares(seed: int, today: date) -> Iterator[Instrument]:
    for exchange, rows in SHARES.items():
        for token, name, series, isin in rows:
            symbol = f"{name}-{series}" if exchange == "NSE" else name
            tick = share_tick(closing_price(seed, name, previous_trading_day(today)))
            yield Instrument(
                exchange, token, symbol, name, series, "EQ", None, None, 1, tick, None, isin
            )


def share_tick(price: float) -> Decimal:
    """Return the tick of a share that costs so many rupees."""
    return Decimal("0.01" if price < 250 else "0.05")


def _chain(tokens: Tokens, seed: int, name: str, today: date) -> Iterator[Instrument]:
    chain = CHAINS[name]
    monthly = monthly_expiries(chain.exchange, today, MONTHLIES)
    weekly = weekly_expiries(chain.exchange, today, chain.weeklies, chain.weekly_day)
    strikes = around_the_money(seed, name, today, Decimal(chain.step), chain.reach)
    for expiry in monthly:
        yield _contract(tokens, name, expiry, "FUT")
    for expiry in sorted((*monthly, *weekly)):
        for strike in strikes:
            for kind in ("CE", "PE"):
                yield _contract(tokens, name, expiry, kind, strike, weekly=expiry in weekly)


def _expired(tokens: Tokens, seed: int, today: date) -> Iterator[Instrument]:
    """Contracts of last week and last month that are still in the file."""
    last_month = monthly_expiries("NFO", today - timedelta(days=40), 1)[0]
    yield _contract(tokens, "RELIANCE", last_month, "FUT")
    earlier = weekly_expiries("NFO", today - timedelta(days=21), 6)
    expiry = max(day for day in earlier if day < today)
    for strike in around_the_money(seed, "NIFTY", today, Decimal(50), 2):
        for kind in ("CE", "PE"):
            yield _contract(tokens, "NIFTY", expiry, kind, strike, weekly=True)


def around_the_money(seed: int, name: str, today: date, step: Decimal, reach: int) -> list[Decimal]:
    """Return the strikes around the last close, `reach` to each side, all above zero."""
    money = round(closing_price(seed, name, previous_trading_day(today)) / float(step))
    return [step * i for i in range(money - reach, money + reach + 1) if i > 0]


def _contract(
    tokens: Tokens,
    name: str,
    expiry: date,
    kind: str,
    strike: Decimal | None = None,
    weekly: bool = False,
    on: str | None = None,
) -> Instrument:
    chain = CHAINS[name]
    exchange = on or chain.exchange
    return Instrument(
        exchange,
        str(next(tokens[exchange])),
        contract_symbol(name, expiry, strike, kind, weekly),
        name,
        "",
        kind,
        expiry,
        strike,
        chain.lot_size,
        Decimal(chain.tick_size),
        chain.freeze_quantity,
        "",
    )


def _first_fifty(found: list[Instrument], today: date) -> list[Instrument]:
    shares = [i for i in found if i.kind == "EQ"]
    known = [i for i in found if i.kind == "INDEX" and (i.exchange == "NSE" or i.name in BSE_FIRST)]
    shown = [i for i in shares if i.exchange == "NSE"] + known
    shown += [i for i in shares if i.exchange == "BSE"][:2]
    for name in ("NIFTY", "BANKNIFTY", "FINNIFTY"):
        monthly, weekly = monthly_expiries("NFO", today, 1)[0], weekly_expiries("NFO", today, 1)[0]
        shown.append(_middle(found, name, "FUT", monthly))
        shown += [_middle(found, name, k, day) for day in (weekly, monthly) for k in ("CE", "PE")]
    monthly = monthly_expiries("NFO", today, 1)[0]
    shown += [_middle(found, "IDEA", kind, monthly) for kind in ("FUT", "CE", "PE")]
    shown.append(_middle(found, "RELIANCE", "FUT", monthly))
    weekly = weekly_expiries("BFO", today, 1)[0]
    shown += [_middle(found, "SENSEX", kind, weekly) for kind in ("CE", "PE")]
    shown += [
        next(i for i in found if i.exchange == exchange and i.kind == "FUT")
        for exchange in ("CDS", "BCD")
    ]
    shown.append(next(i for i in found if i.kind == "CE" and i.expiry and i.expiry < today))
    return shown


def _middle(found: list[Instrument], name: str, kind: str, expiry: date) -> Instrument:
    """The contract in the middle of its chain; of IDEA's, one with a decimal strike."""
    same = [i for i in found if (i.name, i.kind, i.expiry) == (name, kind, expiry)]
    decimal = [i for i in same if i.strike and i.strike % 1] if name == "IDEA" else []
    choice = decimal or same
    return choice[len(choice) // 2]
