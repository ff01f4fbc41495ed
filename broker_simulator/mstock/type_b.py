"""Type B on the wire: JSON, `Bearer` and `X-PrivateKey`, and mStock's literal answers (7.1-7.5)."""

from __future__ import annotations

from typing import Any, Final

from . import checks, literals
from .accounts import Account
from .refusals import Reason, Refused
from .settings import Settings
from .wire import Call, Dialect, Refusals, Reply, Route, error_body, in_both, json_reply
from .world import Session, World

API: Final = "b"

Body = dict[str, Any]

OTP_SENT_TEXT: Final = "Please enter the OTP that we sent on {mobile} and {mail}"


def false_body(message: str, errorcode: str) -> Body:
    """Return the body of a refusal (3.3)."""
    return {"status": "false", "message": message, "errorcode": errorcode, "data": None}


# Section 7.2: on session and funds the key failure has no code (and `"error"` for a status).
BARE_KEY: Final = error_body(literals.KEY_EXPIRED)
KEY: Final = false_body(literals.KEY_EXPIRED, "IA403")
TOKEN: Final[Body] = {
    "status": False,
    "message": literals.TOKEN_DEAD,
    "errorcode": "IA401",
    "data": None,
}
VERSION: Final = error_body(literals.VERSION_WRONG, "VersionException")
TOTP: Final = error_body(literals.TOTP_WRONG, "MA400")
PASSWORD_TEXT: Final = "Invalid username or password. {attempts} attempts remaining "

_wrong_password = {
    "older": (500, false_body(PASSWORD_TEXT, "500")),
    "newer": (200, false_body(PASSWORD_TEXT, "MA500")),
}
_wrong_otp = {
    "older": (500, false_body(literals.OTP_EXPIRED, "500")),
    "newer": (200, false_body(literals.OTP_EXPIRED, "MA500")),
}
_key_400_then_403 = {"older": (400, BARE_KEY), "newer": (403, BARE_KEY)}

# Sections 3.3, 3.6 and 7.1-7.5. What stands under "*" and is in no source for that route is told
# in rules.py.
REFUSALS: Final[Refusals] = {
    ("connect/login", Reason.EMPTY_CREDENTIALS): in_both(
        400, false_body("Please provide valid clientcode and password.", "400")
    ),
    ("connect/login", Reason.WRONG_PASSWORD): _wrong_password,
    ("connect/login", Reason.LOCKED): _wrong_password,
    ("session/token", Reason.OTP_WRONG): _wrong_otp,
    ("session/token", Reason.OTP_EXPIRED): _wrong_otp,
    ("session/token", Reason.KEY): _key_400_then_403,
    ("session/verifytotp", Reason.KEY): in_both(403, BARE_KEY),
    ("user/fundsummary", Reason.KEY): _key_400_then_403,
    ("logout", Reason.KEY): in_both(403, KEY),
    ("*", Reason.KEY): in_both(403, KEY),
    ("*", Reason.TOTP_WRONG): in_both(400, TOTP),
    ("*", Reason.TOKEN): in_both(401, TOKEN),
    ("*", Reason.VERSION): in_both(200, VERSION),
    ("*", Reason.IP): in_both(403, false_body(literals.IP_REFUSED, "IA403")),
    ("*", Reason.GENERAL): in_both(
        200,
        {"status": "False", "message": literals.GENERAL, "errorcode": "MA500", "data": None},
    ),
    ("instruments/intraday", Reason.TOKEN): in_both(
        401, {**TOKEN, "message": "Incorrect auth. Please try again."}
    ),
    ("losergainer", Reason.TOKEN): in_both(200, TOKEN),
    ("*", Reason.NOT_FOUND): in_both(400, false_body(literals.NOT_FOUND, "IA400")),
    ("*", Reason.RATE): in_both(429, false_body(literals.TOO_MANY, "IA429")),
}


def login(call: Call, world: World, settings: Settings) -> Reply:
    """POST connect/login (7.1): the ticket comes as `jwtToken`, `refreshToken` is empty (2.2)."""
    checks.version(call)
    checks.nowhere_else(call, settings, "Authorization")
    fields = checks.json_fields(call, ("clientcode", "password", "totp", "state"), settings)
    if not (fields.get("clientcode") and fields.get("password")):
        raise Refused(Reason.EMPTY_CREDENTIALS)
    if settings.strict:
        # Both must be there, though they may be empty (7.1).
        checks.present(fields, "totp", "state")
    pending = world.login(
        API, fields["clientcode"], fields["password"], totp=fields.get("totp", "")
    )
    tokens = {"jwtToken": pending.ticket, "refreshToken": "", "feedToken": "", "state": "live"}
    message = "SUCCESS" if pending.otp is None else _otp_sent(pending.account)
    return success("true", message, "", tokens)


def session_token(call: Call, world: World, settings: Settings) -> Reply:
    """POST session/token (7.2): the OTP sentence comes again as the message."""
    fields = _second_step(call, world, settings, "otp")
    session = world.finish_with_otp(API, _key(call), fields["otp"], fields["refreshToken"])
    data = {**_tokens(session), "state": "live"}
    return success("true", _otp_sent(session.account), "", data)


def verify_totp(call: Call, world: World, settings: Settings) -> Reply:
    """POST session/verifytotp (7.3): bool `true`, and the client's name and code besides."""
    fields = _second_step(call, world, settings, "totp")
    session = world.finish_with_totp(API, _key(call), fields["totp"], fields["refreshToken"])
    data = {
        "ClientName": session.account.name,
        "ClientId": session.account.client_code,
        "exchanges": ["NSE", "NFO", "CDS"],
        **_tokens(session),
    }
    return success(True, "SUCCESS", "", data)


def fund_summary(call: Call, world: World, settings: Settings) -> Reply:
    """GET user/fundsummary (7.4): bool `true` and one row of 24 strings or nulls (6.5)."""
    session = authenticated(call, world, settings)
    return success(True, "SUCCESS", "", [world.fund_row(session.account)])


def logout(call: Call, world: World, settings: Settings) -> Reply:
    """GET logout (7.5): `errorcode` is null here, and the token dies at once."""
    session = authenticated(call, world, settings)
    world.logout(API, _key(call), session.token)
    return success(True, "Success", None, None)


def _second_step(call: Call, world: World, settings: Settings, code: str) -> dict[str, str]:
    checks.version(call)
    checks.nowhere_else(call, settings, "Authorization")
    # The header is judged before the body is read.
    world.key_owner(API, _key(call))
    fields = checks.json_fields(call, ("refreshToken", code), settings)
    checks.filled(fields, "refreshToken", code)
    return fields


def authenticated(call: Call, world: World, settings: Settings, body: bool = False) -> Session:
    """Return whose call it is; `body` says whether one may come with it."""
    checks.version(call)
    checks.nowhere_else(call, settings)
    if not body:
        checks.no_body(call, settings, checks.JSON_BODY)
    # The prose also prints `token key:jwt`; the Bearer form is the one that works (1.2).
    scheme, _, token = call.headers.get("Authorization", "").partition(" ")
    return world.session(API, _key(call), token if scheme == "Bearer" else "")


def _key(call: Call) -> str:
    return call.headers.get("X-PrivateKey", "")


def _tokens(session: Session) -> Body:
    return dict.fromkeys(("jwtToken", "refreshToken", "feedToken"), session.token)


def _otp_sent(account: Account) -> str:
    return OTP_SENT_TEXT.format(mobile=account.masked_mobile, mail=account.masked_mail)


def success(status: bool | str, message: str, errorcode: str | None, data: object) -> Reply:
    """Return Type B's envelope around the data (7)."""
    return json_reply({"status": status, "message": message, "errorcode": errorcode, "data": data})


DIALECT: Final = Dialect(
    letter=API,
    prefix="typeb",
    routes={
        "connect/login": Route("POST", login),
        "session/token": Route("POST", session_token),
        "session/verifytotp": Route("POST", verify_totp),
        "user/fundsummary": Route("GET", fund_summary),
        "logout": Route("GET", logout),
    },
    refusals=REFUSALS,
)
