"""The host's door to the margin calculator, behind which nothing is built yet."""

from __future__ import annotations

from typing import Any, NoReturn

from broker.mstock.not_implemented import MARGIN, NotYet


def calculate_margin_api(positions: list[dict[str, Any]], auth: str) -> NoReturn:
    """Raises `NotYet`, which the host answers with 501 and these words."""
    raise NotYet(MARGIN)
