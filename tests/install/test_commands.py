"""`install` and `uninstall` as they are typed: what they ask, show and refuse, in which words."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from broker._kit import files
from broker._kit.openalgo.installer import plan
from broker._kit.openalgo.installer.commands import commands
from broker._kit.openalgo.installer.env_file import EnvFile
from broker._kit.openalgo.installer.inspect import Package
from broker.mstock.broker import MSTOCK
from tests.install.tree import CODE, ENV, KEY, OURS, make_openalgo, plugin_texts, snapshot

Run = Callable[..., Result]


main = click.Group("main", {command.name: command for command in commands(MSTOCK)})


def in_env(openalgo: Path) -> dict[str, str]:
    return EnvFile((openalgo / ".env").read_bytes()).values


def fill_in(openalgo: Path) -> None:
    """As a trader has filled .env in by hand."""
    path = openalgo / ".env"
    text = path.read_text().replace("YOUR_BROKER_API_KEY", CODE)
    path.write_text(text.replace("YOUR_BROKER_API_SECRET", KEY))


@pytest.fixture(autouse=True)
def release(package: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    """The small plugin is the release."""
    monkeypatch.setattr(plan, "read_package", lambda _broker: package)


@pytest.fixture
def run(openalgo: Path) -> Iterator[Run]:
    """A command on the OpenAlgo; no key is ever shown."""
    shown = []

    def call(*words: str, typed: str | None = None) -> Result:
        result = CliRunner().invoke(main, [words[0], str(openalgo), *words[1:]], input=typed)
        shown.append(result.output)
        return result

    yield call
    assert KEY not in "".join(shown)
    assert CODE not in "".join(shown)


@pytest.fixture
def filled(openalgo: Path) -> Path:
    fill_in(openalgo)
    return openalgo


def answer(result: Result) -> dict[str, Any]:
    card = json.loads(result.output)
    assert isinstance(card, dict)
    return card


def test_without_preview_it_refuses_and_says_what_is_missing(openalgo: Path) -> None:
    before = snapshot(openalgo)
    (install, _) = commands(replace(MSTOCK, unbuilt=("streaming",)))
    result = CliRunner().invoke(install, [str(openalgo), "--yes"])
    assert result.exit_code != 0
    for word in ("streaming", "mStock app", "--preview"):
        assert word in result.output
    assert snapshot(openalgo) == before
    fill_in(openalgo)
    assert CliRunner().invoke(install, [str(openalgo), "--yes", "--preview"]).exit_code == 0


def test_the_whole_way_with_its_questions(run: Run, openalgo: Path) -> None:
    before = snapshot(openalgo)
    typed = f"y\n{CODE}\n{KEY}\nb\ny\n"
    result = run("install", typed=typed)
    assert result.exit_code == 0, result.output
    assert "+        register_mstock(app)" in result.output
    assert "set BROKER_API_SECRET in .env" in result.output
    assert "LOOK" not in result.output
    said = in_env(openalgo)
    assert said["BROKER_API_KEY"] == CODE
    assert said["BROKER_API_SECRET"] == KEY
    assert said["MSTOCK_API_TYPE"] == "B"
    assert said["REDIRECT_URL"] == "http://127.0.0.1:5000/mstock/callback"
    assert plugin_texts(openalgo) == OURS

    again = run("install", typed="\n\n\n")
    assert "nothing was changed" in again.output
    result = run("uninstall", typed="y\n")
    assert result.exit_code == 0, result.output
    assert snapshot(openalgo) == before


def test_a_broker_without_api_types_is_asked_for_none(openalgo: Path) -> None:
    install, _ = commands(replace(MSTOCK, api_types=(), api_type_setting=""))
    result = CliRunner().invoke(install, [str(openalgo)], input=f"y\n{CODE}\n{KEY}\ny\n")
    assert result.exit_code == 0, result.output
    assert "Type of the API key" not in result.output
    assert "MSTOCK_API_TYPE" not in in_env(openalgo)


def test_swapped_keys_are_asked_for_again(run: Run, openalgo: Path) -> None:
    result = run("install", typed=f"y\n{KEY}\n{CODE}\n{CODE}\n{CODE}\n\n{KEY}\nb\ny\n")
    assert "looks like an API key" in result.output
    assert "holds your client code" in result.output
    assert in_env(openalgo)["BROKER_API_SECRET"] == KEY


@pytest.mark.parametrize("typed", [f"y\n{CODE}\n{KEY}\nb\nn\n", "y\nMA1", ""])
def test_no_answer_or_a_no_changes_nothing(run: Run, openalgo: Path, typed: str) -> None:
    before = snapshot(openalgo)
    result = run("install", typed=typed)
    assert result.exit_code != 0  # refused, or stopped by the user
    assert snapshot(openalgo) == before


@pytest.mark.usefixtures("filled")
def test_a_dry_run_shows_all_and_writes_nothing(run: Run, openalgo: Path) -> None:
    before = snapshot(openalgo)
    result = run("install", "--dry-run")
    assert result.exit_code == 0
    assert "+        register_mstock(app)" in result.output
    assert "dry run" in result.output
    assert snapshot(openalgo) == before
    run("install", "--yes")
    before = snapshot(openalgo)
    assert run("uninstall", "--dry-run").exit_code == 0
    assert snapshot(openalgo) == before


def test_unasked_no_key_and_no_other_brokers_address_is_touched(run: Run, openalgo: Path) -> None:
    path = openalgo / ".env"
    path.write_text(ENV.format(port=1).replace("<broker>", "zerodha"))
    before = path.read_bytes()
    result = run("install", "--yes")
    assert result.exit_code == 0
    assert "set to zerodha" in result.output
    assert path.read_bytes() == before


@pytest.mark.usefixtures("filled")
def test_unasked_the_samples_address_is_filled_in(run: Run, openalgo: Path) -> None:
    run("install", "--yes", "--api-type", "A")
    said = in_env(openalgo)
    assert said["REDIRECT_URL"].endswith("/mstock/callback")
    assert said["MSTOCK_API_TYPE"] == "A"
    assert said["BROKER_API_KEY"] == CODE


def test_no_env_and_no_patch(run: Run, openalgo: Path) -> None:
    before = {name: (openalgo / name).read_bytes() for name in (".env", "app.py")}
    assert run("install", "--yes", "--no-env", "--no-patch").exit_code == 0
    assert {name: (openalgo / name).read_bytes() for name in before} == before


@pytest.mark.parametrize("words", [("--yes",), ("--yes", "--json"), ()])
def test_without_a_client_code_or_an_env_it_is_not_installed(
    run: Run, openalgo: Path, words: tuple[str, ...]
) -> None:
    for named in ("BROKER_API_KEY", "no .env"):
        before = snapshot(openalgo)
        result = run("install", *words, typed=None if words else "y\n\n\nb\ny\n")
        assert result.exit_code != 0
        assert named in result.output
        assert "Installed" not in result.output
        assert snapshot(openalgo) == before
        (openalgo / ".env").unlink(missing_ok=True)
    assert run("install", "--yes", "--no-env").exit_code == 0


def test_a_first_look_needs_no_client_code_yet(run: Run, openalgo: Path) -> None:
    before = snapshot(openalgo)
    result = run("install", "--dry-run")
    assert result.exit_code == 0
    assert "BROKER_API_KEY" in result.output
    assert "+        register_mstock(app)" in result.output
    assert snapshot(openalgo) == before


@pytest.mark.usefixtures("filled")
class TestJson:
    def test_it_is_one_object(self, run: Run) -> None:
        card = answer(run("install", "--dry-run", "--json"))
        assert card["status"] == "ok"
        assert card["dry_run"] is True
        assert card["steps"]
        card = answer(run("install", "--yes", "--json"))
        assert card["status"] == "ok"
        assert {"name", "ok", "words", "todo"} == set(card["findings"][0])
        card = answer(run("uninstall", "--yes", "--json"))
        assert card["left"] == []

    def test_a_refusal_too(self, run: Run) -> None:
        result = run("uninstall", "--yes", "--json")
        assert result.exit_code != 0
        assert answer(result)["status"] == "error"

    def test_it_asks_nothing_so_it_wants_a_word(self, run: Run) -> None:
        assert run("install", "--json").exit_code == 2


class TestARunningOpenAlgo:
    @pytest.fixture
    def running(self, openalgo: Path) -> Iterator[None]:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = str(server.getsockname()[1])
            (openalgo / ".env").write_text(ENV.format(port=port))
            fill_in(openalgo)
            yield

    @pytest.mark.usefixtures("running")
    def test_it_is_to_be_stopped_first(self, run: Run, openalgo: Path) -> None:
        before = snapshot(openalgo)
        for typed in (None, "n\n"):
            result = run("install", *([] if typed else ["--yes"]), typed=typed)
            assert result.exit_code != 0
            assert "Stop it first" in result.output
        assert snapshot(openalgo) == before
        assert run("install", "--yes", "--force").exit_code == 0
        assert run("uninstall", "--yes").exit_code != 0


@pytest.mark.usefixtures("filled")
def test_what_was_left_is_said_and_counts_as_not_done(run: Run, openalgo: Path) -> None:
    run("install", "--yes")
    (openalgo / "broker/mstock/api/funds.py").write_text("# mine\n")
    result = run("uninstall", "--yes")
    assert result.exit_code == 1
    assert "api/funds.py" in result.output
    assert "--force" in result.output
    assert run("uninstall", "--yes", "--force").exit_code == 0


def test_the_journal_of_orders_goes_with_the_plugin(run: Run, filled: Path) -> None:
    run("install", "--yes")
    (filled / "db").mkdir(exist_ok=True)
    for name in ("mstock_orders.db", "mstock_orders.db-journal", "openalgo.db"):
        (filled / "db" / name).write_bytes(b"rows")
    assert "db/mstock_orders.db" in run("uninstall", "--dry-run").output
    assert run("uninstall", "--yes").exit_code == 0
    assert [path.name for path in (filled / "db").iterdir()] == ["openalgo.db"]


def test_a_folder_that_cannot_be_written_is_told_in_words(
    run: Run, filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "x")

    before = snapshot(filled)
    with monkeypatch.context() as patch:
        patch.setattr(files.os, "replace", refuse)
        result = run("install", "--yes")
    assert result.exit_code != 0
    assert "Permission denied" in result.output
    assert "Traceback" not in result.output
    assert run("uninstall", "--yes").exit_code == 0
    assert snapshot(filled) == before


@pytest.mark.usefixtures("filled")
def test_an_update_of_the_env_keeps_what_the_user_set(run: Run, openalgo: Path) -> None:
    assert run("install", "--yes").exit_code == 0
    assert run("install", "--yes", "--api-type", "A").exit_code == 0
    assert in_env(openalgo)["BROKER_API_SECRET"] == KEY


def test_another_version_is_named(tmp_path: Path) -> None:
    openalgo = make_openalgo(tmp_path / "newer", version="2.1.0.0")
    fill_in(openalgo)
    line = ["install", str(openalgo), "--yes"]
    result = CliRunner().invoke(main, line)
    assert result.exit_code != 0
    assert "OpenAlgo 2.1.0.0" in result.output
    assert CliRunner().invoke(main, [*line, "--force"]).exit_code == 0
