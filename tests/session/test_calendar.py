"""The table of trading days: what it says, and what a user's own file changes in it."""

from __future__ import annotations

import json
from datetime import date, time, timedelta
from pathlib import Path

import pytest

from broker._kit.errors import SettingError
from broker._kit.sessions.trading_calendar import USERS_FILE, Calendar, load_calendar

SUNDAY_BUDGET, MUHURAT = date(2026, 2, 1), date(2026, 11, 8)


def days(first: date, last: date) -> list[date]:
    return [first + timedelta(n) for n in range((last - first).days + 1)]


def with_file(home: Path, content: object) -> Calendar:
    text = content if isinstance(content, str) else json.dumps(content)
    (home / USERS_FILE).write_text(text, encoding="utf-8")
    return load_calendar(str(home))


def test_2026_has_the_exchanges_holidays_and_two_sundays() -> None:
    calendar = load_calendar()
    year = days(date(2026, 1, 1), date(2026, 12, 31))
    closed = [day for day in year if day.weekday() < 5 and not calendar.is_trading_day(day)]
    open_weekends = [day for day in year if day.weekday() >= 5 and calendar.is_trading_day(day)]
    assert [f"{day:%m-%d}" for day in closed] == [
        *("01-15", "01-26", "03-03", "03-26", "03-31", "04-03", "04-14", "05-01"),
        *("05-28", "06-26", "09-14", "10-02", "10-20", "11-10", "11-24", "12-25"),
    ]
    assert open_weekends == [SUNDAY_BUDGET, MUHURAT]
    assert calendar.ends == date(2026, 12, 31)


def test_a_special_session_without_its_hours_is_held_in_the_evening() -> None:
    calendar = load_calendar()
    assert calendar.closing(date(2026, 11, 9)) == calendar.closing(SUNDAY_BUDGET) == time(15, 30)
    assert calendar.closing(MUHURAT) == time(20)


def test_a_year_that_is_not_announced_has_its_weekdays() -> None:
    calendar = load_calendar()
    assert calendar.is_trading_day(date(2027, 1, 26))
    assert not calendar.is_trading_day(date(2027, 1, 30))


def test_a_users_file_adds_a_year_moves_a_holiday_and_tells_the_hour(tmp_path: Path) -> None:
    calendar = with_file(
        tmp_path,
        {
            "years": [2027],
            "holidays": {"2026-11-24": None, "2026-11-25": "moved", "2027-01-26": "Republic Day"},
            "special_sessions": {
                "2026-11-08": {"name": "Muhurat", "opens": "18:00", "closes": "19:15"},
                "2026-02-01": None,
            },
        },
    )
    assert calendar.ends == date(2027, 12, 31)
    assert calendar.is_trading_day(date(2026, 11, 24))
    assert not calendar.is_trading_day(date(2026, 11, 25))
    assert not calendar.is_trading_day(date(2027, 1, 26))
    assert not calendar.is_trading_day(SUNDAY_BUDGET)
    assert calendar.closing(MUHURAT) == time(19, 15)
    assert not calendar.is_trading_day(date(2026, 12, 25))  # what is not named stays


def test_without_a_users_file_the_packaged_table_holds(tmp_path: Path) -> None:
    assert load_calendar(str(tmp_path)).ends == date(2026, 12, 31)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not json",
        [],
        {"years": "2027"},
        {"years": [True]},
        {"holidays": ["2027-01-26"]},
        {"holidays": {"26.01.2027": "Republic Day"}},
        {"holidays": {"2027-01-26": 1}},
        {"special_sessions": {"2027-01-30": "09:15"}},
        {"special_sessions": {"2027-01-30": {"opens": "quarter past nine"}}},
        {"special_sessions": {"2027-01-30": {"opens": 9}}},
        "[" * 100_000,
    ],
)
def test_a_file_that_is_no_table_is_refused_by_name(tmp_path: Path, content: object) -> None:
    with pytest.raises(SettingError) as caught:
        with_file(tmp_path, content)
    assert USERS_FILE in str(caught.value)
    assert caught.value.next_step
