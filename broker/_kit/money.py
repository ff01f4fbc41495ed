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
    head, tail = whole[:-3], whole[-3:]
    groups = [head[max(0, end - 2) : end] for end in range(len(head), 0, -2)][::-1]
    sign = MINUS if rounded < 0 else "+" if plus and rounded > 0 else ""
    return f"{sign}₹{','.join([*groups, tail])}.{paise}"
