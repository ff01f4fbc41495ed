"""mStock's fund summary as the kit shows it: labelled figures under headings; pure."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from typing import NamedTuple

from broker._kit.broker import FundGroup, FundLine, FundReport
from broker.mstock.mapping.funds import FundSummary, margin_of


class _Label(NamedTuple):
    """How one field of the summary is named and explained; `signed` figures show a plus too."""

    field: str
    name: str
    meaning: str
    signed: bool = False


# The meanings are read from mStock's names and its sample figures; mStock explains none of them.
_GROUPS: tuple[tuple[str, str, tuple[_Label, ...]], ...] = (
    (
        "Cash",
        "",
        (
            _Label("clear_balance", "Cleared cash", "Money that has reached your account."),
            _Label("unclear_balance", "Uncleared cash", "Paid in, but not cleared yet."),
            _Label("receivables", "Sale proceeds due", "From shares sold and not settled yet."),
            _Label("pay_out_amt", "Withdrawal requested", "On its way to your bank account."),
            _Label("bank_holding", "Held at the bank", "Held or marked for trading at your bank."),
        ),
    ),
    (
        "Margin",
        "",
        (
            _Label("available_balance", "Available to trade", "What is left for new orders."),
            _Label("amount_utilized", "In use", "Blocked by your orders and open positions."),
            _Label("peak_margin", "Peak margin", "The most that was needed at any time today."),
            _Label("opt_buy_primium_utilize", "Option premium", "Paid for options bought today."),
            _Label("physical_margin", "Physical delivery", "For contracts that end in delivery."),
            _Label("ofs_utilized", "Offer for sale", "Blocked for OFS bids."),
            _Label("limit_sod", "Limit at start of day", "What you could use when the day began."),
            _Label("adhoc_limit", "Ad-hoc limit", "Granted by mStock for the day."),
            _Label("additional_margin", "Additional margin", "Extra margin granted by mStock."),
            _Label("sum_of_all", "All limits together", "Before margin in use is taken off."),
        ),
    ),
    (
        "Collateral",
        "",
        (
            _Label("collaterals", "Pledged shares", "What mStock counts for them."),
            _Label("mf_collateral", "Pledged mutual funds", "What mStock counts for them."),
        ),
    ),
    (
        "MTF",
        "Margin trading facility: shares bought partly with mStock's money",
        (
            _Label("mtf_available_balance", "Available for MTF", "What you can use to buy on MTF."),
            _Label("mtf_utilize", "MTF in use", "Funded by mStock for shares you hold on MTF."),
            _Label("mtf_collateral", "MTF collateral", "Pledged for the facility."),
        ),
    ),
    (
        "Profit and loss",
        "",
        (
            _Label("realised_profits", "Booked", "From positions closed today.", signed=True),
            _Label("mtm_combined", "Open", "Mark to market of open positions.", signed=True),
        ),
    ),
)

_AVAILABLE = {
    "cash": "Without collateral, before margin in use is taken off: not what you can trade with",
    "balance": "As mStock's own app shows it: collateral in, margin in use taken off",
}


def fund_report(summary: FundSummary, view: str) -> FundReport:
    """All 22 figures under their headings, and OpenAlgo's five in the view of MSTOCK_FUNDS_VIEW."""
    cash, margin, collateral, facility, result = (
        FundGroup(title, note, tuple(_line(summary, label) for label in labels))
        for title, note, labels in _GROUPS
    )
    host = margin_of(summary, view)
    segment = "all segments" if summary.seg == "A" else f"segment {summary.seg}"
    return FundReport(
        available=summary.available_balance,
        in_use=summary.amount_utilized,
        scope=f"for {segment}, limit type {summary.limit_type}",
        columns=((cash,), (margin,), (collateral, facility), (result,)),
        host_lines=(
            FundLine("Cash (OpenAlgo: Available Balance)", _AVAILABLE[view], host.available_cash),
            FundLine("Collateral", "Pledged holdings", host.collateral),
            FundLine("Unrealized P&L", "Mark to market, open", host.m2m_unrealized, signed=True),
            FundLine("Realized P&L", "Booked today", host.m2m_realized, signed=True),
            FundLine("Utilised Margin", "Blocked by orders and positions", host.utilised_debits),
        ),
        host_fields=host.for_host(),
        fields={each.name: _plain(getattr(summary, each.name)) for each in fields(summary)},
        note="mStock does not define its figures; the explanations are read from their names.",
    )


def _line(summary: FundSummary, label: _Label) -> FundLine:
    return FundLine(label.name, label.meaning, getattr(summary, label.field), label.signed)


def _plain(value: Decimal | str) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else value
