"""What mStock's answers mean: the table is walked, and unknown words are never over-read."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from broker._kit.errors import (
    BrokerError,
    LogInAgain,
    ManualCheckRequired,
    OutcomeUnknown,
    RateLimited,
    SessionRefused,
    Unreachable,
)
from broker._kit.http.wire_errors import outcome_unknown, unreadable_reply
from broker.mstock.client.error_table import ERROR_RULES, ErrorRule, refusal
from broker.mstock.client.routes import GREETING, SERVER, Call, user_routes
from broker.mstock.errors import (
    APIKeyException,
    GeneralException,
    InputException,
    MiraeException,
    TokenException,
    VersionException,
)

LOGIN, OTP, TOTP = Call.LOGIN, Call.SESSION_TOKEN, Call.VERIFY_TOTP
FUNDS, LOGOUT = Call.FUND_SUMMARY, Call.LOGOUT
READS = (FUNDS, Call.GREETING)
ROUTES = {**user_routes(""), Call.GREETING: GREETING}
ONCE = [LOGIN, OTP, TOTP, LOGOUT]

Example = tuple[Call, int, str, str, type[BrokerError]]
EXAMPLES: list[Example] = [
    (
        FUNDS,
        400,
        "IA403",
        "API is suspended/expired for use. Please check your API subscription and try again.",
        APIKeyException,
    ),
    (FUNDS, 403, "IA403", "Primary and Secondary IP Address are not matching", APIKeyException),
    (FUNDS, 403, "APIKeyException", "Key of another kind", APIKeyException),
    (LOGIN, 400, "", "Please provide valid api version.", VersionException),
    (LOGIN, 400, "VersionException", "Two is the number", VersionException),
    (FUNDS, 200, "IA401", "Invalid request. Please try again.", TokenException),
    (LOGOUT, 401, "", "Invalid request. Please try again.", TokenException),
    (FUNDS, 401, "IA401", "Never heard of you", SessionRefused),
    (LOGIN, 500, "", "Invalid username or password (MACM1)", InputException),
    (LOGIN, 400, "400", "Please provide valid clientcode and password.", InputException),
    (
        OTP,
        500,
        "500",
        "Entered OTP has been expired. Please regenerate a new one & enter the same.",
        InputException,
    ),
    (
        OTP,
        200,
        "MiraeException",
        "The entered OTP is incorrect. Please proceed to login page. (-MACM60)",
        InputException,
    ),
    (TOTP, 400, "MA400", "Please enter correct TOTP", InputException),
    (FUNDS, 200, "MA500", "something went wrong", GeneralException),
    (FUNDS, 500, "IA500", "Oh", GeneralException),
    (FUNDS, 400, "IA400", "Oh", InputException),
    (FUNDS, 200, "RS-0111", "Oh", MiraeException),
    (FUNDS, 200, "InputException", "System is not connected to NSE Equity market", MiraeException),
    (FUNDS, 500, "", "System is not connected to NSE Equity market", GeneralException),
    (LOGIN, 500, "500", "Password incorrect. 1 attempts remaining", InputException),
    (FUNDS, 200, "500", "Oh", GeneralException),
    (LOGIN, 500, "500", "Your account is locked", MiraeException),
    (OTP, 500, "500", "OTP attempts exceeded", MiraeException),
    (FUNDS, 500, "", "Oh", GeneralException),
    (LOGIN, 401, "IA401", "Invalid request. Please try again.", MiraeException),
    (FUNDS, 200, "", "Oh", MiraeException),
]


def first_row(call: Call, http: int, code: str, text: str) -> int:
    plain = " ".join(text.lower().split())
    return next(n for n, row in enumerate(ERROR_RULES) if row.matches(call, http, code, plain))


class TestTable:
    def test_every_row_can_be_reached(self) -> None:
        reached = {first_row(*example[:4]) for example in EXAMPLES}
        assert reached == set(range(len(ERROR_RULES)))

    @pytest.mark.parametrize(("call", "http", "code", "words", "error"), EXAMPLES)
    def test_every_example_is_the_error_that_the_documents_give(
        self, call: Call, http: int, code: str, words: str, error: type[BrokerError]
    ) -> None:
        caught = refusal(ROUTES[call], http, code, words)
        assert type(caught) is error
        assert (caught.code, caught.http_status) == (code, http)

    def test_a_refused_address_is_named_and_how_to_find_ones_own(self) -> None:
        words = "Primary and Secondary IP Address are not matching (203.0.113.9)"
        caught = refusal(ROUTES[FUNDS], 403, "IA403", words)
        assert "203.0.113.9" in caught.message
        assert "internet address" in caught.message
        assert "my IP address" in caught.next_step
        caught = refusal(ROUTES[FUNDS], 403, "IA403", "Not with this one")
        assert "API key or the IP address" in caught.message
        assert "my IP address" in caught.next_step
        assert "BROKER_API_SECRET" in caught.next_step

    def test_the_last_row_takes_what_is_left(self) -> None:
        last = ERROR_RULES[-1]
        assert (last.calls, last.http, last.code, last.text) == (None, None, None, None)

    @pytest.mark.parametrize("row", ERROR_RULES, ids=lambda row: row.message[:40])
    def test_every_message_and_next_step_is_a_plain_sentence(self, row: ErrorRule) -> None:
        assert_sentence(row.message.replace("{said}", "Words."))
        assert_sentence(row.next_step)

    def test_matching_looks_at_all_of_the_words(self) -> None:
        text = "Do not say: Invalid request. Please try again."
        assert not isinstance(refusal(ROUTES[FUNDS], 401, "IA401", text), TokenException)


def assert_sentence(text: str) -> None:
    assert re.match(r"[A-Z“]|mStock", text), text
    assert re.search(r"[.!?]”?$", text), text
    assert "  " not in text
    assert not re.search(r"[{}<>\n]|None|%s", text), text


UNKNOWN = [
    *("Token expired", "invalid token", "unauthorized", "Session expired", "Invalid request."),
    *("Invalid token. Please try again.", "Incorrect password. Please try again."),
    *("Invalid request! Please try again.", "Incorrect auth. Please log in again.", ""),
]


class TestUnknownWords:
    @pytest.mark.parametrize("words", UNKNOWN)
    @pytest.mark.parametrize("code", ["", "IA401", "TokenException", "InputException"])
    def test_that_look_like_a_dead_token_are_not_taken_for_one(self, words: str, code: str) -> None:
        for call in Call:
            for http in (200, 400, 401, 403):
                assert not isinstance(refusal(ROUTES[call], http, code, words), TokenException)

    @given(
        words=st.text(max_size=60)
        | st.sampled_from(UNKNOWN)
        | st.text(max_size=9).map(lambda more: f"Invalid request. Please try again.{more}")
        | st.text(max_size=9).map(lambda more: f"{more}Incorrect auth. Please try again."),
        code=st.sampled_from(["", "TokenException", "IA401", "InputException", "401"])
        | st.text(max_size=10),
        http=st.just(401) | st.integers(100, 599),
        call=st.sampled_from(Call),
    )
    def test_are_never_taken_for_a_dead_token(
        self, words: str, code: str, http: int, call: Call
    ) -> None:
        known = r"(invalid request|incorrect auth)\. please try again\.?"
        assume(not re.fullmatch(known, " ".join(words.lower().split())))
        assert not isinstance(refusal(ROUTES[call], http, code, words), TokenException)

    def test_with_the_code_of_a_dead_token_end_no_session(self) -> None:
        for code in ("IA401", "TokenException"):
            caught = refusal(ROUTES[FUNDS], 401, code, "Who are you?")
            assert isinstance(caught, ManualCheckRequired)
            assert "if it comes back, log out and log in again" in caught.next_step

    def test_are_shown_as_they_are(self) -> None:
        assert (
            "“RMS: {limit} 100 %s”"
            in refusal(ROUTES[FUNDS], 200, "RS-1", "RMS: {limit} 100 %s").message
        )

    def test_no_words_at_all_leave_a_sentence_with_the_http_status(self) -> None:
        for call in Call:
            assert "409" in refusal(ROUTES[call], 409, "", "").message


class TestMa500:
    """One code, three meanings, by call and text."""

    def test_is_a_wrong_password_at_login(self) -> None:
        words = "Invalid username or password. 9 attempts remaining "
        caught = refusal(ROUTES[LOGIN], 200, "MA500", words)
        assert isinstance(caught, InputException)
        assert "password" in caught.message

    def test_is_a_wrong_otp_at_the_second_step(self) -> None:
        words = "Entered OTP has been expired. Please regenerate a new one & enter the same."
        caught = refusal(ROUTES[OTP], 200, "MA500", words)
        assert isinstance(caught, InputException)
        assert "OTP" in caught.message
        assert "password" not in caught.message

    def test_is_a_broken_server_with_the_words_for_it(self) -> None:
        for call in Call:
            caught = refusal(ROUTES[call], 200, "MA500", "something went wrong")
            assert isinstance(caught, GeneralException)

    def test_with_other_words_is_told_in_mstocks_words(self) -> None:
        for call in Call:
            caught = refusal(ROUTES[call], 200, "MA500", "Your account is dormant")
            assert isinstance(caught, MiraeException)
            assert "Your account is dormant" in caught.message


class TestAttempts:
    WORDS = "Invalid username or password. {} attempts remaining "

    def told(self, left: int, words: str = WORDS) -> BrokerError:
        return refusal(ROUTES[LOGIN], 200, "MA500", words.format(left))

    @pytest.mark.parametrize("left", [9, 2, 1, 0])
    def test_left_are_carried_as_a_number(self, left: int) -> None:
        caught = self.told(left)
        assert isinstance(caught, InputException)
        assert caught.attempts_left == left

    @pytest.mark.parametrize("call", [OTP, TOTP])
    @pytest.mark.parametrize("left", [1, 0])
    def test_of_a_code_say_nothing_of_the_password(self, call: Call, left: int) -> None:
        words = f"Not this one. {left} attempts remaining"
        text = str(refusal(ROUTES[call], 200, "MA500", words)).replace("Forgot password", "")
        assert "password" not in text
        assert ("Be sure of the code" if left else "No attempts are left") in text
        assert "unlock a locked account" in text

    def test_nine_are_shown_without_alarm(self) -> None:
        text = str(self.told(9))
        assert "9 attempts" in text
        assert "lock" not in text

    def test_before_the_last_one_there_is_a_warning_and_the_way_to_unlock(self) -> None:
        text = str(self.told(1))
        assert "1 attempt" in text
        assert "before" in text
        assert "lock" in text
        assert "unlock a locked account" in text

    def test_with_none_left_the_way_to_unlock_is_told(self) -> None:
        text = str(self.told(0))
        assert "no attempts" in text
        assert "locked" in text
        assert "unlock a locked account" in text

    @pytest.mark.parametrize(
        "words",
        [
            "Wrong client code or PIN. {} attempts remaining",
            "The pair does not match. {} attempt left.",
        ],
    )
    def test_are_shown_with_the_warning_whatever_words_stand_before(self, words: str) -> None:
        assert "9 attempt" in str(self.told(9, words))
        assert "unlock a locked account" in str(self.told(1, words))
        assert self.told(1, words).attempts_left == 1

    def test_that_are_not_said_are_not_made_up(self) -> None:
        caught = refusal(ROUTES[LOGIN], 500, "", "Invalid username or password (MACM1)")
        assert isinstance(caught, InputException)
        assert caught.attempts_left is None
        assert "attempt" not in str(caught)


STATUSES = [200, 204, 301, 302, 307, 400, 401, 403, 404, 405, 500, 502, 503, 504, 599]


class TestUnreadableReply:
    @pytest.mark.parametrize("http", STATUSES)
    @pytest.mark.parametrize("call", ONCE)
    def test_on_a_call_that_must_not_be_repeated_the_outcome_is_unknown(
        self, call: Call, http: int
    ) -> None:
        caught = unreadable_reply(SERVER, ROUTES[call], http)
        assert isinstance(caught, OutcomeUnknown)
        assert caught.http_status == http
        assert "unknown" in caught.message
        assert str(http) in caught.message
        assert_sentence(caught.message)
        assert_sentence(caught.next_step)

    @pytest.mark.parametrize("http", STATUSES)
    def test_on_a_read_nothing_is_in_doubt(self, http: int) -> None:
        caught = unreadable_reply(SERVER, ROUTES[FUNDS], http)
        assert not isinstance(caught, OutcomeUnknown | LogInAgain)
        assert caught.http_status == http
        assert_sentence(caught.message)
        assert_sentence(caught.next_step)

    @pytest.mark.parametrize("http", [502, 503, 504])
    def test_a_gateways_page_on_a_read_may_pass(self, http: int) -> None:
        assert isinstance(unreadable_reply(SERVER, ROUTES[FUNDS], http), Unreachable)

    def test_a_lost_otp_says_start_again(self) -> None:
        for call in (LOGIN, OTP, TOTP):
            assert "start again" in unreadable_reply(SERVER, ROUTES[call], 502).next_step.lower()

    @pytest.mark.parametrize("call", list(Call))
    def test_throttling_says_the_seconds(self, call: Call) -> None:
        caught = unreadable_reply(SERVER, ROUTES[call], 429, 17)
        assert isinstance(caught, RateLimited)
        assert caught.retry_after == 17
        assert "17 seconds" in str(caught)
        assert isinstance(unreadable_reply(SERVER, ROUTES[call], 429), RateLimited)
        assert_sentence(unreadable_reply(SERVER, ROUTES[call], 429).next_step)

    def test_each_call_that_must_not_be_repeated_has_words_of_its_own(self) -> None:
        errors = [outcome_unknown(SERVER, ROUTES[call], "It broke.") for call in ONCE]
        assert len({error.message for error in errors}) == len(ONCE)
        assert all(error.message.startswith("It broke. ") for error in errors)


@pytest.mark.parametrize(
    ("wait", "words"),
    [(None, "60 seconds."), (0, "1 second."), (1, "1 second."), (9, "9 seconds.")],
)
def test_a_wait_is_told_in_seconds_and_never_as_none(wait: int | None, words: str) -> None:
    assert str(unreadable_reply(SERVER, ROUTES[FUNDS], 429, wait)).endswith(f"Try again in {words}")
