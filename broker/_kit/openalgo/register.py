"""Joins this plugin to OpenAlgo: `register(app)`, the one line in its `app.py`.

Each part stands alone: what cannot be joined is logged, and OpenAlgo starts and runs without it.
At the start only rules and hooks are added; what they need is loaded when it is first needed, so
that a start costs next to nothing, and a user of another broker nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask, Response, current_app, make_response, request, session

from broker._kit.openalgo import host
from broker._kit.web import blueprints

if TYPE_CHECKING:
    from broker._kit.clock import Clock
    from broker._kit.openalgo.services import Joined

BLUEPRINT = "mstock_host"
# The host's own page for every broker's login; ours stands before it.
_HOSTS_LOGIN = "brlogin.broker_callback"
# Where the host's pages ask whether the broker session still stands.
_ASKED = frozenset({"/auth/session-status", "/auth/dashboard-data", "/auth/broker"})
# Seconds until it is looked whether anyone has auto-login; the host's tables are there by then.
_LOOK_AFTER = 20.0

log = host.logger(__name__)


def register(app: Flask, clock: Clock | None = None) -> None:
    """Give OpenAlgo the mStock pages, logouts at mStock, and the daily login. Raises nothing."""
    room = Room(clock)
    parts: tuple[tuple[str, Callable[[], object]], ...] = (
        ("the login page", lambda: app.register_blueprint(_login(room))),
        ("the funds page", lambda: app.register_blueprint(_pages(room))),
        ("the auto-login page", lambda: app.register_blueprint(_auto_login(room))),
        ("the end of a session at midnight", lambda: app.before_request(room.before_host)),
        ("the end of a session that mStock refuses", lambda: host.when_session_ends(room.on_dead)),
        ("the logout at mStock", lambda: host.on_revoked(room.on_revoked)),
        ("auto-login", room.start),
    )
    for name, add in parts:
        try:
            add()
        except Exception as error:
            _tell(name, error)
    app.extensions["mstock"] = room


class Room:
    """What stands behind the rules: made when somebody first asks for it, and kept."""

    def __init__(self, clock: Clock | None) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._joined: Joined | None = None
        self._over = threading.Event()

    def joined(self) -> Joined:
        """All of it; raises what its making raises, and is tried again the next time."""
        with self._lock:
            if self._joined is None:
                from broker._kit.openalgo.services import join

                self._joined = join(self._clock)
            return self._joined

    def stop(self) -> None:
        """End what goes on by itself."""
        self._over.set()
        with self._lock:  # what is being made at this moment ends too
            joined = self._joined
        if joined is not None:
            joined.stop()

    def login_page(self) -> blueprints.Page:
        """Our login page, or the host's own when ours cannot be had."""
        try:
            return self.joined().login_page
        except Exception as error:
            _tell("the login page", error)
            return _HostsOwn()

    def extras(self) -> dict[str, Any]:
        """What the templates may call."""
        return {} if self._joined is None else self._joined.desk.extras()

    def before_host(self) -> None:
        """When the host's pages ask whether the broker session stands: end it there at midnight."""
        is_asked = request.path in _ASKED and session.get("logged_in")
        if is_asked and session.get("broker") == host.BROKER:
            try:
                self.joined().desk.end_if_over()
            except Exception as error:
                log.debug(f"mStock: the session's end was not looked at: {type(error).__name__}")

    def on_dead(self, account: Any, token: Any) -> None:
        """mStock has ended a session."""
        self.joined().keeper.on_dead(account, token)

    def on_revoked(self, user: str, sealed: str) -> None:
        """The host takes a token away; called in the midst of its writing, so: elsewhere."""
        threading.Thread(
            target=self._log_out, args=(user, sealed), name="mstock-logout", daemon=True
        ).start()

    def _log_out(self, user: str, sealed: str) -> None:
        try:
            self.joined().keeper.log_out(user, sealed)
        except Exception as error:
            _tell("a logout at mStock", error)

    def start(self) -> None:
        """Load auto-login a while after the start, if anyone has switched it on."""
        threading.Thread(target=self._look, name="mstock-start", daemon=True).start()

    def _look(self) -> None:
        while not self._over.wait(_LOOK_AFTER):
            try:
                if any(row.aux[host.RENEWAL_COLUMN] for row in host.auth_rows()):
                    self.joined()
            except Exception as error:
                log.debug(f"mStock: auto-login could not be looked for: {type(error).__name__}")
            else:
                return


class _HostsOwn:
    """The host's own login page in the place of ours."""

    def frame(self) -> dict[str, str]:
        """It brings its own."""
        return {}

    def answer(self) -> Response:
        """What it answers."""
        return make_response(current_app.view_functions[_HOSTS_LOGIN](broker=host.BROKER))

    def on_stale_page(self, error: Any) -> Response:
        """Flask's words."""
        return make_response(error.get_response())

    on_http_error = on_stale_page


def _login(room: Room) -> Blueprint:
    blueprint = blueprints.login_door(room.login_page, has_policy=False)
    blueprint.context_processor(room.extras)
    return blueprint


def _auto_login(room: Room) -> Blueprint:
    blueprint = blueprints.auto_login_door(lambda: room.joined().auto_page, has_policy=False)
    blueprint.before_request(lambda: room.joined().desk.only_users())
    return blueprint


def _pages(room: Room) -> Blueprint:
    blueprint = Blueprint(BLUEPRINT, __name__, template_folder="templates")
    blueprint.add_url_rule(
        "/mstock/continue", "resume", lambda: room.joined().desk.resume(), methods=["GET", "POST"]
    )
    blueprint.add_url_rule("/mstock/funds", "funds", lambda: room.joined().desk.funds())
    blueprint.context_processor(lambda: blueprints.framed(lambda: room.joined().desk.frame()))
    blueprint.context_processor(room.extras)
    return blueprints.finished(blueprint, has_policy=False)


def _tell(what: str, error: Exception) -> None:
    try:
        from broker._kit.errors import BrokerError
        from broker._kit.faults import fault_location

        words = str(error) if isinstance(error, BrokerError) else fault_location(error)
    except Exception:  # a plugin copied in halves
        words = type(error).__name__
    log.error(f"mStock: OpenAlgo runs without {what}. {words}")
