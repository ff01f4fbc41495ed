"""The funds page, for the standalone app and for OpenAlgo: all figures, or why there are none."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from flask import Response

from broker._kit.broker import BrokerSettings, FundReport
from broker._kit.clock import Clock
from broker._kit.errors import BrokerError, WaitAndRetry
from broker._kit.sessions.report import date_time
from broker._kit.web import formatting, messages
from broker._kit.web.pages import Pages
from broker._kit.web.session_service import Banner

_STILL_IN = "You are still logged in."
_LOG_OUT_AND_IN = "When that is fixed and this page still says so, log out and log in again."


class Links(NamedTuple):
    """Where the page leads: itself again, a logout by form, a page above it; "" for none."""

    refresh: str
    log_out: str = ""
    back: str = ""
    back_words: str = ""


class Shown(NamedTuple):
    """Figures, and when the broker gave them."""

    report: FundReport
    at: datetime


def with_figures(
    pages: Pages,
    config: BrokerSettings,
    report: FundReport,
    clock: Clock,
    links: Links,
    banner: Banner | None = None,
) -> Response:
    """The page with all figures."""
    return _page(pages, config, 200, links, banner, Shown(report, clock.now()))


def with_problem(
    pages: Pages,
    config: BrokerSettings,
    error: BrokerError,
    links: Links,
    banner: Banner | None = None,
    last: Shown | None = None,
) -> Response:
    """The page that says why there are no new figures, above the `last` ones."""
    after = _STILL_IN if isinstance(error, WaitAndRetry) else _LOG_OUT_AND_IN
    told = {"problem": messages.problem_of(error), "after_problem": after}
    return _page(pages, config, messages.status_of(error), links, banner, last, **told)


def _page(
    pages: Pages,
    config: BrokerSettings,
    http: int,
    links: Links,
    banner: Banner | None,
    figures: Shown | None,
    **told: Any,
) -> Response:
    if figures is not None:
        report, at = figures
        bar = formatting.bar(report.in_use, report.available)
        told |= {"report": report, "as_of": date_time(at), "bar": bar}
    return pages.render("funds", http, config=config, links=links, banner=banner, **told)
