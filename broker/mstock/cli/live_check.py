"""What `doctor --live` asks of mStock: reads only, one after the other; and, by name, live prices.

What is found is put into words by `mapping/live_findings.py`, which shows no figure and no text.
"""

from __future__ import annotations

import contextlib
import copy
import re
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from typing import Any, cast

from broker._kit.broker import BrokerSettings
from broker._kit.clock import IST, Clock
from broker._kit.errors import BrokerError, LogInAgain
from broker._kit.secret import Secret
from broker.mstock.client import data_calls
from broker.mstock.client.dialects import Client, client_for
from broker.mstock.client.envelope import Envelope
from broker.mstock.client.order_calls import OrderCalls
from broker.mstock.mapping import live_findings as findings
from broker.mstock.mapping.candles import INTERVALS
from broker.mstock.mapping.live_findings import Finding
from broker.mstock.mapping.orders import Order
from broker.mstock.market_data.paced import paced
from broker.mstock.settings import Config

# A share that is always traded; nothing that the account holds is asked for by name.
_EXCHANGE, _TOKEN, _SYMBOL = "NSE", "1594", "NSE:INFY-EQ"
_DAYS_BACK = 10
_LISTEN_S = 5.0  # in each mode
_CODE = re.compile(r"[A-Za-z]{2,24}-?[0-9]{0,4}|[0-9]{3}")

Examine = Callable[[Any, str], Iterator[Finding]]


def live_check(config: BrokerSettings, token: Secret, clock: Clock, what: str) -> Iterator[Finding]:
    """The findings of "reads", or of "packets" for what comes over the WebSocket.

    Raises `LogInAgain` for a dead session; any other refusal of a read is a finding.
    """
    own = cast(Config, config)
    return _packets(own, token, clock) if what == "packets" else _Reads(own, token, clock).run()


class _Reads:
    """One round of reads: each answer as it came, and whether the plugin can read it."""

    def __init__(self, config: Config, token: Secret, clock: Clock) -> None:
        self._token, self._clock = token, clock
        self._words = {name: each.words[config.api_type] for name, each in INTERVALS.items()}
        self._replies: list[Envelope] = []
        self._client = _noting(client_for(config), self._replies)
        self._calls = OrderCalls(self._client, config.api_type, clock)
        self._orders: list[Order] = []

    def run(self) -> Iterator[Finding]:
        rows, calls, token = findings.rows, self._calls, self._token
        today = self._clock.now().astimezone(IST).date()
        stamps = partial(findings.candles, today=today)
        yield from findings.token_life(_claims(token))
        yield from self._look("funds", self._client.fund_summary, findings.funds, rows)
        book = (rows, findings.tags, findings.derivatives)
        yield from self._look("order book", self._order_book, *book)
        if self._orders:
            history = partial(_history, calls, self._orders[0])
            yield from self._look("order history", history, rows, findings.tags)
        yield from self._look("trade book", calls.trade_book, rows)
        yield from self._look("positions", calls.positions, rows, findings.derivatives)
        yield from self._look("holdings", calls.holdings, rows)
        yield from self._look("daily candles", partial(self._candles, "D"), stamps)
        yield from self._look("hourly candles", partial(self._candles, "1h"), stamps)
        yield from self._look("today's candles", self._today, stamps)
        yield from self._look("quote", self._quote, rows)

    def _look(
        self, name: str, call: Callable[[Secret], Any], *examine: Examine
    ) -> Iterator[Finding]:
        self._replies.clear()
        is_read = "yes"
        try:
            paced(lambda: call(self._token), self._clock)
        except LogInAgain:
            raise
        except BrokerError as error:
            code = f", code {error.code}" if _CODE.fullmatch(error.code) else ""
            is_read = f"no: {type(error).__name__}{code}"
        yield f"{name}: the plugin can read it", is_read
        for reply in self._replies[-1:]:
            yield f"{name}: status", findings.status(reply.status)
            for each in examine:
                yield from each(_rows_of_quote(reply.data) if name == "quote" else reply.data, name)

    def _order_book(self, token: Secret) -> None:
        self._orders = self._calls.order_book(token)

    def _candles(self, interval: str, token: Secret) -> Any:
        today = self._clock.now().astimezone(IST).date()
        first, words = today - timedelta(days=_DAYS_BACK), self._words[interval]
        return data_calls.historical(self._client, token, _EXCHANGE, _TOKEN, words, first, today)

    def _today(self, token: Secret) -> Any:
        return data_calls.intraday(self._client, token, _EXCHANGE, _TOKEN, self._words["1m"])

    def _quote(self, token: Secret) -> Any:
        if data_calls.is_type_a(self._client):
            return data_calls.quotes_by_symbol(self._client, token, [_SYMBOL])
        return data_calls.quotes_by_token(self._client, token, {_EXCHANGE: [_TOKEN]})


def _history(calls: OrderCalls, order: Order, token: Secret) -> list[Order]:
    return calls.history(
        token, order.order_id, "E" if order.candidates[0] in ("NSE", "BSE") else "D"
    )


def _rows_of_quote(data: Any) -> Any:
    """The rows of a quote's answer: under `fetched`, or by symbol."""
    if isinstance(data, Mapping):
        return data.get("fetched", list(data.values()))
    return data


def _noting(client: Client, replies: list[Envelope]) -> Client:
    """The same client; each envelope that it reads is noted before anything is made of it."""
    noted, ask = copy.copy(client), client._ask

    def note(*values: Any, **named: Any) -> Envelope:
        replies.append(ask(*values, **named))
        return replies[-1]

    noted._ask = note  # type: ignore[method-assign]
    return noted


def _claims(token: Secret) -> dict[str, Any]:
    import jwt

    with contextlib.suppress(jwt.PyJWTError):
        return jwt.decode(token.reveal(), options={"verify_signature": False})
    return {}


def _packets(config: Config, token: Secret, clock: Clock) -> Iterator[Finding]:
    """Lengths of the frames in each mode, and whether the plugin can read them all."""
    from broker.mstock.streaming.connection import FeedConnection, FeedLogin
    from broker.mstock.streaming.packets import DEPTH, LTP, QUOTE, SEGMENTS
    from broker.mstock.streaming.requests import DIALECTS, Instrument

    dialect = DIALECTS[config.api_type]
    share = [Instrument(SEGMENTS["NSE"] if config.api_type == "B" else 0, _TOKEN)]
    wake, other = socket.socketpair()
    with contextlib.ExitStack() as stack:
        stack.callback(wake.close)
        stack.callback(other.close)
        connection = FeedConnection(FeedLogin.of(config, token), wake)
        stack.callback(connection.close)
        connection.send(f"LOGIN:{token.reveal()}")
        yield "login: answer", " or ".join(_texts(_listen(connection, clock))) or "none"
        for name, mode in (("LTP", LTP), ("quote", QUOTE), ("depth", DEPTH)):
            for text in dialect.subscribe(mode, share):
                connection.send(text)
            heard = [each for each in _listen(connection, clock) if isinstance(each, bytes)]
            frames = [dialect.decode(each, clock.now().timestamp()) for each in heard]
            sizes = Counter(map(len, heard))
            yield f"{name}: bytes of a frame", ", ".join(map(str, sorted(sizes))) or "none came"
            dropped = any(frame.dropped for frame in frames)
            yield f"{name}: the plugin can read all", "no" if dropped else "yes"


def _listen(connection: Any, clock: Clock) -> list[bytes | str]:
    end, heard = clock.monotonic() + _LISTEN_S, []
    while (rest := end - clock.monotonic()) > 0:
        if connection.wait(min(rest, 1.0)):
            heard += [each] if (each := connection.receive()) else []
    return heard


def _texts(heard: list[bytes | str]) -> set[str]:
    texts = {each.strip()[:1] for each in heard if isinstance(each, str)}
    return {"a JSON object" if start == "{" else "another text" for start in texts}
