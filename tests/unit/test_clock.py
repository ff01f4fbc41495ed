"""The end of the day in India, and the time now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from broker._kit.clock import IST, SYSTEM_CLOCK, session_end


def ist(*when: int) -> datetime:
    return datetime(*when, tzinfo=IST)  # type: ignore[misc,arg-type]


class TestSessionEnd:
    @pytest.mark.parametrize(
        ("login", "end"),
        [
            (ist(2026, 11, 23, 9, 0), ist(2026, 11, 24)),
            (ist(2026, 11, 23, 0, 0), ist(2026, 11, 24)),
            (ist(2026, 11, 23, 0, 0, 0, 1), ist(2026, 11, 24)),
            (ist(2026, 11, 23, 23, 59, 59, 999999), ist(2026, 11, 24)),
            (ist(2026, 12, 31, 20, 0), ist(2027, 1, 1)),
            (ist(2028, 2, 28, 20, 0), ist(2028, 2, 29)),
            # Midnight IST is 18:30 UTC.
            (datetime(2026, 11, 23, 18, 29, 59, 999999, tzinfo=UTC), ist(2026, 11, 24)),
            (datetime(2026, 11, 23, 18, 30, tzinfo=UTC), ist(2026, 11, 25)),
            (datetime(2026, 11, 23, 23, 59, tzinfo=UTC), ist(2026, 11, 25)),
            # In other zones the day is still India's.
            (datetime(2026, 11, 23, 20, 0, tzinfo=ZoneInfo("America/New_York")), ist(2026, 11, 25)),
            (datetime(2026, 11, 24, 1, 0, tzinfo=ZoneInfo("Asia/Tokyo")), ist(2026, 11, 24)),
            (datetime(2026, 3, 29, 2, 30, tzinfo=ZoneInfo("Europe/Berlin")), ist(2026, 3, 30)),
            (
                datetime(2026, 11, 23, 9, 0, tzinfo=timezone(timedelta(hours=5, minutes=30))),
                ist(2026, 11, 24),
            ),
        ],
    )
    def test_is_the_midnight_ist_that_follows(self, login: datetime, end: datetime) -> None:
        result = session_end(login)
        assert result == end
        assert result.utcoffset() == timedelta(hours=5, minutes=30)
        assert (result.hour, result.minute, result.second, result.microsecond) == (0, 0, 0, 0)

    def test_now_is_aware_and_in_ist(self) -> None:
        assert SYSTEM_CLOCK.now().utcoffset() == timedelta(hours=5, minutes=30)
        assert abs(SYSTEM_CLOCK.now() - datetime.now(UTC)) < timedelta(seconds=5)
