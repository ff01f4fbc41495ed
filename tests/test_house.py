"""The counter counts a known program rightly, every walk arrives, and the table has all rows."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks import house
from benchmarks.house_counter import CallCounter
from benchmarks.house_walks import WALKS

ASKING = """\
import answering

def ask():
    return answering.one() + answering.two()

def ask_between():
    answering.back_and_on(other)
    return [number for number in answering.numbers()]

def other():
    return (lambda: 1)()
"""
ANSWERING = """\
def one():
    return 1

def two():
    return one() + 1

def back_and_on(call):
    return call()

def numbers():
    yield 1

IMPORTED = one()
"""


def program(folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    for name, text in (("asking", ASKING), ("answering", ANSWERING)):
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "answering", raising=False)
    spec = importlib.util.spec_from_file_location("asking", folder / "asking.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def counter(tmp_path: Path) -> CallCounter:
    return CallCounter(tmp_path)


def counted(counter: CallCounter, call: object) -> dict[str, int]:
    before = sys.getprofile()
    counter.install()
    try:
        with counter.counting():
            call()  # type: ignore[operator]
    finally:
        threading.setprofile(None)
        sys.setprofile(before)
    return counter.figures()


def test_calls_and_the_ways_back(
    counter: CallCounter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = program(tmp_path, monkeypatch)
    # ask, one and back, two, its own one, and back
    assert counted(counter, module.ask) == {"files": 2, "functions": 3, "calls": 4, "returns": 2}


def test_a_return_after_another_file_and_a_generator(
    counter: CallCounter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = program(tmp_path, monkeypatch)
    found = counted(counter, module.ask_between)
    # ask_between > back_and_on > other and its lambda, which returns to the file just left (1);
    # then back in ask_between (2); numbers begins and is resumed, each time left again (3, 4).
    is_inlined = sys.version_info >= (3, 12)
    assert found == {
        "files": 2,
        "functions": 5 if is_inlined else 6,
        "calls": 6 if is_inlined else 7,
        "returns": 4,
    }


def test_an_import_is_no_call_and_a_new_thread_is_watched(
    counter: CallCounter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin() -> None:
        module = program(tmp_path, monkeypatch)
        thread = threading.Thread(target=module.other)
        thread.start()
        thread.join()

    assert counted(counter, begin) == {"files": 1, "functions": 2, "calls": 2, "returns": 0}


STORES = """
import json, sys
from pathlib import Path
import sqlalchemy as sa
from benchmarks.house_counter import FileCounter, SqlCounter

home = Path(sys.argv[1])
files, sql = FileCounter(), SqlCounter()
files.install(), sql.install()
(home / "b").mkdir()
(home / "a").write_text("not counted")
engine = sa.create_engine("sqlite://")
with files.counting(), sql.counting():
    (home / "a").read_text(), (home / "a").read_text()
    (home / "b" / "a").write_text((home / "a").read_text())
    (home / "b" / "a").read_text()
    (home / "new").write_text("")
    (home / "new").replace(home / "a")
    with engine.begin() as database:
        database.execute(sa.text("CREATE TABLE t (n INTEGER)"))
    with engine.begin() as database:
        database.execute(sa.text("INSERT INTO t VALUES (1)"))
        database.execute(sa.text("INSERT INTO t VALUES (2)"))
    with engine.connect() as database:
        database.execute(sa.text("INSERT INTO t VALUES (3)"))
        database.rollback()
    with engine.connect() as database:
        database.scalar(sa.text("SELECT n FROM t"))
print(json.dumps([
    files.reads(home / "a"), files.replaced(home / "a"), files.extra_reads(home, "a"),
    sql.transactions, sql.writes,
]))
"""


def test_files_and_transactions(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STORES, str(tmp_path)],
        cwd=house.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    # Four reads and two writes of files named a: two reads were no part of a copy.
    assert json.loads(done.stdout) == [3, 1, 2, 4, 1]


@pytest.mark.parametrize("walk", WALKS)
def test_every_walk_arrives(walk: str) -> None:
    figures = house.run_walk(walk)
    assert figures.keys() >= {"files", "functions", "calls", "returns"}
    assert figures["calls"] >= figures["functions"] >= figures["files"] > 1


def test_what_the_files_say(tmp_path: Path) -> None:
    texts = {
        "__init__.py": "",
        "alpha/client/wire.py": '"""Alpha and OpenAlgo."""\nNAME = "alpha"\n\ndef ask(): ...\n',
        "alpha/errors.py": "def ask(): ...\n",
        "_kit/clock.py": "import broker.alpha\n",
        "_kit/web/wire.py": 'from utils.auth import x\n\nTITLE = "alpha in OpenAlgo"\n',
        "_kit/wire.py": "def ask(): ...\n",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert house.static_figures(tmp_path) == {
        "`broker/`, lines": 10,
        "`broker/`, files": 6,
        "`broker/_kit`, lines": 5,
        "`broker/_kit`, files": 3,
        "`broker/alpha`, lines": 5,
        "`broker/alpha`, files": 2,
        "OpenAlgo's modules, files": 1,
        "OpenAlgo named, files": 1,
        "OpenAlgo named, lines of those files": 3,
        "OpenAlgo named, folders": 1,
        "A second broker would touch, files": 1,
        "File names that stand for several files": 1,
        "Public names that stand for several things": 1,
    }


def test_the_table_has_all_rows_and_both_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house, "run_walk", lambda name: {"files": 7, "calls": 1234})
    then = json.loads(house.BEFORE.read_text())["figures"]
    now = {**house.static_figures(house.BROKERS), **house.walk_figures()}
    table = house.markdown(then, {**now, "new": 1}).splitlines()
    assert len(table) == 2 + len({*then, *now, "new"})
    for words in house._WALK_NAMES.values():
        assert f"| {words}, calls | {then[f'{words}, calls']:,} | 1,234 |" in table
    assert "| new | – | 1 |" in table
    assert house._WALK_NAMES.keys() == WALKS.keys()
