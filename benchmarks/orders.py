"""Orders and order rows, for the table of `make bench`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta

from benchmarks.comparison import Line, line, measured, per_call, server
from broker._kit.clock import IST, SYSTEM_CLOCK

_DAY = datetime(2026, 11, 23, 9, 15, tzinfo=IST)
_SIZES = (10_000, 100_000)
_MOST, _MOST_LARGE = 6.0, 1.5


def lines(rounds: int, calls: int) -> list[Line]:
    """An order against a bare post, order rows against a bare dict comprehension."""
    return [*order_lines(rounds, max(calls // 20, 1)), *row_lines(max(rounds // 4, 1))]


def row_lines(rounds: int, sizes: tuple[int, int] = _SIZES) -> list[Line]:
    """The order book as mStock sends it, mapped to the host's rows.

    Against a comprehension that makes as many dicts of as many fields, and against itself: a book
    ten times as long should take ten times as long.
    """
    from broker.mstock.mapping.order_data import order_rows
    from broker.mstock.mapping.orders import orders

    symbols = {str(n): f"SYMBOL{n}" for n in range(500)}

    def mapped(book: list[dict[str, str]]) -> Callable[[], object]:
        return lambda: order_rows(orders("B", book), lambda token, _exchange: symbols.get(token))

    small, large = map(_book, sizes)
    keys = list(small[0])[: len(mapped(small[:1])()[0])]  # type: ignore[index]
    bare = {"dict": per_call(lambda: [{key: row[key] for key in keys} for row in small], 1)}
    bare["large"] = per_call(mapped(large), 1)
    ours, theirs = measured(per_call(mapped(small), 1), bare, rounds)
    tenth = [took * sizes[0] / sizes[1] for took in theirs["large"]]
    return [
        line(f"{sizes[0]:,} order rows", "bare dict comprehension", ours, theirs["dict"], _MOST),
        line(f"{sizes[1]:,} order rows, each", f"{sizes[0]:,} of them", tenth, ours, _MOST_LARGE),
    ]


def _book(size: int) -> list[dict[str, str]]:
    """An order book of Type B; times of a whole session, 500 symbols."""
    return [
        {
            "orderid": str(21612506101476 + n),
            "symboltoken": str(n % 500),
            "transactiontype": "BUY" if n % 2 else "SELL",
            "quantity": str(n % 100 + 1),
            "price": f"{1000 + n % 997 * 0.05:.2f}",
            "updatetime": f"{_DAY + timedelta(seconds=n * 22_500 // size):%Y-%b-%d %H:%M:%S}",
            "variety": "NORMAL",
            "ordertype": "LIMIT",
            "producttype": "INTRADAY",
            "duration": "DAY",
            "triggerprice": "0",
            "disclosedquantity": "0",
            "squareoff": "0",
            "stoploss": "0",
            "trailingstoploss": "0",
            "tradingsymbol": "INFY",
            "exchange": "NSE",
            "instrumenttype": "EQUITY",
            "strikeprice": "0",
            "optiontype": "XX",
            "lotsize": "1",
            "cancelsize": "0",
            "averageprice": "1240.5",
            "filledshares": "10",
            "unfilledshares": "0",
            "text": "CONFIRMED",
            "status": "Traded",
            "orderstatus": "Traded",
            "exchangeorderid": "1100000048872942",
        }
        for n in range(size)
    ]


class _Hurrying:
    """Ten seconds later at each look, so that mStock's limit on orders is never reached."""

    monotonic, sleep = staticmethod(SYSTEM_CLOCK.monotonic), staticmethod(SYSTEM_CLOCK.sleep)

    def __init__(self) -> None:
        self._looks = 0

    def now(self) -> datetime:
        self._looks += 1
        return SYSTEM_CLOCK.now() + timedelta(seconds=10 * self._looks)


_SHARES = [
    (name, f"{name}-EQ", name, "NSE", "NSE", str(n), "", -1.0, 1, "EQ", 0.05)
    for n, name in enumerate(("INFY", *(f"SHARE{n}" for n in range(1000))))
]
_ORDER = {
    "symbol": "INFY", "exchange": "NSE", "action": "BUY", "quantity": "10", "pricetype": "LIMIT",
    "product": "MIS", "price": "1240.05", "trigger_price": "0", "disclosed_quantity": "0",
}  # fmt: skip


def order_lines(rounds: int, calls: int) -> list[Line]:
    """`place_order_api` with its journal on the disk, against the same body posted.

    No ratio is aimed at: the disk decides, on which the journal is before an order goes out.
    """
    import requests

    from broker._kit.http.transport import Transport
    from broker._kit.secret import Secret
    from broker.mstock.api import order_api
    from broker.mstock.client.dialects import TypeB
    from broker.mstock.client.routes import SERVER
    from broker.mstock.database.instruments import local_instruments, source_of
    from broker.mstock.mapping.transform_data import order_body, read_order
    from broker.mstock.orders.journal import Journal, file_url
    from broker.mstock.orders.placing import OrderService
    from broker.mstock.settings import Config

    token = "eyJhbGciOiJIUzI1NiJ9." + "a" * 1100 + ".b"
    headers = {"X-Mirae-Version": "1", "X-PrivateKey": "key", "Authorization": f"Bearer {token}"}
    with tempfile.TemporaryDirectory() as home, server() as root, requests.Session() as session:
        os.environ.update(
            BROKER_API_KEY="MA12345",
            BROKER_API_SECRET="key",
            MSTOCK_REST_URL=root,
            BROKER_HOME=home,
        )
        config = Config.from_env()
        local_instruments(config, home).replace([_SHARES], source_of(config), SYSTEM_CLOCK.now())
        # The journal keeps mStock's limits here; the connection's own would stop the measuring.
        client = TypeB(Transport(SERVER, config.rest_url, config.timeouts), config.api_key)
        service = OrderService(
            config,
            Secret(token),
            Journal(file_url(home), config.account, _Hurrying()),
            client=client,
        )
        instrument = order_api.lookup().instrument("INFY", "NSE")
        body = order_body("B", read_order(_ORDER), instrument, "oa0123456789abcdef")
        url = f"{root}/openapi/typeb/orders/regular"

        def place() -> None:
            assert order_api.place_order_api(_ORDER, token)[2]

        the_doors_own, order_api.order_service = order_api.order_service, lambda *_: service
        try:
            ours, theirs = measured(
                per_call(place, calls),
                {
                    "post": per_call(
                        lambda: session.post(url, json=body, headers=headers).json(), calls
                    )
                },
                rounds,
            )
        finally:
            order_api.order_service = the_doors_own
    return [line("place_order_api", "requests.Session", ours, theirs["post"], None)]
