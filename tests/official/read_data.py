"""Has one of mStock's official Python clients read all market data; run as walk.py is."""

from __future__ import annotations

import csv
import io
import sys
from typing import Any

from walk import answer_of, logged_in, tell  # a neighbour: this runs as a script

DAY = "2026-11-20"
MOVERS = (1, 13, 1, "G")


def type_a(client: Any) -> dict[str, tuple[Any, ...]]:
    """What is asked of client A, by name."""
    return {
        "ohlc": (client.get_ohlc, ["NSE:ACC", "BSE:ACC", "NSE:M&M", "NSE:NOSUCH"]),
        "ltp": (client.get_ltp, ["NSE:ACC", "BSE:ACC", "NSE:M&M", "NSE:NOSUCH"]),
        "history": (client.get_historical_chart, "NSE", "22", "60minute", DAY, f"{DAY} 23:59:59"),
        "intraday": (client.get_intraday_chart, "1", "22", "Minute"),
        "unknown": (client.get_historical_chart, "NSE", "999", "day", DAY, DAY),
    }


def type_b(client: Any) -> dict[str, tuple[Any, ...]]:
    """What is asked of client B, by name."""
    tokens = {"NSE": ["22", "999"], "BSE": ["500410"]}
    return {
        "ohlc": (client.get_market_quote, "OHLC", tokens),
        "ltp": (client.get_market_quote, "LTP", tokens),
        "history": (client.get_historical_chart, "NSE", "22", "ONE_HOUR", DAY, f"{DAY} 23:59"),
        "intraday": (client.get_intraday_chart, "1", "22", "ONE_MINUTE"),
        "unknown": (client.get_historical_chart, "NSE", "999", "ONE_DAY", DAY, DAY),
    }


def master(client: Any) -> list[dict[str, str]]:
    """The first rows of what the client makes of the instruments, and how many there are."""
    answer = client.get_instruments()
    if isinstance(answer, bytes):
        rows = list(csv.DictReader(io.StringIO(answer.decode())))
    else:
        rows = answer.json()
    return [{"rows": str(len(rows))}, *rows[:4]]


def main(api_type: str, way: str) -> None:
    client = logged_in(api_type, way)
    calls = type_a(client) if api_type == "A" else type_b(client)
    for name, (call, *args) in calls.items():
        tell({name: answer_of(call, *args)})
    tell({"master": master(client)})
    directory = answer_of(client.get_option_chain_master, "2")
    tell({"expiries": directory})
    row = next(r for r in directory["body"]["data"]["OFSTK"] if r.startswith("ACC,"))
    _, token, number, *_ = row.split(",")
    expiry = directory["body"]["data"]["dctExp"][number]
    tell({"chain": answer_of(client.get_option_chain_data, "2", expiry, token)})
    tell({"movers": answer_of(client.loser_gainer, *MOVERS)})


if __name__ == "__main__":
    main(*sys.argv[1:])
