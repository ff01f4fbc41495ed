"""mStock's fund summary into typed figures, and those into the host's five; pure, in `Decimal`.

The identity behind the host's figures, `AVAILABLE_BALANCE` = cash + `COLLATERALS` -
`AMOUNT_UTILIZED`, is read off mStock's two published samples, both of test accounts; it is not
proven on a live account.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, NamedTuple

from broker.mstock.errors import DataException

# A context of our own: the host's other code may have changed the thread's.
_MONEY = Context(prec=40, rounding=ROUND_HALF_EVEN)
_PAISA = Decimal("0.01")
_ZERO = Decimal(0)
_FIGURE = re.compile(r"-?[0-9]{1,16}(\.[0-9]{1,8})?")
_LARGEST = Decimal(10) ** 16
_WORDS = frozenset({"LIMIT_TYPE", "SEG"})
_NOTHING = (None, "", "None")

# The fields in which null has been seen, in samples or live; there, and only there, it is 0.
_NULL_IS_ZERO = frozenset(
    {
        *("ADDITIONAL_MARGIN", "BANK_HOLDING", "COLLATERALS", "MTM_COMBINED", "OFS_UTILIZED"),
        *("PEAK_MARGIN", "PHYSICAL_MARGIN", "REALISED_PROFITS", "RECEIVABLES", "UNCLEAR_BALANCE"),
    }
)
_REPORT = "Nothing was guessed. Compare with the mStock app, and report this."


class Margin(NamedTuple):
    """The five figures that the host shows, in rupees, by the host's names."""

    availablecash: Decimal
    collateral: Decimal
    m2munrealized: Decimal
    m2mrealized: Decimal
    utiliseddebits: Decimal

    def for_host(self) -> dict[str, str]:
        """Each as a string with two decimals."""
        return {name: two_decimals(amount) for name, amount in self._asdict().items()}


@dataclass(frozen=True, slots=True)
class FundSummary:
    """mStock's 24 fields under its own names, in lower case: 22 figures in rupees, two words.

    Source: mStock's fund summary page; its misspellings are kept.
    """

    additional_margin: Decimal
    adhoc_limit: Decimal
    amount_utilized: Decimal
    available_balance: Decimal
    bank_holding: Decimal
    clear_balance: Decimal
    collaterals: Decimal
    limit_sod: Decimal
    limit_type: str
    mf_collateral: Decimal
    mtf_available_balance: Decimal
    mtf_collateral: Decimal
    mtf_utilize: Decimal
    mtm_combined: Decimal
    ofs_utilized: Decimal
    opt_buy_primium_utilize: Decimal
    pay_out_amt: Decimal
    peak_margin: Decimal
    physical_margin: Decimal
    realised_profits: Decimal
    receivables: Decimal
    seg: str
    sum_of_all: Decimal
    unclear_balance: Decimal


_KEYS = tuple(each.name.upper() for each in fields(FundSummary))


def summary(data: Any) -> FundSummary:
    """The whole account's fund summary, from the `data` of mStock's answer.

    Raises `DataException` naming the field when one is missing, null where null is not known to
    mean zero, or not a plain number.
    """
    row = whole_account(data)
    values: list[Any] = [_word(row, key) if key in _WORDS else figure(row, key) for key in _KEYS]
    return FundSummary(*values)


def margin(data: Any, view: str = "cash") -> Margin:
    """The host's five figures, from the `data` of mStock's answer; only their fields are looked at.

    The host's `availablecash` is the cash balance: without collateral, and with margin in use not
    taken off. mStock's `AVAILABLE_BALANCE` holds `COLLATERALS` and has `AMOUNT_UTILIZED` taken
    off, so that in the `cash` view

        availablecash + collateral - utiliseddebits == AVAILABLE_BALANCE.

    In the `balance` view `availablecash` is `AVAILABLE_BALANCE` itself, as mStock's app shows it.
    """
    row = whole_account(data)
    available, utilized = figure(row, "AVAILABLE_BALANCE"), figure(row, "AMOUNT_UTILIZED")
    collateral = figure(row, "COLLATERALS")
    cash = _MONEY.subtract(_MONEY.add(available, utilized), collateral)
    return Margin(
        available if view == "balance" else cash,
        collateral,
        m2munrealized=figure(row, "MTM_COMBINED"),
        m2mrealized=figure(row, "REALISED_PROFITS"),
        utiliseddebits=utilized,
    )


def two_decimals(amount: Decimal) -> str:
    """An amount as plain ASCII text with two decimals; half a paisa rounds to even, -0 is 0."""
    return str(_MONEY.add(_MONEY.quantize(amount, _PAISA), _ZERO))


def whole_account(data: Any) -> Mapping[str, Any]:
    """The row that stands for the whole account.

    mStock sends one row per segment, of which only "A" (all) has been seen; a single row of another
    segment is all that it says. Several without one "A" are an error: their limits may overlap, so
    that adding them up could show money that is not there, and taking one could hide some.
    """
    rows = [data] if isinstance(data, Mapping) else data
    if not isinstance(rows, list) or not rows or not all(isinstance(row, Mapping) for row in rows):
        raise DataException("mStock's answer holds no fund summary: its `data` is empty.", _REPORT)
    whole = [row for row in rows if row.get("SEG") == "A"] or rows
    if len(whole) > 1:
        raise DataException(
            "mStock sent funds for several segments (SEG) and no total to go by.", _REPORT
        )
    row: Mapping[str, Any] = whole[0]
    return row


def figure(row: Mapping[str, Any], key: str) -> Decimal:
    """One figure in rupees; `DataException` naming it unless it is a plain decimal number."""
    if key not in row:
        raise DataException(f"mStock's fund summary lacks {key}.", _REPORT)
    value = row[key]
    if value in _NOTHING:
        if key in _NULL_IS_ZERO:
            return _ZERO
        raise DataException(f"mStock's fund summary has no figure in {key}.", _REPORT)
    if isinstance(value, str) and _FIGURE.fullmatch(value):
        return Decimal(value)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        number = Decimal(value)
        if _is_plain(number):
            return number
    raise DataException(f"mStock's fund summary has no plain number in {key}.", _REPORT)


def _is_plain(number: Decimal) -> bool:
    """The bounds of `_FIGURE`, for a JSON number."""
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and -8 <= exponent <= 0 and number.copy_abs() < _LARGEST


def _word(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or value in _NOTHING:
        raise DataException(f"mStock's fund summary lacks {key}.", _REPORT)
    return value
