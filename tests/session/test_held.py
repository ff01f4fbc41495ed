"""The kept session: by which clock it is over, how it is marked dead, and that only it is."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from broker._kit.clock import IST
from broker._kit.secret import Secret
from broker._kit.sessions import stored_session as kept
from broker._kit.sessions.store import Item, MemoryStore
from broker._kit.sessions.stored_session import (
    LoginMethod,
    load_session,
    mark_revoked,
    save_session,
)
from broker._kit.settings import Account
from tests.support.auto import at
from tests.support.jwts import jwt, made

ACCOUNT = Account("http://127.0.0.1:9", "B", "MA0000001")
DAY = timedelta(days=1)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def stored(store: MemoryStore, token: Secret, now: datetime) -> Secret:
    save_session(store, ACCOUNT, token, now, LoginMethod.OTP)
    return token


class TestTimes:
    def test_nothing_is_kept(self, store: MemoryStore) -> None:
        assert load_session(store, ACCOUNT, at("09:00")) is None

    def test_what_was_kept_comes_back(self, store: MemoryStore) -> None:
        token = stored(store, made(at("08:35")), at("08:35:02"))
        session = load_session(store, ACCOUNT, at("09:00"))
        assert session is not None
        assert (session.token, session.how) == (token, LoginMethod.OTP)
        assert session.logged_in_at == at("08:35:02")
        assert session.life.issued_at == at("08:35")
        assert not session.is_over

    @pytest.mark.parametrize("zone", [None, IST])
    def test_is_over_at_midnight_in_india(self, store: MemoryStore, zone: object) -> None:
        stored(store, made(at("08:35")), at("08:35").astimezone(zone))  # type: ignore[arg-type]
        for moment, is_over in ((at("23:59:59"), False), (at("00:00") + DAY, True)):
            session = load_session(store, ACCOUNT, moment)
            assert session is not None
            assert session.is_over is is_over

    def test_a_token_that_says_nothing_lives_by_this_computers_clock(
        self, store: MemoryStore
    ) -> None:
        stored(store, jwt({}), at("08:35"))
        session = load_session(store, ACCOUNT, at("09:00"))
        assert session is not None
        assert session.life.ends_at == at("00:00") + DAY

    def test_a_token_of_unknown_origin_that_says_nothing_is_mstocks_to_judge(
        self, store: MemoryStore
    ) -> None:
        store.set(ACCOUNT, Item.TOKEN, jwt({}))
        session = load_session(store, ACCOUNT, at("09:00") + 400 * DAY)
        assert session is not None
        assert (session.how, session.logged_in_at, session.is_over) == (
            LoginMethod.ELSEWHERE,
            None,
            False,
        )

    def test_a_clock_that_is_days_ahead_does_not_kill_a_fresh_token(
        self, store: MemoryStore
    ) -> None:
        stored(store, made(at("08:35")), at("08:35") + 3 * DAY)
        session = load_session(store, ACCOUNT, at("12:00") + 3 * DAY)
        assert session is not None
        assert not session.is_over

    def test_and_put_right_again_does_not_keep_yesterdays_alive(self, store: MemoryStore) -> None:
        stored(store, made(at("08:35")), at("08:35") + 3 * DAY)
        today, tomorrow = (load_session(store, ACCOUNT, at("09:00") + n * DAY) for n in (0, 1))
        assert today is not None
        assert not today.is_over
        assert tomorrow is not None
        assert tomorrow.is_over
        assert tomorrow.life.expected_until == at("20:35")

    def test_a_clock_that_is_days_behind_and_then_put_right(self, store: MemoryStore) -> None:
        stored(store, made(at("08:35")), at("08:35") - 3 * DAY)
        for moment, is_over in (
            (at("09:00") - 3 * DAY, False),
            (at("09:00"), False),
            (at("00:00") + DAY, True),
        ):
            session = load_session(store, ACCOUNT, moment)
            assert session is not None
            assert session.is_over is is_over

    @pytest.mark.parametrize(
        "record",
        [
            *("", "{", "[]", "null", '{"of": 1}', '{"at": "08:35"}'),
            '{"of": "FP", "at": 5, "how": []}',
            '{"of": "FP", "at": "2026-11-23T08:35:00", "how": "carrier pigeon"}',
            '{"of": "FP", "dead": "yes"}',
        ],
    )
    def test_a_record_that_makes_no_sense_counts_for_nothing(
        self, store: MemoryStore, record: str
    ) -> None:
        token = stored(store, made(at("08:35")), at("08:35"))
        record = record.replace("FP", kept.fingerprint(token))
        store.set(ACCOUNT, Item.SESSION, Secret(record))
        session = load_session(store, ACCOUNT, at("09:00"))
        assert session is not None
        assert (session.how, session.logged_in_at, session.is_over) == (
            LoginMethod.ELSEWHERE,
            None,
            False,
        )


class TestDeath:
    def test_is_marked_once(self, store: MemoryStore) -> None:
        token = stored(store, made(at("08:35")), at("08:35"))
        assert mark_revoked(store, ACCOUNT, token) is True
        assert mark_revoked(store, ACCOUNT, token) is False
        session = load_session(store, ACCOUNT, at("09:00"))
        assert session is not None
        assert session.is_over
        assert session.logged_in_at == at("08:35")

    def test_of_yesterdays_token_does_not_end_todays(self, store: MemoryStore) -> None:
        yesterdays = stored(store, made(at("08:35") - DAY), at("08:35") - DAY)
        stored(store, made(at("08:35")), at("08:35"))
        assert mark_revoked(store, ACCOUNT, yesterdays) is False
        session = load_session(store, ACCOUNT, at("09:00"))
        assert session is not None
        assert not session.is_over

    def test_does_not_outlive_its_token(self, store: MemoryStore) -> None:
        mark_revoked(store, ACCOUNT, stored(store, made(at("08:35")), at("08:35")))
        stored(store, made(at("08:40")), at("08:40"))
        session = load_session(store, ACCOUNT, at("09:00"))
        assert session is not None
        assert not session.is_over

    def test_without_a_record_is_noted_too(self, store: MemoryStore) -> None:
        token = made(at("08:35"))
        store.set(ACCOUNT, Item.TOKEN, token)
        assert mark_revoked(store, ACCOUNT, token) is True
        session = load_session(store, ACCOUNT, at("09:00"))
        assert session is not None
        assert session.is_over


class TestForgetting:
    def test_drops_token_and_record(self, store: MemoryStore) -> None:
        token = stored(store, made(at("08:35")), at("08:35"))
        assert kept.forget(store, ACCOUNT, token) is True
        assert store.accounts() == []
        assert kept.forget(store, ACCOUNT) is False

    def test_of_yesterdays_token_leaves_todays(self, store: MemoryStore) -> None:
        token = stored(store, made(at("08:35")), at("08:35"))
        assert kept.forget(store, ACCOUNT, made(at("08:35") - DAY)) is False
        session = load_session(store, ACCOUNT, at("09:00"))
        assert session is not None
        assert (session.token, session.how) == (token, LoginMethod.OTP)

    def test_leaves_the_record_of_a_login_that_comes_in_between(self) -> None:
        class Busy(MemoryStore):
            """A login in another thread, just after the token is gone."""

            def delete(self, account: Account, name: Item, *, only: Secret | None = None) -> bool:
                was_there = super().delete(account, name, only=only)
                if was_there and name is Item.TOKEN:
                    stored(self, made(at("08:40")), at("08:40"))
                return was_there

        store = Busy()
        kept.forget(store, ACCOUNT, stored(store, made(at("08:35")), at("08:35")))
        session = load_session(store, ACCOUNT, at("09:00"))
        assert session is not None
        assert session.logged_in_at == at("08:40")
