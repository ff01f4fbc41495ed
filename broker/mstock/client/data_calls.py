"""mStock's market data on the wire, both dialects: quotes, candles and the script master.

Source: protocol 6.18-6.22 and 7.18-7.21. All of them are reads, so that a lost one is sent again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import IO, Any, NamedTuple
from urllib.parse import quote

from broker._kit.http.routes import Answer, Route
from broker._kit.secret import Secret
from broker.mstock.client.dialects import Client, TypeA
from broker.mstock.client.envelope import read
from broker.mstock.client.routes import DataCall
from broker.mstock.errors import DataException

_ANSWER = 1 << 20  # a thousand candles or five hundred quotes take about a tenth of it
_MASTER = 512 << 20
_MASTER_SECONDS = 180.0
_START = 64 << 10
# Source: protocol 4.2; 6 and 7 are what clients in the field use.
EXCHANGE_IDS = {"NSE": "1", "NFO": "2", "CDS": "3", "BSE": "4", "BFO": "5", "BCD": "6", "MCX": "7"}
# Tokens of a call in Type B, as clients in the field do; in Type A the address is the limit.
MOST_TOKENS = 500
LONGEST_QUERY = 4000


class _Routes(NamedTuple):
    historical: Route
    intraday: Route
    ohlc: Route
    ltp: Route
    master: Route


def _read(call: DataCall, method: str, path: str, limit: str) -> Route:
    return Route(call, method, path, repeat=True, max_bytes=_ANSWER, limit=limit)


def _master(path: str) -> Route:
    return Route(
        DataCall.MASTER, "GET", path, repeat=True, max_bytes=_MASTER, seconds=_MASTER_SECONDS
    )


_A, _B = "/openapi/typea/instruments", "/openapi/typeb/instruments"
_TYPE_A = _Routes(
    _read(
        DataCall.HISTORICAL, "GET", f"{_A}/historical/{{exchange}}/{{token}}/{{interval}}", "data"
    ),
    _read(DataCall.INTRADAY, "GET", f"{_A}/intraday/{{exchange}}/{{token}}/{{interval}}", "data"),
    _read(DataCall.QUOTE, "GET", f"{_A}/quote/ohlc", "quotes"),
    _read(DataCall.QUOTE, "GET", f"{_A}/quote/ltp", "quotes"),
    _master(f"{_A}/scriptmaster"),
)
_TYPE_B = _Routes(
    _read(DataCall.HISTORICAL, "POST", f"{_B}/historical", "data"),
    _read(DataCall.INTRADAY, "POST", f"{_B}/intraday", "data"),
    _read(DataCall.QUOTE, "POST", f"{_B}/quote", "quotes"),
    _read(DataCall.QUOTE, "POST", f"{_B}/quote", "quotes"),
    _master(f"{_B}/OpenAPIScripMaster"),
)


def is_type_a(client: Client) -> bool:
    """True when the client speaks Type A, whose quotes are asked for by symbol."""
    return isinstance(client, TypeA)


def historical(
    client: Client, token: Secret, exchange: str, symbol_token: str, interval: str,
    first: date, last: date,
) -> Any:  # fmt: skip
    """The `data` of the candles of completed days, both days included.

    `interval` is mStock's word. Raises `BrokerError`.
    """
    if is_type_a(client):
        path = {"exchange": exchange, "token": symbol_token, "interval": interval}
        query = {"from": f"{first} 00:00:00", "to": f"{last} 23:59:59"}
        return client._ask(_TYPE_A.historical, token, path=path, query=query).data
    body = {
        "exchange": exchange,
        "symboltoken": symbol_token,
        "interval": interval,
        "fromdate": f"{first} 00:00",
        "todate": f"{last} 23:59",
    }
    return client._ask(_TYPE_B.historical, token, json=body).data


def intraday(client: Client, token: Secret, exchange: str, symbol_token: str, interval: str) -> Any:
    """The `data` of today's candles, newest first. Raises `BrokerError`."""
    number = EXCHANGE_IDS.get(exchange, exchange)
    if is_type_a(client):
        path = {"exchange": number, "token": symbol_token, "interval": interval}
        return client._ask(_TYPE_A.intraday, token, path=path).data
    body = {"exchange": number, "symboltoken": symbol_token, "interval": interval}
    return client._ask(_TYPE_B.intraday, token, json=body).data


def quotes_by_token(
    client: Client, token: Secret, tokens: Mapping[str, Sequence[str]], *, ltp_only: bool = False
) -> Any:
    """Type B: the `data` for at most `MOST_TOKENS` tokens by exchange. Raises `BrokerError`."""
    mode = "LTP" if ltp_only else "OHLC"
    return client._ask(
        _TYPE_B.ohlc, token, json={"mode": mode, "exchangeTokens": dict(tokens)}
    ).data


def quotes_by_symbol(
    client: Client, token: Secret, symbols: Sequence[str], *, ltp_only: bool = False
) -> Any:
    """Type A: the `data` for symbols such as NSE:ACC-EQ. Raises `BrokerError`."""
    route = _TYPE_A.ltp if ltp_only else _TYPE_A.ohlc
    return client._ask(route, token, query={"i": list(symbols)}).data


def query_length(symbol: str) -> int:
    """How much of the address a symbol takes."""
    return len(quote(symbol, safe="")) + len("&i=")


def script_master(client: Client, token: Secret, into: IO[bytes]) -> None:
    """Write the script master into the file: CSV in Type A, a JSON array in Type B.

    Raises `BrokerError`, also for an error that mStock sends as a success.
    """
    route = (_TYPE_A if is_type_a(client) else _TYPE_B).master
    client._download(route, token, into)
    into.seek(0)
    start = into.read(_START)
    into.seek(0)
    if start.lstrip()[:1] in (b"{", b"<", b""):  # an envelope, a page or nothing
        read(Answer(200, start), route, (token,))
        raise DataException("mStock sent something else than its instrument list.", "Try again.")
