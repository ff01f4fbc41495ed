"""`python -m benchmarks.house`: how large the house is, and how far one walks in it.

Prints a Markdown table, the figures from before the rooms were rebuilt (`house_before.json`) beside
those of now, both from this counter. What is counted:

- Lines and files: all lines of all `.py` files, blank ones and comments too.
- OpenAlgo's modules: files that import one, or hold its dotted name as a text.
- OpenAlgo named: files in whose code (names, imports and texts; no comment or docstring) the word
  stands, their lines, and the folders that they lie in.
- A second broker: files outside a broker's own folder in which a broker is named, the package path
  of an import apart. Before there was a `_kit`, one folder held both, and 72 files were counted
  outside mStock's own rooms.
- File names and public names (functions and classes of a module) that stand in more than one file
  of the same folder below `broker/`.
- Walks: see `house_walks.py` for what is done and `house_counter.py` for what is a call. Each runs
  in a fresh process; threads that a request begins are held until it has ended.

Where a figure from before is not the one that docs/architecture.md set out from:

- OTP login: 33 files, 481 calls and 138 returns there. Without a file behind it this counter finds
  32, 493 and 130; on the store that a user has, 34, 823 and 191. That one is the measure here,
  since a user's login ends in a stored token.
- `get_margin_data`: its 63 functions are those of a second call; the first one in a process also
  makes the client.
- Installation: `.env` parsed 9 times there, 12 times here; here each run of python-dotenv's parser
  counts, and the command is run whole, its look afterwards included. A tree is compared when its
  files are read and not copied.
- Places that know OpenAlgo (six, 3,300 lines) and what a second broker would touch (40 files) were
  counted by reading. Here every file counts in which the word stands, messages for the user too.
- Homes of a session, stores and guards against a double click no program can count.
"""

from __future__ import annotations

import ast
import json
import platform
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from benchmarks.house_walks import BROKERS, ROOT, WALKS

Figures = dict[str, int]

BEFORE = Path(__file__).with_name("house_before.json")
_WALK_NAMES = {
    "otp_login": "OTP login, password to stored token",
    "otp_login_memory": "OTP login, store in memory",
    "margin": "`get_margin_data`, first call",
    "margin_again": "`get_margin_data`, later calls",
    "daily_login": "Daily login, the tick at 08:35",
    "host_logout": "Logout in OpenAlgo, until mStock has confirmed",
    "installation": "Installation",
}
_HOST_MODULES = frozenset(
    {"utils", "database", "extensions", "websocket_proxy", "limiter", "services"}
)
_HOST_MODULE = re.compile(rf"({'|'.join(sorted(_HOST_MODULES))})\.\w+(\.\w+)*")


def static_figures(brokers: Path) -> Figures:
    """What the files say, without running them."""
    files = sorted(brokers.rglob("*.py"))
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in files}
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    words = {path: list(_words(tree)) for path, tree in trees.items()}
    rooms = sorted({path.relative_to(brokers).parts[0] for path in files if path.parent != brokers})
    names = "|".join(room for room in rooms if room != "_kit")
    broker_named = re.compile(names, re.IGNORECASE)

    def named(path: Path) -> bool:
        texts = (re.sub(rf"\bbroker\.({names})\b", "", word) for word in words[path])
        return any(broker_named.search(text) for text in texts)

    def files_of(room: str) -> list[Path]:
        return [path for path in files if path.is_relative_to(brokers / room)]

    knowing = [path for path in files if any("openalgo" in word.lower() for word in words[path])]
    found = {"`broker/`, lines": sum(lines.values()), "`broker/`, files": len(files)}
    for room in rooms:
        inside = files_of(room)
        found[f"`broker/{room}`, lines"] = sum(lines[path] for path in inside)
        found[f"`broker/{room}`, files"] = len(inside)
    return {
        **found,
        "OpenAlgo's modules, files": sum(_uses_host(tree) for tree in trees.values()),
        "OpenAlgo named, files": len(knowing),
        "OpenAlgo named, lines of those files": sum(lines[path] for path in knowing),
        "OpenAlgo named, folders": len({path.parent for path in knowing}),
        "A second broker would touch, files": sum(map(named, files_of("_kit"))),
        "File names that stand for several files": _shared(
            (path.relative_to(brokers).parts[0], path.stem, path)
            for path in files
            if not path.stem.startswith("__")
        ),
        "Public names that stand for several things": _shared(
            (path.relative_to(brokers).parts[0], node.name, path)
            for path, tree in trees.items()
            for node in tree.body
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")
        ),
    }


def walk_figures() -> Figures:
    """The figures of every walk, by row; `SystemExit` when one does not arrive."""
    return {
        f"{_WALK_NAMES[walk]}, {what}": figure
        for walk in WALKS
        for what, figure in run_walk(walk).items()
    }


def run_walk(name: str) -> Figures:
    """One walk in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.house_walks", name],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr[-2000:]}")
    figures = json.loads(done.stdout.splitlines()[-1])
    return {str(what): int(figure) for what, figure in figures.items()}


def markdown(then: Mapping[str, int], now: Mapping[str, int]) -> str:
    """The table: a row for each figure of either side, "–" where one side has none."""
    rows = [["", "Then", "Now"], ["---", "--:", "--:"]]
    for what in {**now, **then}:
        rows.append([what, *(f"{side[what]:,}" if what in side else "–" for side in (then, now))])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _words(tree: ast.AST) -> Iterator[str]:
    """Every name, import and text in the code; docstrings are none."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str) and id(node) not in docstrings:
                yield node.value
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        else:
            for field in ("id", "attr", "name", "arg"):
                name = getattr(node, field, None)
                if isinstance(name, str):
                    yield name


def _uses_host(tree: ast.AST) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""] if not node.level else []
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            modules = [node.value] if _HOST_MODULE.fullmatch(node.value) else []
        else:
            continue
        if any(module.partition(".")[0] in _HOST_MODULES for module in modules):
            return True
    return False


def _shared(uses: Iterator[tuple[str, str, Path]]) -> int:
    """How many names stand in more than one file of a room."""
    places: dict[tuple[str, str], set[Path]] = defaultdict(set)
    for room, name, path in uses:
        places[room, name].add(path)
    return sum(len(paths) > 1 for paths in places.values())


@click.command()
@click.option("--save", type=click.Path(path_type=Path), help="Write the figures of now in a file.")
def main(save: Path | None) -> None:
    """Count, and print the table; exit 0 whatever the figures are."""
    before = json.loads(BEFORE.read_text()) if BEFORE.exists() else {"python": "", "figures": {}}
    now = {**static_figures(BROKERS), **walk_figures()}
    python = ".".join(platform.python_version_tuple()[:2])
    if save:
        save.write_text(
            json.dumps(
                {"label": save.stem.removeprefix("house_"), "python": python, "figures": now},
                indent=1,
            )
            + "\n"
        )
    click.echo(markdown(before["figures"], now))
    if before["python"] not in ("", python):
        click.echo(f"\nThen: Python {before['python']}; now: {python}. Calls are not comparable.")


if __name__ == "__main__":
    main()
