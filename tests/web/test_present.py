"""Figures and times as a trader reads them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker._kit.broker import FundLine
from broker._kit.clock import IST
from broker._kit.money import rupees
from broker._kit.secret import masked
from broker._kit.sessions import report
from broker._kit.web import formatting

AMOUNTS = st.decimals(
    min_value=-(10**15), max_value=10**15, places=2, allow_nan=False, allow_infinity=False
)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "₹0.00"),
        ("-0.001", "₹0.00"),
        ("5", "₹5.00"),
        ("999.9", "₹999.90"),
        ("1000", "₹1,000.00"),
        ("99999", "₹99,999.00"),
        ("100000", "₹1,00,000.00"),
        ("1234567.89", "₹12,34,567.89"),
        ("-1234567.89", "−₹12,34,567.89"),
        ("299972678840.29", "₹2,99,97,26,78,840.29"),
        ("0.125", "₹0.12"),
        ("999.995", "₹1,000.00"),
    ],
)
def test_rupees_in_lakh_grouping(amount: str, text: str) -> None:
    assert rupees(Decimal(amount)) == text


@given(AMOUNTS)
def test_no_digit_is_lost_and_every_group_has_its_place(amount: Decimal) -> None:
    text = rupees(amount)
    assert re.fullmatch(
        r"−?₹[0-9]{1,2}(,[0-9]{2})*,[0-9]{3}\.[0-9]{2}|−?₹[0-9]{1,3}\.[0-9]{2}", text
    )
    assert Decimal(text.replace("₹", "").replace(",", "").replace("−", "-")) == amount


@given(AMOUNTS)
def test_a_gain_has_a_plus_and_a_loss_a_minus(amount: Decimal) -> None:
    sign = rupees(amount, plus=True)[0]
    assert sign == ("+" if amount > 0 else "−" if amount < 0 else "₹")


def test_rupees_do_not_depend_on_the_threads_decimal_context() -> None:
    with localcontext() as context:
        context.prec = 3
        assert rupees(Decimal("1234567.89")) == "₹12,34,567.89"


@given(AMOUNTS.filter(lambda each: each >= 0), AMOUNTS.filter(lambda each: each >= 0))
def test_the_bars_parts_make_the_whole(used: Decimal, available: Decimal) -> None:
    bar = formatting.bar(used, available)
    if used + available == 0:
        assert bar is None
        return
    assert bar is not None
    assert 0 <= bar.used_percent <= 100
    assert bar.used_percent + bar.available_percent == 100
    assert abs(bar.used_percent - 100 * used / (used + available)) <= Decimal("0.05")


def test_a_bar_with_a_shortfall_is_full_and_says_so() -> None:
    bar = formatting.bar(Decimal(500), Decimal(-20))
    assert bar is not None
    assert (bar.used_percent, bar.is_short) == (100, True)
    assert formatting.bar(Decimal(-1), Decimal(10)) is None


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("MA1234567", "MA••••67"),
        ("ABC1234", "AB••••34"),
        ("ABC123", "A••••3"),
        ("1111", "1••••1"),
        ("123", "••••"),
        ("", "••••"),
    ],
)
def test_a_client_code_is_masked(code: str, shown: str) -> None:
    assert masked(code) == shown


@given(st.text(alphabet="0123456789ABCDEF", min_size=4, max_size=20))
def test_a_mask_hides_at_least_half_or_two(code: str) -> None:
    assert len(masked(code).replace("•", "")) <= max(2, len(code) - 3)


def test_times_are_indian_whatever_they_came_in() -> None:
    moment = datetime(2026, 11, 20, 3, 45, 7, tzinfo=UTC)
    assert report.date_time(moment) == "20 Nov 2026, 09:15:07 IST"
    assert formatting.clock_time(moment) == "09:15:07 IST"


def test_what_begins_in_the_middle_of_a_second_begins_with_the_next() -> None:
    moment = datetime(2026, 11, 20, 9, 15, 7, 400_000, tzinfo=IST)
    assert formatting.start_time(moment) == "09:15:08 IST"
    assert formatting.start_time(moment.replace(microsecond=0)) == "09:15:07 IST"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "in 1 second, at 09:00:01 IST"),
        (42, "in 42 seconds, at 09:00:42 IST"),
        (100, "in 2 minutes, at 09:01:40 IST"),
        (3000, "in 50 minutes, at 09:50:00 IST"),
    ],
)
def test_when_to_come_back(seconds: int, words: str) -> None:
    assert formatting.when_words(seconds, datetime(2026, 11, 23, 9, tzinfo=IST)) == words


def test_a_figures_tone_is_what_it_means_to_its_reader() -> None:
    lines = [
        FundLine("", "", Decimal(amount), signed)
        for amount, signed in (("0", True), ("-1", False), ("1", False), ("1.5", True))
    ]
    assert [formatting.tone(line) for line in lines] == ["zero", "loss", "", "gain"]
    assert [formatting.fund_text(line) for line in lines] == ["₹0.00", "−₹1.00", "₹1.00", "+₹1.50"]
