"""The funds page, for the standalone app and for OpenAlgo: all figures, or why there are none."""

from __future__ import annotations

from typing import NamedTuple

from flask import Response, make_response, render_template

from broker._kit.broker import BrokerSettings
from broker._kit.clock import Clock
from broker._kit.errors import BrokerError, WaitAndRetry
from broker._kit.secret import masked
from broker._kit.web import formatting, fund_figures, messages, responses
from broker._kit.web.responses import Frame
from broker.mstock.mapping.funds import FundSummary, margin_of

_STILL_IN = "You are still logged in."
_LOG_OUT_AND_IN = "When that is mended and this page still says so, log out and log in again."


class Links(NamedTuple):
    """Where the page leads: itself anew, a logout by form, a page above it; "" for none."""

    refresh: str
    log_out: str = ""
    back: str = ""
    back_words: str = ""


def with_figures(
    frame: Frame, config: BrokerSettings, summary: FundSummary, clock: Clock, links: Links
) -> Response:
    """The page with all figures."""
    view = config.funds_view
    page = render_template(
        "mstock/funds.html",
        client_code=masked(config.client_code),
        present=formatting,
        links=links,
        summary=summary,
        as_of=formatting.date_time(clock.now()),
        bar=formatting.bar(summary.amount_utilized, summary.available_balance),
        openalgo=fund_figures.openalgo_lines(margin_of(summary, view), view),
        columns=fund_figures.columns(summary),
        segment_words=fund_figures.segment_words(summary),
        **frame.of(config),
    )
    return make_response(page)


def with_problem(
    frame: Frame, config: BrokerSettings, error: BrokerError, links: Links
) -> Response:
    """The page that says why there are no figures; the session goes on."""
    page = render_template(
        "mstock/funds.html",
        client_code=masked(config.client_code),
        present=formatting,
        links=links,
        problem=messages.problem_of(error),
        after_problem=_STILL_IN if isinstance(error, WaitAndRetry) else _LOG_OUT_AND_IN,
        **frame.of(config),
    )
    return responses.with_status(page, messages.status_of(error))
