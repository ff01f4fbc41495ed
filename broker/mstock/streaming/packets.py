"""mStock's binary market-data frames, both API types, into plain values; pure.

A frame that is short, long or senseless is dropped and counted, never raised, and what else stands
in its frame is still read. Source: mStock's WebSocket pages and what its official clients parse.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from struct import Struct
from typing import Any, NamedTuple

LTP, QUOTE, DEPTH = 1, 2, 3
LEVELS = 5  # of the depth, on each side
# exchangeType of Type B's packets and requests, by the host's exchange.
SEGMENTS = {"NSE": 1, "NFO": 2, "BSE": 3, "BFO": 4, "CDS": 13}

# Times are seconds since 1980 on India's wall clock: this many seconds after 1970 in UTC.
_EPOCH_1980_IST = 315_513_000
_HALF = _EPOCH_1980_IST // 2

_KNOWN_SEGMENTS = frozenset(SEGMENTS.values())
_KEEP_ALIVE = 4  # bytes at most
_MOST = 1e15  # of a quantity


class Tick(NamedTuple):
    """One packet: whose it is, in which mode, and its values.

    `segment` is Type B's exchangeType, 0 in Type A, whose packets do not say. `values` has prices
    in rupees (float: they go straight into JSON), quantities as int, times in epoch milliseconds.
    A time that is not given is left out.
    """

    segment: int
    token: str
    mode: int
    values: dict[str, Any]


class Frame(NamedTuple):
    """What one binary message held: its ticks, and how many packets were dropped."""

    ticks: list[Tick]
    dropped: int = 0


Decoder = Callable[[bytes, float], Frame]

# Half the time of the classes' own constructors, for every packet.
_new = tuple.__new__

_EMPTY = Frame([])
_DROPPED = Frame([], 1)


def epoch_ms(value: int, now: float) -> int:
    """A packet's time in epoch milliseconds: counted from 1980, or from 1970 if that is nearer now.

    So the last trade of an instrument that nobody trades for days is never one of years to come.
    """
    return (value if value > now - _HALF else value + _EPOCH_1980_IST) * 1000


# Type B: little-endian; bare, or behind a header of packet count and packet size.

_B_HEADER = Struct("<HH")
_B_LTP = Struct("<27x8xqq")  # mode, segment and token are read by themselves, the sequence never
_B_QUOTE = Struct("<27x8x5q2d4q")
_B_SNAP = Struct("<BB25s8x5q2d6q8x" + "2xqqh" * 10 + "4q")
_B_MODE_OF_SIZE = {_B_LTP.size: LTP, _B_QUOTE.size: QUOTE, _B_SNAP.size: DEPTH}


def decode_type_b(frame: bytes, now: float) -> Frame:
    """One Type B message. `now` is the time in epoch seconds."""
    size = len(frame)
    if size in _B_MODE_OF_SIZE:
        tick = _type_b_tick(frame, 0, size, now)
        return _DROPPED if tick is None else _new(Frame, ([tick], 0))
    if size <= _KEEP_ALIVE:
        return _EMPTY
    count, length = _B_HEADER.unpack_from(frame)
    if length not in _B_MODE_OF_SIZE:
        return _DROPPED
    whole = (size - _B_HEADER.size) // length
    ticks = []
    for n in range(min(count, whole)):
        tick = _type_b_tick(frame, _B_HEADER.size + n * length, length, now)
        if tick is not None:
            ticks.append(tick)
    # A torn end counts as one more packet that could not be read.
    expected = max(count, whole + ((size - _B_HEADER.size) % length != 0))
    return Frame(ticks, expected - len(ticks))


@lru_cache(maxsize=8192)  # a feed has its few thousand, again and again
def _token(raw: bytes) -> str:
    """A token off its field, "" when it is none."""
    token = raw.rstrip(b"\0")
    return token.decode() if token.isdigit() else ""


def _type_b_tick(frame: bytes, at: int, size: int, now: float) -> Tick | None:
    if size == _B_SNAP.size:
        return _type_b_snap(frame, at, now)
    mode = _B_MODE_OF_SIZE[size]
    segment = frame[at + 1]
    token = _token(frame[at + 2 : at + 27])
    if frame[at] != mode or segment not in _KNOWN_SEGMENTS or not token:
        return None
    if mode == LTP:
        time, ltp = _B_LTP.unpack_from(frame, at)
        values: dict[str, Any] = {"ltp": ltp / 100}
    else:
        row = _B_QUOTE.unpack_from(frame, at)
        time, ltp = row[0], row[1]
        values = _quote_values(row)
    if ltp < 0:
        return None
    if time > 0:
        values["timestamp"] = epoch_ms(time, now)
    return _new(Tick, (segment, token, mode, values))


def _type_b_snap(frame: bytes, at: int, now: float) -> Tick | None:
    # Written out, into local names: tables and loops take twice as long, for every packet.
    (
        mode, segment, raw,
        time, ltp, last, average, volume, buying, selling, opened, high, low, close, traded, oi,
        b1, p1, n1, b2, p2, n2, b3, p3, n3, b4, p4, n4, b5, p5, n5,
        s1, q1, m1, s2, q2, m2, s3, q3, m3, s4, q4, m4, s5, q5, m5,
        upper, lower, high_52, low_52,
    ) = _B_SNAP.unpack_from(frame, at)  # fmt: skip
    token, old = _token(raw), now - _HALF
    if mode != DEPTH or segment not in _KNOWN_SEGMENTS or ltp < 0 or not token:
        return None
    values = {
        "ltp": ltp / 100,
        "last_quantity": last,
        "average_price": average / 100,
        "volume": volume,
        "total_buy_quantity": int(buying) if 0 <= buying < _MOST else 0,
        "total_sell_quantity": int(selling) if 0 <= selling < _MOST else 0,
        "open": opened / 100,
        "high": high / 100,
        "low": low / 100,
        "close": close / 100,
        "oi": oi,
        # Position decides the side: bids best first, then asks; the flag's values are undocumented.
        "depth": {
            "buy": [
                {"price": p1 / 100, "quantity": b1, "orders": n1},
                {"price": p2 / 100, "quantity": b2, "orders": n2},
                {"price": p3 / 100, "quantity": b3, "orders": n3},
                {"price": p4 / 100, "quantity": b4, "orders": n4},
                {"price": p5 / 100, "quantity": b5, "orders": n5},
            ],
            "sell": [
                {"price": q1 / 100, "quantity": s1, "orders": m1},
                {"price": q2 / 100, "quantity": s2, "orders": m2},
                {"price": q3 / 100, "quantity": s3, "orders": m3},
                {"price": q4 / 100, "quantity": s4, "orders": m4},
                {"price": q5 / 100, "quantity": s5, "orders": m5},
            ],
        },
        "upper_circuit": upper / 100,
        "lower_circuit": lower / 100,
        "high_52_week": high_52 / 100,
        "low_52_week": low_52 / 100,
    }
    if traded > 0:
        values["ltt"] = (traded + _EPOCH_1980_IST) * 1000 if traded < old else epoch_ms(traded, now)
    if time > 0:
        values["timestamp"] = (time + _EPOCH_1980_IST) * 1000 if time < old else epoch_ms(time, now)
    return _new(Tick, (segment, token, DEPTH, values))


def _quote_values(row: tuple[Any, ...]) -> dict[str, Any]:
    """Both types have these fields at the same places, from the price at 1 to the close at 10."""
    return {
        "ltp": row[1] / 100,
        "last_quantity": row[2],
        "average_price": row[3] / 100,
        "volume": row[4],
        "total_buy_quantity": _count(row[5]),
        "total_sell_quantity": _count(row[6]),
        "open": row[7] / 100,
        "high": row[8] / 100,
        "low": row[9] / 100,
        "close": row[10] / 100,
    }


def _count(quantity: float) -> int:
    """A quantity that travels as a double; what is no number counts as none."""
    return int(quantity) if 0 <= quantity < _MOST else 0


# Type A: big-endian; a count of packets, each behind its own length.

_A_LENGTH = Struct(">H")
_A_WORDS = {size: Struct(f">{size // 4}I") for size in (8, 28, 32, 44, 48)}
_A_FULL = Struct(">16I" + "IIHxx" * 10)
_A_LIMITS = Struct(">4I")
_A_LIMITS_AT = _A_FULL.size


def decode_type_a(frame: bytes, now: float) -> Frame:
    """One Type A message. `now` is the time in epoch seconds."""
    size = len(frame)
    if size <= _KEEP_ALIVE:
        return _EMPTY
    (count,) = _A_LENGTH.unpack_from(frame)
    ticks, at, seen = [], _A_LENGTH.size, 0
    while seen < count and at + _A_LENGTH.size <= size:
        (length,) = _A_LENGTH.unpack_from(frame, at)
        at += _A_LENGTH.size
        if at + length > size:
            break
        decode = _A_DECODERS.get(length)
        if decode is not None:
            ticks.append(decode(frame, at, length, now))
        at += length
        seen += 1
    return Frame(ticks, max(count, seen + (at < size)) - len(ticks))


def _type_a_ltp(frame: bytes, at: int, _size: int, _now: float) -> Tick:
    token, ltp = _A_WORDS[8].unpack_from(frame, at)
    return Tick(0, str(token), LTP, {"ltp": ltp / 100})


def _type_a_quote(frame: bytes, at: int, _size: int, _now: float) -> Tick:
    row = _A_WORDS[44].unpack_from(frame, at)
    return Tick(0, str(row[0]), QUOTE, _quote_values(row))


def _type_a_full(frame: bytes, at: int, size: int, now: float) -> Tick:
    row = _A_FULL.unpack_from(frame, at)
    values = _quote_values(row)
    values["oi"] = row[12]
    values["depth"] = {
        side: [
            {"price": row[n + 1] / 100, "quantity": row[n], "orders": row[n + 2]}
            for n in range(first, first + 3 * LEVELS, 3)
        ]
        for side, first in (("buy", 16), ("sell", 31))
    }
    if row[11]:
        values["ltt"] = epoch_ms(row[11], now)
    if row[15]:
        values["timestamp"] = epoch_ms(row[15], now)
    if size > _A_LIMITS_AT:
        upper, lower, high, low = _A_LIMITS.unpack_from(frame, at + _A_LIMITS_AT)
        values["upper_circuit"], values["lower_circuit"] = upper / 100, lower / 100
        values["high_52_week"], values["low_52_week"] = high / 100, low / 100
    return Tick(0, str(row[0]), DEPTH, values)


def _type_a_index(frame: bytes, at: int, size: int, now: float) -> Tick:
    """An index: 28 bytes in quote mode, 32 or 48 in full; the 48 order their prices otherwise."""
    row = _A_WORDS[size].unpack_from(frame, at)
    order = ("open", "high", "low", "close") if size == 48 else ("high", "low", "open", "close")
    values: dict[str, Any] = {"ltp": row[1] / 100}
    for name, price in zip(order, row[2:6], strict=True):
        values[name] = price / 100
    if size == 28:
        return Tick(0, str(row[0]), QUOTE, values)
    if row[7]:
        values["timestamp"] = epoch_ms(row[7], now)
    if size == 48:
        if row[6]:
            values["ltt"] = epoch_ms(row[6], now)
        values["upper_circuit"], values["lower_circuit"] = row[8] / 100, row[9] / 100
        values["high_52_week"], values["low_52_week"] = row[10] / 100, row[11] / 100
    return Tick(0, str(row[0]), DEPTH, values)


_A_DECODERS: dict[int, Callable[[bytes, int, int, float], Tick]] = {
    8: _type_a_ltp,
    28: _type_a_index,
    32: _type_a_index,
    44: _type_a_quote,
    48: _type_a_index,
    _A_LIMITS_AT: _type_a_full,
    _A_LIMITS_AT + _A_LIMITS.size: _type_a_full,
}
