"""The option chain's two directories: expiries, and the contracts of one (7.24, 7.25)."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any, Final

from .market import Instrument, Market
from .market_data import EXCHANGE_IDS
from .refusals import Reason, Refused

EPOCH: Final = datetime(1980, 1, 1)  # noqa: DTZ001  # an Indian wall clock without a zone (5.2)
# The samples' expiries are at half past two.
EXPIRY_TIME: Final = time(14, 30)
STOCK_INSTRUMENT: Final = 4


def chain_master(market: Market, exchange_id: str, today: date) -> dict[str, Any]:
    """Return the expiries of every underlying of a derivatives exchange (7.24)."""
    exchange = _exchange(exchange_id)
    rows = [
        (market.master.contracts(exchange, name, live[0])[0], live)
        for name, expiries in market.master.expiries(exchange)
        if (live := [day for day in expiries if day >= today])
    ]
    days = sorted({day for _, live in rows for day in live})
    number = {day: str(i) for i, day in enumerate(days, start=1)}
    data: dict[str, Any] = {
        "dctExp": {number[day]: _seconds(day) for day in days},
        "FUTIDX": [],
        "OPTIDX": [],
        "OFSTK": [],
    }
    for contract, live in rows:
        spot = market.master.underlying(contract)
        if spot is None:
            continue
        for key, expiries in _listed_under(market, contract, spot, live):
            if expiries:
                numbers = [number[day] for day in expiries]
                data[key].append(",".join([spot.name, spot.token, *numbers]))
    return data


def chain(market: Market, exchange_id: str, expiry: str, token: str) -> dict[str, Any]:
    """Return the contracts of one underlying and expiry; Refused(NOT_FOUND) when there are none."""
    exchange = _exchange(exchange_id)
    spot = market.master.underlying_of_token(exchange, token)
    day = _day(expiry)
    contracts = market.master.contracts(exchange, spot.name, day) if spot and day else []
    if spot is None or not contracts:
        raise Refused(Reason.NOT_FOUND)
    return {
        "contractModel": {
            "sym": spot.name,
            "exid": int(exchange_id),
            "instn": STOCK_INSTRUMENT,
            "ultk": int(token),
            "exp": int(expiry),
            "expd": 0,
        },
        "contractMasterModel": None,
        "call": [_option(c) for c in contracts if c.kind == "CE"],
        "put": [_option(c) for c in contracts if c.kind == "PE"],
        "future": [f"{c.token},-1,0" for c in contracts if c.kind == "FUT"],
        "spot": f"{spot.name},{spot.token},{spot.exchange}EQ",
    }


def _exchange(exchange_id: str) -> str:
    exchange = EXCHANGE_IDS.get(exchange_id, "")
    if exchange not in ("NFO", "BFO"):
        raise Refused(Reason.NOT_FOUND)
    return exchange


def _listed_under(
    market: Market, contract: Instrument, spot: Instrument, live: list[date]
) -> list[tuple[str, list[date]]]:
    if spot.kind != "INDEX":
        return [("OFSTK", live)]
    kinds = {
        day: {c.kind for c in market.master.contracts(contract.exchange, spot.name, day)}
        for day in live
    }
    return [
        ("FUTIDX", [day for day in live if "FUT" in kinds[day]]),
        ("OPTIDX", [day for day in live if "CE" in kinds[day]]),
    ]


def _option(contract: Instrument) -> str:
    return f"{contract.token},{int((contract.strike or 0) * 100)},0"


def _seconds(day: date) -> int:
    return (datetime.combine(day, EXPIRY_TIME) - EPOCH) // timedelta(seconds=1)


def _day(seconds: str) -> date | None:
    try:
        moment = EPOCH + timedelta(seconds=int(seconds))
    except (ValueError, OverflowError):
        return None
    return moment.date() if moment.time() == EXPIRY_TIME else None
