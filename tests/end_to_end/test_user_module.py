"""The plugin's doors against the simulator over real sockets: both types, both revisions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from broker._kit.clock import IST
from broker._kit.errors import BrokerError, RateLimited, SessionRefused, Unreachable, UnusableReply
from broker.mstock.api import auth_api, funds
from broker.mstock.errors import APIKeyException, GeneralException, TokenException
from broker.mstock.settings import Config
from broker_simulator.mstock import Simulator

DEMO = ("availablecash", "collateral", "m2munrealized", "m2mrealized", "utiliseddebits")


@pytest.fixture
def route(api_type: str) -> Callable[[str], str]:
    return lambda path: f"{api_type.lower()}/{path}"


@pytest.fixture
def log_in(config: Config, simulator: Simulator) -> Callable[[], str]:
    def enter() -> str:
        ticket, _, error = auth_api.send_otp(simulator.demo.password)
        assert error is None
        otp = simulator.phone.last_otp(simulator.demo.client_code)
        token, feed, error = auth_api.verify_otp(str(otp), str(ticket))
        assert (feed, error) == (None, None)
        assert token
        return token

    return enter


def calls(simulator: Simulator) -> list[str]:
    return [entry.route for entry in simulator.journal]


def enable_totp(simulator: Simulator) -> None:
    simulator.demo.totp_enabled = True


class TestOtp:
    def test_from_password_to_funds_and_out(
        self,
        log_in: Callable[[], str],
        simulator: Simulator,
        route: Callable[[str], str],
    ) -> None:
        token = log_in()
        assert token.count(".") == 2
        figures = funds.get_margin_data(token)
        assert tuple(figures) == DEMO
        assert funds.check_auth_token(token) == (True, "The mStock session is valid.")
        assert auth_api.logout(token) == (True, "mStock has confirmed the logout.")
        with pytest.raises(TokenException, match=r"(?i)log in again"):
            funds.get_margin_data(token)
        assert auth_api.logout(token) == (True, "The mStock session had already ended.")
        assert calls(simulator) == [
            route(path)
            for path in (
                "connect/login",
                "session/token",
                "user/fundsummary",
                "user/fundsummary",
                "logout",
                "user/fundsummary",
                "user/fundsummary",  # asks once more before it believes that the session is over
                "logout",
            )
        ]

    def test_the_figures_are_the_accounts(
        self, log_in: Callable[[], str], simulator: Simulator
    ) -> None:
        token = log_in()
        figures = funds.get_margin_data(token)
        whole = funds.get_fund_summary(token)
        host = {name: round(100 * float(value)) for name, value in figures.items()}
        assert host["availablecash"] + host["collateral"] - host["utiliseddebits"] == round(
            100 * whole.available_balance
        )
        assert host["utiliseddebits"] == round(100 * whole.amount_utilized) > 0
        assert whole.seg == "A"

    def test_where_the_otp_went_is_told(
        self, config: Config, simulator: Simulator, api_type: str
    ) -> None:
        _, message, _ = auth_api.send_otp(simulator.demo.password)
        assert message
        assert ("XXX" in message) is (api_type == "B")  # Type A does not say where

    def test_a_wrong_otp_is_refused_and_the_right_one_still_works(
        self, config: Config, simulator: Simulator
    ) -> None:
        ticket, _, _ = auth_api.send_otp(simulator.demo.password)
        right = str(simulator.phone.last_otp(simulator.demo.client_code))
        wrong = f"{(int(right) + 1) % 1_000_000:06}"
        token, _, error = auth_api.verify_otp(wrong, str(ticket))
        assert token is None
        assert error is not None
        assert "OTP" in error
        token, _, error = auth_api.verify_otp(right, str(ticket))
        assert (bool(token), error) == (True, None)

    def test_a_wrong_password_tells_the_attempts(
        self, config: Config, simulator: Simulator, api_type: str
    ) -> None:
        ticket, message, error = auth_api.send_otp("not the password")
        assert (ticket, message) == (None, None)
        assert error is not None
        assert "did not accept this client code and password" in error
        assert ("9 attempts are left" in error) is (api_type == "B")  # Type A does not say

    def test_type_b_warns_before_the_last_attempt(
        self, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from tests.conftest import settings_for

        for name, value in settings_for(simulator, "B").items():
            monkeypatch.setenv(name, value)
        errors = [str(auth_api.send_otp("not the password")[2]) for _ in range(10)]
        assert "9 attempts are left" in errors[0]
        assert "Only 1 attempt is left" in errors[8]
        assert "Forgot password" in errors[8]
        assert "account is locked: no attempts are left" in errors[9]


class TestTotp:
    def test_both_calls_go_out_on_one_connection(
        self, config: Config, simulator: Simulator, route: Callable[[str], str]
    ) -> None:
        enable_totp(simulator)
        code = simulator.totp_now(simulator.demo.client_code)
        token, feed, error = auth_api.authenticate_with_totp(simulator.demo.password, code)
        assert (feed, error) == (None, None)
        assert funds.get_margin_data(str(token))
        first, second, *_ = simulator.journal
        assert [first.route, second.route] == [route("connect/login"), route("session/verifytotp")]
        assert first.remote_port == second.remote_port

    def test_a_gateway_that_refuses_cold_second_steps_is_satisfied(
        self, config: Config, simulator: Simulator, route: Callable[[str], str]
    ) -> None:
        enable_totp(simulator)
        simulator.faults.set(route("session/verifytotp"), "cold_bad_gateway")
        code = simulator.totp_now(simulator.demo.client_code)
        token, _, error = auth_api.authenticate_with_totp(simulator.demo.password, code)
        assert (bool(token), error) == (True, None)

    def test_an_otp_goes_over_its_logins_connection(
        self, config: Config, simulator: Simulator, route: Callable[[str], str]
    ) -> None:
        simulator.faults.set(route("session/token"), "cold_bad_gateway")
        ticket, _, _ = auth_api.send_otp(simulator.demo.password)
        otp = str(simulator.phone.last_otp(simulator.demo.client_code))
        token, _, error = auth_api.verify_otp(otp, str(ticket))
        assert (bool(token), error) == (True, None)
        assert calls(simulator).count(route("session/token")) == 1

    def test_a_used_code_is_refused(self, config: Config, simulator: Simulator) -> None:
        enable_totp(simulator)
        code = simulator.totp_now(simulator.demo.client_code)
        login = (simulator.demo.password, code)
        assert auth_api.authenticate_with_totp(*login)[0]
        token, _, error = auth_api.authenticate_with_totp(*login)
        assert token is None
        assert "authenticator code" in str(error)

    def test_a_wrong_code_is_refused_once(
        self, config: Config, simulator: Simulator, route: Callable[[str], str]
    ) -> None:
        enable_totp(simulator)
        code = simulator.totp_now(simulator.demo.client_code)
        wrong = f"{(int(code) + 1) % 1_000_000:06}"
        token, _, error = auth_api.authenticate_with_totp(simulator.demo.password, wrong)
        assert token is None
        assert "clocks" in str(error)
        assert calls(simulator) == [route("connect/login"), route("session/verifytotp")]


class TestMidnight:
    def test_the_token_dies_at_midnight_ist(
        self, log_in: Callable[[], str], simulator: Simulator
    ) -> None:
        simulator.clock.set(datetime(2026, 11, 23, 9, 15, tzinfo=IST))
        token = log_in()
        simulator.clock.set(datetime(2026, 11, 23, 23, 59, 58, tzinfo=IST))
        assert funds.get_margin_data(token)
        simulator.clock.advance(timedelta(seconds=2))
        with pytest.raises(TokenException, match="midnight IST"):
            funds.get_margin_data(token)
        valid, message = funds.check_auth_token(token)
        assert not valid
        assert "log in again" in message.lower()


FAULTS: list[tuple[str, type[BrokerError], int]] = [
    # fault, what a read raises, how often the read goes out
    ("bad_gateway", Unreachable, 3),
    ("service_unavailable", Unreachable, 3),
    ("gateway_timeout", Unreachable, 3),
    ("reset", Unreachable, 3),
    ("truncated_body", Unreachable, 3),
    ("reset_mid_body", Unreachable, 3),
    ("disconnect", Unreachable, 3),
    ("not_http", Unreachable, 3),
    ("timeout", Unreachable, 1),
    ("drip_body", Unreachable, 1),
    ("drip_headers", Unreachable, 1),
    ("garbage", UnusableReply, 1),
    ("empty_body", UnusableReply, 1),
    ("json_scalar", UnusableReply, 1),
    ("gzip_bomb", UnusableReply, 1),
    ("redirect", Unreachable, 1),
    ("html_page", UnusableReply, 1),
    ("too_many_requests", RateLimited, 1),
    ("too_many_requests_bare", RateLimited, 1),
    ("general_error", GeneralException, 1),
    ("ip_refused", APIKeyException, 1),
    ("expired_key", APIKeyException, 1),
]


class TestFaults:
    @pytest.fixture
    def hurried(self, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BROKER_READ_TIMEOUT", "0.3")
        monkeypatch.setenv("BROKER_DEADLINE", "0.6")

    @pytest.mark.parametrize("revision", ["older"], indirect=True)
    @pytest.mark.parametrize(("fault", "error", "tries"), FAULTS)
    def test_a_read_under_a_fault(
        self,
        fault: str,
        error: type[BrokerError],
        tries: int,
        log_in: Callable[[], str],
        hurried: None,
        simulator: Simulator,
        route: Callable[[str], str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        token = log_in()
        if not fault.startswith("drip"):
            monkeypatch.setenv("BROKER_DEADLINE", "3")  # room for pauses, and for a slow machine
        options = {"too_many_requests": {"retry_after": 60}, "gzip_bomb": {"megabytes": 4}}
        simulator.faults.set(route("user/fundsummary"), fault, **options.get(fault, {}))
        with pytest.raises(BrokerError) as caught:
            funds.get_margin_data(token)
        assert type(caught.value) is error
        assert calls(simulator).count(route("user/fundsummary")) == tries
        simulator.faults.clear()
        monkeypatch.setenv("BROKER_READ_TIMEOUT", "10")
        monkeypatch.setenv("BROKER_DEADLINE", "20")
        assert funds.get_margin_data(token)  # an outage does not end the session

    @pytest.mark.parametrize("revision", ["older"], indirect=True)
    @pytest.mark.parametrize(("refusals", "error"), [(1, SessionRefused), (2, TokenException)])
    def test_a_session_is_over_when_mstock_says_so_twice(
        self,
        refusals: int,
        error: type[BrokerError],
        log_in: Callable[[], str],
        simulator: Simulator,
        route: Callable[[str], str],
    ) -> None:
        token, reads = log_in(), route("user/fundsummary")
        simulator.faults.set(reads, "dead_token", times=refusals)
        with pytest.raises(BrokerError) as caught:
            funds.get_margin_data(token)
        assert type(caught.value) is error
        assert calls(simulator).count(reads) == 2
        is_alive = funds.check_auth_token(token)[0]  # the fault has gone by itself
        assert is_alive is (refusals == 1)
        assert calls(simulator).count(reads) == 2 + is_alive

    @pytest.mark.parametrize("revision", ["older"], indirect=True)
    @pytest.mark.parametrize("when", ["before", "after"])
    @pytest.mark.parametrize("fault", ["bad_gateway", "reset", "timeout", "garbage", "drip_body"])
    @pytest.mark.parametrize("step", ["connect/login", "session/token", "session/verifytotp"])
    def test_a_login_step_under_a_fault_goes_out_once(
        self,
        step: str,
        fault: str,
        when: str,
        config: Config,
        hurried: None,
        simulator: Simulator,
        route: Callable[[str], str],
    ) -> None:
        simulator.faults.set(route(step), fault, when=when)
        password = simulator.demo.password
        if step == "session/verifytotp":
            enable_totp(simulator)
            code = simulator.totp_now(simulator.demo.client_code)
            result = auth_api.authenticate_with_totp(password, code)
        else:
            result = auth_api.send_otp(password)
            if step == "session/token":
                assert result[2] is None
                otp = str(simulator.phone.last_otp(simulator.demo.client_code))
                result = auth_api.verify_otp(otp, str(result[0]))
        assert result[:2] == (None, None)
        assert "unknown" in str(result[2])
        assert "start again" in str(result[2]).lower()
        assert calls(simulator).count(route(step)) == 1

    def test_an_unplugged_broker_is_told_from_a_dead_token(
        self, log_in: Callable[[], str], simulator: Simulator
    ) -> None:
        token = log_in()
        simulator.stop()
        with pytest.raises(Unreachable, match="could not be reached"):
            funds.get_margin_data(token)
        confirmed, message = auth_api.logout(token)
        assert not confirmed
        assert "did not confirm" in message
        assert "could not be checked" in funds.check_auth_token(token)[1]
        ticket, _, error = auth_api.send_otp(simulator.demo.password)
        assert ticket is None
        assert "Nothing was sent" in str(error)

    def test_a_logout_that_is_lost_is_not_confirmed_and_not_repeated(
        self,
        log_in: Callable[[], str],
        hurried: None,
        simulator: Simulator,
        route: Callable[[str], str],
    ) -> None:
        token = log_in()
        simulator.faults.set(route("logout"), "timeout", when="after")
        confirmed, message = auth_api.logout(token)
        assert not confirmed
        assert "midnight" in message
        assert calls(simulator).count(route("logout")) == 1
