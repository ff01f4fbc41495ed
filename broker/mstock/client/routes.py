"""mStock's server, its calls and where each dialect has them, and its rate limits."""

from __future__ import annotations

from enum import StrEnum

from broker._kit.http.rate_limits import Rate
from broker._kit.http.routes import Route, Server

SERVER = Server("mStock", {"X-Mirae-Version": "1", "User-Agent": "mstock-openalgo"})

# Source: mStock's documents, "Rate limits"; books, funds and logins have none.
RATE_LIMITS = {
    "orders": (Rate(30, 1), Rate(250, 60), Rate(1000, 3600)),
    "data": (Rate(1, 1), Rate(1000, 60), Rate(5000, 3600)),
    "quotes": (Rate(20, 1),),
}


class Call(StrEnum):
    """The calls of mStock's user module, which both dialects have, and a greeting to its server."""

    LOGIN = "login"
    SESSION_TOKEN = "session/token"
    VERIFY_TOTP = "session/verifytotp"
    FUND_SUMMARY = "fund summary"
    LOGOUT = "logout"
    GREETING = "greeting"


class OrderCall(StrEnum):
    """The calls of mStock's order and portfolio modules, which both dialects have."""

    PLACE = "place order"
    MODIFY = "modify order"
    CANCEL = "cancel order"
    CONVERT = "convert position"
    BOOK = "order book"
    DETAILS = "order details"
    TRADES = "trade book"
    POSITIONS = "positions"
    HOLDINGS = "holdings"
    MARGIN = "margin calculator"


class DataCall(StrEnum):
    """The calls of market data."""

    HISTORICAL = "historical"
    INTRADAY = "intraday"
    QUOTE = "quote"
    MASTER = "script master"


# Asks for nothing and shows nothing: any answer tells that mStock is there, and what time it is.
GREETING = Route(Call.GREETING, "GET", "/", repeat=True)

# The user module below a dialect's root. `unknown` is what to say when a call that must not be
# repeated got no clear answer; a second step follows because mStock's gateway often answers it with
# a 502 when it comes on another connection than the first.
_USER_MODULE = (
    Route(
        *(Call.LOGIN, "POST", "/connect/login"),
        unknown=(
            "Whether mStock took the password is unknown.",
            "Wait a minute and start again.",
        ),
    ),
    Route(
        *(Call.SESSION_TOKEN, "POST", "/session/token"),
        unknown=(
            "Whether mStock took the OTP is unknown.",
            "Start again: enter your password and ask for a new OTP.",
        ),
        follows=True,
    ),
    Route(
        *(Call.VERIFY_TOTP, "POST", "/session/verifytotp"),
        unknown=(
            "Whether mStock took the authenticator code is unknown.",
            "Wait for the next code and start again.",
        ),
        follows=True,
    ),
    Route(Call.FUND_SUMMARY, "GET", "/user/fundsummary", repeat=True),
    Route(
        *(Call.LOGOUT, "GET", "/logout"),
        unknown=(
            "Whether mStock ended the session is unknown.",
            "You can also log out in the mStock app.",
        ),
    ),
)


def user_routes(root: str) -> dict[str, Route]:
    """The calls of one dialect by name; only the paths' root differs between the two."""
    return {route.call: route._replace(path=root + route.path) for route in _USER_MODULE}
