"""OpenAlgo's start with our other files missing, old or foreign, and what the doors say then."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from broker import _kit, mstock
from tests.install.tree import ROOT
from tests.support.elsewhere import FORGET_THE_CLONE

# What OpenAlgo imports at its start, unguarded, and the packages above it.
ALONE = ("mstock/__init__.py", "mstock/streaming/__init__.py", "mstock/streaming/mstock_adapter.py")
# Each import of ours that these make, sooner or later.
IMPORTS = (
    "_kit/__init__.py",
    "_kit/openalgo/__init__.py",
    "_kit/openalgo/host.py",
    "_kit/errors.py",
    "mstock/streaming/host_adapter.py",
    "mstock/without_kit.py",
    "mstock/broker.py",
    "mstock/openalgo.py",
)
FOREIGN = {
    "broken": "def (",
    "raises": "raise RuntimeError('foreign')",
    "empty": "",
    "other": "VERSION = adapter_base = STREAMING = 7",
}
CONNECT = """
import json, sys
sys.path.insert(0, sys.argv[1])
from broker.mstock.streaming.mstock_adapter import MstockWebSocketAdapter
adapter = MstockWebSocketAdapter()
assert adapter.initialize("mstock", "u")["status"] == "success"
said = [adapter.connect(), adapter.subscribe("SBIN", "NSE")]
assert all(one["status"] == "error" for one in said), said
print(json.dumps([one["message"] for one in said]))
"""


def run(folder: Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-B", "-c", FORGET_THE_CLONE + code, str(folder)],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def said_by_the_adapter(folder: Path) -> str:
    (words,) = set(json.loads(run(folder, CONNECT)))
    assert "install" in words
    return str(words)


@pytest.fixture
def alone(tmp_path: Path) -> Path:
    for name in ALONE:
        (tmp_path / "broker" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "broker" / name, tmp_path / "broker" / name)
    return tmp_path


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    for name in ("mstock", "_kit"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "broker" / name, tmp_path / "broker" / name, ignore=ignored)
    return tmp_path


def no_kit(folder: Path) -> None:
    shutil.rmtree(folder / "broker/_kit")


def kit_without_its_last_file(folder: Path) -> None:
    (folder / "broker/_kit/__init__.py").unlink()


def old_kit(folder: Path) -> None:
    (folder / "broker/_kit/__init__.py").write_text('VERSION = "0.0.1"\n')


LAME = (no_kit, kit_without_its_last_file, old_kit)


class TestTheAdapter:
    def test_alone(self, alone: Path) -> None:
        assert "broker/_kit, is missing" in said_by_the_adapter(alone)

    def test_with_an_old_kit(self, whole: Path) -> None:
        old_kit(whole)
        assert "is of version 0.0.1" in said_by_the_adapter(whole)

    @pytest.mark.parametrize("text", [FOREIGN["raises"], FOREIGN["other"]])
    @pytest.mark.parametrize("name", IMPORTS)
    def test_with_a_foreign_file_in_an_imports_place(
        self, whole: Path, name: str, text: str
    ) -> None:
        (whole / "broker" / name).write_text(text)
        run(whole, CONNECT)

    @pytest.mark.parametrize("text", FOREIGN.values(), ids=FOREIGN)
    def test_with_foreign_files_in_all_imports_places(self, alone: Path, text: str) -> None:
        for name in IMPORTS:
            path = alone / "broker" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        run(alone, CONNECT)


DOORS = """
import json, sys
sys.path.insert(0, sys.argv[1])
from importlib import import_module
def ask(call):
    try:
        return call()
    except Exception as error:
        return str(error)
auth, funds, orders, data, margin, books, contract = (
    import_module(f"broker.mstock.{name}") for name in (
        "api.auth_api", "api.funds", "api.order_api", "api.data", "api.margin_api",
        "mapping.order_data", "database.master_contract_db",
    )
)
import_module("broker.mstock.mapping.transform_data")
placed, smart = orders.place_order_api({}, "t"), orders.place_smartorder_api({}, "t")
changed = [orders.modify_order({}, "t"), orders.cancel_order("1", "t")]
changed.append(orders.close_all_positions("", "t"))
assert not [one for one in (placed, smart) if one[0].status == 200 or one[2]]
assert not [one for one in changed if one[1] == 200]
assert data.BrokerData.__init__.__code__.co_argcount == 4
print(json.dumps([
    auth.authenticate_with_totp("p", "123456")[2], auth.authenticate_broker("p", "123456")[2],
    placed[1]["message"], smart[1]["message"], *(one[0]["message"] for one in changed),
    *(ask(call) for call in (
        lambda: funds.get_margin_data("t"),
        lambda: orders.cancel_all_orders_api({}, "t"),
        lambda: orders.get_order_book("t"),
        lambda: orders.get_open_position("SBIN", "NSE", "MIS", "t"),
        lambda: data.BrokerData("t").get_quotes("SBIN", "NSE"),
        lambda: data.BrokerData("t").timeframe_map,
        lambda: margin.calculate_margin_api([], "t"),
        lambda: books.map_order_data([]),
        lambda: contract.master_contract_download(),
    )),
]))
"""
REGISTER = """
import sys
sys.path.insert(0, sys.argv[1])
from types import SimpleNamespace
from broker.mstock.openalgo import register
register(SimpleNamespace(logger=SimpleNamespace(error=print)))
"""


@pytest.mark.parametrize("lame", LAME)
def test_every_door_says_what_is_missing(whole: Path, lame: Callable[[Path], None]) -> None:
    lame(whole)
    words = json.loads(run(whole, DOORS))
    assert len(set(words)) == 1
    assert re.search(r"broker/_kit, is (missing|of version 0\.0\.1)", words[0])
    assert "install" in words[0]


@pytest.mark.parametrize("lame", LAME)
def test_the_line_in_app_py_logs_what_is_missing(whole: Path, lame: Callable[[Path], None]) -> None:
    lame(whole)
    assert "broker/_kit, is" in run(whole, REGISTER)


def test_with_a_fitting_kit_the_real_doors_are_there() -> None:
    from broker.mstock.api import auth_api, order_api

    assert auth_api.__file__
    assert order_api.__file__


def test_there_is_one_version() -> None:
    card = json.loads((ROOT / "broker/mstock/plugin.json").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert {mstock.VERSION, _kit.VERSION, card["Version"], project["version"]} == {mstock.VERSION}
