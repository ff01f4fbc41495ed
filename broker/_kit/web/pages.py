"""What every page of a broker is made with: templates, headers, JSON or HTML, error pages."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from flask import (
    Blueprint,
    Response,
    current_app,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.blueprints import BlueprintSetupState
from flask_wtf.csrf import CSRFError  # type: ignore[import-untyped]
from werkzeug.exceptions import BadRequest, HTTPException

from broker._kit.broker import Broker, BrokerSettings
from broker._kit.errors import BrokerError, SettingError
from broker._kit.faults import fault_location
from broker._kit.secret import Secret, masked
from broker._kit.settings import Account
from broker._kit.web import formatting, messages
from broker._kit.web.messages import Problem

if TYPE_CHECKING:
    from broker._kit.web.session_service import Banner

POLICY = "Content-Security-Policy"
# Nothing is cached, framed, guessed or loaded from elsewhere.
HEADERS: dict[str, str] = {
    "Cache-Control": "no-store",
    POLICY: (
        "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; "
        "img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# What Flask, Flask-WTF or an extension of the app may refuse before a view is reached. By code: a
# handler for all would come after the app's own for one of them.
_REFUSALS = (400, 403, 404, 413, 415, 429)
_LONGEST_ID = 64  # of the ids that forms bring back; ours are shorter, and they are remembered

ConfigSource = Callable[[], BrokerSettings]

log = logging.getLogger(__name__)


class AppViews(Protocol):
    """What the app around the login and auto-login pages does."""

    def on_entry(self) -> Response | None:
        """Turn a visitor of the login away before anything happens, or let them in with None."""

    def on_success(self, token: Secret, config: BrokerSettings) -> Response:
        """Take the day's token and answer page and JSON clients (see `wants_json`).

        It may be called twice with one token, for the two clicks of a double click.
        """

    def notice(self) -> str:
        """A sentence to show above a fresh login form, "" for none."""

    def banner(self) -> Banner | None:
        """What the login page says of auto-login, None when there is nothing to say."""

    def may_manage(self) -> bool:
        """Whether this visitor may change auto-login, or only see its status."""

    def home(self) -> str:
        """The address that a link of the auto-login page leads back to, "" for none."""


class Pages:
    """Makes one broker's blueprints and the responses of their views.

    `config_source` gives the settings at each request and may raise `SettingError`; `phone_url` is
    the simulated phone's page. Without `has_policy` the Content-Security-Policy is the app's own.
    """

    def __init__(
        self,
        broker: Broker,
        config_source: ConfigSource,
        *,
        phone_url: str = "",
        has_policy: bool = True,
        funds_endpoint: str = "funds",
    ) -> None:
        self.broker = broker
        self.config_source = config_source
        self.static = f"/{broker.name}/static"
        self.login_endpoint = f"{broker.name}_login.callback"
        self.auto_login_endpoint = f"{broker.name}_auto_login.page"
        self.funds_endpoint = funds_endpoint
        # Names and endpoints of the broker's own pages, for the navigation.
        self.more_pages: tuple[tuple[str, str], ...] = ()
        self._phone_url = phone_url
        self._has_policy = has_policy

    def account(self) -> Account | None:
        """Whose account the settings name, None when they are unusable."""
        with contextlib.suppress(SettingError):
            return self.config_source().account
        return None

    def blueprint(
        self, name: str, *, has_static: bool = False, package: str = __name__, static_url: str = ""
    ) -> Blueprint:
        """A blueprint `<broker>_<name>` with our headers and our handler of errors.

        `package` is where its templates and static files are. Its app needs Flask-WTF's
        CSRFProtect: registering raises `RuntimeError` without.
        """
        blueprint = Blueprint(
            f"{self.broker.name}_{name}",
            package,
            template_folder="templates",
            static_folder="static" if has_static else None,
            static_url_path=static_url or self.static,
        )
        blueprint.record_once(_require_csrf)
        blueprint.register_error_handler(Exception, self.on_error)
        blueprint.after_request(self.harden)
        return blueprint

    def form_blueprint(
        self,
        endpoint: str,
        rule: str,
        view: Callable[[], Response],
        on_refusal: Callable[[HTTPException], Response],
        *,
        has_static: bool = False,
    ) -> Blueprint:
        """A blueprint with one page for GET and POST, which words its refusals itself."""
        name, _, function = endpoint.removeprefix(f"{self.broker.name}_").partition(".")
        blueprint = self.blueprint(name, has_static=has_static)
        blueprint.add_url_rule(rule, function, view, methods=["GET", "POST"])
        for status in _REFUSALS:
            blueprint.register_error_handler(status, on_refusal)
        return blueprint

    def render(
        self, template: str, http: int = 200, *, config: BrokerSettings | None = None, **shown: Any
    ) -> Response:
        """A page; `config` is asked for where the caller does not have it.

        A template is the kit's, unless its name has a folder.
        """
        shown = self._around(config) | shown
        path = template if "/" in template else f"openalgo_broker/{template}"
        return with_status(render_template(f"{path}.html", **shown), http)

    def error(self, status: int, title: str, problem: Problem, **shown: Any) -> Response:
        """A page with one message and the way back to the login, or the message alone as JSON."""
        if wants_json():
            return json_error(status, problem)
        if "back" not in shown:
            shown["back"] = url_for(self.login_endpoint)
        return self.render("message", status, title=title, problem=problem, **shown)

    def broker_error(self, error: BrokerError, title: str = "") -> Response:
        """The same for a `BrokerError`."""
        usual = "A setting is wrong" if isinstance(error, SettingError) else "That did not work"
        return self.error(messages.status_of(error), title or usual, messages.problem_of(error))

    def on_error(self, error: Exception) -> Response | HTTPException:
        """Flask's handler for what comes out of a view; a fault is logged without its text."""
        if isinstance(error, BrokerError):
            return self.broker_error(error)
        if isinstance(error, HTTPException):
            return json_error(error.code or 500, messages.REFUSED) if wants_json() else error
        log.error(f"{self.broker.title} page: {fault_location(error)}")
        return self.error(500, "Something went wrong", messages.FAULT)

    def harden(self, response: Response) -> Response:
        """Add the headers that the view has not set; the style sheet keeps Flask's own caching."""
        for name, value in HEADERS.items():
            if self._has_policy or name != POLICY:
                response.headers.setdefault(name, value)
        return response

    def _around(self, config: BrokerSettings | None) -> dict[str, Any]:
        static = f"{request.script_root}{self.static}"
        funds, auto_login = ("Funds", self.funds_endpoint), ("Auto-login", self.auto_login_endpoint)
        pages = (funds, *self.more_pages, auto_login)
        around: dict[str, Any] = {
            "broker": self.broker,
            "formatting": formatting,
            "login_page": self.login_endpoint,
            "pages": [page for page in pages if page[1] in current_app.view_functions],
            "auto_login_page": self.auto_login_endpoint,
            "style": f"{static}/style.css",
            "script": f"{static}/page.js",
            "icon": f"{static}/icon.svg",
        }
        with contextlib.suppress(Exception):  # the page that says what is wrong with the settings
            config = config or self.config_source()
            around |= {
                "mode": "LIVE" if config.is_live else "SIMULATOR",
                "api_type": config.api_type,
                "client_code": masked(config.client_code),
                "phone_url": "" if config.is_live else self._phone_url,
            }
        return around


def wants_json() -> bool:
    """True for a script's request, by the signs that OpenAlgo's own pages go by, or a JSON body."""
    return (
        request.headers.get("X-Requested-With") == "XMLHttpRequest"
        or "application/json" in request.headers.get("Accept", "")
        or request.is_json
        or (request.method == "POST" and request.mimetype == "multipart/form-data")
    )


def sent_fields(known: tuple[str, ...]) -> Mapping[str, str]:
    """The fields of a form or a JSON object, all of them text; of an object only the known ones.

    Raises `BadRequest` for anything else, and for an id that is too long to be one of ours.
    """
    fields: Mapping[str, str] = request.form
    if request.is_json:
        body: Any = None
        with contextlib.suppress(RecursionError):
            body = request.get_json(silent=True)
        if not isinstance(body, dict):
            raise BadRequest
        fields = {name: body[name] for name in known if name in body}
    is_text = all(isinstance(value, str) for value in fields.values())
    if not is_text or any(len(fields.get(name, "")) > _LONGEST_ID for name in ("form", "login_id")):
        raise BadRequest
    return fields


def refused_problem(error: HTTPException, known: Mapping[int, Problem]) -> Problem:
    """Why a form was refused before its view was reached."""
    if not isinstance(error, CSRFError):
        return known.get(error.code or 400, known[400])
    if wants_json():
        return messages.CSRF_STALE
    has_cookie = current_app.config["SESSION_COOKIE_NAME"] in request.cookies
    return messages.PAGE_STALE if has_cookie else messages.COOKIES_NEEDED


def json_error(status: int, problem: Problem, **more: Any) -> Response:
    """The JSON of something that did not work; `code` says that a CSRF token was stale."""
    code = {"code": "csrf"} if problem is messages.CSRF_STALE else {}
    return with_status(jsonify(status="error", message=str(problem), **code, **more), status)


def see_other(where: str) -> Response:
    """After a form: the page to fetch, so that a reload sends nothing again."""
    return make_response(redirect(where, 303))


def go(where: str, message: str, status: int = 200) -> Response:
    """Redirect a browser; a script gets the same address and the message as JSON."""
    if not wants_json():
        return see_other(where)
    kind = "success" if status == 200 else "error"
    return with_status(jsonify(status=kind, message=message, redirect=where), status)


def with_status(body: Any, status: int) -> Response:
    """A response with this status, from a text or a response."""
    return make_response(body, status)


def _require_csrf(state: BlueprintSetupState) -> None:
    if "csrf" not in state.app.extensions:
        raise RuntimeError("The broker's pages need Flask-WTF's CSRFProtect in the app.")
