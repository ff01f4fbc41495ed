"""JSON in and out with exact numbers: fractions are `Decimal`, never `float`."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NoReturn

from broker._kit.secret import Secret


def read_json(body: bytes) -> Any:
    """The body's value. Raises `ValueError` when it is not JSON, or one name has two values."""
    try:
        return _DECODER.decode(body.removeprefix(BOM_UTF8).decode())
    except (RecursionError, ArithmeticError) as error:
        raise ValueError("nested or large beyond reason") from error


def write_json(value: Any) -> str:
    """ASCII JSON with each `Decimal` digit for digit; a `Secret` is written as its value.

    Raises `TypeError` for what JSON lacks, `ValueError` for a `float`, NaN and infinity.
    """
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{json.dumps(str(k))}:{write_json(v)}' for k, v in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(write_json, value))}]"
    if isinstance(value, Secret):
        return json.dumps(value.reveal())
    if isinstance(value, Decimal) and value.is_finite():
        return f"{value:f}"
    if isinstance(value, float | Decimal):
        raise ValueError(f"{type(value).__name__} is not sent: amounts are finite Decimals")
    return json.dumps(value)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs) and any(found[name] != value for name, value in pairs):
        raise ValueError("a name has two values")  # which one holds would be a guess
    return found


_DECODER = json.JSONDecoder(
    parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_object
)
