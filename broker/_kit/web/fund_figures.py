"""mStock's 24 fund fields in a trader's words, grouped under the headings a trader knows; pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from broker._kit.web.formatting import rupees
from broker.mstock.mapping.funds import FundSummary, Margin


@dataclass(frozen=True, slots=True)
class Label:
    """How one field of the summary is named and explained; `signed` figures show a plus too."""

    field: str
    name: str
    meaning: str
    signed: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One figure, ready to print; `tone` is "gain", "loss", "zero" or ""."""

    name: str
    meaning: str
    text: str
    tone: str


@dataclass(frozen=True, slots=True)
class Group:
    """A heading, what its abbreviation means, and the figures under it."""

    title: str
    note: str
    lines: tuple[Line, ...]


# The meanings are read from mStock's names and its sample figures; mStock explains none of them.
GROUPS: tuple[tuple[str, str, tuple[Label, ...]], ...] = (
    (
        "Cash",
        "",
        (
            Label("clear_balance", "Cleared cash", "Money that has reached your account."),
            Label("unclear_balance", "Uncleared cash", "Paid in, but not cleared by the bank yet."),
            Label("receivables", "Sale proceeds due", "From shares sold and not settled yet."),
            Label("pay_out_amt", "Withdrawal requested", "On its way to your bank account."),
            Label("bank_holding", "Held at the bank", "Held or marked for trading at your bank."),
        ),
    ),
    (
        "Margin",
        "",
        (
            Label("available_balance", "Available to trade", "What is left for new orders."),
            Label("amount_utilized", "In use", "Blocked by your orders and open positions."),
            Label("peak_margin", "Peak margin", "The most that was needed at any time today."),
            Label("opt_buy_primium_utilize", "Option premium", "Paid for options bought today."),
            Label("physical_margin", "Physical delivery", "For contracts that end in delivery."),
            Label("ofs_utilized", "Offer for sale", "Blocked for OFS bids."),
            Label("limit_sod", "Limit at start of day", "What you could use when the day began."),
            Label("adhoc_limit", "Ad-hoc limit", "Granted by mStock for the day."),
            Label("additional_margin", "Additional margin", "Extra margin granted by mStock."),
            Label("sum_of_all", "All limits together", "Before margin in use is taken off."),
        ),
    ),
    (
        "Collateral",
        "",
        (
            Label("collaterals", "Pledged shares", "What mStock counts for them."),
            Label("mf_collateral", "Pledged mutual funds", "What mStock counts for them."),
        ),
    ),
    (
        "MTF",
        "Margin trading facility: shares bought partly with mStock's money",
        (
            Label("mtf_available_balance", "Available for MTF", "What you can use to buy on MTF."),
            Label("mtf_utilize", "MTF in use", "Funded by mStock for shares you hold on MTF."),
            Label("mtf_collateral", "MTF collateral", "Pledged for the facility."),
        ),
    ),
    (
        "Profit and loss",
        "",
        (
            Label("realised_profits", "Booked", "From positions closed today.", signed=True),
            Label("mtm_combined", "Open", "Mark to market of open positions.", signed=True),
        ),
    ),
)

# The two fields that are words, not figures.
WORDS = ("limit_type", "seg")

_AVAILABLE = {
    "cash": "Without collateral, before margin in use is taken off: not what you can trade with",
    "balance": "As mStock's own app shows it: collateral in, margin in use taken off",
}


def groups(summary: FundSummary) -> tuple[Group, ...]:
    """All 22 figures under their headings."""
    return tuple(
        Group(title, note, tuple(_line(each, getattr(summary, each.field)) for each in labels))
        for title, note, labels in GROUPS
    )


def columns(summary: FundSummary) -> tuple[tuple[Group, ...], ...]:
    """The groups as they are stacked on a wide screen; a narrow one shows them in this order."""
    cash, margin, collateral, facility, result = groups(summary)
    return ((cash,), (margin,), (collateral, facility), (result,))


def segment_words(summary: FundSummary) -> str:
    """What the two words of the summary say."""
    segment = "all segments" if summary.seg == "A" else f"segment {summary.seg}"
    return f"for {segment}, limit type {summary.limit_type}"


def openalgo_lines(margin: Margin, view: str) -> tuple[Line, ...]:
    """The host's five figures under the labels of its dashboard."""
    return (
        _host_line("Cash (OpenAlgo: Available Balance)", _AVAILABLE[view], margin.available_cash),
        _host_line("Collateral", "Pledged holdings", margin.collateral),
        _host_line("Unrealized P&L", "Mark to market, open", margin.m2m_unrealized, signed=True),
        _host_line("Realized P&L", "Booked today", margin.m2m_realized, signed=True),
        _host_line("Utilised Margin", "Blocked by orders and positions", margin.utilised_debits),
    )


def _host_line(name: str, meaning: str, amount: Decimal, *, signed: bool = False) -> Line:
    return _line(Label("", name, meaning, signed), amount)


def _line(label: Label, amount: Decimal) -> Line:
    if not amount:
        tone = "zero"
    elif amount < 0:
        tone = "loss"
    else:
        tone = "gain" if label.signed else ""
    return Line(label.name, label.meaning, rupees(amount, plus=label.signed), tone)
