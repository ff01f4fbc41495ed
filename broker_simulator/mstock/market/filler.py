"""Instruments computed by number, so that a master of any size costs no memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from string import ascii_uppercase
from typing import Final

from .instrument import Instrument, contract_symbol
from .listing import MONTHLIES, around_the_money, monthly_expiries, share_tick
from .price_model import closing_price
from .trading_calendar import previous_trading_day

# A block: so many companies, each with a row on NSE and one on BSE, and the first one's contracts.
COMPANIES: Final = 40
STRIKES: Final = 50
SHARE_ROWS: Final = 2 * COMPANIES
CONTRACTS: Final = MONTHLIES * (1 + 2 * STRIKES)
BLOCK: Final = SHARE_ROWS + CONTRACTS

FIRST_TOKENS: Final = {"NSE": 200_000, "BSE": 600_000, "NFO": 1_000_000}
PREFIX: Final = "SIM"
LETTERS: Final = 4
SHARE: Final = re.compile(rf"({PREFIX}[A-Z]{{{LETTERS}}})(?:-(?:EQ|BE))?", re.ASCII)
CONTRACT: Final = re.compile(
    rf"({PREFIX}[A-Z]{{{LETTERS}}})\d\d[A-Z]{{3}}(?:FUT|[\d.]+(?:CE|PE))", re.ASCII
)
STEPS: Final = tuple(map(Decimal, ("0.5", "1", "2.5", "5", "10", "20", "50", "100")))
FREEZE_LOTS: Final = 40


@dataclass(frozen=True, slots=True)
class Company:
    """What the rows of one computed company have in common."""

    number: int
    name: str
    tick_size: Decimal
    lot_size: int
    strikes: tuple[Decimal, ...]


class Filler:
    """`count` computed instruments, found by number, token or symbol."""

    def __init__(self, count: int, seed: int, today: date) -> None:
        self._count = count
        self._expiries = monthly_expiries("NFO", today, MONTHLIES)

        @lru_cache(maxsize=4096)
        def company(number: int) -> Company:
            name = _name(number)
            price = closing_price(seed, name, previous_trading_day(today))
            step = next((s for s in STEPS if float(s) >= price * 0.012), STEPS[-1])
            strikes = around_the_money(seed, name, today, step, STRIKES // 2)[:STRIKES]
            lot = max(25, round(500_000 / price / 25) * 25)
            return Company(number, name, share_tick(price), lot, tuple(strikes))

        self._company = company

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Instrument]:
        return map(self._row, range(self._count))

    def get(self, exchange: str, token: str) -> Instrument | None:
        """Return the instrument of a token."""
        first = FIRST_TOKENS.get(exchange)
        if first is None or not (token.isascii() and token.isdigit()):
            return None
        number = int(token) - first
        if exchange == "NFO":
            block, place = divmod(number, CONTRACTS)
            return self._at(block * BLOCK + SHARE_ROWS + place)
        block, place = divmod(number, COMPANIES)
        return self._at(block * BLOCK + 2 * place + (exchange == "BSE"))

    def by_symbol(self, exchange: str, symbol: str) -> Instrument | None:
        """Return the instrument with exactly this trading symbol."""
        match = (CONTRACT if exchange == "NFO" else SHARE).fullmatch(symbol)
        if match is None:
            return None
        number = _number(match[1])
        if exchange == "NFO":
            rows = self._contracts(number)
        else:
            row = self.get(exchange, str(FIRST_TOKENS[exchange] + number))
            rows = iter([row] if row else [])
        return next((row for row in rows if row.symbol == symbol), None)

    def expiries(self, exchange: str) -> Iterator[tuple[str, list[date]]]:
        """Yield each underlying with its expiries."""
        if exchange == "NFO":
            for block in range((self._count + BLOCK - SHARE_ROWS - MONTHLIES) // BLOCK):
                yield _name(block * COMPANIES), list(self._expiries)

    def contracts(self, exchange: str, name: str, expiry: date) -> Iterator[Instrument]:
        """Yield the contracts of an underlying that expire on a day."""
        if exchange == "NFO" and SHARE.fullmatch(name):
            yield from (row for row in self._contracts(_number(name)) if row.expiry == expiry)

    def _contracts(self, number: int) -> Iterator[Instrument]:
        block, place = divmod(number, COMPANIES)
        if place == 0:
            first = block * BLOCK + SHARE_ROWS
            yield from filter(None, map(self._at, range(first, first + CONTRACTS)))

    def _at(self, index: int) -> Instrument | None:
        return self._row(index) if 0 <= index < self._count else None

    def _row(self, index: int) -> Instrument:
        block, place = divmod(index, BLOCK)
        if place < SHARE_ROWS:
            company = self._company(block * COMPANIES + place // 2)
            return _share(company, "BSE" if place % 2 else "NSE")
        company = self._company(block * COMPANIES)
        return self._contract(company, block, place - SHARE_ROWS)

    def _contract(self, company: Company, block: int, place: int) -> Instrument:
        strike: Decimal | None = None
        if place < MONTHLIES:
            expiry, kind = self._expiries[place], "FUT"
        else:
            month, rest = divmod(place - MONTHLIES, 2 * STRIKES)
            expiry, kind = self._expiries[month], ("PE" if rest % 2 else "CE")
            strike = company.strikes[rest // 2]
        return Instrument(
            "NFO",
            str(FIRST_TOKENS["NFO"] + block * CONTRACTS + place),
            contract_symbol(company.name, expiry, strike, kind),
            company.name,
            "",
            kind,
            expiry,
            strike,
            company.lot_size,
            company.tick_size,
            company.lot_size * FREEZE_LOTS,
            "",
        )


def _share(company: Company, exchange: str) -> Instrument:
    series = "X" if exchange == "BSE" else ("BE" if company.number % 10 == 7 else "EQ")
    return Instrument(
        exchange,
        str(FIRST_TOKENS[exchange] + company.number),
        company.name if exchange == "BSE" else f"{company.name}-{series}",
        company.name,
        series,
        "EQ",
        None,
        None,
        1,
        company.tick_size,
        None,
        f"INE{company.number:06d}SIM",
    )


def _name(number: int) -> str:
    letters = ""
    for _ in range(LETTERS):
        number, rest = divmod(number, len(ascii_uppercase))
        letters = ascii_uppercase[rest] + letters
    return PREFIX + letters


def _number(name: str) -> int:
    number = 0
    for letter in name.removeprefix(PREFIX):
        number = number * len(ascii_uppercase) + ascii_uppercase.index(letter)
    return number
