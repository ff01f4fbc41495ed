"""Candles of both types: their times, their joins, and what is built from them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker._kit.clock import IST
from broker._kit.sessions.trading_calendar import load_calendar
from broker.mstock.errors import DataException
from broker.mstock.mapping.candles import (
    INTERVALS,
    MOST_ROWS,
    Candle,
    build,
    candles,
    chunks,
    epoch,
    halves,
    join,
    parse_start,
    rows,
)

NINE_FIFTEEN = datetime(2024, 1, 1, 9, 15, tzinfo=IST)


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-01T09:15:00+05",
        "2024-01-01T09:15:00+05:30",
        "2024-01-01T09:15:00+0530",
        "2024-01-01T09:15:00",
        "2024-01-01 09:15",
        "2024-01-01+09:15",
    ],
)
def test_every_form_of_a_time_is_ist(text: str) -> None:
    assert parse_start(text) == NINE_FIFTEEN


def test_the_hosts_time_stamps() -> None:
    assert epoch(NINE_FIFTEEN, is_daily=False) == 1704080700  # 03:45 UTC
    assert epoch(NINE_FIFTEEN, is_daily=True) == 1704067200  # 1 January, 00:00 UTC


@pytest.mark.parametrize("stamp", ["2024-01-01T00:00:00+05", "2024-01-01T09:15:00+05"])
def test_a_days_candle_is_its_date(stamp: str) -> None:
    (candle,) = candles([[stamp, 1, 2, 0.5, 1.5, 10]], is_daily=True)
    assert candle.start == datetime(2024, 1, 1, tzinfo=IST)


def test_newest_first_comes_out_ascending_and_each_once() -> None:
    given = [["2025-04-04 15:27", 3, 3, 3, 3, 3], ["2025-04-04 15:26", 2, 2, 2, 2, 2]]
    found = candles([*given, given[1]], is_daily=False)
    assert [candle.open for candle in found] == [2.0, 3.0]


@pytest.mark.parametrize("nothing", [None, {}, {"candles": []}, {"candles": None}, "success", []])
def test_mstocks_ways_to_say_none(nothing: Any) -> None:
    assert rows(nothing) == []


@pytest.mark.parametrize(
    "row",
    [
        ["soon", 1, 1, 1, 1, 1],
        ["2025-04-04 15:27", 1, 1],
        ["2025-04-04 15:27", "x", 1, 1, 1, 1],
        *(
            ["2025-04-04 15:27", *prices, 5]
            for prices in ((0, 2, 1, 1), (1, 2, 0, 1), (1, 0, 1, 1))
        ),
    ],
)
def test_a_candle_that_cannot_be_read_is_no_gap(row: list[Any]) -> None:
    with pytest.raises(DataException):
        candles([row], is_daily=False)


def test_a_candle_without_any_price_is_none() -> None:
    given = [["2025-04-04 15:26", 2, 3, 1, 2, 9], ["2025-04-04 15:27", 0, 0, 0, 0, 0]]
    assert [each.open for each in candles(given, is_daily=False)] == [2.0]


def session(day: date, minutes: int) -> list[Candle]:
    start = datetime(day.year, day.month, day.day, 9, 15, tzinfo=IST)
    moments = [start + timedelta(minutes=n) for n in range(0, 375, minutes)]
    return [Candle(at, n, n + 2, n - 1, n + 1, 10) for n, at in enumerate(moments)]


class TestBuilding:
    def test_two_minutes_with_a_last_one_that_is_short(self) -> None:
        built = build(session(date(2024, 1, 1), 1), INTERVALS["2m"])
        assert len(built) == 188
        assert built[0] == Candle(NINE_FIFTEEN, 0, 3, -1, 2, 20)
        assert (built[-1].start.hour, built[-1].start.minute) == (15, 29)
        assert built[-1].volume == 10

    def test_four_hours_start_with_the_session(self) -> None:
        built = build(session(date(2024, 1, 1), 15), INTERVALS["4h"])
        assert [f"{candle.start:%H:%M}" for candle in built] == ["09:15", "13:15"]
        assert sum(candle.volume for candle in built) == 250

    def test_no_candle_runs_over_a_night(self) -> None:
        days = [*session(date(2024, 1, 1), 15), *session(date(2024, 1, 2), 15)]
        built = build(days, INTERVALS["4h"])
        assert [f"{candle.start:%d %H:%M}" for candle in built] == [
            "01 09:15",
            "01 13:15",
            "02 09:15",
            "02 13:15",
        ]

    def test_weeks_start_on_monday_and_months_on_their_first(self) -> None:
        days = [datetime(2024, 1, 29, tzinfo=IST) + timedelta(days=n) for n in (0, 1, 3, 7)]
        found = [Candle(day, n, n + 1, n - 1, n, 5) for n, day in enumerate(days)]
        weeks = build(found, INTERVALS["W"])
        assert [f"{candle.start:%Y-%m-%d}" for candle in weeks] == ["2024-01-29", "2024-02-05"]
        months = build(found, INTERVALS["M"])
        assert [(f"{each.start:%Y-%m-%d}", each.volume) for each in months] == [
            ("2024-01-01", 10),
            ("2024-02-01", 10),
        ]

    @pytest.mark.parametrize("name", INTERVALS)
    def test_volume_is_never_lost_or_doubled(self, name: str) -> None:
        interval = INTERVALS[name]
        found = session(date(2024, 1, 1), interval.minutes or 375)
        assert sum(each.volume for each in build(found, interval)) == 10 * len(found)


class TestChunks:
    def test_daily_candles_take_as_few_calls_as_the_cap_allows(self) -> None:
        calendar = load_calendar()
        first, last = date(2019, 1, 1), date(2026, 11, 20)
        ranges = list(chunks(0, first, last, calendar.is_trading_day))
        days = [first + timedelta(n) for n in range((last - first).days + 1)]
        count = sum(map(calendar.is_trading_day, days))
        assert len(ranges) == -(-count // (MOST_ROWS - 1))

    @given(
        minutes=st.sampled_from([0, 1, 3, 5, 10, 15, 30, 60]),
        start=st.dates(date(2020, 1, 1), date(2026, 1, 1)),
        length=st.integers(0, 400),
    )
    def test_every_trading_day_is_in_exactly_one_and_none_is_too_large(
        self, minutes: int, start: date, length: int
    ) -> None:
        is_open = load_calendar().is_trading_day
        last = start + timedelta(days=length)
        covered = []
        for first, end in chunks(minutes, start, last, is_open):
            days = [first + timedelta(n) for n in range((end - first).days + 1)]
            open_days = [day for day in days if is_open(day)]
            a_day = 1 if not minutes else -(-375 // minutes)
            assert len(open_days) * a_day < MOST_ROWS
            covered += open_days
        every = [start + timedelta(n) for n in range(length + 1)]
        assert covered == [day for day in every if is_open(day)]

    def test_what_came_back_cut_is_split_down_to_a_day(self) -> None:
        one, two = date(2024, 1, 1), date(2024, 1, 2)
        assert halves(one, two) == ((one, one), (two, two))
        with pytest.raises(DataException, match="missing"):
            halves(one, one)


def test_parts_join_without_gaps_or_doubles() -> None:
    one = session(date(2024, 1, 1), 15)
    assert join([one, one[5:], one[:3]]) == one
