"""The guide says what is so: the lines it shows, the options it names, the places it links to."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from broker._kit.openalgo.installer.app_patch import patched, unpatched
from broker._kit.openalgo.installer.commands import commands
from broker.mstock.broker import MSTOCK
from tests.install.tree import APP

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "openalgo.md").read_text(encoding="utf-8")
# Explained once for all commands, in docs/command-line.md.
ALL_COMMANDS_HAVE = ("-v", "--log-file")


def anchors(text: str) -> set[str]:
    """The names under which headings can be linked to."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_lines_for_app_py_are_those_that_the_installer_writes() -> None:
    shown = re.search(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    assert shown
    by_hand = APP.replace(
        "    app.register_blueprint(brlogin_bp)\n",
        "    app.register_blueprint(brlogin_bp)\n" + shown[1],
    )
    assert by_hand.encode() == patched(MSTOCK, APP.encode())
    assert unpatched(MSTOCK, by_hand.encode()) == APP.encode()


@pytest.mark.parametrize("command", commands(MSTOCK), ids=lambda command: command.name)
def test_every_option_is_explained(command: click.Command) -> None:
    for option in command.params:
        if not isinstance(option, click.Option) or option.hidden:
            continue
        if option.opts[0] not in ALL_COMMANDS_HAVE:
            assert option.opts[0] in GUIDE, option.opts[0]


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", re.sub(r"<!--.*?-->", "", GUIDE)):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        page = (DOCS / name).resolve() if name else DOCS / "openalgo.md"
        assert page.exists(), target
        if anchor:
            assert anchor in anchors(page.read_text(encoding="utf-8")), target


@pytest.mark.parametrize("title", ["Docker", "Copy the folders by hand"])
def test_whoever_copies_reads_of_both_folders(title: str) -> None:
    section = GUIDE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    for line in section.splitlines():
        if "/app/broker/mstock" in line:
            assert "/app/broker/_kit" in section
    for folder in ("broker/mstock", "broker/_kit"):
        assert section.count(folder) >= 2
    assert section.count("/mstock:") == section.count("/_kit:")
