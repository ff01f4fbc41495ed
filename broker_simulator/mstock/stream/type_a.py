"""Type A on the WebSocket: requests (10.1) and big-endian packets (10.2-10.5)."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any, Final

from broker_simulator.mstock.market import Instrument
from broker_simulator.mstock.order_rows_a import order_update

from .requests import BadRequest, Change, Inquiry, StreamDialect, groups
from .settings import StreamSettings
from .tick import Mode, Tick, five, paise, seconds

MODES: Final = {"ltp": Mode.LTP, "quote": Mode.QUOTE, "full": Mode.FULL}
# A bare number does not say whose it is: the first of these that has it (15, row 19).
EXCHANGES: Final = ("NSE", "NFO", "BSE", "BFO")
U32: Final = 0xFFFF_FFFF

COUNT: Final = struct.Struct(">H")
LTP: Final = struct.Struct(">II")
INDEX_QUOTE: Final = struct.Struct(">7I")
INDEX_FULL: Final = struct.Struct(">8I")
QUOTE: Final = struct.Struct(">11I")
FULL: Final = struct.Struct(">16I" + "IIHH" * 10 + "4I")


def read(inquiry: Inquiry) -> list[Change]:
    """Return what a message changes: all forms of 10.1."""
    inquiry.only(inquiry.message, "a", "v")
    action, value = inquiry.message.get("a"), inquiry.message.get("v")
    match action, value:
        case "h", _:
            return []
        case "subscribe", dict():
            return [Change(_mode(mode), _found(v, inquiry)) for mode, v in value.items()]
        case "subscribe", _:
            return [Change(Mode.QUOTE, _found(value, inquiry))]
        case "unsubscribe", _:
            return [Change(None, _found(value, inquiry))]
        case "mode", [mode]:
            return [Change(_mode(mode), list(inquiry.subscribed))]
        case "mode", [mode, tokens]:
            return [Change(_mode(mode), _found(tokens, inquiry))]
    raise BadRequest("Invalid action or value")


def packet(tick: Tick, mode: Mode) -> bytes:
    """Return a tick as 8, 44 or 200 bytes, an index as 8, 28 or 32."""
    quote, token = tick.quote, int(tick.instrument.token)
    last, close = paise(quote.ltp), paise(quote.close)
    if mode is Mode.LTP:
        return LTP.pack(token, last)
    opened, high, low = map(paise, (quote.open, quote.high, quote.low))
    if tick.instrument.kind == "INDEX":
        if mode is Mode.QUOTE:
            return INDEX_QUOTE.pack(token, last, high, low, opened, close, (last - close) & U32)
        return INDEX_FULL.pack(token, last, high, low, opened, close, 0, seconds(tick.at))
    fields: list[Any] = [
        token,
        last,
        _count(quote.last_quantity),
        paise(quote.average_price),
        *map(_count, (quote.volume, quote.buy_quantity, quote.sell_quantity)),
        opened,
        high,
        low,
        close,
    ]
    if mode is Mode.QUOTE:
        return QUOTE.pack(*fields)
    # Open interest goes one way all day, so its ends are its extremes.
    ends = (quote.oi or 0, tick.oi_at_open or 0)
    fields += [
        seconds(quote.last_traded_at),
        *map(_count, (quote.oi or 0, max(ends), min(ends))),
        seconds(tick.at),
    ]
    for level in (*five(quote.bids), *five(quote.asks)):
        fields += [_count(level.quantity), paise(level.price), level.orders, 0]
    fields += map(paise, (quote.upper_band, quote.lower_band, tick.year_high, tick.year_low))
    return FULL.pack(*fields)


def numbered(packet: bytes, number: int) -> bytes:
    """Return the packet as it is: Type A's have no sequence number."""
    return packet


def frames(packets: list[bytes], settings: StreamSettings) -> Iterable[bytes]:
    """Yield the binary messages: a count, then each packet behind its length."""
    for group in groups(packets, settings):
        sized = (COUNT.pack(len(packet)) + packet for packet in group)
        yield COUNT.pack(len(group)) + b"".join(sized)


def _count(number: int) -> int:
    return min(number, U32)


def _mode(name: object) -> Mode:
    if not isinstance(name, str) or name not in MODES:
        raise BadRequest("Invalid mode")
    return MODES[name]


def _found(tokens: object, inquiry: Inquiry) -> list[Instrument]:
    """Return the instruments of some tokens; a token that nobody has gets no data."""
    if not isinstance(tokens, list):
        raise BadRequest("Invalid tokens")
    if inquiry.strict and not all(type(token) is int for token in tokens):
        raise BadRequest("Tokens are numbers")
    candidates = (
        next((i for name in EXCHANGES if (i := inquiry.master.get(name, str(token)))), None)
        for token in tokens
    )
    return [instrument for instrument in candidates if instrument]


DIALECT: Final = StreamDialect("a", read, packet, numbered, frames, order_update)
