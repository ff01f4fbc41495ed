"""A bare client for the WebSocket of both types, and decoders made from the documents' tables."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

import websocket

from broker_simulator.mstock import IST, Simulator
from broker_simulator.mstock.market import Instrument

Fields = dict[str, Any]
PATIENCE = 5


def new_token(sim: Simulator, api: str) -> str:
    """A session of the demo account, made behind the counter."""
    account = sim.demo
    pending = sim.world.login(api, account.client_code, account.password)
    ticket = None if api == "a" else pending.ticket
    return sim.world.finish_with_otp(api, account.api_key(api), str(pending.otp), ticket).token


class StreamClient:
    """Connected; logged in unless told otherwise. `close_all` closes what tests have left open."""

    opened: ClassVar[list[StreamClient]] = []

    def __init__(
        self,
        sim: Simulator,
        api: str,
        token: str | None = None,
        key: str | None = None,
        login: bool = True,
        **options: Any,
    ) -> None:
        self.sim, self.api = sim, api
        self.token = new_token(sim, api) if token is None else token
        key = sim.demo.api_key(api) if key is None else key
        query = urlencode({"ACCESS_TOKEN": self.token, "API_KEY": key}, quote_via=quote)
        options = {"timeout": PATIENCE, "http_no_proxy": ["*"], **options}
        self.socket = websocket.create_connection(f"{sim.ws_url}?{query}", **options)
        self.opened.append(self)
        if login:
            self.login()

    def login(self) -> Fields:
        self.socket.send(f"LOGIN:{self.token}")
        answer = self.text()
        assert answer == {"type": "login", "status": "success"}
        return answer

    def send(self, message: Any) -> None:
        self.socket.send(message if isinstance(message, str) else json.dumps(message))

    def subscribe(self, *instruments: Instrument, mode: int = 3, action: int = 1) -> None:
        if self.api == "a":
            tokens = [int(i.token) for i in instruments]
            name = {1: "ltp", 2: "quote", 3: "full"}[mode]
            self.send({"a": "subscribe", "v": {name: tokens}} if action else
                      {"a": "unsubscribe", "v": tokens})  # fmt: skip
            return
        groups: dict[int, list[str]] = {}
        numbers = {"NSE": 1, "NFO": 2, "BSE": 3, "BFO": 4, "CDS": 13}
        for instrument in instruments:
            groups.setdefault(numbers[instrument.exchange], []).append(instrument.token)
        listed = [{"exchangeType": n, "tokens": tokens} for n, tokens in groups.items()]
        self.send({"action": action, "params": {"mode": mode, "tokenList": listed}})

    def next(self) -> bytes | Fields:
        """The next message: an object for text, bytes for binary."""
        opcode, data = self.socket.recv_data()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            raise Closed(int.from_bytes(data[:2], "big"))
        return data if opcode == websocket.ABNF.OPCODE_BINARY else json.loads(data)

    def text(self) -> Fields:
        """The next text message; whatever binary ones come before it are dropped."""
        while not isinstance(message := self.next(), dict):
            pass
        return message

    def binary(self) -> bytes:
        """The next binary message; whatever text comes before it is dropped."""
        while not isinstance(message := self.next(), bytes):
            pass
        return message

    def read_to_the_end(self) -> None:
        """Read until reading fails."""
        while True:
            self.next()

    def ticks(self) -> list[Fields]:
        """The ticks of the next binary message that is no heartbeat."""
        while len(data := self.binary()) <= 4:
            pass
        return decode_a(data) if self.api == "a" else decode_b(data)

    def ticks_of(self, count: int) -> dict[int, Fields]:
        """So many ticks, by token."""
        found: dict[int, Fields] = {}
        while len(found) < count:
            found |= {int(tick["token"]): tick for tick in self.ticks()}
        return found

    def is_quiet(self, seconds: float = 0.4) -> bool:
        """True when nothing at all comes for so long."""
        self.socket.settimeout(seconds)
        try:
            self.socket.recv_data(control_frame=True)
        except websocket.WebSocketTimeoutException:
            return True
        finally:
            self.socket.settimeout(PATIENCE)
        return False

    def answers_pings(self, seconds: float = PATIENCE) -> bool:
        self.socket.settimeout(seconds)
        try:
            self.socket.ping(b"there?")
            while True:
                opcode, data = self.socket.recv_data(control_frame=True)
                if opcode == websocket.ABNF.OPCODE_PONG:
                    return data == b"there?"
        except websocket.WebSocketTimeoutException:
            return False
        finally:
            self.socket.settimeout(PATIENCE)

    def close(self) -> None:
        self.socket.close()

    @classmethod
    def close_all(cls) -> None:
        while cls.opened:
            cls.opened.pop().socket.shutdown()


class Closed(Exception):
    """The server has closed, with this code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def rupees(paise: int) -> Decimal:
    return Decimal(paise) / 100


def moment(seconds: int) -> datetime:
    return datetime(1980, 1, 1, tzinfo=IST) + timedelta(seconds=seconds)


def decode_b(data: bytes) -> list[Fields]:
    """The packets of a frame, bare or headed (11.2)."""
    if len(data) in (51, 123, 379):
        return [_packet_b(data)]
    count, size = struct.unpack_from("<HH", data)
    assert len(data) == 4 + count * size
    return [_packet_b(data[4 + i * size : 4 + (i + 1) * size]) for i in range(count)]


def _packet_b(data: bytes) -> Fields:
    def number(offset: int) -> int:
        return int(struct.unpack_from("<q", data, offset)[0])

    found: Fields = {
        "size": len(data),
        "mode": data[0],
        "exchange": data[1],
        "token": data[2:27].rstrip(b"\0").decode("ascii"),
        "number": number(27),
        "at": moment(number(35)),
        "ltp": rupees(number(43)),
    }
    if len(data) > 51:
        found |= {
            "last_quantity": number(51),
            "average_price": rupees(number(59)),
            "volume": number(67),
            "buy_quantity": struct.unpack_from("<d", data, 75)[0],
            "sell_quantity": struct.unpack_from("<d", data, 83)[0],
            **{n: rupees(number(91 + 8 * i)) for i, n in enumerate(("open", "high", "low"))},
            "close": rupees(number(115)),
        }
    if len(data) > 123:
        levels = [struct.unpack_from("<hqqh", data, 147 + 20 * i) for i in range(10)]
        found |= {
            "last_traded_at": moment(number(123)),
            "oi": number(131),
            "oi_change": struct.unpack_from("<d", data, 139)[0],
            "flags": [flag for flag, *_ in levels],
            "levels": [(rupees(price), quantity, n) for _, quantity, price, n in levels],
            "upper": rupees(number(347)),
            "lower": rupees(number(355)),
            "year": (rupees(number(363)), rupees(number(371))),
        }
    return found


def decode_a(data: bytes) -> list[Fields]:
    """The packets of a frame (10.2)."""
    (count,) = struct.unpack_from(">H", data)
    found, at = [], 2
    for _ in range(count):
        (size,) = struct.unpack_from(">H", data, at)
        found.append(_packet_a(data[at + 2 : at + 2 + size]))
        at += 2 + size
    assert at == len(data)
    return found


def _packet_a(data: bytes) -> Fields:
    def number(offset: int) -> int:
        return int(struct.unpack_from(">I", data, offset)[0])

    found: Fields = {"size": len(data), "token": number(0), "ltp": rupees(number(4))}
    if len(data) in (28, 32):
        names = ("high", "low", "open", "close")
        found |= {name: rupees(number(8 + 4 * i)) for i, name in enumerate(names)}
        if len(data) == 28:
            found["change"] = rupees(struct.unpack_from(">i", data, 24)[0])
        else:
            found["at"] = moment(number(28))
    elif len(data) > 8:
        found |= {
            "last_quantity": number(8),
            "average_price": rupees(number(12)),
            "volume": number(16),
            "buy_quantity": number(20),
            "sell_quantity": number(24),
        }
        names = ("open", "high", "low", "close")
        found |= {name: rupees(number(28 + 4 * i)) for i, name in enumerate(names)}
    if len(data) == 200:
        levels = [struct.unpack_from(">IIHH", data, 64 + 12 * i) for i in range(10)]
        found |= {
            "last_traded_at": moment(number(44)),
            "oi": number(48),
            "oi_range": (number(52), number(56)),
            "at": moment(number(60)),
            "levels": [(rupees(price), quantity, n) for quantity, price, n, _ in levels],
            "upper": rupees(number(184)),
            "lower": rupees(number(188)),
            "year": (rupees(number(192)), rupees(number(196))),
        }
    return found


def verdicts(sim: Simulator) -> list[str]:
    """What the journal says of the WebSocket."""
    return [entry.verdict for entry in sim.journal if entry.route == "stream"]


def wait_for(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)
