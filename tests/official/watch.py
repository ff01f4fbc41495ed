"""Has the ticker of one of mStock's official Python clients watch prices; run as walk.py is.

The test's side gives `ws_url` too, moves INFY's price on the line `"move?"`, and has an order trade
on `"order?"`.
"""

from __future__ import annotations

import sys
from typing import Any

from walk import GIVEN, logged_in, tell

# INFY, ACC and NIFTY 50.
TOKENS = [1594, 22, 26000]
# Client A subscribes in quote mode and then changes it.
MODES = {"A": ["quote", "full", "ltp"], "B": [1, 2, 3]}


class Watch:
    """Goes through the modes, one tick of each token in each; then a move, an order, the end."""

    def __init__(self, api_type: str, ticker: Any) -> None:
        self.api_type = api_type
        self.ticker = ticker
        self.modes = MODES[api_type]
        self.seen: dict[str, Any] = {}
        ticker.on_open = lambda ws: ticker.send_login_after_connect()
        ticker.on_message = self.message
        ticker.on_ticks = self.ticks
        ticker.on_order_update = lambda ws, data: tell({f"order {data['status']}": data})
        ticker.on_trade_update = self.trade
        ticker.on_close = self.closed
        ticker.on_error = lambda ws, code, reason: tell({"error": [code, str(reason)]})

    def message(self, ws: Any, payload: bytes, is_binary: bool) -> None:
        if not is_binary and b'"login"' in payload:
            self.subscribe()

    def subscribe(self) -> None:
        mode = self.modes[0]
        if self.api_type == "B":
            self.ticker.subscribe("nsecm", TOKENS, mode)
        elif mode == "quote":
            self.ticker.subscribe(TOKENS)
        else:
            self.ticker.set_mode(mode, TOKENS)

    def ticks(self, ws: Any, ticks: list[dict[str, Any]]) -> None:
        if not self.modes:
            tell({"moved": ticks[0]})
            tell("order?")
            return
        self.seen |= {str(tick["instrument_token"]): tick for tick in ticks}
        if len(self.seen) == len(TOKENS):
            tell({f"mode {self.modes.pop(0)}": self.seen})
            self.seen = {}
            if self.modes:
                self.subscribe()
            else:
                tell("move?")

    def trade(self, ws: Any, data: dict[str, Any]) -> None:
        tell({"trade": data})
        self.ticker.unsubscribe(*([TOKENS] if self.api_type == "A" else ["nsecm", TOKENS]))
        self.ticker.close(1000, "done")

    def closed(self, ws: Any, code: Any, reason: Any) -> None:
        tell({"closed": code})
        self.ticker.stop()


def main(api_type: str, way: str) -> None:
    client = logged_in(api_type, way)
    if api_type == "A":
        from tradingapi_a.mticker import MTicker
    else:
        from tradingapi_b.mticker import MTicker
    ticker = MTicker(GIVEN["api_key"], client.access_token, GIVEN["ws_url"])
    Watch(api_type, ticker)
    ticker.connect()


if __name__ == "__main__":
    main(*sys.argv[1:])
