"""What mStock's answers mean: a table over (call, HTTP status, code, text), first match wins.

The same code means different things in different rows: MA500 is a wrong password, a wrong OTP or
a fault inside mStock. Sources of the rows: mStock's documents in both revisions and its SDKs.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from broker._kit.errors import BrokerError, SessionRefused
from broker._kit.http.routes import Route
from broker.mstock.client.routes import Call, DataCall, OrderCall
from broker.mstock.errors import (
    APIKeyException,
    GeneralException,
    InputException,
    MiraeException,
    TokenException,
    VersionException,
)

_NEW_KEY = (
    "Create or renew the key at trade.mstock.com under Products, Trading APIs, for the API type in "
    "MSTOCK_API_TYPE, and put it into BROKER_API_SECRET."
)
_STATIC_IP = (
    "Register this connection's static IP address at trade.mstock.com under Products, Trading "
    "APIs, or use the connection that is registered. A web search for “my IP address” on this "
    "computer shows which one it has."
)
_KEY_OR_IP = f"{_NEW_KEY} {_STATIC_IP}"
_NEW_LOGIN = "mStock sessions end at midnight IST and at logout; log in again."
_LOOK = "If that does not say what to do, look in the mStock app before you try again."
_CLOSED = (
    "It is closed, or mStock has lost its line to it. Send the order in market hours, or now as an "
    "after-market order (--amo on the command line)."
)
_PAUSE = "Wait a minute, then try once more."
_RESEND = "Enter the newest OTP, or ask for a new one."
_CHECK_LOGIN = "Check that the client code (BROKER_API_KEY) is yours, and type the password again."
_FRESH_CODE = (
    "Wait for the next code in your authenticator and check that this computer's and the phone's "
    "clocks are right; mStock must have TOTP enabled for your key."
)
# No source says how mStock unlocks: the usual way, not a promise.
_UNLOCK = (
    "“Forgot password” in the mStock app or on trade.mstock.com should unlock a locked account; "
    "if it does not, ask mStock's support."
)


class ErrorRule(NamedTuple):
    """A condition (None matches anything) and what it means; `{said}` is what mStock said.

    `text` must match the whole of mStock's words, in lower case with single blanks.
    """

    error: type[BrokerError]
    message: str
    next_step: str
    calls: frozenset[str] | None = None
    http: frozenset[int] | None = None
    code: str | None = None
    text: str | None = None

    def matches(self, call: str, http: int, code: str, text: str) -> bool:
        return (
            (self.calls is None or call in self.calls)
            and (self.http is None or http in self.http)
            and (self.code is None or bool(re.fullmatch(self.code, code)))
            and (self.text is None or bool(re.fullmatch(self.text, text)))
        )


_SESSION_CALLS: frozenset[str] = frozenset({Call.FUND_SUMMARY, Call.LOGOUT, *OrderCall, *DataCall})
_LOGIN = frozenset({Call.LOGIN})
_OTP = frozenset({Call.SESSION_TOKEN})
_TOTP = frozenset({Call.VERIFY_TOTP})
_ATTEMPTS = r"\b(\d{1,3}) attempts? (?:remaining|left)"
_DEAD = r"(invalid request|incorrect auth)\. please try again\.?"
_FAILED = "Something failed inside mStock. {said}"
_REFUSED = "mStock refuses. {said}"
_REFUSED_INPUT = "mStock refuses what was sent. {said}"
_REFUSED_KEY = "mStock refuses the API key or the IP address of this connection. {said}"
_DEAD_KEY = "mStock refuses the API key: it is suspended, expired, or of the other API type."
_OLD_VERSION = "mStock no longer accepts the API version that this plugin speaks (1)."
_OVER = "The mStock session is over."

ERROR_RULES: tuple[ErrorRule, ...] = (
    # What holds for every call.
    ErrorRule(APIKeyException, _DEAD_KEY, _NEW_KEY, text=r"api is suspended/expired for use\..*"),
    ErrorRule(
        *(APIKeyException, "mStock refuses this computer's internet address. {said}", _STATIC_IP),
        text=r"primary and secondary ip address are not matching.*",
    ),
    ErrorRule(APIKeyException, _REFUSED_KEY, _KEY_OR_IP, code="APIKeyException|IA403"),
    ErrorRule(
        *(VersionException, _OLD_VERSION, "Update the plugin."),
        text=r"please provide valid api version.*",
    ),
    ErrorRule(VersionException, _REFUSED, "Update the plugin.", code="VersionException"),
    # A dead token needs mStock's code or status, and words known to mean one.
    ErrorRule(
        *(TokenException, _OVER, _NEW_LOGIN, _SESSION_CALLS),
        code="TokenException|InputException|IA401",
        text=_DEAD,
    ),
    ErrorRule(
        *(TokenException, _OVER, _NEW_LOGIN, _SESSION_CALLS), http=frozenset({401}), text=_DEAD
    ),
    ErrorRule(
        SessionRefused,
        "mStock refused this session in words that are not known here. {said}",
        "Try again; if it comes back, log out and log in again.",
        calls=_SESSION_CALLS,
        code="TokenException|IA401",
    ),
    # The login's first step.
    ErrorRule(
        *(InputException, "mStock did not accept this client code and password.", _CHECK_LOGIN),
        calls=_LOGIN,
        text=r"invalid username or password.*",
    ),
    ErrorRule(
        *(InputException, "mStock needs both the client code and the password.", _CHECK_LOGIN),
        calls=_LOGIN,
        text=r"please provide valid clientcode and password.*",
    ),
    ErrorRule(
        *(InputException, "mStock did not accept this login. {said}", _CHECK_LOGIN, _LOGIN),
        text=rf".*{_ATTEMPTS}.*",
    ),
    # The second step.
    ErrorRule(
        *(InputException, "mStock says that this OTP is wrong or has expired.", _RESEND, _OTP),
        text=r"entered otp has been expired\..*",
    ),
    ErrorRule(
        InputException,
        "mStock says that this OTP is incorrect.",
        f"{_RESEND} If mStock goes on refusing, start again from the password.",
        calls=_OTP,
        text=r"the entered otp is incorrect\..*",
    ),
    ErrorRule(
        *(InputException, "mStock did not accept this authenticator code.", _FRESH_CODE, _TOTP),
        text=r"please enter correct totp.*",
    ),
    ErrorRule(
        *(MiraeException, "The exchange takes no orders now. {said}", _CLOSED, _SESSION_CALLS),
        code=r"InputException|IA400|400|MiraeException|MA\w*|RS-?\w*",
        text=r"system is not connected to .*",
    ),
    # By code, when the words are new; by status last.
    ErrorRule(
        GeneralException, "Something failed inside mStock.", _PAUSE, text=r"something went wrong\.?"
    ),
    ErrorRule(GeneralException, _FAILED, _PAUSE, code="GeneralException|IA500"),
    ErrorRule(InputException, _REFUSED_INPUT, _LOOK, code="InputException|IA400|400"),
    ErrorRule(MiraeException, _REFUSED, _LOOK, code=r"MiraeException|MA\w*|RS-?\w*"),
    ErrorRule(GeneralException, _FAILED, _PAUSE, calls=_SESSION_CALLS, code="500"),
    # The older revision answers a refused login with HTTP 500 too: no reason to try it again.
    ErrorRule(MiraeException, _REFUSED, _LOOK, calls=_LOGIN | _OTP | _TOTP, http=frozenset({500})),
    ErrorRule(GeneralException, _FAILED, _PAUSE, http=frozenset(range(500, 600))),
    ErrorRule(MiraeException, _REFUSED, _LOOK),
)


def refusal(
    route: Route, http: int, code: str, words: str, shown: str | None = None
) -> BrokerError:
    """The error for a failure that mStock has put into words.

    `words` decide what it means; `shown`, the same without secrets, stands in the message.
    """
    text = " ".join(words.lower().split())
    row = next(row for row in ERROR_RULES if row.matches(route.call, http, code, text))
    reason = words if shown is None else shown
    said = f"mStock says: “{reason}”" if reason else f"It gave no reason (HTTP {http})."
    message, next_step = row.message.replace("{said}", said), row.next_step
    left = re.search(_ATTEMPTS, text)
    attempts, is_login = int(left[1]) if left else None, route.call is Call.LOGIN
    if attempts == 0:
        message += " No attempts are left; your mStock account may be locked."
        if is_login:
            message = "Your mStock account is locked: no attempts are left."
        next_step = _UNLOCK
    elif attempts == 1:
        message += " Only 1 attempt is left before mStock locks the account."
        what = "password" if is_login else "code"
        next_step = f"Be sure of the {what} before you use it. {_UNLOCK}"
    elif attempts is not None:
        message += f" {attempts} attempts are left."
    return row.error(message, next_step, code=code, http_status=http, attempts_left=attempts)
