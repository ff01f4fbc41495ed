"""Joins a broker to OpenAlgo: its pages, logouts at the broker, and auto-login.

Each part stands alone: what cannot be joined is logged with the host's version, and OpenAlgo
starts and runs without it. At the start only rules and hooks are added; what they need is imported
and made when it is first needed, so that a user of another broker pays next to nothing.
"""

from __future__ import annotations

import logging
import multiprocessing
import os.path
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from flask import Blueprint, Flask, Response, current_app, make_response, request, session

from broker._kit.broker import Broker
from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import BrokerError, SettingError
from broker._kit.faults import fault_location
from broker._kit.openalgo import auth_table, host
from broker._kit.openalgo.order_updates import register_order_updates
from broker._kit.sessions.timers import start_ticking
from broker._kit.settings import environment
from broker._kit.web.pages import Pages

if TYPE_CHECKING:
    from broker._kit.openalgo.services import Services

# The host's own login page, for every broker; the literal rule of ours comes before it.
_HOST_LOGIN = "brlogin.broker_callback"
# Where the host's pages ask whether the broker session still stands.
_STATUS_PATHS = frozenset({"/auth/session-status", "/auth/dashboard-data", "/auth/broker"})

# By then the host has stored a token that it is about to store.
_COMMITTED_AFTER_S = 2.0

log = host.logger(__name__)


def register(broker: Broker, app: Flask, clock: Clock = SYSTEM_CLOCK) -> None:
    """Give OpenAlgo the broker's pages, logouts at the broker and auto-login. Raises nothing."""
    services = LazyServices(broker, clock)
    parts: dict[str, Callable[[], object]] = {
        "the login page": lambda: app.register_blueprint(_login(services)),
        "the funds page": lambda: app.register_blueprint(_pages(services)),
        "the auto-login page": lambda: app.register_blueprint(_auto_login(services)),
        "the end of a session": lambda: app.before_request(services.revoke_if_over),
        "the logout at the broker": lambda: auth_table.on_revoked(broker, services.log_out),
        "what follows a login": lambda: auth_table.on_stored(broker, services.after_login),
        "auto-login": services.start,
    }
    if "orders" not in broker.unbuilt:
        parts["order updates"] = lambda: register_order_updates(broker)
    for part, join in parts.items():
        try:
            join()
        except Exception as error:
            services.log_missing(part, error)
    app.extensions[broker.name] = services


class LazyServices:
    """The services of one broker, made at the first use, and again after a failure."""

    def __init__(self, broker: Broker, clock: Clock) -> None:
        self.broker = broker
        # OpenAlgo sets its own Content-Security-Policy.
        self.pages = Pages(
            broker,
            lambda: broker.read_settings(None),
            has_policy=False,
            funds_endpoint=f"{broker.name}_openalgo.funds",
        )
        self._clock = clock
        self._lock = threading.Lock()
        self._services: Services | None = None
        self.stop: Callable[[], None] = lambda: None

    def get(self) -> Services:
        """All of them. Raises what their making raises."""
        with self._lock:
            if self._services is None:
                from broker._kit.openalgo.services import Services

                self._services = Services(self.pages, self._clock)
            return self._services

    def start(self) -> None:
        """Have auto-login tick, in the one process that serves OpenAlgo's pages."""
        if is_serving_process(environment()):
            self.stop = start_ticking(self.tick)

    def tick(self) -> None:
        """Do what auto-login has to do while this broker is the one in OpenAlgo's settings."""
        with self._logged("auto-login"), suppress(SettingError):
            self.broker.read_settings(None)
            self.get().service.auto().tick()

    def revoke_if_over(self) -> None:
        """Before a request: a logged-in browser asks whether the broker session stands."""
        is_asked = request.path in _STATUS_PATHS and session.get("logged_in")
        if is_asked and session.get("broker") == self.broker.name:
            with self._logged("the session was not checked"):
                self.get().revoke_if_over()

    def log_out(self, user: str, encrypted: str) -> None:
        """The host revokes a token."""
        self._on_thread("logout", lambda: self.get().log_out(user, encrypted))

    def after_login(self) -> None:
        """The host stores a token."""

        def run() -> None:
            self._clock.sleep(_COMMITTED_AFTER_S)
            self.broker.after_login()

        self._on_thread("login", run)

    def log_missing(self, part: str, error: Exception) -> None:
        """Log what OpenAlgo has to do without."""
        version = host.version() or "of unknown version"
        log.error(f"{self.broker.title}: OpenAlgo {version} runs without {part}. {_reason(error)}")

    def _on_thread(self, after: str, work: Callable[[], None]) -> None:
        """The host must not wait, and has not committed yet."""

        def run() -> None:
            with self._logged(f"what follows a {after} failed", logging.ERROR):
                work()

        threading.Thread(target=run, name=f"{self.broker.name}-{after}", daemon=True).start()

    @contextmanager
    def _logged(self, what: str, level: int = logging.DEBUG) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            log.log(level, f"{self.broker.title}: {what}: {_reason(error)}")


def is_serving_process(env: Mapping[str, str]) -> bool:
    """True in the one process that serves OpenAlgo's pages.

    Not in a child that Python's multiprocessing started, and not in the process that only watches
    a development server's files.
    """
    if multiprocessing.parent_process() is not None:
        return False
    main = getattr(sys.modules.get("__main__"), "__file__", None) or ""
    is_debug = env.get("FLASK_DEBUG", "").strip().lower() in ("true", "1", "t")
    is_reloader = os.path.basename(main) == "app.py" and is_debug
    return not is_reloader or env.get("WERKZEUG_RUN_MAIN") == "true"


def _reason(error: Exception) -> str:
    """Why something failed, for the log: a text of ours, or the fault's place without its text."""
    return str(error) if isinstance(error, BrokerError) else fault_location(error)


def _login(services: LazyServices) -> Blueprint:
    pages = services.pages

    def answer() -> Response:
        try:
            page = services.get().login_page
        except Exception as error:
            services.log_missing("the login page", error)
            return make_response(current_app.view_functions[_HOST_LOGIN](broker=pages.broker.name))
        return page.answer()

    return pages.form_blueprint(
        pages.login_endpoint,
        pages.broker.callback_path,
        answer,
        lambda error: services.get().login_page.on_refusal(error),
        has_static=True,
    )


def _auto_login(services: LazyServices) -> Blueprint:
    pages = services.pages
    blueprint = pages.form_blueprint(
        pages.auto_login_endpoint,
        f"/{pages.broker.name}/auto-login",
        lambda: services.get().auto_login_page.answer(),
        lambda error: services.get().auto_login_page.on_refusal(error),
    )
    blueprint.before_request(lambda: services.get().views.require_user())
    return blueprint


def _pages(services: LazyServices) -> Blueprint:
    name, blueprint = services.broker.name, services.pages.blueprint("openalgo")
    blueprint.add_url_rule(
        f"/{name}/continue",
        "resume",
        lambda: services.get().views.resume(),
        methods=["GET", "POST"],
    )
    blueprint.add_url_rule(f"/{name}/funds", "funds", lambda: services.get().views.funds())
    return blueprint
