"""Type A over real sockets: every answer against the document's text, and every refusal."""

from __future__ import annotations

import uuid

import jwt
import pytest
import requests

KEY_TEXT = "API is suspended/expired for use. Please check your API subscription and try again."
OTP_TEXT = "Entered OTP has been expired. Please regenerate a new one & enter the same."

A_KEY = {
    "older": (400, {"status": "error", "message": KEY_TEXT, "data": None}),
    "newer": (
        403,
        {"status": "error", "message": KEY_TEXT, "error_type": "APIKeyException", "data": None},
    ),
}
A_TOK = {
    "status": "error",
    "message": "Invalid request. Please try again.",
    "error_type": "TokenException",
    "data": None,
}
A_VER = {
    "status": "error",
    "message": "Please provide valid api version.",
    "error_type": "VersionException",
    "data": None,
}
TOTP_WRONG = {
    "status": "error",
    "message": "Please enter correct TOTP",
    "error_type": "MiraeException",
    "data": None,
}


def said(response: requests.Response) -> tuple[int, object]:
    return response.status_code, response.json()


@pytest.mark.parametrize(
    ("revision", "flags"),
    [
        ("older", ("true", "true", "true", "false")),
        ("newer", (True, False, True, False)),
    ],
)
def test_login_says_flags_and_no_token(box, type_a, revision, flags):
    sim = box(revision=revision)
    a = type_a(sim)
    response = a.login()
    body = response.json()
    assert uuid.UUID(body["data"].pop("ugid"))
    names = ("is_kyc", "is_activate", "is_password_reset", "is_error")
    assert said(response)[0] == 200
    assert body == {
        "status": "success",
        "data": {
            **dict(zip(names, flags, strict=True)),
            "cid": "MA0000001",
            "nm": "DEMO TRADER",
            "flag": 0,
        },
    }
    assert len(a.otp) == 6
    assert a.otp not in response.text


def test_session_token_gives_the_users_data(sim, a):
    a.login()
    response = a.session_token()
    data = response.json()["data"]
    token = data["access_token"]
    assert uuid.UUID(data.pop("public_token"))
    assert data.pop("login_time").startswith("2025-01-01 10:00:0")
    assert response.status_code == 200
    assert response.json()["status"] == "success"
    assert data == {
        "user_type": "individual",
        "email": "XXXX00@EXAMPLE.COM",
        "user_name": "DEMO TRADER",
        "user_shortname": "NA",
        "broker": "MIRAE",
        "exchanges": ["NSE", "NFO", "CDS"],
        "products": ["CNC", "NRML", "MIS"],
        "order_types": ["MARKET", "LIMIT"],
        "avatar_url": "",
        "user_id": "538",
        "api_key": sim.demo.api_key_a,
        "access_token": token,
        "enctoken": token,
        "refresh_token": token,
        "silo": "",
        "meta": {"demat_consent": "physical"},
    }
    assert len(token) == 1199
    assert ":" not in token
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["USERNAME"] == "MA0000001"
    assert claims["exp"] == 1735756200


@pytest.mark.parametrize("checksum", ["W", "L", "anything"])
def test_any_checksum_will_do_but_none(a, checksum):
    a.login()
    refused = a.session_token(checksum="")
    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["checksum"])
    assert a.session_token(checksum=checksum).status_code == 200


def test_fund_summary_and_logout(sim, a):
    a.enter()
    assert said(a.get("user/fundsummary")) == (
        200,
        {"status": "success", "data": [sim.demo.funds]},
    )
    assert said(a.get("logout")) == (200, {"status": "success", "data": "Success"})
    assert said(a.get("user/fundsummary")) == (401, A_TOK)
    assert said(a.get("logout")) == (401, A_TOK)


def test_verify_totp_gives_the_same_data(sim, a):
    sim.demo.totp_enabled = True
    assert a.login().json()["data"]["cid"] == "MA0000001"
    assert sim.phone.last_otp("MA0000001") is None
    response = a.verify_totp()
    assert response.status_code == 200
    a.token = response.json()["data"]["access_token"]
    assert response.json()["data"]["user_type"] == "individual"
    assert a.get("user/fundsummary").status_code == 200


def test_wrong_totp_and_replay(sim, a):
    sim.demo.totp_enabled = True
    a.login()
    code = sim.totp_now("MA0000001")
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    assert said(a.verify_totp(wrong)) == (400, TOTP_WRONG)
    assert a.verify_totp(code).status_code == 200
    a.login()
    assert said(a.verify_totp(code)) == (400, TOTP_WRONG)


def test_own_rule_no_second_step_without_a_first(sim, a):
    sim.demo.totp_enabled = True
    assert said(a.verify_totp()) == (400, TOTP_WRONG)
    sim.demo.totp_enabled = False
    assert a.session_token("123456").status_code == 500


@pytest.mark.parametrize(
    ("revision", "expected"),
    [
        (
            "older",
            (
                500,
                {
                    "status": "error",
                    "message": "Invalid username or password (MACM1)",
                    "data": None,
                },
            ),
        ),
        (
            "newer",
            (
                200,
                {
                    "status": "error",
                    "message": "Invalid username or password (YYYY)",
                    "error_type": "MiraeException",
                    "data": None,
                },
            ),
        ),
    ],
)
def test_wrong_password(box, type_a, revision, expected):
    sim = box(revision=revision)
    a = type_a(sim)
    assert said(a.login(password="wrong")) == expected
    assert said(a.login(username="NOBODY")) == expected
    assert sim.demo.attempts_left == 9
    sim.demo.lock()
    assert said(a.login()) == expected


def test_wrong_and_expired_otp(box, type_a):
    for revision, wrong_status, wrong_text in (
        ("older", 500, OTP_TEXT),
        ("newer", 200, "The entered OTP is incorrect. Please proceed to login page. (-MACM60)"),
    ):
        a = type_a(box(revision=revision))
        a.login()
        wrong = f"{(int(a.otp) + 1) % 1_000_000:06d}"
        body = {"status": "error", "error_type": "MiraeException", "data": None}
        assert said(a.session_token(wrong)) == (wrong_status, body | {"message": wrong_text})
        assert a.session_token().json()["status"] == "success"
        assert said(a.session_token()) == (wrong_status, body | {"message": OTP_TEXT})


@pytest.mark.parametrize("revision", ["older", "newer"])
def test_expired_key_on_every_route(box, type_a, revision):
    sim = box(revision=revision)
    a = type_a(sim)
    a.enter()
    a.login()
    sim.demo.key_expired = True
    for response in (
        a.session_token(),
        a.verify_totp("123456"),
        a.get("user/fundsummary"),
        a.get("logout"),
    ):
        assert said(response) == A_KEY[revision]


def test_a_key_must_be_type_as_own(sim, a):
    a.login()
    for key in ("", "nonsense", sim.demo.api_key_b):
        assert said(a.session_token(api_key=key)) == A_KEY["older"]
    assert a.session_token().status_code == 200


def test_version_header(a):
    no_type = {key: value for key, value in A_VER.items() if key != "error_type"}
    for change in ({"drop": "X-Mirae-Version"}, {"X_Mirae_Version": "2"}):
        assert said(a.post("connect/login", {}, **change)) == (400, no_type)
        assert said(a.post("session/token", {}, **change)) == (200, A_VER)
        assert said(a.post("session/verifytotp", {}, **change)) == (200, A_VER)
        assert said(a.get("user/fundsummary", **change)) == (200, A_VER)
        assert said(a.get("logout", **change)) == (200, A_VER)


@pytest.mark.parametrize(
    ("header", "refusal"),
    [
        ("token {k}:x", (401, A_TOK)),
        ("token {k}:", (401, A_TOK)),
        ("Bearer {k}:{t}", A_KEY["older"]),
        ("Bearer {t}", A_KEY["older"]),
        ("token {t}", A_KEY["older"]),
        ("token nonsense:{t}", A_KEY["older"]),
        ("token {b}:{t}", A_KEY["older"]),
        ("{k}:{t}", A_KEY["older"]),
    ],
)
def test_authorization_is_token_key_colon_token(sim, a, header, refusal):
    token = a.enter()
    value = header.format(k=sim.demo.api_key_a, b=sim.demo.api_key_b, t=token)
    assert said(a.get("user/fundsummary", Authorization=value)) == refusal
    assert a.get("user/fundsummary").status_code == 200


def test_the_last_colon_divides_key_and_token(sim, a):
    sim.demo.api_key_a = "a:key/with+colons::@@"
    a.enter()
    assert a.get("user/fundsummary").status_code == 200


def test_tokens_of_one_type_are_dead_on_the_other(sim, a, b):
    a.enter()
    b.enter()
    a.token, b.token = b.token, a.token
    assert a.get("user/fundsummary").status_code == 401
    assert b.get("user/fundsummary").status_code == 401


def test_own_rule_a_login_on_one_type_voids_the_others(sim, a, b):
    ticket, old = b.ticket(), b.otp
    a.login()
    assert b.session_token(ticket, old).status_code == 500
    assert a.session_token().status_code == 200


def test_own_rule_a_login_is_finished_in_its_own_type(a, b):
    ticket = b.ticket()
    assert a.session_token(b.otp).status_code == 500
    assert b.session_token(ticket).status_code == 200


def test_ip_refusal(sim, a):
    a.enter()
    sim.demo.ip_refused = True
    refusal = {
        "status": "error",
        "message": "Primary and Secondary IP Address are not matching",
        "error_type": "APIKeyException",
        "data": None,
    }
    for response in (a.login(), a.session_token("123456"), a.get("logout")):
        assert said(response) == (403, refusal)


@pytest.mark.parametrize(
    ("path", "form", "fields"),
    [
        ("connect/login", {}, ["username", "password"]),
        ("connect/login", {"username": "x", "password": ""}, ["password"]),
        ("session/token", {"api_key": "{k}"}, ["request_token", "checksum"]),
        ("session/verifytotp", {"api_key": "{k}"}, ["totp"]),
    ],
)
def test_missing_fields_get_the_frameworks_body(sim, a, path, form, fields):
    sent = {name: value.format(k=sim.demo.api_key_a) for name, value in form.items()}
    status, problem = said(a.post(path, sent))
    assert status == 400
    assert problem["status"] == 400
    assert problem["errors"] == {f: [f"The {f} field is required."] for f in fields}


def test_an_awkward_password_and_key_survive_the_form(sim, type_a):
    docs = type_a(sim, sim.accounts["MA0000002"])
    docs.enter()
    assert docs.get("user/fundsummary").json()["data"][0]["AVAILABLE_BALANCE"] == "299972678840.29"


def test_strict_takes_forms_only_and_exact_names(box, type_a):
    fields = {"username": "MA0000001", "password": "Simulated-1"}
    sdk_fields = {"Username": "MA0000001", "Password": "Simulated-1"}
    headers = {"X-Mirae-Version": "1"}
    for profile, as_json, sdk_case, stray in (
        ("strict", 415, 400, 400),
        ("tolerant", 200, 200, 200),
    ):
        a = type_a(box(profile=profile))
        url = a.url("connect/login")
        assert requests.post(url, json=fields, headers=headers, timeout=5).status_code == as_json
        assert a.post("connect/login", sdk_fields).status_code == sdk_case
        assert a.post("connect/login", fields | {"extra": "1"}).status_code == stray
        null = "token SIMULATOR:null"
        assert a.post("connect/login", fields, Authorization=null).status_code == stray
        assert a.post("connect/login", fields, Tag="typea").status_code == 200


def test_strict_minds_a_key_a_cookie_or_a_query_where_none_belongs(box, type_a, type_b):
    for profile, status in (("strict", 400), ("tolerant", 200)):
        sim = box(profile=profile)
        a, b = type_a(sim), type_b(sim)
        a.enter()
        b.enter()
        assert a.get("user/fundsummary", X_PrivateKey="k").status_code == status
        assert a.get("user/fundsummary?token=t").status_code == status
        assert b.get("user/fundsummary?token=t").status_code == status
        assert a.get("user/fundsummary", Cookie="t=1").status_code == status
        assert b.get("user/fundsummary", Cookie="t=1").status_code == status
        fields = {"username": "MA0000001", "password": "Simulated-1"}
        assert a.post("connect/login", fields, X_PrivateKey="k").status_code == status


@pytest.mark.parametrize("body", [b"username", b"\xff=1", b"a=1&a=2", b"=;&", b"a=%ff"])
def test_a_body_that_is_no_form(a, body):
    headers = {"X-Mirae-Version": "1", "Content-Type": "application/x-www-form-urlencoded"}
    response = requests.post(a.url("connect/login"), data=body, headers=headers, timeout=5)
    assert response.status_code == 400


def test_content_type_on_get(box, type_a):
    for profile, status in (("strict", 415), ("tolerant", 200)):
        a = type_a(box(profile=profile))
        a.enter()
        assert a.get("user/fundsummary", Content_Type="None").status_code == status
        form = "application/x-www-form-urlencoded"
        assert a.get("user/fundsummary", Content_Type=form).status_code == 200
