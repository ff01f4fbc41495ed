"""`make bench-host`: what our plugin costs a real OpenAlgo, against the plugin it ships with."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from simulator import Simulator
from tests.support.openalgo.checkout import OURS, Checkout, place_by_installer
from tests.support.openalgo.host import Host
from tests.support.openalgo.hours import Hours

# What the host imports of a plugin: before it serves anything, and then up to the first figures
# on its dashboard (its keep-warm service asks for the last two).
_AT_START = ("streaming.mstock_adapter",)
_TO_THE_FUNDS = (
    *("api.auth_api", "api.funds", "database.master_contract_db"),
    *("api.order_api", "mapping.transform_data"),
)
# Runs in a fresh interpreter: the host without any mStock plugin first, so that what it needs
# anyway is there already and is charged to neither.
_PROBE = """
import importlib, json, os, resource, sys, types
stand_in = types.ModuleType("broker.mstock.streaming.mstock_adapter")
stand_in.MstockWebSocketAdapter = type("MstockWebSocketAdapter", (), {})
sys.modules[stand_in.__name__] = stand_in
import app as host
del sys.modules[stand_in.__name__]
for name in [name for name in sys.modules if name.startswith("broker.mstock")]:
    del sys.modules[name]

def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024

phases = {}
for phase, names in json.loads(sys.argv[1]).items():
    before, kilobytes = set(sys.modules), resident()
    print(f"import time: begin {phase}", file=sys.stderr, flush=True)
    for name in names:
        importlib.import_module(f"broker.mstock.{name}")
    if phase == "start" and os.path.exists("broker/mstock/web/host_app.py"):
        importlib.import_module("broker.mstock.web.host_app").register(host.app)
    print("import time: end", file=sys.stderr, flush=True)
    phases[phase] = [len(set(sys.modules) - before), resident() - kilobytes]
print("PROBE" + json.dumps(phases), flush=True)
os._exit(0)
"""


@dataclass(frozen=True)
class Row:
    """One measured thing: the medians, and the median of the rounds' ratios."""

    what: str
    unit: str
    ours: float
    shipped: float
    ratio: float


Figures = dict[str, float]
