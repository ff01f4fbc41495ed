"""The 24 keys of the fund summary: the accounts' figures, and the arithmetic between them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

FundRow = dict[str, str | None]

# Section 6.5, in the order in which it prints them.
FUND_KEYS: Final = (
    "ADDITIONAL_MARGIN", "ADHOC_LIMIT", "AMOUNT_UTILIZED", "AVAILABLE_BALANCE", "BANK_HOLDING",
    "CLEAR_BALANCE", "COLLATERALS", "LIMIT_SOD", "LIMIT_TYPE", "MF_COLLATERAL",
    "MTF_AVAILABLE_BALANCE", "MTF_COLLATERAL", "MTF_UTILIZE", "MTM_COMBINED", "OFS_UTILIZED",
    "OPT_BUY_PRIMIUM_UTILIZE", "PAY_OUT_AMT", "PEAK_MARGIN", "PHYSICAL_MARGIN",
    "REALISED_PROFITS", "RECEIVABLES", "SEG", "SUM_OF_ALL", "UNCLEAR_BALANCE",
)  # fmt: skip

# Section 6.5, column "Doc sample": every figure as printed, limits of a test account included.
DOC_SAMPLE: Final[Mapping[str, str | None]] = {
    "ADDITIONAL_MARGIN": "0.0",
    "ADHOC_LIMIT": "99999999999",
    "AMOUNT_UTILIZED": "27395824.71",
    "AVAILABLE_BALANCE": "299972678840.29",
    "BANK_HOLDING": "99999999999",
    "CLEAR_BALANCE": "199999949998",
    "COLLATERALS": "74668",
    "LIMIT_SOD": "99999999999",
    "LIMIT_TYPE": "CAPITAL",
    "MF_COLLATERAL": "0.0",
    "MTF_AVAILABLE_BALANCE": "299972678840.29",
    "MTF_COLLATERAL": "0.0",
    "MTF_UTILIZE": "0.0",
    "MTM_COMBINED": "0",
    "OFS_UTILIZED": "0.0",
    "OPT_BUY_PRIMIUM_UTILIZE": "0.0",
    "PAY_OUT_AMT": "50000.0",
    "PEAK_MARGIN": "33222959.73",
    "PHYSICAL_MARGIN": "0.0",
    "REALISED_PROFITS": "0",
    "RECEIVABLES": "0",
    "SEG": "A",
    "SUM_OF_ALL": "300000024665",
    "UNCLEAR_BALANCE": "0",
}

# Section 6.5, column "Mock sample": the same account type with the nulls of the official mocks.
MOCK_SAMPLE: Final[Mapping[str, str | None]] = {
    **DOC_SAMPLE,
    "ADDITIONAL_MARGIN": None,
    "AMOUNT_UTILIZED": "0.0",
    "AVAILABLE_BALANCE": "299999999997",
    "CLEAR_BALANCE": "199999999998",
    "COLLATERALS": None,
    "MTF_AVAILABLE_BALANCE": "299999999997",
    "MTM_COMBINED": None,
    "OFS_UTILIZED": None,
    "PAY_OUT_AMT": "0.0",
    "PEAK_MARGIN": "37910623.64",
    "PHYSICAL_MARGIN": None,
    "REALISED_PROFITS": None,
    "RECEIVABLES": None,
    "SUM_OF_ALL": "299999999997",
    "UNCLEAR_BALANCE": None,
}

# A retail trader's day: some lakh rupees of cash, pledged shares, an option bought, a small loss
# still open. The payout stays "0.0", so that the open question about it (12.1) does not arise.
RETAIL_DAY: Final[Mapping[str, str | None]] = {
    "ADDITIONAL_MARGIN": "0.0",
    "ADHOC_LIMIT": "0.0",
    "AMOUNT_UTILIZED": "96310.4",
    "BANK_HOLDING": None,
    "COLLATERALS": "148200.5",
    "LIMIT_SOD": "312450.75",
    "LIMIT_TYPE": "CAPITAL",
    "MF_COLLATERAL": "0.0",
    "MTF_COLLATERAL": "0.0",
    "MTF_UTILIZE": "0.0",
    "MTM_COMBINED": "-2315.25",
    "OFS_UTILIZED": "0.0",
    "OPT_BUY_PRIMIUM_UTILIZE": "18750.0",
    "PAY_OUT_AMT": "0.0",
    "PEAK_MARGIN": "121480.65",
    "PHYSICAL_MARGIN": "0.0",
    "REALISED_PROFITS": "1840.5",
    "RECEIVABLES": "0",
    "SEG": "A",
    "UNCLEAR_BALANCE": "0",
}


def figure(row: Mapping[str, str | None], key: str) -> Decimal:
    """Return one figure of a fund row as a Decimal; null counts as nothing (12.1, 15)."""
    return Decimal(row.get(key) or "0")


def balanced(given: Mapping[str, str | None]) -> FundRow:
    """Complete a fund row with the four figures that follow from the others (12.1).

    `given` holds the other 20 keys as strings or None; the result has all 24, in the order of 6.5.
    """
    gross = sum(
        (figure(given, key) for key in ("LIMIT_SOD", "ADHOC_LIMIT", "BANK_HOLDING", "COLLATERALS")),
        Decimal(0),
    )
    payout = figure(given, "PAY_OUT_AMT")
    available = str(gross - figure(given, "AMOUNT_UTILIZED"))
    derived = {
        "SUM_OF_ALL": str(gross - payout),
        "AVAILABLE_BALANCE": available,
        "MTF_AVAILABLE_BALANCE": available,
        "CLEAR_BALANCE": str(figure(given, "LIMIT_SOD") + figure(given, "ADHOC_LIMIT") - payout),
    }
    return {key: {**given, **derived}[key] for key in FUND_KEYS}
