"""The funds page, for the standalone app and for OpenAlgo: all figures, or why there are none."""

from __future__ import annotations

from typing import NamedTuple

from flask import Response, make_response, render_template

from broker.mstock.clock import Clock
from broker.mstock.config import Config
from broker.mstock.errors import MstockError, WaitAndRetry
from broker.mstock.mapping.funds import FundSummary, margin_of
from broker.mstock.secret import masked
from broker.mstock.web import answers, figures, pages, present
from broker.mstock.web.pages import Frame

_STILL_IN = "You are still logged in."
_LOG_OUT_AND_IN = "When that is mended and this page still says so, log out and log in again."


class Links(NamedTuple):
    """Where the page leads: itself anew, a logout by form, a page above it; "" for none."""

    refresh: str
    log_out: str = ""
    back: str = ""
    back_words: str = ""


def with_figures(
    frame: Frame, config: Config, summary: FundSummary, clock: Clock, links: Links
) -> Response:
    """The page with all figures."""
    view = config.funds_view
    page = render_template(
        "mstock/funds.html",
        client_code=masked(config.client_code),
        present=present,
        links=links,
        summary=summary,
        as_of=present.date_time(clock.now()),
        bar=present.bar(summary.amount_utilized, summary.available_balance),
        openalgo=figures.openalgo_lines(margin_of(summary, view), view),
        columns=figures.columns(summary),
        segment_words=figures.segment_words(summary),
        **frame.of(config),
    )
    return make_response(page)


def with_problem(frame: Frame, config: Config, error: MstockError, links: Links) -> Response:
    """The page that says why there are no figures; the session goes on."""
    page = render_template(
        "mstock/funds.html",
        client_code=masked(config.client_code),
        present=present,
        links=links,
        problem=answers.problem_of(error),
        after_problem=_STILL_IN if isinstance(error, WaitAndRetry) else _LOG_OUT_AND_IN,
        **frame.of(config),
    )
    return pages.with_status(page, answers.status_of(error))
