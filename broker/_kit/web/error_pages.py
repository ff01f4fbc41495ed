"""The standalone app's pages for bad addresses, hosts and methods, and for requests from afar."""

from __future__ import annotations

from flask import Flask, Response, request, url_for
from flask_wtf.csrf import CSRFError  # type: ignore[import-untyped]
from werkzeug.exceptions import HTTPException, SecurityError

from broker._kit.web import messages, responses
from broker._kit.web.headers import HEADERS
from broker._kit.web.messages import Problem

_TITLES: dict[int, tuple[str, Problem]] = {
    400: ("Not understood", Problem("The request could not be read.", "Nothing was sent.")),
    404: ("No such page", Problem("There is no page at this address.", "Check what was typed.")),
    405: (
        "Not that way",
        Problem("This address cannot be opened like that.", "Nothing was sent or changed."),
    ),
    413: ("Too long", Problem("The request is larger than any login.", "Nothing was sent.")),
}
_OTHER = ("That did not work", responses.REFUSED)


def register(app: Flask) -> None:
    """Give the app its error responses."""
    app.register_error_handler(SecurityError, _on_untrusted_host)
    app.register_error_handler(CSRFError, _on_stale_page)
    app.register_error_handler(HTTPException, _on_http_error)
    app.register_error_handler(Exception, responses.on_fault)


def turn_away_strangers() -> Response | None:
    """Answer a request that another site caused with a page that asks for a click.

    The browser withholds a strict cookie from it, so that answering as usual would look like a
    logout and give the browser a new session in place of its own.
    """
    if request.routing_exception or request.headers.get("Sec-Fetch-Site") != "cross-site":
        return None
    if request.endpoint == f"{responses.BLUEPRINT}.static":
        return None
    problem = Problem("You came here from another website.", "Nothing has been done.", is_news=True)
    return responses.message_page(
        200 if request.method == "GET" and not responses.wants_json() else 403,
        "mStock login",
        problem,
        back=url_for("home"),
        back_words="Continue",
    )


def _on_untrusted_host(error: SecurityError) -> Response:
    # Nothing can be routed here, and the style sheet would be asked of the untrusted name.
    own = f"http://127.0.0.1:{request.environ['SERVER_PORT']}"
    static = f"{own}/mstock/static"
    problem = Problem(
        "This page answers to the names of this computer only.",
        f"Open {own}/ in its browser.",
    )
    response = responses.message_page(
        400,
        "Not at this address",
        problem,
        back=f"{own}/",
        back_words="Open it",
        api_type="",  # a stranger need not know what runs here
        phone_url="",
        style=f"{static}/mstock.css",
        icon=f"{static}/icon.svg",
    )
    policy = HEADERS["Content-Security-Policy"].replace("'self'", own)
    response.headers["Content-Security-Policy"] = policy
    return response


def _on_stale_page(error: CSRFError) -> Response:
    return responses.error_page(400, "An old page", messages.PAGE_STALE)


def _on_http_error(error: HTTPException) -> Response:
    status = error.code or 500
    title, problem = _TITLES.get(status, _OTHER)
    response = responses.error_page(status, title, problem)
    for name, value in error.get_headers():
        if name.lower() == "allow":
            response.headers[name] = value
    return response
