"""The doors behind a login, opened as the host opens them: funds and logout."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest

from broker._kit.errors import BrokerError
from broker.mstock.api import auth_api, funds
from tests.unit.doors import (
    FUNDS,
    KEY,
    KEY_TEXT,
    LOGOUT,
    PAGE,
    ROW,
    STRANGE,
    SUCCESS,
    TOKEN,
    Box,
    assert_fit_to_show,
)
from tests.unit.envelopes import type_a, type_b


class TestFunds:
    def test_the_hosts_five_figures_are_strings_with_two_decimals(self, box: Box) -> None:
        assert funds.get_margin_data(TOKEN) == {
            "availablecash": "299999999997.00",
            "collateral": "74668.00",
            "m2munrealized": "0.00",
            "m2mrealized": "0.00",
            "utiliseddebits": "27395824.71",
        }
        assert box.calls == [FUNDS]

    def test_the_balance_view_gives_mstocks_own_figure(self, box: Box, settings: Any) -> None:
        settings.setenv("MSTOCK_FUNDS_VIEW", "balance")
        assert funds.get_margin_data(TOKEN)["availablecash"] == "299972678840.29"

    def test_the_summary_has_24_fields_of_which_two_are_words(self, box: Box) -> None:
        summary = funds.get_fund_summary(TOKEN)
        values = {key: getattr(summary, key.lower()) for key in ROW}
        assert len(values) == 24
        assert sorted(key for key in values if isinstance(values[key], str)) == [
            "LIMIT_TYPE",
            "SEG",
        ]
        assert sum(isinstance(value, Decimal) for value in values.values()) == 22
        assert values["AVAILABLE_BALANCE"] == Decimal("299972678840.29")

    def test_a_good_token_is_told(self, box: Box) -> None:
        done, words = funds.check_auth_token(TOKEN)
        assert done is True
        assert words

    REFUSALS = (
        (401, type_a("Invalid request. Please try again.", "TokenException"), "session"),
        (200, type_b("Invalid request. Please try again.", "IA401", False), "session"),
        (400, type_a(KEY_TEXT), "API key"),
        (403, type_b(KEY_TEXT, "IA403"), "API key"),
        (200, type_a("something went wrong", "MiraeException"), "mStock"),
        (502, PAGE, "mStock"),
        (429, "", "fewer calls"),
        (200, "", "mStock"),
        (401, "", "mStock"),
        (500, f"<html>{TOKEN}</html>", "mStock"),
        (200, type_b(f"{KEY} {TOKEN} <b>bold</b>", "MA500"), "bold"),
    )

    @pytest.mark.parametrize(("http", "body", "words"), REFUSALS)
    def test_a_refusal_is_raised_in_words_for_the_user(
        self, box: Box, http: int, body: object, words: str
    ) -> None:
        box.answers(FUNDS, http, body)
        for read in (funds.get_margin_data, funds.get_fund_summary):
            with pytest.raises(BrokerError) as caught:
                read(TOKEN)
            assert words in assert_fit_to_show(str(caught.value))
        done, said = funds.check_auth_token(TOKEN)
        assert done is False
        assert words in assert_fit_to_show(said)

    @pytest.mark.parametrize(
        ("data", "words"),
        [
            (None, "fund"),
            ([], "fund"),
            ({}, "fund"),
            ("", "fund"),
            ([ROW | {"AVAILABLE_BALANCE": None}], "AVAILABLE_BALANCE"),
            ([ROW | {"AMOUNT_UTILIZED": ""}], "AMOUNT_UTILIZED"),
            ([ROW | {"COLLATERALS": "abc"}], "COLLATERALS"),
            ([ROW | {"MTM_COMBINED": True}], "MTM_COMBINED"),
        ],
    )
    def test_unusable_figures_are_raised_and_never_zero(
        self, box: Box, kind: str, data: object, words: str
    ) -> None:
        box.answers(FUNDS, 200, SUCCESS[kind][FUNDS] | {"data": data})
        for read in (funds.get_margin_data, funds.get_fund_summary):
            with pytest.raises(BrokerError) as caught:
                read(TOKEN)
            assert words in assert_fit_to_show(str(caught.value))

    @pytest.mark.parametrize("number", ["1e9999999999999999999", "9" * 5000, "NaN"])
    def test_a_monstrous_number_is_raised_in_words_too(self, box: Box, number: str) -> None:
        box.answers(FUNDS, 200, f'{{"status":true,"data":[{{"SEG":"A","LIMIT_SOD":{number}}}]}}')
        with pytest.raises(BrokerError):
            funds.get_margin_data(TOKEN)
        assert funds.check_auth_token(TOKEN)[0] is False

    @pytest.mark.parametrize("token", ["", " ", "a b", "a:b", "a\r\nb", "é", *STRANGE], ids=repr)
    def test_a_token_that_is_none_is_told_in_words_and_not_sent(self, box: Box, token: Any) -> None:
        done, words = funds.check_auth_token(token)
        assert done is False
        assert_fit_to_show(words)
        for read in (funds.get_margin_data, funds.get_fund_summary):
            with pytest.raises(BrokerError) as caught:
                read(token)
            assert_fit_to_show(str(caught.value))
        assert box.calls == []


class TestLogout:
    def test_is_confirmed_by_mstock(self, box: Box) -> None:
        done, words = auth_api.logout(TOKEN)
        assert done is True
        assert "confirmed" in words
        assert box.calls == [LOGOUT]

    @pytest.mark.parametrize(
        "body",
        [
            type_a("Invalid request. Please try again.", "TokenException"),
            type_b("Invalid request. Please try again.", "IA401", False),
            type_b("Words that nobody knows", "IA401"),
            "",
            PAGE,
        ],
    )
    def test_of_a_session_that_had_ended_is_as_good(self, box: Box, body: object) -> None:
        box.answers(LOGOUT, 401, body)
        done, words = auth_api.logout(TOKEN)
        assert done is True
        assert "already ended" in words
        assert box.calls == [LOGOUT]

    @pytest.mark.parametrize(
        ("http", "body"),
        [
            (403, type_b(KEY_TEXT, "IA403")),
            (400, type_a(KEY_TEXT)),
            (500, type_a("something went wrong", "MiraeException")),
            (502, PAGE),
            (200, ""),
            (429, ""),
            (200, type_b(f"{KEY} {TOKEN} <b>bold</b>", "MA500")),
            (401, type_b(KEY_TEXT, "IA403")),
            (401, type_b("Primary and Secondary IP Address are not matching", "IA403")),
        ],
    )
    def test_that_mstock_does_not_confirm_says_so_and_is_not_repeated(
        self, box: Box, http: int, body: object
    ) -> None:
        box.answers(LOGOUT, http, body)
        done, words = auth_api.logout(TOKEN)
        assert done is False
        assert re.search("not confirm", assert_fit_to_show(words))
        assert "midnight IST" in words
        assert box.calls == [LOGOUT]

    @pytest.mark.parametrize("token", ["", " ", "a b.c", "key:a.b.c", "a\r\nb", *STRANGE], ids=repr)
    def test_without_a_token_that_can_be_sent_ends_no_session_and_says_so(
        self, box: Box, token: Any
    ) -> None:
        done, words = auth_api.logout(token)
        assert done is False
        assert_fit_to_show(words)
        assert box.calls == []
