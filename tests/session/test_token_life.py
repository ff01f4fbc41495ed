"""How long a token lives: read off the token, whatever it claims and whatever the clocks do."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker._kit.clock import IST
from broker._kit.secret import Secret
from broker._kit.sessions.token_guard import Life, fingerprint
from broker._kit.sessions.token_guard import life_of as life_of_broker
from broker.mstock.broker import MSTOCK
from tests.support.auto import at
from tests.support.jwts import jwt, made

NOW = at("10:00")


def life_of(token: Secret, logged_in_at: datetime | None = None) -> Life:
    return life_of_broker(MSTOCK, token, logged_in_at)


class TestLife:
    def test_ends_at_the_midnight_after_its_making(self) -> None:
        life = life_of(made(at("08:35")))
        assert life.issued_at == at("08:35")
        assert life.ends_at == at("00:00") + timedelta(days=1)
        assert life.expected_until == at("20:35")
        assert not life.is_over(at("23:59:59"))
        assert life.is_over(at("00:00") + timedelta(days=1))

    def test_in_the_evening_midnight_comes_before_the_twelve_hours(self) -> None:
        life = life_of(made(at("18:00")))
        assert life.expected_until == life.ends_at

    def test_a_leap_over_midnight(self) -> None:
        life = life_of(made(at("23:59:59")))
        assert life.is_over(at("00:00") + timedelta(days=1))
        after = life_of(made(at("00:00")))
        assert not after.is_over(at("23:59:59"))

    @pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Auckland", "UTC"])
    def test_the_midnight_is_indias_wherever_the_computer_is(self, zone: str) -> None:
        life = life_of(made(at("08:35")))
        assert life.ends_at == at("00:00") + timedelta(days=1)
        assert life.is_over((at("00:00") + timedelta(days=1)).astimezone(ZoneInfo(zone)))

    def test_what_exp_claims_is_not_believed(self) -> None:
        """The documented sample's is five minutes after its making."""
        life = life_of(made(at("08:35"), exp=int(at("08:40").timestamp())))
        assert not life.is_over(NOW)

    def test_a_token_that_does_not_say_lives_from_the_login_on(self) -> None:
        assert life_of(jwt({}), at("08:35")).ends_at == at("00:00") + timedelta(days=1)

    @pytest.mark.parametrize(
        "claims",
        [
            *({}, [], None, "x", 5, b"", b"\xff\xfe", b"{", b"[" * 5000),
            *({"iat": None}, {"iat": "1735624415"}, {"iat": True}, {"iat": []}, {"iat": {}}),
            *(b'{"iat": NaN}', b'{"iat": Infinity}', b'{"iat": -Infinity}', b'{"iat": 1e400}'),
            *({"iat": 10**30}, {"iat": -(10**30)}, {"iat": 253402300799}, {"iat": -62135596800}),
            *({"iat": 0}, {"iat": -1}, {"iat": 1}, {"iat": 1763871900000}),  # the last: ms
            b'{"iat": ' + b"9" * 5000 + b"}",
        ],
    )
    def test_bogus_claims_say_nothing_and_kill_nothing(self, claims: Any) -> None:
        assert life_of(jwt(claims)) == Life()
        assert not life_of(jwt(claims)).is_over(NOW)

    @pytest.mark.parametrize("text", ["", ".", "..", "a.b", "a.b.c.d", "a.é.c", "a.b=.c", "a. .c"])
    def test_what_is_no_jwt_says_nothing(self, text: str) -> None:
        assert life_of(Secret(text)) == Life()

    @pytest.mark.parametrize("exp", [None, "x", 10**30, 0, float("inf")])
    def test_a_bogus_exp_spoils_nothing(self, exp: Any) -> None:
        life = life_of(made(at("08:35"), exp=exp))
        assert life.issued_at == at("08:35")

    @given(st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1)), st.integers(-14, 14))  # noqa: DTZ001
    def test_lives_at_most_a_day_and_over_no_midnight(self, naive: datetime, hours: int) -> None:
        moment = naive.replace(tzinfo=timezone(timedelta(hours=hours)))
        life = life_of(jwt({}), moment)
        assert life.ends_at is not None
        assert life.issued_at is not None
        assert timedelta(0) < life.ends_at - moment <= timedelta(days=1)
        assert (life.ends_at - timedelta(seconds=1)).astimezone(IST).date() == (
            life.issued_at.date()
        )

    @given(st.binary(max_size=60))
    def test_no_token_makes_it_fail(self, body: bytes) -> None:
        life_of(jwt(body))


def test_a_fingerprint_tells_tokens_apart_and_shows_nothing_of_them() -> None:
    one, other = Secret("eyJhbGci.eyJpYXQi.c2ln"), Secret("eyJhbGci.eyJpYXQi.c2lo")
    assert fingerprint(one) == fingerprint(Secret(one.reveal()))
    assert fingerprint(one) != fingerprint(other)
    assert len(fingerprint(one)) == 16
    assert not any(part in fingerprint(one) for part in one.reveal().split("."))
