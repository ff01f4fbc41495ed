"""The simulator's clock as the plugin's own, with an error where one is wanted."""

from __future__ import annotations

from datetime import datetime, timedelta

from broker._kit.clock import IST
from broker_simulator.mstock import Simulator


class SimulatedTime:
    """Stands still but for `advance` and `sleep`, which move the simulator's time too.

    `error` is what this computer's clock is wrong by: ahead of mStock's when positive.
    """

    def __init__(self, simulator: Simulator, start: datetime) -> None:
        self._simulator = simulator
        self._passed = 1000.0
        self.error = timedelta(0)
        self.slept: list[float] = []
        simulator.clock.set(start, frozen=True)

    def now(self) -> datetime:
        return (self._simulator.clock.now() + self.error).astimezone(IST)

    def monotonic(self) -> float:
        return self._passed

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self.slept.append(seconds)
            self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let time pass, here and at mStock."""
        self._passed += seconds
        self._simulator.clock.advance(timedelta(seconds=seconds))

    def until(self, then: datetime) -> None:
        """Let time pass until mStock's clock shows this; nothing happens when it is past."""
        self.advance(max(0.0, (then - self._simulator.clock.now()).total_seconds()))
