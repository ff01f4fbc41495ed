"""Type A on the wire: forms, `token key:token`, and mStock's literal answers (6.1-6.5)."""

from __future__ import annotations

import uuid
from typing import Any, Final

from . import checks, literals
from .refusals import Reason
from .settings import Settings
from .wire import Call, Dialect, Refusals, Reply, Route, error_body, in_both, json_reply
from .world import Session, World

API: Final = "a"

Body = dict[str, Any]


_wrong_password = {
    "older": (500, error_body("Invalid username or password (MACM1)")),
    "newer": (200, error_body("Invalid username or password (YYYY)", "MiraeException")),
}

# Sections 3.2, 3.6 and 6.1-6.5. What is in no source is told in rules.py.
REFUSALS: Final[Refusals] = {
    ("connect/login", Reason.VERSION): in_both(400, error_body(literals.VERSION_WRONG)),
    ("connect/login", Reason.WRONG_PASSWORD): _wrong_password,
    ("connect/login", Reason.LOCKED): _wrong_password,
    ("session/token", Reason.OTP_WRONG): {
        "older": (500, error_body(literals.OTP_EXPIRED, "MiraeException")),
        "newer": (
            200,
            error_body(
                "The entered OTP is incorrect. Please proceed to login page. (-MACM60)",
                "MiraeException",
            ),
        ),
    },
    ("session/token", Reason.OTP_EXPIRED): {
        "older": (500, error_body(literals.OTP_EXPIRED, "MiraeException")),
        "newer": (200, error_body(literals.OTP_EXPIRED, "MiraeException")),
    },
    ("*", Reason.TOTP_WRONG): in_both(400, error_body(literals.TOTP_WRONG, "MiraeException")),
    ("*", Reason.KEY): {
        "older": (400, error_body(literals.KEY_EXPIRED)),
        "newer": (403, error_body(literals.KEY_EXPIRED, "APIKeyException")),
    },
    ("*", Reason.TOKEN): in_both(401, error_body(literals.TOKEN_DEAD, "TokenException")),
    ("*", Reason.VERSION): in_both(200, error_body(literals.VERSION_WRONG, "VersionException")),
    ("*", Reason.IP): in_both(403, error_body(literals.IP_REFUSED, "APIKeyException")),
    ("*", Reason.GENERAL): in_both(200, error_body(literals.GENERAL, "MiraeException")),
    ("*", Reason.NOT_FOUND): in_both(200, error_body(literals.NOT_FOUND, "InputException")),
    ("*", Reason.RATE): in_both(429, error_body(literals.TOO_MANY, "GeneralException")),
}

# The login flags: the documents print strings, the live service was seen to send booleans (6.1).
FLAGS: Final[dict[str, Body]] = {
    "older": {
        "is_kyc": "true",
        "is_activate": "true",
        "is_password_reset": "true",
        "is_error": "false",
    },
    "newer": {"is_kyc": True, "is_activate": False, "is_password_reset": True, "is_error": False},
}


def login(call: Call, world: World, settings: Settings) -> Reply:
    """POST connect/login (6.1): user flags only; no token and no word about where the OTP went."""
    checks.version(call)
    checks.nowhere_else(call, settings, "Authorization", "X-PrivateKey")
    fields = checks.form_fields(call, ("username", "password"), settings)
    checks.filled(fields, "username", "password")
    account = world.login(API, fields["username"], fields["password"]).account
    data = {
        "ugid": str(uuid.uuid4()),
        **FLAGS[settings.revision],
        "cid": account.client_code,
        "nm": account.name,
        "flag": 0,
    }
    return success(data)


def session_token(call: Call, world: World, settings: Settings) -> Reply:
    """POST session/token (6.2): the OTP is the `request_token`, any `checksum` will do (2.1)."""
    fields = _second_step(call, world, settings, "request_token", "checksum")
    session = world.finish_with_otp(API, fields["api_key"], fields["request_token"])
    return success(_user(session))


def verify_totp(call: Call, world: World, settings: Settings) -> Reply:
    """POST session/verifytotp (6.3): the same data as session/token."""
    fields = _second_step(call, world, settings, "totp")
    return success(_user(world.finish_with_totp(API, fields["api_key"], fields["totp"])))


def fund_summary(call: Call, world: World, settings: Settings) -> Reply:
    """GET user/fundsummary (6.5): a list with one row of 24 strings or nulls."""
    return success([world.fund_row(authenticated(call, world, settings).account)])


def logout(call: Call, world: World, settings: Settings) -> Reply:
    """GET logout (6.4): `data` is a bare string, and the token dies at once."""
    session = authenticated(call, world, settings)
    world.logout(API, session.account.api_key(API), session.token)
    return success("Success")


def _second_step(call: Call, world: World, settings: Settings, *names: str) -> dict[str, str]:
    checks.version(call)
    checks.nowhere_else(call, settings, "Authorization", "X-PrivateKey")
    fields = checks.form_fields(call, ("api_key", *names), settings)
    world.key_owner(API, fields.get("api_key", ""))
    checks.filled(fields, *names)
    return fields


def authenticated(
    call: Call, world: World, settings: Settings, query: bool = False, body: bool = False
) -> Session:
    """Return whose call it is; `query` and `body` say what may come with it."""
    checks.version(call)
    checks.nowhere_else(call, settings, "X-PrivateKey", query=query)
    if not body:
        checks.no_body(call, settings, checks.FORM_BODY)
    scheme, _, pair = call.headers.get("Authorization", "").partition(" ")
    # A key may hold anything, a token never a colon: the last colon divides them (1.6).
    key, _, token = pair.rpartition(":") if scheme == "token" else ("", "", "")
    return world.session(API, key, token)


def _user(session: Session) -> Body:
    account = session.account
    return {
        "user_type": "individual",
        "email": account.masked_mail,
        "user_name": account.name,
        "user_shortname": "NA",
        "broker": "MIRAE",
        "exchanges": ["NSE", "NFO", "CDS"],
        "products": ["CNC", "NRML", "MIS"],
        "order_types": ["MARKET", "LIMIT"],
        "avatar_url": "",
        "user_id": account.user_id,
        "api_key": account.api_key(API),
        "access_token": session.token,
        "public_token": str(uuid.uuid4()),
        "enctoken": session.token,
        "refresh_token": session.token,
        "silo": "",
        "login_time": session.since.strftime("%Y-%m-%d %H:%M:%S"),
        "meta": {"demat_consent": "physical"},
    }


def success(data: object) -> Reply:
    """Return Type A's envelope around the data (6)."""
    return json_reply({"status": "success", "data": data})


DIALECT: Final = Dialect(
    letter=API,
    prefix="typea",
    routes={
        "connect/login": Route("POST", login),
        "session/token": Route("POST", session_token),
        "session/verifytotp": Route("POST", verify_totp),
        "user/fundsummary": Route("GET", fund_summary),
        "logout": Route("GET", logout),
    },
    refusals=REFUSALS,
)
