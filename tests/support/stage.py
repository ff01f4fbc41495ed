"""The simulator and the demo on a weekday morning, so that no test meets midnight by chance."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from broker_simulator.demo.stage import Demo
from broker_simulator.mstock import IST, Simulator

MORNING = datetime(2026, 11, 23, 9, 15, tzinfo=IST)


@contextmanager
def morning_box(**options: Any) -> Iterator[Simulator]:
    with Simulator(**options) as box:
        box.clock.set(MORNING)
        yield box


@contextmanager
def morning_demo(api_type: str = "B") -> Iterator[Demo]:
    demo = Demo(api_type)
    demo.simulator.clock.set(MORNING)
    with demo:
        yield demo
