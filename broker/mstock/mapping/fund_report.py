"""mStock's fund summary as the kit shows it: labelled figures under headings; pure."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal

from broker._kit.broker import FundGroup, FundLine, FundReport
from broker.mstock.mapping.funds import FundSummary, margin

_Label = tuple[str, str, str]  # a field of the summary, its name and what it means

# The meanings are read from mStock's names and its sample figures; mStock explains none of them.
_GROUPS: dict[tuple[str, str], tuple[_Label, ...]] = {
    ("Cash", ""): (
        ("clear_balance", "Cleared cash", "Money that has reached your account."),
        ("unclear_balance", "Uncleared cash", "Paid in, but not cleared yet."),
        ("receivables", "Sale proceeds due", "From shares sold and not settled yet."),
        ("pay_out_amt", "Withdrawal requested", "On its way to your bank account."),
        ("bank_holding", "Held at the bank", "Held or marked for trading at your bank."),
    ),
    ("Margin", ""): (
        ("available_balance", "Available to trade", "What is left for new orders."),
        ("amount_utilized", "In use", "Blocked by your orders and open positions."),
        ("peak_margin", "Peak margin", "The most that was needed at any time today."),
        ("opt_buy_primium_utilize", "Option premium", "Paid for options bought today."),
        ("physical_margin", "Physical delivery", "For contracts that end in delivery."),
        ("ofs_utilized", "Offer for sale", "Blocked for OFS bids."),
        ("limit_sod", "Limit at start of day", "What you could use when the day began."),
        ("adhoc_limit", "Ad-hoc limit", "Granted by mStock for the day."),
        ("additional_margin", "Additional margin", "Extra margin granted by mStock."),
        ("sum_of_all", "All limits together", "Before margin in use is taken off."),
    ),
    ("Collateral", ""): (
        ("collaterals", "Pledged shares", "What mStock counts for them."),
        ("mf_collateral", "Pledged mutual funds", "What mStock counts for them."),
    ),
    ("MTF", "Margin trading facility: shares bought partly with mStock's money"): (
        ("mtf_available_balance", "Available for MTF", "What you can use to buy on MTF."),
        ("mtf_utilize", "MTF in use", "Funded by mStock for shares you hold on MTF."),
        ("mtf_collateral", "MTF collateral", "Pledged for the facility."),
    ),
    ("Profit and loss", ""): (
        ("realised_profits", "Booked", "From positions closed today."),
        ("mtm_combined", "Open", "Mark to market of open positions."),
    ),
}

_SIGNED = ("realised_profits", "mtm_combined")  # shown with a plus too
_AVAILABLE = {
    "cash": "Without collateral, before margin in use is taken off: not what you can trade with",
    "balance": "As mStock's own app shows it: collateral in, margin in use taken off",
}


def fund_report(summary: FundSummary, view: str) -> FundReport:
    """All 22 figures under their headings, and OpenAlgo's five in the view of MSTOCK_FUNDS_VIEW."""
    cash, limits, collateral, facility, result = (
        FundGroup(title, note, tuple(_line(summary, *label) for label in labels))
        for (title, note), labels in _GROUPS.items()
    )
    fields = asdict(summary)
    host = margin({name.upper(): value for name, value in fields.items()}, view)
    segment = "all segments" if summary.seg == "A" else f"segment {summary.seg}"
    return FundReport(
        available=summary.available_balance,
        in_use=summary.amount_utilized,
        scope=f"for {segment}, limit type {summary.limit_type}",
        columns=((cash,), (limits,), (collateral, facility), (result,)),
        host_lines=(
            FundLine("Cash (OpenAlgo: Available Balance)", _AVAILABLE[view], host.availablecash),
            FundLine("Collateral", "Pledged holdings", host.collateral),
            FundLine("Unrealized P&L", "Mark to market, open", host.m2munrealized, signed=True),
            FundLine("Realized P&L", "Booked today", host.m2mrealized, signed=True),
            FundLine("Utilised Margin", "Blocked by orders and positions", host.utiliseddebits),
        ),
        host_fields=host.for_host(),
        fields={name: _plain(value) for name, value in fields.items()},
        note="mStock does not define its figures; the explanations are read from their names.",
    )


def _line(summary: FundSummary, field: str, name: str, meaning: str) -> FundLine:
    return FundLine(name, meaning, getattr(summary, field), signed=field in _SIGNED)


def _plain(value: Decimal | str) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else value
