"""The one entry for OpenAlgo's `app.py`: `register(app)`, whatever moves behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.mstock import kit_problem

if TYPE_CHECKING:
    from flask import Flask


def register(app: Flask) -> None:
    """Add mStock's pages and its daily login to OpenAlgo; without a fitting kit, log why not."""
    if problem := kit_problem():
        app.logger.error(problem)
        return
    from broker._kit.openalgo.register import register as register_broker
    from broker.mstock.broker import MSTOCK

    register_broker(MSTOCK, app)
