"""Packets of both types against the protocol's worked frames, and against garbage."""

from __future__ import annotations

from datetime import datetime
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker._kit.clock import IST
from broker.mstock.streaming.packets import (
    DEPTH,
    LTP,
    QUOTE,
    decode_type_a,
    decode_type_b,
    epoch_ms,
)

NINE_THIRTY = datetime(2025, 11, 24, 9, 30, tzinfo=IST)
NOW = NINE_THIRTY.timestamp()
SINCE_1980 = 0x56557F98
B_LTP = bytes.fromhex("01013232" + "00" * 23 + "e903000000000000987f5556000000007218020000000000")
SNAP_DEPTH = [(n % 2, 100 * n, 137_000 + n, n) for n in range(1, 11)]


def b_quote(
    mode: int = 2, *, segment: int = 1, token: bytes = b"1594", ltp: int = 157_345
) -> bytes:
    head = pack("<BB25sqqq", mode, segment, token, 7, SINCE_1980, ltp)
    return head + pack(
        "<qqqddqqqq", 3, 157_300, 12_345, 1e6, 2e6, 157_000, 158_000, 156_500, 156_955
    )


def b_snap() -> bytes:
    rows = b"".join(pack("<hqqh", *level) for level in SNAP_DEPTH)
    tail = pack("<qqqq", 172_650, 141_260, 190_000, 120_000)
    return b_quote(3) + pack("<qqd", SINCE_1980, 4_200, 1.5) + rows + tail


def a_full(size: int = 200) -> bytes:
    words = (1594, 157_345, 3, 157_300, 12_345, 10, 20, 157_000, 158_000, 156_500, 156_955)
    packet = pack(">16I", *words, SINCE_1980, 4_200, 0, 0, SINCE_1980)
    packet += b"".join(pack(">IIHxx", *level[1:]) for level in SNAP_DEPTH)
    return (packet + pack(">4I", 172_650, 141_260, 190_000, 120_000))[:size]


def a_frame(*packets: bytes) -> bytes:
    return pack(">H", len(packets)) + b"".join(pack(">H", len(each)) + each for each in packets)


def test_times_count_from_1980_on_indias_wall_clock() -> None:
    assert epoch_ms(SINCE_1980, NOW) == int(NOW * 1000)


@pytest.mark.parametrize("ago", [60, 5 * 86_400, -90])
def test_a_time_is_counted_from_where_it_comes_nearer_to_now(ago: int) -> None:
    assert epoch_ms(int(NOW) - ago, NOW) == (int(NOW) - ago) * 1000
    assert epoch_ms(SINCE_1980 - ago, NOW) == int(NOW - ago) * 1000


class TestTypeB:
    @pytest.mark.parametrize("header", [b"", bytes.fromhex("01003300")])
    def test_the_protocols_ltp_packet_bare_and_headed(self, header: bytes) -> None:
        (tick,), dropped = decode_type_b(header + B_LTP, NOW)
        assert (tick.segment, tick.token, tick.mode, dropped) == (1, "22", LTP, 0)
        assert tick.values == {"ltp": 1373.30, "timestamp": int(NOW * 1000)}

    def test_a_quote(self) -> None:
        (tick,), _ = decode_type_b(b_quote(), NOW)
        assert tick.mode == QUOTE
        assert tick.values == {
            "ltp": 1573.45,
            "last_quantity": 3,
            "average_price": 1573.0,
            "volume": 12_345,
            "total_buy_quantity": 1_000_000,
            "total_sell_quantity": 2_000_000,
            "open": 1570.0,
            "high": 1580.0,
            "low": 1565.0,
            "close": 1569.55,
            "timestamp": int(NOW * 1000),
        }

    def test_a_snap_with_depth_by_position(self) -> None:
        (tick,), _ = decode_type_b(b_snap(), NOW)
        values = tick.values
        assert tick.mode == DEPTH
        assert values["oi"] == 4_200
        assert values["ltt"] == int(NOW * 1000)
        assert [each["quantity"] for each in values["depth"]["buy"]] == [100, 200, 300, 400, 500]
        assert values["depth"]["sell"][0] == {"price": 1370.06, "quantity": 600, "orders": 6}
        assert (values["upper_circuit"], values["low_52_week"]) == (1726.5, 1200.0)

    def test_several_packets_behind_one_header(self) -> None:
        ticks, dropped = decode_type_b(pack("<HH", 2, 123) + b_quote() + b_quote(token=b"22"), NOW)
        assert ([tick.token for tick in ticks], dropped) == (["1594", "22"], 0)

    @pytest.mark.parametrize(
        "bad",
        [
            b_quote(mode=3),
            b_quote(segment=9),
            b_quote(token=b"INFY"),
            b_quote(token=b""),
            b_quote(ltp=-1),
        ],
        ids=["another mode", "unknown segment", "letters", "no token", "negative price"],
    )
    def test_a_senseless_packet_is_dropped_and_the_rest_read(self, bad: bytes) -> None:
        assert decode_type_b(bad, NOW) == ([], 1)
        ticks, dropped = decode_type_b(pack("<HH", 2, 123) + bad + b_quote(), NOW)
        assert ([tick.token for tick in ticks], dropped) == (["1594"], 1)

    def test_a_torn_end_is_counted(self) -> None:
        ticks, dropped = decode_type_b(pack("<HH", 2, 123) + b_quote() + b_quote()[:50], NOW)
        assert (len(ticks), dropped) == (1, 1)
        ticks, dropped = decode_type_b(pack("<HH", 1, 123) + b_quote() + b"more", NOW)
        assert (len(ticks), dropped) == (1, 1)

    @pytest.mark.parametrize("size", range(5))
    def test_a_keep_alive_is_nothing(self, size: int) -> None:
        assert decode_type_b(bytes(size), NOW) == ([], 0)


class TestTypeA:
    def test_the_protocols_ltp_frame(self) -> None:
        (tick,), dropped = decode_type_a(bytes.fromhex("000100080000001600021872"), NOW)
        assert (tick, dropped) == ((0, "22", LTP, {"ltp": 1373.30}), 0)

    def test_the_protocols_index_frame(self) -> None:
        frame = "00010020000065900026" + "3a8100264cb00025fe9a0026121800 25f6f20000000056557f98"
        (tick,), _ = decode_type_a(bytes.fromhex(frame.replace(" ", "")), NOW)
        assert (tick.token, tick.mode) == ("26000", DEPTH)
        assert tick.values == {
            "ltp": 25053.45,
            "high": 25100.0,
            "low": 24900.1,
            "open": 24950.0,
            "close": 24880.5,
            "timestamp": int(NOW * 1000),
        }

    def test_the_long_index_packet_has_its_prices_in_another_order(self) -> None:
        words = (26000, 2_505_345, 2_495_000, 2_510_000, 2_490_010, 2_488_050, 0, 0, 4, 3, 2, 1)
        (tick,), _ = decode_type_a(a_frame(pack(">12I", *words)), NOW)
        assert (tick.values["open"], tick.values["high"]) == (24950.0, 25100.0)
        assert tick.values["low_52_week"] == 0.01

    @pytest.mark.parametrize("size", [184, 200])
    def test_a_full_packet_with_and_without_limits(self, size: int) -> None:
        (tick,), _ = decode_type_a(a_frame(a_full(size)), NOW)
        assert (tick.mode, tick.values["ltp"], tick.values["oi"]) == (DEPTH, 1573.45, 4_200)
        assert tick.values["depth"]["sell"][0] == {"price": 1370.06, "quantity": 600, "orders": 6}
        assert ("upper_circuit" in tick.values) is (size == 200)

    def test_both_types_give_one_shape(self) -> None:
        (a,), _ = decode_type_a(a_frame(a_full()), NOW)
        (b,), _ = decode_type_b(b_snap(), NOW)
        assert set(a.values) == set(b.values)

    def test_an_unknown_length_is_dropped_and_the_rest_read(self) -> None:
        ticks, dropped = decode_type_a(a_frame(bytes(60), a_full()[:44]), NOW)
        assert ([tick.mode for tick in ticks], dropped) == ([QUOTE], 1)

    def test_a_torn_end_is_counted(self) -> None:
        for frame in (a_frame(a_full(), a_full())[:-7], a_frame(a_full()) + b"more"):
            ticks, dropped = decode_type_a(frame, NOW)
            assert (len(ticks), dropped) == (1, 1)


@pytest.mark.parametrize("decode", [decode_type_a, decode_type_b])
@given(frame=st.binary(max_size=800))
def test_no_garbage_raises(decode: object, frame: bytes) -> None:
    ticks, dropped = decode(frame, NOW)  # type: ignore[operator]
    assert dropped >= 0
    assert all(tick.token.isdigit() for tick in ticks)


@given(cut=st.integers(0, 379), noise=st.binary(max_size=40))
def test_a_cut_or_lengthened_snap_never_raises(cut: int, noise: bytes) -> None:
    decode_type_b(b_snap()[:cut] + noise, NOW)
    decode_type_a(a_frame(a_full())[:cut] + noise, NOW)
