"""What every answer of this room is made with: the frame, the error page, and who wants JSON."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from flask import (
    Response,
    current_app,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.exceptions import BadRequest, HTTPException

from broker._kit.broker import BrokerSettings
from broker._kit.errors import SettingError
from broker._kit.faults import fault_location
from broker._kit.web import blueprints, messages
from broker._kit.web.messages import Problem

BLUEPRINT = blueprints.LOGIN
ENDPOINT = f"{BLUEPRINT}.callback"
STATIC = blueprints.STATIC

REFUSED = Problem("The request was refused.", "Nothing was sent.")

ConfigSource = Callable[[], BrokerSettings]

log = logging.getLogger(__name__)


def wants_json() -> bool:
    """True for a script's request, by the signs that OpenAlgo's own pages go by, or a JSON body."""
    return (
        request.headers.get("X-Requested-With") == "XMLHttpRequest"
        or "application/json" in request.headers.get("Accept", "")
        or request.is_json
        or (request.method == "POST" and request.mimetype == "multipart/form-data")
    )


def sent(known: tuple[str, ...]) -> Mapping[str, str]:
    """The fields of a form or a JSON object, all of them text; of an object only the known ones."""
    if not request.is_json:
        return request.form
    try:
        body = request.get_json(silent=True)
    except RecursionError:
        raise BadRequest from None
    if not isinstance(body, dict):
        raise BadRequest
    fields = {name: body[name] for name in known if name in body}
    if not all(isinstance(value, str) for value in fields.values()):
        raise BadRequest
    return fields


def csrf_problem() -> Problem:
    """Why a page's form came without a valid CSRF token."""
    has_cookie = current_app.config["SESSION_COOKIE_NAME"] in request.cookies
    return messages.PAGE_STALE if has_cookie else messages.COOKIES_NEEDED


def csrf_json() -> Response:
    """The same for a script."""
    return with_status(jsonify(status="error", message=str(messages.CSRF_STALE), code="csrf"), 400)


class Frame:
    """What stands around every page: which mStock, which API type, the simulated phone.

    To be registered as a context processor, so that error pages have it too; `of` is for pages
    that know whose settings they show.
    """

    def __init__(self, config_source: ConfigSource, phone_url: str = "") -> None:
        self.config_source = config_source
        self._phone_url = phone_url

    def __call__(self) -> dict[str, str]:
        static = f"{request.script_root}{STATIC}"
        files = {"style": f"{static}/mstock.css", "icon": f"{static}/icon.svg"}
        try:
            return {**files, **self.of(self.config_source())}
        except Exception:
            return files  # the page that says what is wrong with the settings wants a frame too

    def of(self, config: BrokerSettings) -> dict[str, str]:
        """The part that depends on the settings."""
        return {
            "mode": "LIVE" if config.is_live else "SIMULATOR",
            "api_type": config.api_type,
            "phone_url": "" if config.is_live else self._phone_url,
        }


def message_page(status: int, title: str, problem: Problem, **shown: Any) -> Response:
    """A page with one message, or the message alone as JSON."""
    if wants_json():
        return with_status(jsonify(status="error", message=str(problem)), status)
    html = render_template("mstock/message.html", title=title, problem=problem, **shown)
    return with_status(html, status)


def error_page(status: int, title: str, problem: Problem) -> Response:
    """A page, or JSON, that says what is wrong and nothing about the inside of the program."""
    return message_page(status, title, problem, back=url_for(ENDPOINT))


def setting_page(error: SettingError) -> Response:
    """Which setting to mend; its value is not shown."""
    return error_page(500, "A setting is wrong", Problem(error.message, error.next_step))


def on_fault(error: Exception) -> Response | HTTPException:
    """Flask's handler for a fault of ours: said in plain words, logged without its text."""
    if isinstance(error, HTTPException):
        if wants_json():
            return error_page(error.code or 500, "", REFUSED)
        return error
    log.error("mStock page: %s", fault_location(error))
    return error_page(500, "Something went wrong", messages.FAULT)


def see_other(where: str) -> Response:
    """After a form: the page to fetch, so that a reload sends nothing again."""
    return with_status(redirect(where), 303)


def with_status(body: Any, status: int) -> Response:
    """A response with this status, from a text or a response."""
    response = make_response(body)
    response.status_code = status
    return response
