"""mStock's calls and where each dialect has them."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from broker._kit.http.routes import Route


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


class Routes(NamedTuple):
    """The five calls of one dialect."""

    login: Route
    session_token: Route
    verify_totp: Route
    fund_summary: Route
    logout: Route


def user_routes(root: str) -> Routes:
    """The user module below a dialect's root; only the paths' root differs between the two."""
    return Routes(
        Route(Call.LOGIN, "POST", f"{root}/connect/login"),
        Route(Call.SESSION_TOKEN, "POST", f"{root}/session/token"),
        Route(Call.VERIFY_TOTP, "POST", f"{root}/session/verifytotp"),
        Route(Call.FUND_SUMMARY, "GET", f"{root}/user/fundsummary", repeat=True),
        Route(Call.LOGOUT, "GET", f"{root}/logout"),
    )
