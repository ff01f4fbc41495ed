"""mStock behind a real socket: answers by method and path, and keeps what came."""

from __future__ import annotations

import json
import ssl
from email.message import Message
from email.parser import Parser
from typing import Any, NamedTuple

from tests.support.raw_server import Exchange, RawServer, reply


class Request(NamedTuple):
    """One request as it came; `body` is "" without one."""

    method: str
    path: str
    headers: Message
    body: str


class MstockServer(RawServer):
    """Answers what it was told to, and 404 to everything else."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__([self._answer], tls)
        self._answers: dict[tuple[str, str], tuple[int, str, dict[str, str]]] = {}
        self._goes_down_after: str | None = None

    def answer(
        self, method: str, path: str, body: object = "", http: int = 200, **headers: str
    ) -> None:
        """Answer with these from now on; what is not text is sent as JSON."""
        text = body if isinstance(body, str) else json.dumps(body)
        self._answers[method, path] = (http, text, headers)

    def go_down_after(self, path: str) -> None:
        """Answer this path once more, and then be unreachable."""
        self._goes_down_after = path

    @property
    def calls(self) -> list[Request]:
        return [_parsed(exchange.request) for exchange in self.exchanges]

    @property
    def last_call(self) -> Request:
        return self.calls[-1]

    def _answer(self, exchange: Exchange) -> None:
        request = _parsed(exchange.request)
        http, text, headers = self._answers.get((request.method, request.path), (404, "", {}))
        if request.path == self._goes_down_after:
            self.stop_listening()
            exchange.keep = False
            headers = {**headers, "Connection": "close"}
        reply(http, text, **headers)(exchange)


def _parsed(raw: bytes) -> Request:
    head, _, body = raw.decode().partition("\r\n\r\n")
    first, _, headers = head.partition("\r\n")
    method, path, _ = first.split(" ")
    return Request(method, path, Parser().parsestr(headers), body)


def fields(request: Request) -> dict[str, Any]:
    """The fields of a JSON body."""
    value: dict[str, Any] = json.loads(request.body)
    return value
