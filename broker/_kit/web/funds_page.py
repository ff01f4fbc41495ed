"""The funds page, for the standalone app and for OpenAlgo: all figures, or why there are none."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from flask import Response

from broker._kit.broker import BrokerSettings, FundReport
from broker._kit.clock import Clock
from broker._kit.errors import BrokerError, LogInAgain, WaitAndRetry
from broker._kit.secret import Secret
from broker._kit.sessions.report import date_time
from broker._kit.sessions.token_guard import TokenGuard, fingerprint
from broker._kit.web import formatting, messages
from broker._kit.web.pages import Pages
from broker._kit.web.session_service import Banner

_STILL_IN = "You are still logged in."
_LOG_OUT_AND_IN = "If it stays so, log out and log in again."


class Links(NamedTuple):
    """Where the page leads: itself again, a logout by form, a page above it; "" for none."""

    refresh: str
    log_out: str = ""
    back: str = ""
    back_words: str = ""


class FundsPage:
    """Asks for the funds and shows them; under an error the last ones of the same session."""

    def __init__(self, pages: Pages, guard: TokenGuard, clock: Clock) -> None:
        self._pages = pages
        self._guard = guard
        self._clock = clock
        self._last: dict[str, tuple[FundReport, datetime]] = {}  # and when they were given

    def show(
        self, config: BrokerSettings, token: Secret, links: Links, banner: Banner | None
    ) -> Response:
        """The page. Raises `LogInAgain` for a session that is over."""
        broker, mark, told = self._pages.broker, fingerprint(token), {}
        http = 200
        try:
            report = self._guard.run(config, token, lambda: broker.fund_report(config, token))
            # Only this session's: figures of another day or account are nobody's last.
            self._last = {mark: (report, self._clock.now())}
        except LogInAgain:
            raise
        except BrokerError as error:
            http = messages.status_of(error)
            after = _STILL_IN if isinstance(error, WaitAndRetry) else _LOG_OUT_AND_IN
            told = {"problem": messages.problem_of(error), "after_problem": after}
        if figures := self._last.get(mark):
            report, at = figures
            bar = formatting.bar(report.in_use, report.available)
            told |= {"report": report, "as_of": date_time(at), "bar": bar}
        return self._pages.render("funds", http, config=config, links=links, banner=banner, **told)

    def forget(self) -> None:
        """Forget the figures, as at a logout."""
        self._last = {}
