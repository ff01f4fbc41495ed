"""Editing `.env`: the values asked for are there, and every other byte is as it was."""

from __future__ import annotations

import io

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from broker._kit.errors import CorrectInput, SettingError
from broker._kit.openalgo.installer.env_file import EnvFile
from broker._kit.secret import Secret


def edited(data: bytes, changes: dict[str, Secret]) -> bytes:
    return EnvFile(data).edited(changes).data


def put_back(data: bytes, original: bytes, *names: str) -> bytes:
    return EnvFile(data).put_back(EnvFile(original), set(names)).data


NAMES = ("BROKER_API_KEY", "BROKER_API_SECRET", "REDIRECT_URL", "MSTOCK_API_TYPE")
KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60).filter(
    lambda value: "${" not in value
)
LINES = st.one_of(
    st.sampled_from(
        [
            "",
            "   ",
            "# BROKER_API_KEY = 'not this one'",
            "  # a comment with an umlaut ü",
            "OTHER=1",
            "export OTHER2 = two # with a comment",
            "OTHER3 = 'a # in quotes'  # and one outside",
            'OTHER4 = "over\nBROKER_API_SECRET = no\nlines"',
            "OTHER5 = 'it\\'s'",
            "OTHER6",
            "OTHER7 =",
            "BROKER_API_KEY=MA123",
            "  BROKER_API_KEY  =  'MA123'   # mine",
            'export BROKER_API_SECRET = "key\\"#x" # theirs',
            "BROKER_API_SECRET = k#ey ",
            "REDIRECT_URL=",
            "REDIRECT_URL='http://127.0.0.1:5000/<broker>/callback'  # Change",
            "MSTOCK_API_TYPE='A'#x",
        ]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x00"), max_size=30),
)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    end = draw(st.sampled_from(["\n", "\r\n"]))
    text = end.join(draw(st.lists(LINES, max_size=12))) + draw(st.sampled_from(["", end]))
    return text.encode()


def read(data: bytes) -> dict[str, str | None]:
    """As OpenAlgo reads it."""
    return dotenv_values(stream=io.StringIO(data.decode(), newline=""), interpolate=False)


@given(data=files(), changes=st.dictionaries(st.sampled_from(NAMES), KEYS, max_size=4))
def test_the_values_are_set_and_no_other_is_touched(data: bytes, changes: dict[str, str]) -> None:
    try:
        new = edited(data, {name: Secret(value) for name, value in changes.items()})
    except SettingError:
        return  # an open quote swallows what follows
    assert read(new) == {**read(data), **changes}
    new = put_back(new, data, *changes)
    assert read(new) == read(data)
    lines_before = data.splitlines()
    assert [line for line in new.splitlines() if line.strip()] == [
        line for line in lines_before if line.strip()
    ]


@given(data=files())
def test_nothing_to_change_changes_nothing(data: bytes) -> None:
    same = {
        name: Secret(value) for name, value in EnvFile(data).values.items() if "${" not in value
    }
    assert edited(data, {}) == data
    assert edited(data, {name: same[name] for name in NAMES if name in same}) == data


def test_spacing_quotes_comments_and_line_ends_stay() -> None:
    data = b"A=1\r\n  export B_KEY  = 'x'  # mine\r\n\r\nC = 2"
    new = edited(data, {"B_KEY": Secret("it's\\"), "D": Secret("new")})
    assert new == b"A=1\r\n  export B_KEY  = 'it\\'s\\\\'  # mine\r\n\r\nC = 2\r\nD = 'new'\r\n"


def test_the_last_of_two_lines_counts() -> None:
    data = b"K=1\nK=2\n"
    assert edited(data, {"K": Secret("3")}) == b"K=1\nK='3'\n"
    assert EnvFile(data).repeated == ["K"]


def test_a_name_that_was_not_there_is_taken_out_again() -> None:
    new = edited(b"\nA=1\n", {"K": Secret("v")})
    assert EnvFile(new).raw("K") == "'v'"
    assert put_back(new, b"\nA=1\n", "K") == b"\nA=1\n"


@pytest.mark.parametrize("value", ["a${HOME}b", "two\nlines"])
def test_a_value_that_no_file_can_hold_is_refused_and_not_shown(value: str) -> None:
    with pytest.raises(CorrectInput) as caught:
        edited(b"", {"K": Secret(value)})
    assert value not in str(caught.value)


def test_an_open_quote_that_would_swallow_the_new_line_is_told() -> None:
    with pytest.raises(SettingError, match="cannot be read"):
        edited(b"A = 'open\n", {"K": Secret("v")})


def test_a_file_that_windows_has_marked_keeps_its_mark() -> None:
    data = b"\xef\xbb\xbf# OpenAlgo\r\nBROKER_API_KEY = 'old' # mine\r\n"
    new = edited(data, {"BROKER_API_KEY": Secret("MA1"), "MSTOCK_API_TYPE": Secret("A")})
    assert new == data.replace(b"old", b"MA1") + b"MSTOCK_API_TYPE = 'A'\r\n"
    assert put_back(new, data, "BROKER_API_KEY", "MSTOCK_API_TYPE") == data


def test_another_encoding_is_told() -> None:
    with pytest.raises(SettingError, match="not plain text"):
        edited("K=ü\n".encode("latin-1"), {"K": Secret("v")})
