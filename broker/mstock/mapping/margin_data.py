"""mStock's margin calculator to and from the host's words, both API types; pure.

Source: protocol sections 6.17 and 7.16. `summary.total_charges` and `total` are the margin
required; brokerage and taxes are not part of the host's figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from broker.mstock.errors import DataException
from broker.mstock.mapping.rows import number
from broker.mstock.mapping.transform_data import Instrument, OrderRequest
from broker.mstock.mapping.vocabulary import PRICE_TYPES, PRODUCTS

_REPORT = "Nothing was guessed. Compare with the mStock app, and report this."


class Margin(NamedTuple):
    """In rupees. `span` and `exposure` are None where mStock does not give them."""

    total: Decimal
    span: Decimal | None
    exposure: Decimal | None


def margin_request(api_type: str, legs: list[tuple[OrderRequest, Instrument]]) -> dict[str, Any]:
    """One call's body: one leg in Type A, up to 50 in Type B."""
    if api_type == "A":
        ((request, instrument),) = legs
        return {
            "exchange": instrument.exchange,
            "tradingsymbol": instrument.symbol,
            "transaction_type": request.action,
            "variety": "regular",
            "product": PRODUCTS["A"][request.product],
            "order_type": PRICE_TYPES["A"][request.price_type],
            "quantity": request.quantity,
            "price": request.price,
            "trigger_price": request.trigger_price,
        }
    return {
        "orders": [
            {
                "product_type": PRODUCTS["B"][request.product],
                "transaction_type": request.action,
                "quantity": str(request.quantity),
                "price": f"{request.price:f}",
                "exchange": instrument.exchange,
                "symbol_name": instrument.symbol,
                "token": instrument.token,
                "trigger_price": request.trigger_price,
            }
            for request, instrument in legs
        ]
    }


def margin(api_type: str, data: Any) -> Margin:
    """The margin out of an answer's `data`. Raises `DataException` when there is no total."""
    if api_type == "A":
        row = data if isinstance(data, Mapping) else {}
        total, span, exposure = (number(row, key) for key in ("total", "span", "exposure"))
    else:
        summary = data.get("summary") if isinstance(data, Mapping) else None
        row = summary if isinstance(summary, Mapping) else {}
        parts = {
            str(each.get("name", "")).upper(): number(each, "amount")
            for each in row.get("breakup") or ()
            if isinstance(each, Mapping)
        }
        total = number(row, "total_charges")
        span, exposure = parts.get("SPANMARGIN"), parts.get("EXPOMARGIN")
    if total is None:
        raise DataException("mStock's margin calculator gave no total.", _REPORT)
    return Margin(total, span, exposure)


def sum_margins(margins: list[Margin]) -> Margin:
    """The sum of single legs, which knows no benefit of one leg for another."""

    def added(values: list[Decimal | None]) -> Decimal | None:
        known = [value for value in values if value is not None]
        return sum(known, Decimal(0)) if known else None

    return Margin(
        sum((each.total for each in margins), Decimal(0)),
        added([each.span for each in margins]),
        added([each.exposure for each in margins]),
    )


def host_margin(found: Margin, *, is_sum: bool) -> dict[str, Any]:
    """The host's `data`; what mStock does not give is left out, and a sum says that it is one."""
    data: dict[str, Any] = {"total_margin_required": float(found.total)}
    if found.span is not None:
        data["span_margin"] = float(found.span)
    if found.exposure is not None:
        data["exposure_margin"] = float(found.exposure)
    if is_sum:
        data["note"] = "Sum of single orders: mStock's Type A calculator knows no basket."
    return data
