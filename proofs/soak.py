"""An hour of live prices with a fault every few seconds, the feed's limits as they are in use.

3,000 instruments on one socket, in all three modes, of a market that moves twice a second. What
the process holds is counted at the start, at half time and at the end. By half time it has been
through every kind of fault, and its memory must not grow any more.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable

from rich.console import Console

from proofs import Broken, Rows, figures, require
from proofs.streamed import CUTS, SILENT, SPOILT, StreamServer, Subscribed, Usage, usage

_SECONDS, _FEW_SECONDS = 3_600.0, 5.0
_INSTRUMENTS, _FEW = 3_000, 100
_PAUSE_S = 5.0
_PATIENCE_S = 180.0
_WHEN = ", at the start, at half time and at the end"
# By which memory may grow in the second half; a short run is over before everything has been met.
_MORE_MB, _FEW_MORE_MB = 1.0, 8.0


def run(console: Console, short: bool, seed: int | None = None) -> Rows:
    """The figures; raises `Broken`."""
    seed = random.randrange(10**6) if seed is None else seed
    choose, count = random.Random(seed), _FEW if short else _INSTRUMENTS
    # A short run has no time for those that only silence tells.
    kinds = (*CUTS, *SPOILT) if short else (*CUTS, *SILENT, *SPOILT)
    rows: list[tuple[str, object]] = [("API type", "B"), ("instruments, on one socket", count)]
    with StreamServer(2 * count) as server:
        subscribed = Subscribed(server, "B", count, patience=_PATIENCE_S)
        try:
            start, began, ticks, faults = usage(), time.monotonic(), subscribed.ticks, 0
            length, half = _FEW_SECONDS if short else _SECONDS, None
            while (passed := time.monotonic() - began) < length:
                if half is None and passed >= length / 2:
                    half = usage()
                kind = choose.choice(kinds)
                console.print(f"{passed:5.0f} s, {usage()}: {kind}")
                subscribed.survive(kind)
                require(subscribed.held() == count, "subscriptions are lost")
                faults += 1
                time.sleep(0.1 if short else _PAUSE_S)
            seconds, end = time.monotonic() - began, usage()
            rows += [
                ("minutes", f"{seconds / 60:.1f}"),
                ("faults", faults),
                ("connections made", subscribed.feed.status().connections),
                ("ticks", f"{subscribed.ticks - ticks:,}"),
                ("packets that could not be read", subscribed.feed.status().dropped),
            ]
        finally:
            subscribed.stop()
    counts = (start, half or start, end)
    _compare(*counts, _FEW_MORE_MB if short else _MORE_MB)
    return figures(
        (
            *rows,
            (f"threads{_WHEN}", _list(str(each.threads) for each in counts)),
            (f"sockets{_WHEN}", _list(str(each.sockets) for each in counts)),
            (f"memory in MB{_WHEN}", _list(f"{each.memory:.1f}" for each in counts)),
            ("seed", seed),
        )
    )


def _compare(start: Usage, half: Usage, end: Usage, most: float) -> None:
    is_more = end.threads > start.threads or end.sockets > start.sockets
    if is_more or end.memory - half.memory > most:
        raise Broken(f"{end} at the end after {half} at half time and {start}")


def _list(values: Iterable[str]) -> str:
    return ", ".join(values)
