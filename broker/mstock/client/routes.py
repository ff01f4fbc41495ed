"""mStock's server, its calls and where each dialect has them, and its rate limits."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

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


# Asks for nothing and shows nothing: any answer tells that mStock is there, and what time it is.
GREETING = Route(Call.GREETING, "GET", "/", repeat=True)

# What to say when a call that must not be repeated got no clear answer.
_UNKNOWN = {
    Call.LOGIN: (
        "Whether mStock took the password and sent an OTP is unknown.",
        "Wait a minute, ignore any OTP that arrives, and start again.",
    ),
    Call.SESSION_TOKEN: (
        "Whether mStock took the OTP is unknown.",
        "Start again: enter your password and ask for a new OTP.",
    ),
    Call.VERIFY_TOTP: (
        "Whether mStock took the authenticator code is unknown.",
        "Wait for the next code and start again.",
    ),
    Call.LOGOUT: (
        "Whether mStock ended the session is unknown.",
        "You can also log out in the mStock app.",
    ),
}


class Routes(NamedTuple):
    """The five calls of one dialect."""

    login: Route
    session_token: Route
    verify_totp: Route
    fund_summary: Route
    logout: Route


def user_routes(root: str) -> Routes:
    """The user module below a dialect's root; only the paths' root differs between the two."""

    def once(call: Call, method: str, path: str, *, follows: bool = False) -> Route:
        return Route(call, method, f"{root}/{path}", unknown=_UNKNOWN[call], follows=follows)

    # mStock's gateway often answers a second step with a 502 that comes on another connection than
    # the first.
    return Routes(
        once(Call.LOGIN, "POST", "connect/login"),
        once(Call.SESSION_TOKEN, "POST", "session/token", follows=True),
        once(Call.VERIFY_TOTP, "POST", "session/verifytotp", follows=True),
        Route(Call.FUND_SUMMARY, "GET", f"{root}/user/fundsummary", repeat=True),
        once(Call.LOGOUT, "GET", "logout"),
    )
