"""docs/command-line.md says what the commands do: commands, options, exit codes, JSON keys."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from broker._kit.cli.console import WORDS, Group
from broker.mstock.__main__ import cli
from tests.cli.conftest import Person, commands_of

GUIDE = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text("utf-8")


def test_it_names_every_command() -> None:
    for command in commands_of(cli).values():
        assert re.search(rf"`{command.name}\b", GUIDE), command.name
        if isinstance(command, Group):
            for name in commands_of(command):
                assert name in GUIDE


def test_its_exit_codes_are_the_tables() -> None:
    told = dict(re.findall(r"^\| (\d+) \| (.+) \|$", GUIDE, re.MULTILINE))
    assert told == {str(int(code)): words for code, words in WORDS.items()}


def keys(value: Any) -> set[str]:
    """All names in a document, but for those of mStock's fields and of lists' rows."""
    if not isinstance(value, dict):
        return set()
    inner = [keys(each) for name, each in value.items() if name != "funds"]
    return set(value).union(*inner)


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("funds",),
        ("logout",),
        ("erase", "--yes"),
        ("auto-login", "status"),
        ("doctor",),
    ],
    ids=" ".join,
)
def test_every_key_is_told(person: Person, words: tuple[str, ...]) -> None:
    person.is_logged_in()
    _, body = person.asks(*words)
    for name in keys(body):
        assert f"`{name}`" in GUIDE or f'"{name}"' in GUIDE, name


def test_its_failure_is_a_real_one(person: Person) -> None:
    _, body = person.asks("funds")
    samples = [json.loads(each) for each in re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)]
    assert body in samples


def test_its_output_is_real(person: Person) -> None:
    person.is_logged_in()
    for words in (("status",), ("status", "-v"), ("funds",), ("funds", "--json"), ("logout",)):
        assert person.runs(*words).stdout in GUIDE, words
