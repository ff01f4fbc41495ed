"""The control page: the simulated phone and authenticator, and the switches for everything else."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final

from flask import Flask, Response, abort, make_response, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from .accounts import Account
from .clock import IST
from .faults import KINDS, WHEN
from .market import Instrument, Quote
from .refusals import Refused
from .rules import OWN_RULES
from .stream import KINDS as STREAM_KINDS

if TYPE_CHECKING:
    from .box import Simulator

SHOWN_ENTRIES: Final = 60
SHOWN_ORDERS: Final = 60
SHOWN_INSTRUMENTS: Final = 12
REJECTED_BY_HAND: Final = "EXCH:16308:The order has been canceled due to price freeze."
PHONE_REFRESH_SECONDS: Final = 3

HEADERS: Final[Mapping[str, str]] = {
    # No script at all, and style only from the file that is served here.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    # Not "no-referrer": with that a browser sends `Origin: null` with the page's own forms.
    "Referrer-Policy": "same-origin",
}


def _switch(name: str, value: bool) -> Callable[[Account], None]:
    return lambda account: setattr(account, name, value)


# What the buttons of an account do.
ACCOUNT_ACTIONS: Final[Mapping[str, Callable[[Account], None]]] = {
    "totp_on": _switch("totp_enabled", True),
    "totp_off": _switch("totp_enabled", False),
    "lock": Account.lock,
    "unlock": Account.unlock,
    "key_expire": _switch("key_expired", True),
    "key_renew": _switch("key_expired", False),
    "ip_refuse": _switch("ip_refused", True),
    "ip_allow": _switch("ip_refused", False),
}

FRIDAY: Final = 4

# What the clock's buttons add.
YEARS: Final = range(2000, 2100)  # dates beyond cannot be shown everywhere
STEPS: Final[Mapping[str, timedelta]] = {
    "30 seconds": timedelta(seconds=30),
    "5 minutes": timedelta(minutes=5),
    "1 hour": timedelta(hours=1),
    "1 day": timedelta(days=1),
}


def create_control(sim: Simulator) -> Flask:
    """Return the Flask app of one simulator's control page."""
    app = Flask(__name__, static_url_path="/control")
    token = secrets.token_urlsafe(32)

    @app.before_request
    def _same_origin_only() -> None:
        if request.method in ("GET", "HEAD", "OPTIONS"):
            return
        origin = request.headers.get("Origin")
        site = request.headers.get("Sec-Fetch-Site")
        if origin is None and site is None:
            abort(403, "A browser says where a form comes from.")
        if origin not in (None, request.host_url.rstrip("/")) or site not in (None, "same-origin"):
            abort(403, "This form comes from another site.")
        if not hmac.compare_digest(request.form.get("token", "").encode(), token.encode()):
            abort(403, "This form is from an earlier start. Reload the page.")

    @app.after_request
    def _headers(response: Response) -> Response:
        response.headers.update(HEADERS)
        return response

    @app.errorhandler(HTTPException)
    def _refused(error: HTTPException) -> tuple[str, int]:
        return render_template("refused.html", error=error), error.code or 500

    @app.template_filter("ist")
    def _ist(moment: datetime) -> str:
        return moment.strftime("%d %b %H:%M:%S")

    @app.context_processor
    def _common() -> dict[str, object]:
        return {
            "sim": sim,
            "token": token,
            "now": sim.clock.now(),
            "otps": [(m, sim.world.otp_is_open(m)) for m in sim.phone.messages],
            "authenticators": [
                (account, sim.totp_now(code), sim.world.totp_seconds_left())
                for code, account in sim.accounts.items()
                if account.totp_enabled
            ],
        }

    @app.get("/")
    def home() -> str:
        now = sim.clock.now()
        return render_template(
            "control.html",
            sessions=[(session, session.alive(now)) for session in sim.sessions],
            kinds=KINDS.values(),
            stream_kinds=STREAM_KINDS.values(),
            when=WHEN,
            steps=STEPS,
            orders=sim.exchange.all_orders()[:SHOWN_ORDERS] if sim.world.has_exchange else (),
            entries=sim.journal[-SHOWN_ENTRIES:][::-1],
            rules=OWN_RULES,
            prices=_prices(sim),
        )

    @app.get("/phone")
    def phone() -> Response:
        page = make_response(render_template("phone.html", refresh=PHONE_REFRESH_SECONDS))
        page.headers["Refresh"] = str(PHONE_REFRESH_SECONDS)
        return page

    @app.post("/control/account")
    def account() -> BaseResponse:
        found = sim.accounts.get(request.form.get("client_code", ""))
        action = ACCOUNT_ACTIONS.get(request.form.get("action", ""))
        if found is None or action is None:
            abort(400, "No such account or switch.")
        action(found)
        return _back("accounts")

    @app.post("/control/sessions")
    def sessions() -> BaseResponse:
        sim.world.end_sessions()
        return _back("sessions")

    @app.post("/control/fault")
    def fault() -> BaseResponse:
        form = request.form
        try:
            if form.get("action") == "clear":
                sim.faults.clear(form.get("route") or None)
            else:
                times = int(form["times"]) if form.get("times") else None
                sim.faults.set(form["route"], form["kind"], times, form.get("when") or None)
        except ValueError as error:
            abort(400, str(error))
        return _back("faults")

    @app.post("/control/stream")
    def stream() -> BaseResponse:
        form, settings = request.form, sim.stream.settings
        try:
            if form.get("action") == "clear":
                sim.stream.faults.clear(form.get("kind") or None)
            elif form.get("action") == "settings":
                sockets, packets = int(form["sockets"]), int(form["packets"])
                if min(sockets, packets) < 1:
                    abort(400, "At least one socket, and one packet a frame.")
                settings.sockets_per_token, settings.packets_per_frame = sockets, packets
                settings.headed = "headed" in form
            else:
                times = int(form["times"]) if form.get("times") else None
                sim.stream.faults.set(form["kind"], times)
        except ValueError as error:
            abort(400, str(error))
        return _back("stream")

    @app.post("/control/clock")
    def clock() -> BaseResponse:
        form = request.form
        if form.get("action") == "follow":
            sim.clock.follow()
        elif form.get("action") == "morning":
            _in_range(next_morning(sim.clock.now()))
            sim.clock.set(next_morning(sim.clock.now()))
        elif form.get("step") in STEPS:
            _in_range(sim.clock.now() + STEPS[form["step"]])
            sim.clock.advance(STEPS[form["step"]])
        else:
            try:
                when = datetime.fromisoformat(form.get("when", ""))
            except ValueError:
                abort(400, "Not a date and time.")
            if when.year not in YEARS:
                abort(400, f"Choose a year from {YEARS[0]} to {YEARS[-1]}.")
            # The field of the form has no zone: what is typed there is Indian time.
            sim.clock.set(when.replace(tzinfo=when.tzinfo or IST))
        return _back("clock")

    @app.post("/control/order")
    def order() -> BaseResponse:
        form = request.form
        client, order_id = form.get("client_code", ""), form.get("order_id", "")
        actions = {
            "fill": lambda: sim.exchange.fill(client, order_id, _whole(form.get("quantity", ""))),
            "reject": lambda: sim.exchange.reject(client, order_id, REJECTED_BY_HAND),
            "cancel": lambda: sim.exchange.cancel(client, order_id),
        }
        action = actions.get(form.get("action", ""))
        if action is None or client not in sim.accounts:
            abort(400, "No such account or action.")
        try:
            action()
        except Refused as refused:
            abort(400, f"Not possible: {refused}.")
        return _back("orders")

    @app.post("/control/exchange")
    def exchange() -> BaseResponse:
        form, behaviour = request.form, sim.world.behaviour
        try:
            behaviour.delay_book(
                float(form.get("shortest") or 0),
                float(form.get("longest") or 0),
                int(form.get("seed") or 0),
            )
            transit = timedelta(seconds=float(form.get("transit") or 0))
        except (ValueError, OverflowError):
            abort(400, "Delays are seconds, the shortest first; the seed is a number.")
        behaviour.transit, behaviour.matching = transit, "by_hand" not in form
        behaviour.largest_fill = _whole(form.get("largest_fill", ""))
        return _back("orders")

    @app.post("/control/price")
    def price() -> BaseResponse:
        market = sim.world.market
        exchange, _, symbol = request.form.get("instrument", "").partition(":")
        instrument = market.master.find(exchange, symbol)
        if instrument is None:
            abort(400, "No such instrument. Write it as NSE:INFY or NFO:NIFTY26NOVFUT.")
        try:
            market.set_price(instrument, Decimal(request.form.get("price", "")))
        except (ValueError, InvalidOperation) as error:
            abort(400, str(error) if isinstance(error, ValueError) else "Not a price.")
        return _back("market")

    @app.post("/control/journal")
    def journal() -> BaseResponse:
        sim.journal.clear()
        return _back("journal")

    return app


def next_morning(now: datetime) -> datetime:
    """Ten seconds before 08:35 on the next weekday: when auto-login is about to log in."""
    morning = now.replace(hour=8, minute=34, second=50, microsecond=0)
    while morning <= now or morning.weekday() > FRIDAY:
        morning += timedelta(days=1)
    return morning


def _whole(text: str) -> int | None:
    if text and not (text.isascii() and text.isdigit() and int(text)):
        abort(400, "Not a quantity.")
    return int(text) if text else None


def _prices(sim: Simulator) -> list[tuple[Instrument, Quote]]:
    """The instruments that somebody looked at last; to look here does not open the market."""
    if not sim.world.has_market:
        return []
    market = sim.world.market
    shown = market.followed()[:SHOWN_INSTRUMENTS] or market.master.listed[:SHOWN_INSTRUMENTS]
    # Looked at last-to-first, or they would change places at every look.
    return [(instrument, market.quote(instrument)) for instrument in reversed(shown)][::-1]


def _in_range(when: datetime) -> None:
    if when.year not in YEARS:
        abort(400, f"The clock goes from {YEARS[0]} to {YEARS[-1]}.")


def _back(section: str) -> BaseResponse:
    return redirect(url_for("home", _anchor=section), 303)
