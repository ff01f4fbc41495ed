"""Type B on the WebSocket: requests (11.1) and little-endian packets (11.2, 11.3)."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any, Final

from broker_simulator.mstock.exchange import Order
from broker_simulator.mstock.market import Instrument
from broker_simulator.mstock.order_rows import Row
from broker_simulator.mstock.order_rows_b import order_update
from broker_simulator.mstock.settings import Settings

from .requests import BadRequest, Change, Inquiry, StreamDialect, groups
from .settings import StreamSettings
from .tick import Mode, Tick, five, paise, seconds

EXCHANGES: Final = {1: "NSE", 2: "NFO", 3: "BSE", 4: "BFO", 13: "CDS"}
EXCHANGE_TYPES: Final = {name: number for number, name in EXCHANGES.items()}
SUBSCRIBE, UNSUBSCRIBE = 1, 0
BID, ASK = 1, 0

HEADER: Final = struct.Struct("<HH")
LTP: Final = struct.Struct("<BB25sqqq")
QUOTE: Final = struct.Struct(LTP.format + "qqqddqqqq")
SNAP: Final = struct.Struct(QUOTE.format + "qqd" + "hqqh" * 10 + "qqqq")
NUMBER_AT: Final = 27


def read(inquiry: Inquiry) -> list[Change]:
    """Return what a message changes: a mode for tokens of several exchanges, or an end."""
    message = inquiry.message
    inquiry.only(message, "correlationID", "action", "params")
    params = message.get("params")
    if message.get("action") not in (SUBSCRIBE, UNSUBSCRIBE) or not isinstance(params, dict):
        raise BadRequest("Invalid action or params")
    inquiry.only(params, "mode", "tokenList")
    # What an end says about the mode is ignored: every client says something else.
    mode = _mode(params.get("mode")) if message["action"] == SUBSCRIBE else None
    found: list[Instrument] = []
    for group in _list(params.get("tokenList"), "tokenList"):
        if not isinstance(group, dict):
            raise BadRequest("Invalid tokenList")
        inquiry.only(group, "exchangeType", "tokens")
        exchange = EXCHANGES.get(group.get("exchangeType", 0))
        if exchange is None and inquiry.strict:
            raise BadRequest("Invalid exchangeType")
        for token in _list(group.get("tokens"), "tokens"):
            # A token that this exchange does not have gets no data, and nothing is said of it.
            if exchange and (instrument := inquiry.master.get(exchange, str(token))):
                found.append(instrument)
    return [Change(mode, found)]


def packet(tick: Tick, mode: Mode) -> bytes:
    """Return a tick as 51, 123 or 379 bytes; its number is 0 until `numbered` sets it."""
    quote, instrument = tick.quote, tick.instrument
    fields: list[Any] = [
        mode,
        EXCHANGE_TYPES[instrument.exchange],
        instrument.token.encode("ascii"),
        0,
        seconds(tick.at),
        paise(quote.ltp),
    ]
    if mode is Mode.LTP:
        return LTP.pack(*fields)
    fields += [
        quote.last_quantity,
        paise(quote.average_price),
        quote.volume,
        float(quote.buy_quantity),
        float(quote.sell_quantity),
        *map(paise, (quote.open, quote.high, quote.low, quote.close)),
    ]
    if mode is Mode.QUOTE:
        return QUOTE.pack(*fields)
    before = tick.oi_at_open
    fields += [
        seconds(quote.last_traded_at),
        quote.oi or 0,
        (quote.oi - before) * 100 / before if quote.oi is not None and before else 0.0,
    ]
    for flag, levels in ((BID, quote.bids), (ASK, quote.asks)):
        for level in five(levels):
            fields += [flag, level.quantity, paise(level.price), level.orders]
    fields += map(paise, (quote.upper_band, quote.lower_band, tick.year_high, tick.year_low))
    return SNAP.pack(*fields)


def numbered(packet: bytes, number: int) -> bytes:
    """Return a packet with a sequence number, which each connection counts by itself."""
    return packet[:NUMBER_AT] + number.to_bytes(8, "little") + packet[NUMBER_AT + 8 :]


def frames(packets: list[bytes], settings: StreamSettings) -> Iterable[bytes]:
    """Yield the binary messages: a bare packet each, or headed ones of packets of one size."""
    if not settings.headed and settings.packets_per_frame <= 1:
        yield from packets
        return
    for size in sorted({len(packet) for packet in packets}):
        alike = [packet for packet in packets if len(packet) == size]
        for group in groups(alike, settings):
            yield HEADER.pack(len(group), size) + b"".join(group)


def _mode(value: object) -> Mode:
    try:
        return Mode(value)  # type: ignore[arg-type]
    except ValueError:
        raise BadRequest("Invalid mode") from None


def _list(value: object, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise BadRequest(f"Invalid {name}")
    return value


def _order_update(client_code: str, order: Order, settings: Settings) -> Row:
    return order_update(order, settings)


DIALECT: Final = StreamDialect("b", read, packet, numbered, frames, _order_update)
