"""`make bench-host`: what our plugin costs a real OpenAlgo, against the plugin it ships with."""

from __future__ import annotations

import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
import requests
from rich.console import Console
from rich.table import Table

from benchmarks.tls import TlsFront
from broker_simulator.mstock import Simulator
from tests.support.openalgo.checkout import Checkout, place_by_installer
from tests.support.openalgo.host import Host
from tests.support.openalgo.hours import Hours
from tests.support.openalgo.visitor import Visitor

Figures = dict[str, float]

# What the imports at the start may cost, and login and first funds against the shipped plugin's.
_MOST_MS, _MOST_TIMES = 100.0, 1.25
_TARGETS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "import, at start": lambda ours, _ratio: ours < _MOST_MS,
    "login and funds, the first after a start": lambda _ours, ratio: ratio <= _MOST_TIMES,
    "login and funds, later ones": lambda _ours, ratio: ratio <= _MOST_TIMES,
}
_LATER: Final = "and to the funds"
# What the host imports of a plugin: before it serves anything, and then up to the figures on its
# dashboard, the last two by its keep-warm service.
_PHASES: Final = {
    "at start": ["streaming.mstock_adapter"],
    _LATER: [
        *("api.auth_api", "api.funds", "database.master_contract_db"),
        *("api.order_api", "mapping.transform_data"),
    ],
}
_UNITS: Final = {
    "modules": "",
    "memory added": " KB",
    "memory": " MB",
}  # of others: milliseconds
_LATER_LOGINS: Final = 4
_LATER_FUNDS: Final = 5  # times the dashboard is loaded again
_SETTLED_S: Final = 1.5  # until what the host does after a login or a logout is over

# A fresh interpreter: first the host with an empty plugin, so that what it needs anyway is there
# and charged to nobody, then, once its own threads load nothing any more, the real one.
_PROBE: Final = """
import importlib, importlib.util, json, os, sys, time, types

NAMES = ("", ".streaming", ".streaming.mstock_adapter", ".openalgo")
for name in NAMES:
    empty = types.ModuleType("broker.mstock" + name)
    empty.__path__ = []
    empty.MstockWebSocketAdapter = type("MstockWebSocketAdapter", (), {})
    empty.register = lambda app: None
    sys.modules[empty.__name__] = empty
import app as host
for name in [name for name in sys.modules if name.startswith("broker.mstock")]:
    del sys.modules[name]
loaded = 0
while loaded != len(sys.modules):
    loaded = len(sys.modules)
    time.sleep(1.5)

def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024

found = {}
for phase, names in json.loads(sys.argv[1]).items():
    before, kilobytes = set(sys.modules), resident()
    print("\\nBEGIN", phase, file=sys.stderr, flush=True)
    for name in names:
        importlib.import_module("broker.mstock." + name)
    if phase == "at start" and importlib.util.find_spec("broker.mstock.openalgo"):
        host.app._got_first_request = False
        importlib.import_module("broker.mstock.openalgo").register(host.app)
    print("\\nEND", phase, file=sys.stderr, flush=True)
    found[phase] = [len(set(sys.modules) - before), resident() - kilobytes]
print("\\nFOUND" + json.dumps(found), flush=True)
os._exit(0)
"""


def probe(host: Host, python: str) -> Figures:
    """One fresh interpreter's figures; a phase counts what came before it too."""
    done = subprocess.run(
        [python, "-X", "importtime", "-c", _PROBE, json.dumps(_PHASES)],
        cwd=host.copy,
        env=host.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    said = re.findall(r"^FOUND(.*)$", done.stdout, re.M)
    if not said:
        raise SystemExit(f"OpenAlgo could not be imported:\n{done.stderr[-2000:]}")
    figures: Figures = {}
    modules = added = milliseconds = 0.0
    for phase, (new, kilobytes) in json.loads(said[0]).items():
        modules += new
        added += kilobytes
        milliseconds += _imported(done.stderr, phase)
        figures[f"modules, {phase}"] = modules
        figures[f"import, {phase}"] = milliseconds
        figures[f"memory added, {phase}"] = added
    return figures


def _imported(stderr: str, phase: str) -> float:
    """Milliseconds of all imports of a phase: of the outermost ones, which hold the others."""
    part = stderr.partition(f"BEGIN {phase}\n")[2].partition(f"END {phase}\n")[0]
    outermost = re.findall(r"(?m)^import time:\s+\d+ \|\s+(\d+) \| \S", part)
    return sum(map(int, outermost)) / 1000


def started(host: Host, settings: Mapping[str, str]) -> Figures:
    """A real start of the host: its memory once it is quiet, then a login and the dashboard."""
    host.start(**settings)
    try:
        resident = host.memory()
        return {
            "memory, the serving process after its start": resident[0] / 1024,
            "memory, all of the host's processes": sum(resident) / 1024,
            **_logged_in(host),
        }
    finally:
        host.stop()
        # The next start finds no session and no instruments, with which other threads would begin.
        shutil.rmtree(host.folder / "db")


def _logged_in(host: Host) -> Figures:
    """Milliseconds from a click to the answer: logins by authenticator code, then the dashboard.

    As a trader does it, the page is open before the password is entered. What mStock itself takes
    is next to nothing, and the same for both plugins.
    """
    trader = host.visitor()
    trader.set_up()
    first, *others = (_once(host, trader) for _ in range(1 + _LATER_LOGINS))
    later = {name: statistics.median(each[name] for each in others) for name in first}
    return {
        "login and funds, the first after a start": first["login"] + first["funds"],
        "login and funds, later ones": statistics.median(
            each["login"] + each["funds"] for each in others
        ),
        "login, later ones": later["login"],
        "funds, after a later login": later["funds"],
        "funds, again": later["again"],
    }


def _once(host: Host, trader: Visitor) -> Figures:
    simulator = host.simulator
    trader.app_login()
    trader.get("/mstock/callback", headers={"Accept": "text/html"})
    trader.csrf()
    simulator.demo.used_totp_steps.clear()
    code = simulator.totp_now(simulator.demo.client_code)

    def timed(ask: Callable[[], requests.Response]) -> float:
        start = time.perf_counter()
        answer = ask()
        taken = (time.perf_counter() - start) * 1000
        if answer.status_code != 200 or answer.json().get("status") != "success":
            raise SystemExit(f"OpenAlgo answered {answer.status_code}: {answer.text[:300]}")
        return taken

    login = timed(lambda: trader.broker_login(simulator.demo.password, code))
    funds = timed(trader.dashboard)
    again = statistics.median(timed(trader.dashboard) for _ in range(_LATER_FUNDS))
    time.sleep(_SETTLED_S)
    trader.logout()
    time.sleep(_SETTLED_S)
    simulator.world.end_sessions()
    return {"login": login, "funds": funds, "again": again}


@contextmanager
def _hosts(checkout: Checkout) -> Iterator[tuple[dict[str, Host], Mapping[str, str]]]:
    """Two copies of the checkout, the same but for the plugin, started and imported once.

    With them come the settings that lead both plugins to the simulator as to mStock, over TLS.
    """
    if (checkout.home / "broker/mstock/errors.py").exists():
        raise SystemExit("The checkout holds our plugin; the comparison needs the shipped one.")
    with tempfile.TemporaryDirectory() as name, Simulator() as box:
        box.demo.totp_enabled = True
        settings, hosts = TlsFront(box.port, Path(name)).settings, {}
        for which in ("ours", "shipped"):
            folder = Path(name, which)
            copy = checkout.copy_to(folder / "copy")
            if which == "ours":
                place_by_installer(copy, checkout.python)
            hosts[which] = Host(copy, checkout.python, folder, box, Hours(box, folder, moves=False))
            started(hosts[which], settings)
            probe(hosts[which], checkout.python)  # writes the byte code
        yield hosts, settings
        for host in hosts.values():
            host.close()
        shutil.rmtree(name, ignore_errors=True)


def measure(
    checkout: Checkout, rounds: int, tell: Callable[[str], None]
) -> dict[str, list[Figures]]:
    """Every round starts each of the two, in an order that turns from round to round."""
    found: dict[str, list[Figures]] = {"ours": [], "shipped": []}
    with _hosts(checkout) as (hosts, settings):
        for n in range(rounds):
            for which in ("ours", "shipped")[:: 1 if n % 2 else -1]:
                host = hosts[which]
                found[which].append(probe(host, checkout.python) | started(host, settings))
            tell(f"round {n + 1} of {rounds}")
    return found


@click.command()
@click.option("--rounds", default=10, help="How many starts of each.")
def main(rounds: int) -> None:
    """Print the table; exit 0 whatever the figures are."""
    checkout = Checkout.from_env()
    if checkout is None:
        raise SystemExit("Set OPENALGO_HOME and OPENALGO_PYTHON.")
    errors = Console(stderr=True)
    found = measure(checkout, rounds, errors.print)
    table = Table(title="Our plugin in OpenAlgo against the shipped one, smaller is better")
    for heading in ("what", "ours", "shipped", "ratio", "reached"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for what in found["ours"][0]:
        ours, theirs = ([each[what] for each in found[which]] for which in ("ours", "shipped"))
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True) if b)
        is_reached = _TARGETS.get(what, lambda _ours, _ratio: None)(statistics.median(ours), ratio)
        unit = _UNITS.get(what.partition(",")[0], " ms")
        digits = 1 if unit == " ms" else 0
        table.add_row(
            what,
            f"{statistics.median(ours):.{digits}f}{unit}",
            f"{statistics.median(theirs):.{digits}f}{unit}",
            f"{ratio:.2f}",
            {True: "yes", False: "NO", None: ""}[is_reached],
        )
    console = Console(width=100)
    console.print(table)
    console.print(
        f"{rounds} interleaved starts of each, medians; -X importtime, after all that OpenAlgo "
        "imports anyway; byte code kept."
    )


if __name__ == "__main__":
    sys.exit(main())
