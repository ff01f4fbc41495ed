"""A client of OpenAlgo's WebSocket, as a strategy is one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import websocket


class Prices:
    """Connected and authenticated."""

    def __init__(self, url: str, api_key: str) -> None:
        self._socket = websocket.create_connection(url, timeout=20)
        self._api_key = api_key
        self.authenticate()

    def authenticate(self) -> None:
        self.ask(action="authenticate", api_key=self._api_key)
        answer = self.expect(lambda message: message.get("type") in ("auth", "error"))
        assert answer.get("status") == "success", answer

    def ask(self, **message: Any) -> None:
        self._socket.send(json.dumps(message))

    def expect(self, wanted: Callable[[dict[str, Any]], bool], seconds: float = 20) -> Any:
        ends, seen = time.monotonic() + seconds, []
        while time.monotonic() < ends:
            try:
                message = json.loads(self._socket.recv())
            except websocket.WebSocketTimeoutException:
                break
            if wanted(message):
                return message
            seen.append(message)
        raise AssertionError(seen[-5:])

    def close(self) -> None:
        self._socket.close()


def infy_in_all_modes(prices: Prices) -> None:
    """INFY's price comes in the three modes, depth in the third."""
    for mode in (1, 2, 3):
        prices.ask(action="subscribe", symbol="INFY", exchange="NSE", mode=mode)
        message = prices.expect(
            lambda each, mode=mode: each.get("type") == "market_data" and each.get("mode") == mode
        )
        assert (message["symbol"], message["exchange"]) == ("INFY", "NSE")
        assert message["data"]["ltp"] > 0
    assert len(message["data"]["depth"]["buy"]) == 5
