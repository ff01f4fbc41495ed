"""Amounts of money for a trader's eyes, the same everywhere; pure."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal

# Of our own: the host's other code may have changed the thread's.
CONTEXT = Context(prec=40, rounding=ROUND_HALF_EVEN)
_PAISA = Decimal("0.01")
MINUS = "\N{MINUS SIGN}"


def rupees(amount: Decimal, *, plus: bool = False) -> str:
    """An amount in lakh grouping with two decimals: ₹12,34,567.89, with `plus` also +₹1.00."""
    rounded = CONTEXT.quantize(amount, _PAISA)
    whole, paise = f"{rounded.copy_abs():f}".split(".")
    sign = MINUS if rounded < 0 else "+" if plus and rounded > 0 else ""
    return f"{sign}₹{_grouped(whole)}.{paise}"


def price_text(value: Decimal | float | str) -> str:
    """A price in lakh grouping with two decimals, or as many as it has: some have four."""
    price = Decimal(str(value))
    if price == round(price, 2):
        return rupees(price).replace("₹", "")
    return f"{price:f}"


def quantity_text(number: int) -> str:
    """A whole number in lakh grouping: 12,34,567, −50."""
    return f"{MINUS if number < 0 else ''}{_grouped(str(abs(number)))}"


def _grouped(digits: str) -> str:
    head, tail = digits[:-3], digits[-3:]
    groups = [head[max(0, end - 2) : end] for end in range(len(head), 0, -2)][::-1]
    return ",".join([*groups, tail])
