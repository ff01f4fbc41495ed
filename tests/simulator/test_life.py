"""What lives how long: OTPs, TOTPs, tokens, attempts, and the clock they all go by."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from broker_simulator.mstock import IST, Simulator

SECOND = timedelta(seconds=1)


def test_otps_are_random_and_each_works_once(sim, b):
    codes = set()
    for _ in range(4):
        ticket = b.ticket()
        codes.add(b.otp)
        assert b.session_token(ticket).status_code == 200
        assert b.session_token(ticket).status_code == 500
    assert len(codes) > 1


def test_a_newer_login_makes_the_older_ticket_and_otp_void(sim, b):
    old_ticket, old_otp = b.ticket(), b.otp
    new_ticket, new_otp = b.ticket(), b.otp
    assert old_ticket != new_ticket
    assert b.session_token(old_ticket, old_otp).status_code == 500
    assert b.session_token(old_ticket, new_otp).status_code == 500
    if old_otp != new_otp:
        assert b.session_token(new_ticket, old_otp).status_code == 500
    assert b.session_token(new_ticket, new_otp).status_code == 200


def test_own_rule_an_otp_lives_five_minutes(sim, b):
    ticket = b.ticket()
    sim.clock.advance(timedelta(minutes=5) + SECOND)
    assert b.session_token(ticket).status_code == 500
    ticket = b.ticket()
    sim.clock.advance(timedelta(minutes=5) - 5 * SECOND)
    assert b.session_token(ticket).status_code == 200


def test_own_rule_three_wrong_otps_void_the_login(sim, b):
    ticket = b.ticket()
    wrong = f"{(int(b.otp) + 1) % 1_000_000:06d}"
    for _ in range(2):
        b.session_token(ticket, wrong)
    assert b.session_token(ticket).status_code == 200
    ticket = b.ticket()
    wrong = f"{(int(b.otp) + 1) % 1_000_000:06d}"
    for _ in range(3):
        b.session_token(ticket, wrong)
    assert b.session_token(ticket).status_code == 500


def test_ten_wrong_passwords_lock_and_only_unlocking_helps(sim, b):
    texts = [b.login(password="wrong").json()["message"] for _ in range(11)]
    left = [int(text.split()[4]) for text in texts]
    assert left == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0]
    assert sim.demo.locked
    refused = b.login()
    assert refused.json()["message"] == "Invalid username or password. 0 attempts remaining "
    sim.demo.unlock()
    assert b.login().status_code == 200


def test_own_rule_a_right_password_sets_the_counter_back(sim, b):
    b.login(password="wrong")
    b.login()
    assert "9 attempts" in b.login(password="wrong").json()["message"]


@pytest.mark.parametrize(("drift", "status"), [(-2, 400), (-1, 200), (0, 200), (1, 200), (2, 400)])
def test_totp_may_be_one_step_off(sim, b, drift, status):
    sim.demo.totp_enabled = True
    ticket = b.ticket()
    noon = datetime(2025, 1, 1, 10, 0, 15, tzinfo=IST)
    sim.clock.set(noon + drift * timedelta(seconds=30))
    code = sim.totp_now(sim.demo.client_code)
    sim.clock.set(noon)
    assert b.verify_totp(ticket, code).status_code == status


def test_a_totp_is_used_up_by_success_and_only_by_success(sim, b):
    sim.demo.totp_enabled = True
    code = sim.totp_now(sim.demo.client_code)
    assert b.login(totp=code).status_code == 200
    assert b.verify_totp("no such ticket", code).status_code == 400
    assert b.verify_totp(b.ticket(), code).status_code == 200
    # Replay, at both steps; the next code works.
    assert b.verify_totp(b.ticket(), code).status_code == 400
    assert b.login(totp=code).status_code == 400
    sim.clock.advance(timedelta(seconds=30))
    assert b.verify_totp(b.ticket()).status_code == 200


def test_totp_is_that_of_rfc_6238(sim):
    # RFC 6238, appendix B, SHA-1, shortened to six digits.
    sim.demo.totp_secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    for seconds, code in ((59, "287082"), (1111111109, "081804"), (2000000000, "279037")):
        sim.clock.set(datetime.fromtimestamp(seconds, IST), frozen=True)
        assert sim.totp_now(sim.demo.client_code) == code


def test_tokens_die_at_midnight_ist(sim, b):
    sim.clock.set(datetime(2025, 1, 1, 23, 59, 50, tzinfo=IST), frozen=True)
    b.enter()
    sim.clock.advance(9 * SECOND)
    assert b.get("user/fundsummary").status_code == 200
    sim.clock.advance(SECOND)
    assert b.get("user/fundsummary").status_code == 401
    assert b.get("logout").status_code == 401


def test_a_token_from_just_after_midnight_lives_the_whole_day(sim, b):
    sim.clock.set(datetime(2025, 1, 2, 0, 0, 0, tzinfo=IST), frozen=True)
    b.enter()
    sim.clock.advance(timedelta(hours=24) - SECOND)
    assert b.get("user/fundsummary").status_code == 200
    sim.clock.advance(SECOND)
    assert b.get("user/fundsummary").status_code == 401


def test_several_tokens_live_at_once_and_logout_ends_one(sim, type_b):
    first, second = type_b(sim), type_b(sim)
    assert first.enter() != second.enter()
    assert first.get("logout").status_code == 200
    assert first.get("user/fundsummary").status_code == 401
    assert second.get("user/fundsummary").status_code == 200
    assert [s.alive(sim.clock.now()) for s in sim.sessions] == [True, False]


class TestClock:
    def test_it_follows_real_time_until_told_otherwise(self):
        sim = Simulator()
        assert sim.clock.follows_real_time
        assert abs(datetime.now(IST) - sim.clock.now()) < 5 * SECOND
        assert sim.clock.now().utcoffset() == timedelta(hours=5, minutes=30)

    def test_set_ticks_on_and_frozen_stands(self):
        clock = Simulator().clock
        start = datetime(2025, 6, 1, 9, 15, tzinfo=IST)
        clock.set(start)
        assert start <= clock.now() < start + 5 * SECOND
        clock.set(start, frozen=True)
        assert clock.now() == clock.now() == start
        clock.advance(timedelta(hours=1))
        assert clock.now() == start + timedelta(hours=1)
        clock.follow()
        assert clock.follows_real_time

    def test_other_zones_are_turned_into_ist(self):
        clock = Simulator().clock
        clock.set(datetime.fromisoformat("2025-01-01T18:30:00+00:00"), frozen=True)
        assert clock.now().isoformat() == "2025-01-02T00:00:00+05:30"

    def test_naive_times_are_refused(self):
        with pytest.raises(ValueError, match="aware"):
            Simulator().clock.set(datetime(2025, 1, 1))  # noqa: DTZ001


def test_last_otp_belongs_to_one_customer(sim, b, type_b):
    b.login()
    assert sim.phone.last_otp("MA0000002") is None
    type_b(sim, sim.accounts["MA0000002"]).login()
    assert sim.phone.messages[0].client_code == "MA0000002"
    assert sim.phone.last_otp(sim.demo.client_code) == sim.phone.messages[1].code
