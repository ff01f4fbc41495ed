"""How the exchange behaves beyond the rules: delays, slow fills, matching by hand."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

LONGEST_DELAY: Final = 86_400


@dataclass
class Behaviour:
    """Switches of the exchange; they may be changed while it runs.

    `is_always_open`: orders are taken and matched at any hour, at the prices of the last session.
    `matching`: off, orders trade only by hand. `largest_fill`: units per round at most, so that
    orders fill in parts; None for what the depth gives. `transit`: how long an accepted order is on
    its way to the exchange. The order book shows an accepted order only after a delay drawn
    between two bounds, in seconds, from a generator with a seed of its own (`delay_book`).
    """

    is_always_open: bool = False
    matching: bool = True
    largest_fill: int | None = None
    transit: timedelta = timedelta(0)
    _bounds: tuple[float, float] = (0.0, 0.0)
    _random: random.Random = field(default_factory=lambda: random.Random(0), repr=False)

    def delay_book(self, shortest: float, longest: float, seed: int = 0) -> None:
        """Draw each later order's delay of the book between these bounds; (0, 0) for none."""
        if not 0 <= shortest <= longest <= LONGEST_DELAY:
            raise ValueError(f"bounds are seconds up to {LONGEST_DELAY}, the shortest first")
        self._bounds, self._random = (shortest, longest), random.Random(seed)

    @property
    def book_delay_bounds(self) -> tuple[float, float]:
        """The bounds of the delay in seconds."""
        return self._bounds

    def draw_book_delay(self) -> timedelta:
        """Return the delay of the next order."""
        return timedelta(seconds=self._random.uniform(*self._bounds))
