"""The rules of our pages, apart from what stands behind them.

OpenAlgo adds them when it starts; what a page needs is loaded at the first request for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from flask import Blueprint, Response
from flask.blueprints import BlueprintSetupState
from flask_wtf.csrf import CSRFError  # type: ignore[import-untyped]

LOGIN = "mstock_login"
LOGIN_RULE = "/mstock/callback"
AUTO_LOGIN = "mstock_auto_login"
AUTO_LOGIN_RULE = "/mstock/auto-login"
STATIC = "/mstock/static"


class Page(Protocol):
    """A view with its error handlers; `frame` gives its templates what stands around them."""

    @property
    def frame(self) -> Callable[[], dict[str, str]]: ...
    def answer(self) -> Response: ...
    def on_stale_page(self, error: Any) -> Response: ...
    def on_http_error(self, error: Any) -> Response: ...


def login_door(page: Callable[[], Page], *, has_policy: bool = True) -> Blueprint:
    """The login page's, with the style sheet; `page` is asked at each request.

    Without `has_policy` the Content-Security-Policy is left to the app.
    """
    blueprint = Blueprint(
        LOGIN,
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path=STATIC,
    )
    refusals = (400, 403, 404, 413, 415, 429)
    return _hung(blueprint, LOGIN_RULE, "callback", page, refusals, has_policy)


def auto_login_door(page: Callable[[], Page], *, has_policy: bool = True) -> Blueprint:
    """The auto-login page's; next to the login page."""
    blueprint = Blueprint(AUTO_LOGIN, __name__, template_folder="templates")
    refusals = (400, 403, 413, 415, 429)
    return _hung(blueprint, AUTO_LOGIN_RULE, "page", page, refusals, has_policy)


def framed(frame: Callable[[], dict[str, str]]) -> dict[str, str]:
    """What stands around a page; nothing, when that is what cannot be made: the page says why."""
    try:
        return frame()
    except Exception:
        return {}


def finished(blueprint: Blueprint, *, has_policy: bool = True) -> Blueprint:
    """With what all of our pages have: faults told in plain words, and headers."""
    blueprint.register_error_handler(Exception, _on_fault)
    blueprint.after_request(lambda response: _harden(response, has_policy))
    return blueprint


def _hung(
    blueprint: Blueprint,
    rule: str,
    endpoint: str,
    page: Callable[[], Page],
    refusals: tuple[int, ...],
    has_policy: bool,
) -> Blueprint:
    blueprint.record_once(_require_csrf)
    blueprint.add_url_rule(rule, endpoint, lambda: page().answer(), methods=["GET", "POST"])
    blueprint.register_error_handler(CSRFError, lambda error: page().on_stale_page(error))
    for status in refusals:
        blueprint.register_error_handler(status, lambda error: page().on_http_error(error))
    blueprint.context_processor(lambda: framed(lambda: page().frame()))
    return finished(blueprint, has_policy=has_policy)


def _require_csrf(state: BlueprintSetupState) -> None:
    if "csrf" not in state.app.extensions:
        raise RuntimeError("The mStock login page needs Flask-WTF's CSRFProtect in the app.")


def _on_fault(error: Exception) -> Any:
    from broker._kit.web import responses

    return responses.on_fault(error)


def _harden(response: Response, has_policy: bool) -> Response:
    from broker._kit.web.headers import harden

    return harden(response, has_policy=has_policy)
