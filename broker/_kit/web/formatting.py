"""How figures and times are put for a trader's eyes; pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from broker._kit.broker import FundLine
from broker._kit.clock import IST
from broker._kit.money import CONTEXT, rupees


def fund_text(line: FundLine) -> str:
    """A fund line's figure."""
    return rupees(line.amount, plus=line.signed)


def tone(line: FundLine) -> str:
    """What a fund line's figure is to its reader: "gain", "loss", "zero" or ""."""
    if line.amount <= 0:
        return "loss" if line.amount else "zero"
    return "gain" if line.signed else ""


class Bar(NamedTuple):
    """Used against available margin; the percentages are of the two together."""

    used: Decimal
    available: Decimal
    used_percent: Decimal
    available_percent: Decimal
    is_short: bool = False


def bar(used: Decimal, available: Decimal) -> Bar | None:
    """The figures of the bar, None when there is nothing to draw.

    A negative balance means that more is in use than there is: the bar is full and `is_short`.
    """
    total, whole = CONTEXT.add(used, available), Decimal(100)
    if available < 0:
        return Bar(used, available, whole, Decimal(0), is_short=True)
    if used < 0 or total <= 0:
        return None
    share = CONTEXT.divide(CONTEXT.multiply(used, whole), total)
    percent = CONTEXT.quantize(share, Decimal("0.1"))
    return Bar(used, available, percent, CONTEXT.subtract(whole, percent))


def clock_time(moment: datetime) -> str:
    """09:15:07 IST; a part of a second is dropped, as for something that ends then."""
    return f"{moment.astimezone(IST):%H:%M:%S} IST"


def start_time(moment: datetime) -> str:
    """The same for something that begins then: a part of a second counts as a whole one."""
    return clock_time(moment + timedelta(seconds=1 if moment.microsecond else 0))


def when_words(seconds: int, now: datetime) -> str:
    """When to come back, as a wait and as a time: in 2 minutes, at 09:17:07 IST."""
    at = start_time(now + timedelta(seconds=seconds))
    if seconds < 100:
        return f"in {count(seconds, 'second', 'seconds')}, at {at}"
    return f"in {count(-(-seconds // 60), 'minute', 'minutes')}, at {at}"


def count(number: int, one: str, many: str) -> str:
    """1 attempt, 2 attempts"""
    return f"{number} {one if number == 1 else many}"
