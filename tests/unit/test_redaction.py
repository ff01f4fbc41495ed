"""What of mStock's words is shown: plain text, of a sane length, and no secret in any form."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker._kit.http.redaction import plain
from broker.mstock.client.routes import Call
from broker.mstock.errors import InputException
from tests.unit.envelopes import (
    FUNDS,
    LOGIN,
    OTP,
    PASSWORD_9,
    ask,
    refused,
    type_a,
    type_b,
)


class TestWords:
    @pytest.mark.parametrize(
        "words",
        [
            "before <b>bold</b> after",
            "before <script>x</script> after",
            "before <img src=x onerror=alert(1)> after",
            "before <!-- comment --> after",
            "before\n\n\tafter",
            "before\r\nSet-Cookie: after",
            "before\x00\x07\x1b[31m after",
            "before\u202e\u200b\ufeff after",
            "before\ud800 after",
        ],
    )
    def test_no_markup_and_no_control_character_reaches_a_message(self, words: str) -> None:
        for body in (type_b(words, "MA500"), {"status": 400, "title": words, "errors": {}}):
            text = str(refused(body))
            assert "before" in text
            assert "after" in text
            assert text.isprintable()
            assert "<" not in text

    @pytest.mark.parametrize(
        "tag",
        ["<img src=x onerror=alert(1) ", "<script", "<!-- x", "</b", "<\x00script", "<\u200bimg x"],
    )
    def test_a_tag_that_is_never_closed_does_not_reach_a_message_either(self, tag: str) -> None:
        text = str(refused(type_b(f"before {tag}", "MA500")))
        assert "before" in text
        assert "<" not in text

    @given(words=st.text(max_size=300), code=st.text(max_size=300))
    def test_whatever_mstock_says_the_error_is_one_printable_line(
        self, words: str, code: str
    ) -> None:
        text = str(refused(type_b(words, code)))
        assert text.isprintable()
        assert 0 < len(text) < 1000

    def test_words_that_are_not_text_are_left_out(self) -> None:
        for words in (None, 5, [], {}, ["x"], True):
            assert str(refused({"status": "false", "message": words, "errorcode": None}))
            assert ask({"status": "true", "message": words, "data": 1})[:2] == ("", 1)

    def test_no_markup_is_in_the_code(self) -> None:
        assert refused(type_b("m", "<b>MA500</b>")).code == "MA500"

    @pytest.mark.parametrize("text", ["a" * 65_000, "<" * 65_000, "a1+" * 20_000, "x://" * 16_000])
    def test_a_very_long_text_is_cut_before_it_is_looked_at(self, text: str) -> None:
        # Looked at whole, each of these takes seconds, in which nothing else runs.
        assert len(plain(text)) <= 241

    def test_a_number_for_a_code_is_not_shown_at_any_length(self) -> None:
        assert len(str(refused(b'{"status":' + b"4" * 4000 + b',"message":"m"}'))) < 1000


class TestSecrets:
    VALUE = "hunter2!hunter2!"
    SENT = (LOGIN, 400, VALUE)

    @pytest.mark.parametrize(
        "body",
        [
            type_b(f"Bad password {VALUE}, {VALUE}.", "MA500"),
            type_b("Bad password", VALUE),
            type_a("Bad password", VALUE),
            {"status": 400, "title": f"t {VALUE}", "errors": {"x": [f"{VALUE} bad"]}},
            type_b(f"Bad <i>{VALUE}</i>", "MA500"),
            type_b("Bad hunter2!\u200bhunter2!", "MA500"),
            type_b("Bad hunter2!\x00hunter2!", "MA500"),
        ],
        ids=["message", "errorcode", "error_type", "title", "tags", "zero width", "control"],
    )
    def test_a_secret_that_mstock_echoes_is_masked(self, body: Any) -> None:
        for call in Call:
            assert self.VALUE not in repr(vars(refused(body, call, 400, self.VALUE)))

    @pytest.mark.parametrize("echo", ["p&amp;ss&lt;1 bad", "p%26ss%3C1 bad", "p%26ss%3C1+bad"])
    def test_a_secret_that_mstock_echoes_escaped_is_masked(self, echo: str) -> None:
        secrets = ("p&ss<1", "p&ss<1 bad")
        assert "ss" not in str(refused(type_b(echo, "MA500"), OTP, 200, *secrets)).split("“")[1]

    @pytest.mark.parametrize(
        "secret", ["hunter2!<b>hunter2!", "hunter2!<hunter2!", "hunter2!  hunter2!", "hunter2!://x"]
    )
    def test_a_secret_that_looks_like_markup_or_an_address_leaves_no_piece(
        self, secret: str
    ) -> None:
        for body in (type_b(f"Bad {secret} given", "MA500"), type_b("Bad", secret)):
            assert "hunter2" not in repr(vars(refused(body, LOGIN, 400, secret)))

    def test_a_secret_where_a_long_text_is_cut_leaves_no_piece(self) -> None:
        for n in range(20, 45):
            assert "hunter2" not in refused(type_b("m", "x" * n + self.VALUE), *self.SENT).code
        for n in range(220, 245):
            assert "hunter2" not in str(refused(type_b("x" * n + self.VALUE, ""), *self.SENT))

    @given(
        before=st.text(max_size=50),
        secret=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8),
        after=st.text(max_size=50),
    )
    def test_no_secret_is_shown_wherever_it_stands(
        self, before: str, secret: str, after: str
    ) -> None:
        body = type_b(before + secret + after, after + secret)
        assert secret not in str(refused(body, LOGIN, 200, secret))

    def test_a_secret_in_a_success_message_is_masked(self) -> None:
        body = {"status": "true", "message": f"Welcome {self.VALUE}", "data": 1}
        assert self.VALUE not in ask(body, LOGIN, 200, self.VALUE).message

    def test_a_secret_that_begins_with_another_is_masked_whole(self) -> None:
        text = str(refused(type_b("Bad 1234567890", "MA500"), OTP, 200, "123456", "1234567890"))
        assert "7890" not in text

    def test_no_secret_or_an_empty_one_changes_nothing(self) -> None:
        assert "“No row”" in str(refused(type_b("No row", "MA500"), FUNDS, 200, ""))

    def test_a_password_made_of_mstocks_own_words_does_not_hide_what_it_says(self) -> None:
        caught = refused(type_b(PASSWORD_9, "MA500"), LOGIN, 200, "password")
        assert isinstance(caught, InputException)
        assert caught.attempts_left == 9
