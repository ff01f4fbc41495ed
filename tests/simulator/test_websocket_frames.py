"""Framing by RFC 6455 and the worked packets of the documents, without a socket."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_simulator.mstock import IST
from broker_simulator.mstock.clock import Clock
from broker_simulator.mstock.market import Market, build_master
from broker_simulator.mstock.stream import type_a, type_b
from broker_simulator.mstock.stream.frames import MessageReader, Opcode, accept_key, frame
from broker_simulator.mstock.stream.settings import StreamSettings
from broker_simulator.mstock.stream.tick import Mode, Tick

AT = datetime(2025, 11, 24, 9, 30, tzinfo=IST)


def masked(opcode: int, payload: bytes, final: bool = True) -> bytes:
    """A client's frame: the server's, with the mask bit and a mask."""
    mask = os.urandom(4)
    plain = frame(Opcode(opcode), payload)
    head = bytearray(plain[: len(plain) - len(payload)])
    head[0] = head[0] if final else head[0] & 0x7F
    head[1] |= 0x80
    body = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    return bytes(head) + mask + body


def test_the_handshakes_key_is_the_rfcs_example():
    assert accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@given(
    messages=st.lists(
        st.tuples(st.sampled_from([1, 2]), st.lists(st.binary(max_size=300), min_size=1)),
        max_size=4,
    ),
    pieces=st.lists(st.integers(1, 200), min_size=1),
)
def test_messages_come_through_in_any_parts_and_pieces(messages, pieces):
    wire = b""
    for opcode, parts in messages:
        for number, part in enumerate(parts):
            last = number == len(parts) - 1
            wire += masked(0 if number else opcode, part, final=last)
            wire += masked(9, b"ping") if not last else b""
    reader, found, at, turn = MessageReader(), [], 0, 0
    while at < len(wire):
        size = pieces[turn % len(pieces)]
        found += [m for m in reader.feed(wire[at : at + size]) if m[0] is not Opcode.PING]
        at, turn = at + size, turn + 1
    assert found == [(opcode, b"".join(parts)) for opcode, parts in messages]


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536, 200_000])
def test_every_length_has_its_form(size):
    payload = os.urandom(size)
    assert list(MessageReader().feed(masked(2, payload))) == [(Opcode.BINARY, payload)]


def tick(exchange: str, token: str, **figures: str) -> Tick:
    clock = Clock()
    clock.set(AT, frozen=True)
    market = Market(build_master(60, 1, AT.date()), clock, 1)
    instrument = market.master.get(exchange, token)
    quote = market.quote(instrument)
    changed = replace(quote, **{name: Decimal(text) for name, text in figures.items()})
    return Tick(instrument, changed, AT, None, Decimal(0), Decimal(0))


def test_the_worked_frames_of_the_documents():
    acc = tick("NSE", "22", ltp="1373.30")
    (frame_a,) = type_a.frames([type_a.packet(acc, Mode.LTP)], StreamSettings())
    assert frame_a.hex(" ") == "00 01 00 08 00 00 00 16 00 02 18 72"
    nifty = tick(
        "NSE", "26000", ltp="25053.45", high="25100", low="24900.10", open="24950", close="24880.50"
    )
    (frame_a,) = type_a.frames([type_a.packet(nifty, Mode.FULL)], StreamSettings())
    assert frame_a.hex(" ") == (
        "00 01 00 20 00 00 65 90 00 26 3a 81 00 26 4c b0 00 25 fe 9a 00 26 12 18 00 25 f6 f2 "
        "00 00 00 00 56 55 7f 98"
    )
    packet = type_b.numbered(type_b.packet(acc, Mode.LTP), 1001)
    assert packet == bytes.fromhex(
        "01 01 32 32" + "00" * 23 + "e9 03 00 00 00 00 00 00 98 7f 55 56 00 00 00 00 "
        "72 18 02 00 00 00 00 00"
    )
    (headed,) = type_b.frames([packet], StreamSettings(headed=True))
    assert headed == bytes.fromhex("01003300") + packet
