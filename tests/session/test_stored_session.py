"""The stored session: until when it lives, how it ends and why, and that only it ends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from broker._kit.clock import IST
from broker._kit.secret import Secret
from broker._kit.sessions.record import SessionRecord
from broker._kit.sessions.store import MemoryStore
from broker._kit.sessions.stored_session import (
    EndReason,
    LoginMethod,
    StoredSession,
    delete_session,
    end_reason,
    load_session,
    mark_revoked,
    save_session,
)
from broker._kit.settings import Account
from broker.mstock.broker import MSTOCK
from tests.support.auto import at
from tests.support.jwts import jwt, made

ACCOUNT = Account("http://127.0.0.1:9", "B", "MA0000001")
DAY = timedelta(days=1)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(MSTOCK)


def saved(store: MemoryStore, token: Secret, clock: str = "08:35") -> Secret:
    save_session(store, ACCOUNT, token, at(clock), LoginMethod.OTP)
    return token


def loaded(store: MemoryStore, clock: str = "09:00", after: timedelta = 0 * DAY) -> StoredSession:
    session = load_session(store, ACCOUNT, at(clock) + after)
    assert session is not None
    return session


class TestTimes:
    def test_nothing_is_stored(self, store: MemoryStore) -> None:
        assert load_session(store, ACCOUNT, at("09:00")) is None
        assert end_reason(store, ACCOUNT, at("09:00")) is None

    def test_what_was_saved_comes_back(self, store: MemoryStore) -> None:
        token = saved(store, made(at("08:35")), "08:35:02")
        session = loaded(store)
        assert (session.token, session.method) == (token, LoginMethod.OTP)
        assert session.logged_in_at == at("08:35:02")
        assert session.life.issued_at == at("08:35")
        assert (session.is_over, session.end_reason) == (False, None)

    @pytest.mark.parametrize("zone", [None, IST])
    def test_is_over_at_midnight_in_india(self, store: MemoryStore, zone: object) -> None:
        now = at("08:35").astimezone(zone)  # type: ignore[arg-type]
        save_session(store, ACCOUNT, made(at("08:35")), now, LoginMethod.OTP)
        assert loaded(store, "23:59:59").end_reason is None
        session = loaded(store, "00:00", DAY)
        assert (session.is_over, session.end_reason) == (True, EndReason.EXPIRED)

    def test_a_token_that_says_nothing_lives_by_this_computers_clock(
        self, store: MemoryStore
    ) -> None:
        saved(store, jwt({}))
        assert loaded(store).life.ends_at == at("00:00") + DAY

    def test_a_token_of_unknown_origin_that_says_nothing_is_the_brokers_to_judge(
        self, store: MemoryStore
    ) -> None:
        with store.update(ACCOUNT) as record:
            record.session = SessionRecord(jwt({}), None, LoginMethod.ELSEWHERE)
        assert not loaded(store, "09:00", 400 * DAY).is_over


class TestRevoked:
    def test_is_marked_once_and_says_why(self, store: MemoryStore) -> None:
        token = saved(store, made(at("08:35")))
        assert mark_revoked(store, ACCOUNT, token) is True
        assert mark_revoked(store, ACCOUNT, token) is False
        session = loaded(store)
        assert (session.is_over, session.end_reason) == (True, EndReason.REFUSED)
        assert session.logged_in_at == at("08:35")
        assert loaded(store, "09:00", DAY).end_reason is EndReason.REFUSED

    def test_yesterdays_token_does_not_end_todays(self, store: MemoryStore) -> None:
        yesterdays = saved(store, made(at("08:35") - DAY))
        saved(store, made(at("08:35")))
        assert mark_revoked(store, ACCOUNT, yesterdays) is False
        assert not loaded(store).is_over

    def test_does_not_outlive_its_token(self, store: MemoryStore) -> None:
        mark_revoked(store, ACCOUNT, saved(store, made(at("08:35"))))
        saved(store, made(at("08:40")), "08:40")
        assert not loaded(store).is_over


class TestDeleting:
    def test_takes_the_token_and_leaves_the_reason(self, store: MemoryStore) -> None:
        token = saved(store, made(at("08:35")))
        assert delete_session(store, ACCOUNT, token) is True
        assert load_session(store, ACCOUNT, at("09:00")) is None
        assert end_reason(store, ACCOUNT, at("09:00")) is EndReason.LOGGED_OUT
        assert delete_session(store, ACCOUNT) is False

    def test_another_reason_may_be_given(self, store: MemoryStore) -> None:
        saved(store, made(at("08:35")))
        delete_session(store, ACCOUNT, reason=EndReason.LOGGED_OUT_ELSEWHERE)
        assert end_reason(store, ACCOUNT, at("09:00")) is EndReason.LOGGED_OUT_ELSEWHERE

    def test_what_the_broker_had_ended_was_not_logged_out(self, store: MemoryStore) -> None:
        token = saved(store, made(at("08:35")))
        mark_revoked(store, ACCOUNT, token)
        assert end_reason(store, ACCOUNT, at("09:00")) is EndReason.REFUSED
        delete_session(store, ACCOUNT, token)
        assert end_reason(store, ACCOUNT, at("09:00")) is EndReason.REFUSED

    def test_of_yesterdays_token_leaves_todays(self, store: MemoryStore) -> None:
        token = saved(store, made(at("08:35")))
        assert delete_session(store, ACCOUNT, made(at("08:35") - DAY)) is False
        assert loaded(store).token == token

    def test_a_new_login_has_no_end(self, store: MemoryStore) -> None:
        delete_session(store, ACCOUNT, saved(store, made(at("08:35"))))
        saved(store, made(at("08:40")), "08:40")
        assert end_reason(store, ACCOUNT, at("09:00")) is None
