"""What the doctor finds in an OpenAlgo: each fault is named with what to do, and no value shown."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from broker._kit.openalgo.installer.checks import Finding, host_checks
from broker._kit.openalgo.installer.inspect import Package
from broker.mstock.broker import MSTOCK
from tests.install.tree import CHANGES, CODE, KEY, install, make_openalgo


def wrong(openalgo: Path) -> list[Finding]:
    found = [one for one in host_checks(MSTOCK, openalgo) if not one.ok]
    assert all(one.todo for one in found)
    said = " ".join(str(one) for one in host_checks(MSTOCK, openalgo))
    assert KEY not in said
    assert CODE not in said
    return found


def in_env(old: str, new: str) -> Callable[[Path], None]:
    def change(openalgo: Path) -> None:
        path = openalgo / ".env"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return change


def swap_keys(openalgo: Path) -> None:
    in_env(CODE, "\0")(openalgo)
    in_env(KEY, CODE)(openalgo)
    in_env("\0", KEY)(openalgo)


def copy_in_broker(openalgo: Path) -> None:
    (openalgo / "broker/mstock.old").mkdir()


def old_python(openalgo: Path) -> None:
    (openalgo / ".venv/pyvenv.cfg").write_text("version = 3.10.4\n")


def other_version(openalgo: Path) -> None:
    (openalgo / "utils/version.py").write_text("VERSION = '2.1.0.0'\n")


def edited_patch(openalgo: Path) -> None:
    path = openalgo / "app.py"
    path.write_text(path.read_text().replace("register_mstock(app)", "pass"))


def readable(openalgo: Path) -> None:
    (openalgo / ".env").chmod(0o644)


def readable_copy(openalgo: Path) -> None:
    (openalgo / ".env.mstock/before").chmod(0o755)


def no_plugin(openalgo: Path) -> None:
    (openalgo / "broker/mstock").rename(openalgo / "elsewhere")


def no_kit(openalgo: Path) -> None:
    (openalgo / "broker/_kit").rename(openalgo / "elsewhere")


FAULTS: list[tuple[Callable[[Path], None], str, str]] = [
    (in_env("mstock/callback", "angel/callback"), ".env", "REDIRECT_URL names angel"),
    (in_env("angel,mstock,zerodha", "angel"), ".env", "VALID_BROKERS does not list mstock"),
    (in_env(KEY, ""), ".env", "BROKER_API_SECRET, your mStock API key, is not filled in"),
    (swap_keys, ".env", "looks like an API key"),
    (in_env("APP_KEY", "REDIRECT_URL = 'x/mstock/callback'\nAPP_KEY"), ".env", "more than once"),
    (copy_in_broker, "broker/", "broker/mstock.old for another broker"),
    (old_python, "Python", "3.10"),
    (other_version, "OpenAlgo", "2.1.0.0"),
    (edited_patch, "app.py", "not those of this release"),
    (no_plugin, "plugin", "does not start"),
    (no_kit, "plugin", "not as installed: _kit/__init__.py"),
]
if sys.platform != "win32":
    FAULTS += [
        (readable, ".env rights", "can read your keys"),
        (readable_copy, ".env rights", "can read your keys"),
    ]


@pytest.mark.parametrize(("fault", "name", "words"), FAULTS)
def test_a_fault_is_named(
    fault: Callable[[Path], None], name: str, words: str, openalgo: Path, package: Package
) -> None:
    install(openalgo, package, CHANGES)
    assert wrong(openalgo) == []
    fault(openalgo)
    (found,) = wrong(openalgo)
    assert found.name == name
    assert words in found.words


def test_a_folder_that_is_no_openalgo(tmp_path: Path) -> None:
    (found,) = host_checks(MSTOCK, tmp_path)
    assert not found.ok
    assert "not OpenAlgo's folder" in found.words


def test_an_openalgo_without_the_plugin_or_settings(tmp_path: Path) -> None:
    openalgo = make_openalgo(tmp_path / "bare", env=None)
    assert [one.name for one in wrong(openalgo)] == [".env"]


def test_an_unreadable_env_is_told(openalgo: Path) -> None:
    (openalgo / ".env").write_bytes("A=ü".encode("latin-1"))
    assert any("not plain text" in one.words for one in wrong(openalgo))
