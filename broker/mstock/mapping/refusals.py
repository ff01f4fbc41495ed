"""mStock's refusals of orders, RMS and exchange texts, as one readable sentence; pure.

Source: protocol 12.3 and 3.6.
"""

from __future__ import annotations

import re
from decimal import Decimal

from broker._kit.money import rupees

_FUND = re.compile(
    r"FUND LIMIT INSUFFICIENT.*?AVAILABLE FUND=(?P<available>-?[\d.]+)"
    r".*?ADDITIONAL REQUIRED FUND=(?P<missing>-?[\d.]+)"
    r".*?CALCULATED MARGIN FOR ORDER=(?P<needed>-?[\d.]+)",
    re.I | re.S,
)
_EXCHANGE = re.compile(r"\s*EXCH:(?P<code>[\w-]+):\s*(?P<text>.+)", re.S)
_RMS = re.compile(r"\s*RMS:\s*(?:\d+:)?(?P<text>.+)", re.S)
_SOLD_OUT = re.compile(
    r"INSUFI+CIENT QUANTITY TO CONVERT.*?INSUFI+CIENT QUANTITY:\s*(\d+)"
    r".*?AVAILABLE QUANTITY:\s*(\d+)",
    re.I | re.S,
)


def readable_refusal(text: str) -> str:
    """A sentence for a trader: needed and available margin where the text has them."""
    words = " ".join(text.split())
    fund = _FUND.search(words)
    if fund:
        needed, available, missing = (
            rupees(Decimal(fund[name].rstrip("."))) for name in ("needed", "available", "missing")
        )
        return (
            f"Not enough funds: the order needs {needed} of margin, {available} is available, "
            f"{missing} more is required."
        )
    sold_out = _SOLD_OUT.search(words)
    if sold_out:
        return f"Not enough quantity to convert: {sold_out[2]} available, {sold_out[1]} missing."
    exchange = _EXCHANGE.match(words)
    if exchange:
        said = _sentence(exchange["text"])
        return f"The exchange refused the order: {said} (EXCH {exchange['code']})"
    rms = _RMS.match(words)
    if rms:
        return f"mStock's risk check refused the order: {_sentence(rms['text'])}"
    return _sentence(words) if words else ""


def _sentence(words: str) -> str:
    words = words.strip()
    return words if words.endswith((".", "!", "?")) else f"{words}."
