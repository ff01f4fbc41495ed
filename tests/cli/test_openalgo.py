"""Finding out whether a folder is OpenAlgo's, and what the commands do there."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker._kit.openalgo.checkout import SIGNS, is_openalgo, page_address
from tests.cli.conftest import Person


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for sign in SIGNS:
        (tmp_path / sign).parent.mkdir(exist_ok=True)
        (tmp_path / sign).touch()
    return tmp_path


@pytest.mark.parametrize("missing", SIGNS)
def test_each_sign_is_needed(checkout: Path, missing: str) -> None:
    assert is_openalgo(checkout)
    (checkout / missing).unlink()
    assert not is_openalgo(checkout)


@pytest.mark.parametrize(
    ("settings", "origin"),
    [
        ({"HOST_SERVER": "'https://trade.example.com/'  "}, "https://trade.example.com"),
        ({"HOST_SERVER": "http://127.0.0.1:5001"}, "http://127.0.0.1:5001"),
        ({"REDIRECT_URL": "http://127.0.0.1:5002/mstock/callback"}, "http://127.0.0.1:5002"),
        ({"HOST_SERVER": "http://user:word@host"}, "http://127.0.0.1:5000"),
        ({}, "http://127.0.0.1:5000"),
    ],
)
def test_where_its_pages_are(settings: dict[str, str], origin: str) -> None:
    assert page_address(settings, "/mstock/callback") == f"{origin}/mstock/callback"


@pytest.mark.parametrize(
    ("words", "page"),
    [
        (("login",), "/mstock/callback"),
        (("logout",), "/auth/logout"),
        (("funds",), "/mstock/funds"),
        (("erase", "--yes"), "/mstock/auto-login"),
        (("auto-login", "enable"), "/mstock/auto-login"),
        (("auto-login", "disable"), "/mstock/auto-login"),
        (("auto-login", "test"), "/mstock/auto-login"),
        (("auto-login", "status"), "/mstock/auto-login"),
    ],
)
@pytest.mark.parametrize("has_env", [True, False])
def test_what_would_touch_the_session_points_at_openalgo(
    person: Person, checkout: Path, words: tuple[str, ...], page: str, has_env: bool
) -> None:
    if has_env:
        (checkout / ".env").touch()
    person.settings["HOST_SERVER"] = "http://127.0.0.1:5009"
    person.is_logged_in()
    asked = len(person.box.journal)
    done = person.runs(*words)
    assert done.exit_code == 1
    assert f"http://127.0.0.1:5009{page}" in done.stderr
    assert len(person.box.journal) == asked
    assert person.context().session() is not None


def test_status_says_where_it_is_and_reads_no_store(person: Person, checkout: Path) -> None:
    done = person.runs("status")
    assert done.exit_code == 0
    assert "This folder belongs to OpenAlgo" in done.stdout
    assert person.asks("status")[1]["inside_openalgo"] is True


def test_a_checkout_above_an_own_env_does_not_count(person: Person, checkout: Path) -> None:
    (checkout / "mine").mkdir()
    (checkout / "mine" / ".env").touch()
    person.is_logged_in()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(checkout / "mine")
        assert person.runs("funds").exit_code == 0
