"""A browser without a window, over real sockets: logs in to the demo and reads its pages."""

from __future__ import annotations

import re
from decimal import Decimal
from html import unescape

import requests

from broker_simulator.demo.stage import Demo
from broker_simulator.mstock.exchange.orders import Order, OrderRequest, OrderType, Product, Side
from broker_simulator.mstock.market import Instrument

_SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
_JSON = {"Accept": "application/json"}


class Visitor:
    """One session of requests with the demo."""

    def __init__(self, demo: Demo) -> None:
        self.demo = demo
        self.http = requests.Session()

    def log_in(self) -> Visitor:
        """With the OTP of the simulated phone."""
        where = f"{self.demo.url}/mstock/callback"
        csrf_token = self.http.get(where, headers=_JSON, timeout=10).json()["csrf_token"]
        headers = {"X-CSRFToken": csrf_token}
        waiting = self.http.post(
            where, headers=headers, json={"password": self.demo.password}, timeout=10
        ).json()
        otp = self.demo.simulator.phone.last_otp(self.demo.client_code)
        fields = {"otp": otp, "login_id": waiting["login_id"]}
        assert self.http.post(where, headers=headers, json=fields, timeout=10).ok
        return self

    def get(self, path: str) -> requests.Response:
        return self.http.get(f"{self.demo.url}{path}", timeout=20)

    def page(self, path: str, status: int = 200) -> str:
        """A page's words, without its tags."""
        answer = self.get(path)
        assert answer.status_code == status, answer.text
        return words_of(answer.text)

    def post(self, path: str, page: str) -> requests.Response:
        """Send the form of a page, which has nothing but its CSRF token."""
        html = self.get(page).text
        token = re.findall(r'name="csrf_token" value="([^"]+)"', html)[0]
        return self.http.post(f"{self.demo.url}{path}", data={"csrf_token": token}, timeout=60)


def words_of(html: str) -> str:
    bare = re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", html, flags=re.S)
    return " ".join(unescape(bare).split())


def instrument(demo: Demo, symbol: str, exchange: str = "NSE") -> Instrument:
    found = demo.simulator.world.market.master.find(exchange, symbol)
    assert found is not None
    return found


def trade(demo: Demo, side: str, quantity: int, symbol: str, price: Decimal | None = None) -> Order:
    """An intraday order of the demo's account, behind the plugin's back."""
    kind = OrderType.MARKET if price is None else OrderType.LIMIT
    request = OrderRequest(
        instrument(demo, symbol),
        _SIDES[side],
        kind,
        Product.INTRADAY,
        quantity,
        price or Decimal(0),
    )
    return demo.simulator.exchange.place(demo.client_code, request)


def move(demo: Demo, symbol: str, price: str) -> None:
    """Make it the last traded price."""
    demo.simulator.world.market.set_price(instrument(demo, symbol), Decimal(price))
