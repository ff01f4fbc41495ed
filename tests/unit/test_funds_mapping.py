"""mStock's fund summary into the host's five figures: exact, signed, and never guessed."""

from __future__ import annotations

import decimal
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.mstock.errors import DataException
from broker.mstock.mapping.fund_report import fund_report
from broker.mstock.mapping.funds import margin, summary, two_decimals

DOCUMENTED: dict[str, Any] = {
    "ADDITIONAL_MARGIN": "0.0",
    "ADHOC_LIMIT": "99999999999",
    "AMOUNT_UTILIZED": "27395824.71",
    "AVAILABLE_BALANCE": "299972678840.29",
    "BANK_HOLDING": "99999999999",
    "CLEAR_BALANCE": "199999949998",
    "COLLATERALS": "74668",
    "LIMIT_SOD": "99999999999",
    "LIMIT_TYPE": "CAPITAL",
    "MF_COLLATERAL": "0.0",
    "MTF_AVAILABLE_BALANCE": "299972678840.29",
    "MTF_COLLATERAL": "0.0",
    "MTF_UTILIZE": "0.0",
    "MTM_COMBINED": "0",
    "OFS_UTILIZED": "0.0",
    "OPT_BUY_PRIMIUM_UTILIZE": "0.0",
    "PAY_OUT_AMT": "50000.0",
    "PEAK_MARGIN": "33222959.73",
    "PHYSICAL_MARGIN": "0.0",
    "REALISED_PROFITS": "0",
    "RECEIVABLES": "0",
    "SEG": "A",
    "SUM_OF_ALL": "300000024665",
    "UNCLEAR_BALANCE": "0",
}
MOCK: dict[str, Any] = {
    **DOCUMENTED,
    "ADDITIONAL_MARGIN": None,
    "AMOUNT_UTILIZED": "0.0",
    "AVAILABLE_BALANCE": "299999999997",
    "CLEAR_BALANCE": "199999999998",
    "COLLATERALS": None,
    "MTF_AVAILABLE_BALANCE": "299999999997",
    "MTM_COMBINED": None,
    "OFS_UTILIZED": None,
    "PAY_OUT_AMT": "0.0",
    "PEAK_MARGIN": "37910623.64",
    "PHYSICAL_MARGIN": None,
    "REALISED_PROFITS": None,
    "RECEIVABLES": None,
    "SUM_OF_ALL": "299999999997",
    "UNCLEAR_BALANCE": None,
}
WORDS = ["LIMIT_TYPE", "SEG"]
FIGURES = [key for key in DOCUMENTED if key not in WORDS]
NULL_SEEN = [
    *("ADDITIONAL_MARGIN", "BANK_HOLDING", "COLLATERALS", "MTM_COMBINED", "OFS_UTILIZED"),
    *("PEAK_MARGIN", "PHYSICAL_MARGIN", "REALISED_PROFITS", "RECEIVABLES", "UNCLEAR_BALANCE"),
]
USED = [
    *("AVAILABLE_BALANCE", "AMOUNT_UTILIZED", "COLLATERALS", "REALISED_PROFITS", "MTM_COMBINED"),
]
NULLS = [None, "", "None"]
VIEWS = ["cash", "balance"]


def row(**changed: Any) -> dict[str, Any]:
    return {**DOCUMENTED, **changed}


def host(data: Any, view: str = "cash") -> dict[str, str]:
    return margin(data, view).for_host()


class TestSamples:
    @pytest.mark.parametrize(
        ("sample", "view", "five"),
        [
            # 299972678840.29 + 27395824.71 - 74668
            (DOCUMENTED, "cash", ("299999999997.00", "74668.00", "0.00", "0.00", "27395824.71")),
            (DOCUMENTED, "balance", ("299972678840.29", "74668.00", "0.00", "0.00", "27395824.71")),
            (MOCK, "cash", ("299999999997.00", "0.00", "0.00", "0.00", "0.00")),
            (MOCK, "balance", ("299999999997.00", "0.00", "0.00", "0.00", "0.00")),
        ],
    )
    def test_give_the_five_figures(
        self, sample: dict[str, Any], view: str, five: tuple[str, ...]
    ) -> None:
        keys = ("availablecash", "collateral", "m2munrealized", "m2mrealized", "utiliseddebits")
        assert host([sample], view) == dict(zip(keys, five, strict=True))
        assert fund_report(summary([sample]), view).host_fields == host([sample], view)

    def test_the_view_is_cash_unless_asked_otherwise(self) -> None:
        assert margin([DOCUMENTED]) == margin([DOCUMENTED], "cash")

    def test_give_all_24_fields_typed(self) -> None:
        funds = summary([DOCUMENTED])
        for key in DOCUMENTED:
            value = getattr(funds, key.lower())
            assert type(value) is (str if key in WORDS else Decimal)
            assert value == (DOCUMENTED[key] if key in WORDS else Decimal(DOCUMENTED[key]))
        assert len(FIGURES) == 22

    def test_nulls_in_the_mock_sample_are_zero(self) -> None:
        funds = summary([MOCK])
        for key in NULL_SEEN:
            if MOCK[key] is None:
                assert getattr(funds, key.lower()) == 0

    def test_each_of_the_hosts_figures_comes_from_its_own_field(self) -> None:
        data = [row(REALISED_PROFITS="-1.5", MTM_COMBINED="2.25", COLLATERALS="3")]
        five = host(data)
        assert (five["m2mrealized"], five["m2munrealized"]) == ("-1.50", "2.25")
        assert five["collateral"] == "3.00"


paise = st.integers(-(10**16), 10**16)
amounts = paise.map(lambda n: f"{'-' if n < 0 else ''}{abs(n) // 100}.{abs(n) % 100:02d}")
nullable = amounts | st.sampled_from(NULLS)
figures = st.from_regex(r"\A-?[0-9]{1,14}(\.[0-9]{1,4})?\Z")


class TestProperties:
    @given(available=amounts, used=amounts, collateral=nullable, profit=nullable, mtm=nullable)
    def test_cash_and_collateral_less_debits_is_the_available_balance(
        self, available: str, used: str, collateral: Any, profit: Any, mtm: Any
    ) -> None:
        data = [
            row(
                AVAILABLE_BALANCE=available,
                AMOUNT_UTILIZED=used,
                COLLATERALS=collateral,
                REALISED_PROFITS=profit,
                MTM_COMBINED=mtm,
            )
        ]
        five = {key: Decimal(value) for key, value in host(data).items()}
        left = five["availablecash"] + five["collateral"] - five["utiliseddebits"]
        assert left == Decimal(available)
        assert five["utiliseddebits"] == Decimal(used)
        assert five["collateral"] == (0 if collateral in NULLS else Decimal(collateral))
        assert Decimal(host(data, "balance")["availablecash"]) == Decimal(available)

    @given(values=st.lists(figures, min_size=5, max_size=5), view=st.sampled_from(VIEWS))
    def test_what_the_host_gets_is_plain_and_has_two_decimals(
        self, values: list[str], view: str
    ) -> None:
        for text in host([row(**dict(zip(USED, values, strict=True)))], view).values():
            assert re.fullmatch(r"-?[0-9]+\.[0-9]{2}", text)
            assert text != "-0.00"

    @pytest.mark.parametrize("text", ["-0", "-0.00", "-0.001", "-0.005", "0.004", "-0.0"])
    def test_less_than_a_paisa_is_no_negative_zero(self, text: str) -> None:
        data = [
            row(MTM_COMBINED=text, AVAILABLE_BALANCE=text, AMOUNT_UTILIZED="0", COLLATERALS="0")
        ]
        for view in VIEWS:
            assert host(data, view)["m2munrealized"] == "0.00"
            assert host(data, view)["availablecash"] == "0.00"

    @pytest.mark.parametrize(
        ("amount", "text"),
        [
            ("1.005", "1.00"),
            ("1.015", "1.02"),
            ("-1.005", "-1.00"),
            ("-7", "-7.00"),
            ("1.5", "1.50"),
        ],
    )
    def test_rounding_is_to_the_paisa_and_half_to_even(self, amount: str, text: str) -> None:
        assert two_decimals(Decimal(amount)) == text


NOT_A_FIGURE = [
    *("abc", "NaN", "nan", "sNaN", "1_000", "1e400", "1E2", "１２", "१२", "1,000", "1,00,000"),
    *(" 1", "1 ", "1\n", "+1", "0x1", "Infinity", "-Infinity", "inf", "1.2.3", "--1", "-", "."),
    *("1.", ".5", "null", "none", "NULL", "₹1", "(1)", "1-", "9" * 400, "0." + "0" * 400 + "1"),
    *(True, False, [], {}, ["1"], {"value": "1"}, 1.5, float("nan")),
    *(Decimal("1e400"), Decimal("1E+2"), Decimal("1e-400"), Decimal("NaN"), Decimal("sNaN")),
    *(Decimal("Infinity"), 10**30),
]


class TestBadFigures:
    @pytest.mark.parametrize("bad", NOT_A_FIGURE, ids=lambda bad: repr(bad)[:16])
    def test_are_an_error_that_names_the_field(self, bad: object) -> None:
        for key in FIGURES:
            assert_names(key, row(**{key: bad}))

    @pytest.mark.parametrize("number", ["1e400", "1E+2", "-1e9", "1e-99"])
    def test_are_an_error_as_numbers_of_json_too(self, number: str) -> None:
        value = json.loads(number, parse_float=Decimal)
        for key in FIGURES:
            assert_names(key, row(**{key: value}))

    @pytest.mark.parametrize("key", DOCUMENTED)
    def test_a_missing_field_is_an_error_that_names_it(self, key: str) -> None:
        assert_names(key, {name: value for name, value in DOCUMENTED.items() if name != key})

    @pytest.mark.parametrize("key", FIGURES)
    @pytest.mark.parametrize("nothing", NULLS)
    def test_null_is_zero_where_null_has_been_seen_and_nowhere_else(
        self, key: str, nothing: object
    ) -> None:
        changed = row(**{key: nothing})
        if key in NULL_SEEN:
            assert getattr(summary([changed]), key.lower()) == 0
        else:
            assert_names(key, changed)

    @pytest.mark.parametrize("key", WORDS)
    def test_a_word_that_is_none_is_an_error_that_names_it(self, key: str) -> None:
        for bad in (None, 5, True, [], {}):
            assert_names(key, row(**{key: bad}))

    def test_plain_numbers_of_json_are_taken(self) -> None:
        for text in ("0", "-1", "12.5", "299972678840.29", "-0.01"):
            value = json.loads(text, parse_float=Decimal)
            assert summary([row(LIMIT_SOD=value)]).limit_sod == Decimal(text)


def assert_names(key: str, changed: dict[str, Any]) -> None:
    with pytest.raises(DataException) as caught:
        summary([changed])
    assert re.search(rf"\b{key}\b", caught.value.message)
    if key not in USED:
        return
    for view in VIEWS:
        with pytest.raises(DataException, match=rf"\b{key}\b"):
            margin([changed], view)


A = row(AVAILABLE_BALANCE="1000.00", AMOUNT_UTILIZED="0", COLLATERALS="0")
OTHER = row(SEG="D", AVAILABLE_BALANCE="7.00", AMOUNT_UTILIZED="0", COLLATERALS="0")


class TestRows:
    @pytest.mark.parametrize(
        "rows", [[A], [A, OTHER], [OTHER, A], [OTHER, A, OTHER], [A, A | OTHER]]
    )
    def test_the_a_row_is_the_whole_wherever_it_stands(self, rows: list[Any]) -> None:
        assert host(rows)["availablecash"] == "1000.00"
        assert summary(rows).seg == "A"

    def test_a_single_row_of_another_segment_is_all_there_is(self) -> None:
        assert host([OTHER])["availablecash"] == "7.00"

    @pytest.mark.parametrize("rows", [[A, A], [OTHER, OTHER], [OTHER, row(SEG="E")], [A, OTHER, A]])
    def test_several_rows_without_one_whole_are_an_error(self, rows: list[Any]) -> None:
        for read in (host, summary):
            with pytest.raises(DataException, match="SEG"):
                read(rows)

    @pytest.mark.parametrize(
        "data",
        [
            None,
            [],
            {},
            "",
            "None",
            0,
            5,
            True,
            [None],
            [[]],
            ["A"],
            [[DOCUMENTED]],
            [A, None],
            [{}],
        ],
        ids=repr,
    )
    def test_no_figures_are_an_error_and_never_zeros(self, data: object) -> None:
        for read in (host, summary):
            with pytest.raises(DataException) as caught:
                read(data)
            assert caught.value.message
            assert "0.00" not in str(caught.value)


class TestDecimalContext:
    """The host's other code may have changed the thread's context; money must not notice."""

    @pytest.fixture(
        params=[
            decimal.Context(prec=3),
            decimal.Context(prec=3, rounding=decimal.ROUND_FLOOR),
            decimal.Context(prec=50, rounding=decimal.ROUND_UP),
            decimal.Context(prec=3, traps=[decimal.Inexact, decimal.Rounded]),
            decimal.Context(prec=60, Emax=3, Emin=-3, traps=[decimal.Overflow, decimal.Inexact]),
            decimal.Context(capitals=0, traps=[decimal.FloatOperation]),
            decimal.Context(traps=[]),
        ],
        ids=["short", "floor", "up", "traps", "narrow", "floats", "silent"],
    )
    def strange(self, request: pytest.FixtureRequest) -> Iterator[None]:
        with decimal.localcontext(request.param):
            yield

    @pytest.mark.usefixtures("strange")
    def test_texts_give_the_same_figures(self) -> None:
        assert host([DOCUMENTED])["availablecash"] == "299999999997.00"
        assert host([DOCUMENTED], "balance")["availablecash"] == "299972678840.29"
        assert host([row(MTM_COMBINED="-0.001")])["m2munrealized"] == "0.00"
        assert host([row(MTM_COMBINED="123456.785")])["m2munrealized"] == "123456.78"

    @pytest.mark.usefixtures("strange")
    def test_numbers_give_the_same_figures(self) -> None:
        numbers = {
            key: DOCUMENTED[key] if key in WORDS else Decimal(DOCUMENTED[key]) for key in DOCUMENTED
        }
        assert host([numbers])["availablecash"] == "299999999997.00"
        largest = 9999999999999999
        assert summary([numbers | {"LIMIT_SOD": largest}]).limit_sod == largest
        assert str(summary([numbers]).available_balance) == "299972678840.29"

    @pytest.mark.usefixtures("strange")
    def test_bad_figures_are_refused_all_the_same(self) -> None:
        for bad in ("1e400", "abc", Decimal("1e400"), Decimal("12E+2")):
            assert_names("AVAILABLE_BALANCE", row(AVAILABLE_BALANCE=bad))
