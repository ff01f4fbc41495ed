"""Bare clients for the order routes of both types: what the documents say, over a real socket."""

from __future__ import annotations

from typing import Any

import requests

from broker_simulator.mstock import Simulator
from tests.support.stub_market import INFY, StubInstrument

Row = dict[str, Any]
HEADERS = {"X-Mirae-Version": "1"}


class TradingClient:
    """Logged in as the demo account by a session made behind the counter."""

    prefix = ""

    def __init__(self, sim: Simulator) -> None:
        self.sim = sim
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.headers.update(HEADERS)

    def call(self, method: str, path: str, **body: Any) -> requests.Response:
        url = f"{self.sim.rest_url}/openapi/{self.prefix}/{path}"
        return self.http.request(method, url, timeout=10, **body)

    def data(self, method: str, path: str, **body: Any) -> Any:
        """The `data` of a success, whatever shape it comes in."""
        answer = self.call(method, path, **body).json()
        answer = answer[0] if isinstance(answer, list) else answer
        assert str(answer["status"]).lower() in ("true", "success"), answer
        return answer["data"]

    def _log_in(self, api: str) -> str:
        world, account = self.sim.world, self.sim.demo
        pending = world.login(api, account.client_code, account.password)
        ticket = None if api == "a" else pending.ticket
        key = account.api_key(api)
        return world.finish_with_otp(api, key, str(pending.otp), ticket).token

    def book(self) -> list[Row]:
        return self.data("GET", "orders") or []

    def trades(self) -> list[Row]:
        return self.data("GET", "tradebook") or []

    def holdings(self) -> list[Row]:
        return self.data("GET", "portfolio/holdings") or []

    def funds(self) -> Row:
        (row,) = self.data("GET", "user/fundsummary")
        return row


class ClientA(TradingClient):
    prefix = "typea"

    def __init__(self, sim: Simulator) -> None:
        super().__init__(sim)
        key = sim.demo.api_key_a
        self.http.headers["Authorization"] = f"token {key}:{self._log_in('a')}"

    def order(self, instrument: StubInstrument = INFY, **fields: Any) -> Row:
        return {
            "tradingsymbol": instrument.symbol, "exchange": instrument.exchange,
            "transaction_type": "BUY", "order_type": "LIMIT", "quantity": 10, "product": "MIS",
            "validity": "DAY", "price": 1240, "trigger_price": 0, "disclosed_quantity": 0,
            "tag": "", **fields,
        }  # fmt: skip

    def try_place(self, variety: str = "regular", **fields: Any) -> requests.Response:
        return self.call("POST", f"orders/{variety}", data=self.order(**fields))

    def place(self, variety: str = "regular", **fields: Any) -> str:
        ((answer),) = self.try_place(variety, **fields).json()
        return str(answer["data"]["order_id"])

    def modify(self, order_id: str, **fields: Any) -> requests.Response:
        given = {
            "order_type": "LIMIT", "quantity": 10, "price": 1241, "validity": "DAY",
            "trigger_price": 0, "disclosed_quantity": 0, **fields,
        }  # fmt: skip
        return self.call("PUT", f"orders/regular/{order_id}", data=given)

    def cancel(self, order_id: str) -> requests.Response:
        return self.call("DELETE", f"orders/regular/{order_id}")

    def details(self, order_id: str) -> list[Row]:
        form = {"order_no": order_id, "segment": "E"}
        return self.data("POST", "order/details", data=form) or []

    def positions(self) -> list[Row]:
        return (self.data("GET", "portfolio/positions") or {"net": []})["net"]


class ClientB(TradingClient):
    prefix = "typeb"

    def __init__(self, sim: Simulator) -> None:
        super().__init__(sim)
        self.http.headers["X-PrivateKey"] = sim.demo.api_key_b
        self.http.headers["Authorization"] = f"Bearer {self._log_in('b')}"

    def order(self, instrument: StubInstrument = INFY, **fields: Any) -> Row:
        return {
            "variety": "NORMAL", "tradingsymbol": instrument.symbol,
            "symboltoken": instrument.token, "exchange": instrument.exchange,
            "transactiontype": "BUY", "ordertype": "LIMIT", "quantity": "10",
            "producttype": "INTRADAY", "price": "1240", "triggerprice": "0", "squareoff": "0",
            "stoploss": "0", "trailingStopLoss": "0", "disclosedquantity": "0", "duration": "DAY",
            "ordertag": "", **fields,
        }  # fmt: skip

    def try_place(self, **fields: Any) -> requests.Response:
        return self.call("POST", "orders/regular", json=self.order(**fields))

    def place(self, **fields: Any) -> str:
        ((answer),) = self.try_place(**fields).json()
        return str(answer["data"]["orderid"])

    def modify(self, order_id: str, **fields: Any) -> requests.Response:
        given = {
            "variety": "NORMAL", "tradingsymbol": INFY.symbol, "symboltoken": INFY.token,
            "exchange": INFY.exchange, "transactiontype": "BUY", "orderid": order_id,
            "ordertype": "LIMIT", "quantity": "10", "producttype": "INTRADAY", "duration": "DAY",
            "price": "1241", "triggerprice": "0", "disclosedquantity": "0", "modqty_remng": "0",
            **fields,
        }  # fmt: skip
        return self.call("PUT", f"orders/regular/{order_id}", json=given)

    def cancel(self, order_id: str) -> requests.Response:
        body = {"variety": "NORMAL", "orderid": order_id}
        return self.call("DELETE", f"orders/regular/{order_id}", json=body)

    def details(self, order_id: str) -> list[Row]:
        return self.data("POST", "order/details", json={"order_no": order_id}) or []

    def positions(self) -> list[Row]:
        return self.data("GET", "portfolio/positions") or []
