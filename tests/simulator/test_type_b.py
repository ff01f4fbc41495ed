"""Type B over real sockets: every answer against the document's text, and every refusal."""

from __future__ import annotations

import uuid

import jwt
import pytest
import requests

KEY_TEXT = "API is suspended/expired for use. Please check your API subscription and try again."
OTP_TEXT = "Entered OTP has been expired. Please regenerate a new one & enter the same."
SENT_TEXT = "Please enter the OTP that we sent on XXXXXXX452 and XXXX00@EXAMPLE.COM"

BARE_KEY = {"status": "error", "message": KEY_TEXT, "data": None}
B_KEY = {"status": "false", "message": KEY_TEXT, "errorcode": "IA403", "data": None}
B_TOK = {
    "status": False,
    "message": "Invalid request. Please try again.",
    "errorcode": "IA401",
    "data": None,
}
B_VER = {
    "status": "error",
    "message": "Please provide valid api version.",
    "error_type": "VersionException",
    "data": None,
}
TOTP_WRONG = {
    "status": "error",
    "message": "Please enter correct TOTP",
    "error_type": "MA400",
    "data": None,
}


def said(response: requests.Response) -> tuple[int, object]:
    return response.status_code, response.json()


def test_login_hands_out_a_uuid_and_sends_an_otp(sim, b):
    response = b.login()
    body = response.json()
    ticket = body["data"].pop("jwtToken")
    assert str(uuid.UUID(ticket)) == ticket
    assert said(response)[0] == 200
    assert body == {
        "status": "true",
        "message": SENT_TEXT,
        "errorcode": "",
        "data": {"refreshToken": "", "feedToken": "", "state": "live"},
    }
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"
    otp = sim.phone.last_otp(sim.demo.client_code)
    assert len(otp) == 6
    assert otp.isdigit()
    assert otp not in response.text


def test_session_token_gives_the_same_long_jwt_three_times(sim, b):
    body = b.session_token(b.ticket()).json()
    token = body["data"]["jwtToken"]
    assert body == {
        "status": "true",
        "message": SENT_TEXT,
        "errorcode": "",
        "data": {
            "jwtToken": token,
            "refreshToken": token,
            "feedToken": token,
            "state": "live",
        },
    }
    assert len(token) == 1199
    assert jwt.get_unverified_header(token)["alg"] == "HS256"
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["USERNAME"] == sim.demo.client_code
    assert claims["APITYPE"] == "AGL"
    now = int(sim.clock.now().timestamp())
    assert claims["nbf"] == claims["iat"]
    assert now - 5 <= claims["iat"] <= now
    # 2025-01-02 00:00 IST
    assert claims["exp"] == 1735756200


def test_fund_summary_and_logout_speak_in_bools(sim, b):
    b.enter()
    assert said(b.get("user/fundsummary")) == (
        200,
        {"status": True, "message": "SUCCESS", "errorcode": "", "data": [sim.demo.funds]},
    )
    assert said(b.get("logout")) == (
        200,
        {"status": True, "message": "Success", "errorcode": None, "data": None},
    )
    assert said(b.get("user/fundsummary")) == (401, B_TOK)
    assert said(b.get("logout")) == (401, B_TOK)


def test_verify_totp_says_who_it_is(sim, b):
    sim.demo.totp_enabled = True
    response = b.verify_totp(b.ticket())
    body = response.json()
    token = body["data"]["jwtToken"]
    assert said(response) == (
        200,
        {
            "status": True,
            "message": "SUCCESS",
            "errorcode": "",
            "data": {
                "ClientName": "DEMO TRADER",
                "ClientId": sim.demo.client_code,
                "exchanges": ["NSE", "NFO", "CDS"],
                "jwtToken": token,
                "refreshToken": token,
                "feedToken": token,
            },
        },
    )
    b.token = token
    assert b.get("user/fundsummary").status_code == 200


@pytest.mark.parametrize(
    ("revision", "status", "code"), [("older", 500, "500"), ("newer", 200, "MA500")]
)
class TestWrongSecrets:
    def test_wrong_password_counts_down(self, box, type_b, revision, status, code):
        b = type_b(box(revision=revision))
        for left in (9, 8):
            assert said(b.login(password="wrong")) == (
                status,
                {
                    "status": "false",
                    "message": f"Invalid username or password. {left} attempts remaining ",
                    "errorcode": code,
                    "data": None,
                },
            )

    def test_wrong_otp(self, box, type_b, revision, status, code):
        b = type_b(box(revision=revision))
        ticket = b.ticket()
        wrong = f"{(int(b.otp) + 1) % 1_000_000:06d}"
        refusal = {"status": "false", "message": OTP_TEXT, "errorcode": code, "data": None}
        assert said(b.session_token(ticket, wrong)) == (status, refusal)
        assert said(b.session_token(str(uuid.uuid4()))) == (status, refusal)
        assert b.session_token(ticket).json()["status"] == "true"
        assert said(b.session_token(ticket)) == (status, refusal)


@pytest.mark.parametrize(("revision", "session_status"), [("older", 400), ("newer", 403)])
def test_expired_key_on_every_route(box, type_b, revision, session_status):
    sim = box(revision=revision)
    b = type_b(sim)
    b.enter()
    ticket = b.ticket()
    sim.demo.key_expired = True
    assert said(b.session_token(ticket)) == (session_status, BARE_KEY)
    assert said(b.verify_totp(ticket)) == (403, BARE_KEY)
    assert said(b.get("user/fundsummary")) == (session_status, BARE_KEY)
    assert said(b.get("logout")) == (403, B_KEY)
    sim.demo.key_expired = False
    assert b.session_token(ticket).status_code == 200
    assert b.get("logout").status_code == 200


def test_a_key_must_be_there_and_be_type_bs_own(sim, b):
    ticket = b.ticket()
    body = {"refreshToken": ticket, "otp": b.otp}
    assert said(b.post("session/token", body, drop="X-PrivateKey")) == (400, BARE_KEY)
    for key in ("", "nonsense", sim.demo.api_key_a):
        assert said(b.post("session/token", body, X_PrivateKey=key)) == (400, BARE_KEY)
    # The other spelling, printed on one page, does not count (1.2).
    response = b.post("session/token", body, drop="X-PrivateKey", X_Private_key=sim.demo.api_key_b)
    assert said(response) == (400, BARE_KEY)


def test_another_customers_key_opens_nothing(sim, b):
    other = sim.accounts["MA0000002"]
    ticket = b.ticket()
    response = b.post(
        "session/token", {"refreshToken": ticket, "otp": b.otp}, X_PrivateKey=other.api_key_b
    )
    assert response.status_code == 500
    b.enter()
    assert said(b.get("user/fundsummary", X_PrivateKey=other.api_key_b)) == (401, B_TOK)


@pytest.mark.parametrize("value", [None, "", "2", "1.0", "one"])
def test_version_header(b, value):
    change = {"drop": "X-Mirae-Version"} if value is None else {"X_Mirae_Version": value}
    assert said(b.post("connect/login", {}, **change)) == (200, B_VER)
    assert said(b.post("session/token", {}, **change)) == (200, B_VER)
    assert said(b.post("session/verifytotp", {}, **change)) == (200, B_VER)
    b.enter()
    assert said(b.get("user/fundsummary", **change)) == (200, B_VER)
    assert said(b.get("logout", **change)) == (200, B_VER)
    assert b.get("logout").status_code == 200


@pytest.mark.parametrize("change", [{"clientcode": ""}, {"password": ""}, {"password": None}])
def test_empty_credentials(sim, b, change):
    assert said(b.login(**change)) == (
        400,
        {
            "status": "false",
            "message": "Please provide valid clientcode and password.",
            "errorcode": "400",
            "data": None,
        },
    )
    assert sim.demo.attempts_left == 10


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer ", "Bearer x", "bearer {t}", "token {k}:{t}", "{t}"]
)
def test_authorization_must_be_bearer_and_the_token(sim, b, authorization):
    token = b.enter()
    header = authorization.format(t=token, k=sim.demo.api_key_b)
    assert said(b.get("user/fundsummary", Authorization=header)) == (401, B_TOK)
    assert said(b.get("logout", drop="Authorization")) == (401, B_TOK)
    assert b.get("user/fundsummary").status_code == 200


def test_a_token_changed_in_one_letter_is_dead(b):
    token = b.enter()
    b.token = token[:-1] + ("A" if token[-1] != "A" else "B")
    assert said(b.get("user/fundsummary")) == (401, B_TOK)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"refreshToken": "x"}, "otp"),
        ({"refreshToken": "x", "otp": ""}, "otp"),
        ({"otp": "123456"}, "refreshToken"),
        ({"refreshToken": None, "otp": "123456"}, "refreshToken"),
    ],
)
def test_missing_fields_get_the_frameworks_body(b, body, field):
    status, problem = said(b.post("session/token", body))
    assert status == 400
    assert problem["status"] == 400
    assert problem["title"] == "One or more validation errors occurred."
    assert problem["type"] == "https://tools.ietf.org/html/rfc9110#section-15.5.1"
    assert problem["errors"] == {field: [f"The {field} field is required."]}
    assert [len(part) for part in problem["traceId"].split("-")] == [2, 32, 16, 2]


@pytest.mark.parametrize("name", ["totp", "state"])
def test_login_wants_all_four_fields(sim, b, name):
    body = {"clientcode": "x", "password": "y", "totp": "", "state": ""}
    del body[name]
    status, problem = said(b.post("connect/login", body))
    assert (status, list(problem["errors"])) == (400, [name])


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff", b"[" * 30000, b"otp=1"])
def test_a_body_that_is_no_json_object(b, body):
    headers = {
        "X-Mirae-Version": "1",
        "X-PrivateKey": b.account.api_key_b,
        "Content-Type": "application/json",
    }
    response = requests.post(b.url("session/token"), data=body, headers=headers, timeout=5)
    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["$"]


def test_an_otp_is_a_string_not_a_number(b):
    ticket = b.ticket()
    response = b.post("session/token", {"refreshToken": ticket, "otp": int(b.otp)})
    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["$.otp"]


STRICT_TITLE = "Refused by the simulator's strict profile"


class TestWhatOnlyTheStrictProfileMinds:
    def test_authorization_on_login(self, box, type_b):
        body = {"clientcode": "MA0000001", "password": "Simulated-1", "totp": "", "state": ""}
        strict, tolerant = type_b(box()), type_b(box(profile="tolerant"))
        refused = strict.post("connect/login", body, Authorization="Bearer null")
        assert (refused.status_code, refused.json()["title"]) == (400, STRICT_TITLE)
        assert list(refused.json()["errors"]) == ["Authorization"]
        taken = tolerant.post("connect/login", body, Authorization="Bearer null")
        assert taken.json()["status"] == "true"

    def test_content_type_none_on_get(self, box, type_b):
        strict, tolerant = type_b(box()), type_b(box(profile="tolerant"))
        strict.enter()
        tolerant.enter()
        refused = strict.get("user/fundsummary", Content_Type="None")
        assert (refused.status_code, refused.json()["title"]) == (415, STRICT_TITLE)
        assert strict.get("user/fundsummary", Content_Type="application/json").status_code == 200
        assert tolerant.get("user/fundsummary", Content_Type="None").status_code == 200

    def test_extra_field(self, box, type_b):
        for profile, status in (("strict", 400), ("tolerant", 200)):
            sim = box(profile=profile)
            sim.demo.totp_enabled = True
            b = type_b(sim)
            body = {
                "refreshToken": b.ticket(),
                "totp": sim.totp_now(sim.demo.client_code),
                "api_key": sim.demo.api_key_b,
            }
            assert b.post("session/verifytotp", body).status_code == status

    def test_field_case_and_missing_empty_fields(self, box, type_b):
        body = {"ClientCode": "MA0000001", "Password": "Simulated-1"}
        for profile, status in (("strict", 400), ("tolerant", 200)):
            assert type_b(box(profile=profile)).post("connect/login", body).status_code == status

    def test_body_on_get(self, box, type_b):
        for profile, status in (("strict", 400), ("tolerant", 200)):
            b = type_b(box(profile=profile))
            token = b.enter()
            headers = {
                "X-Mirae-Version": "1",
                "X-PrivateKey": b.account.api_key_b,
                "Authorization": f"Bearer {token}",
            }
            url = b.url("user/fundsummary")
            assert requests.get(url, json={}, headers=headers, timeout=5).status_code == status


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("profile", ["strict", "tolerant"])
def test_type_b_takes_json_only(box, type_b, profile, content_type):
    b = type_b(box(profile=profile))
    assert b.post("connect/login", {}, Content_Type=content_type).status_code == 415
    charset = "application/json; charset=utf-8"
    assert b.post("connect/login", {}, Content_Type=charset).status_code == 400


def test_a_key_on_login_is_tolerated(b):
    body = {"clientcode": "MA0000001", "password": "Simulated-1", "totp": "", "state": ""}
    assert b.post("connect/login", body, X_PrivateKey="whatever").status_code == 200


def test_login_by_mobile_number(b):
    assert b.login(clientcode=b.account.mobile).json()["status"] == "true"


def test_an_awkward_password_survives_json(sim, type_b):
    assert type_b(sim, sim.accounts["MA0000002"]).login().json()["status"] == "true"


def test_unknown_client_code_looks_like_a_wrong_password(b):
    for _ in range(2):
        message = b.login(clientcode="NOBODY").json()["message"]
        assert message == "Invalid username or password. 9 attempts remaining "


def test_ip_refusal_on_every_route(sim, b):
    refusal = {
        "status": "false",
        "message": "Primary and Secondary IP Address are not matching",
        "errorcode": "IA403",
        "data": None,
    }
    b.enter()
    ticket = b.ticket()
    sim.demo.ip_refused = True
    for response in (
        b.login(),
        b.session_token(ticket),
        b.verify_totp(ticket, "123456"),
        b.get("user/fundsummary"),
        b.get("logout"),
    ):
        assert said(response) == (403, refusal)


class TestTotp:
    def test_login_sends_no_otp(self, sim, b):
        sim.demo.totp_enabled = True
        body = b.login().json()
        assert body["message"] == "SUCCESS"
        assert sim.phone.last_otp(sim.demo.client_code) is None
        assert len(body["data"]["jwtToken"]) == 36

    def test_login_with_totp_gives_the_short_token_that_rest_refuses(self, sim, b):
        sim.demo.totp_enabled = True
        code = sim.totp_now(sim.demo.client_code)
        data = b.login(totp=code).json()["data"]
        short = data["jwtToken"]
        assert data["refreshToken"] == ""
        assert len(short) == 203
        b.token = short
        assert said(b.get("user/fundsummary")) == (401, B_TOK)
        # The same code again, as the OpenAlgo plugin sends it (2.2).
        full = b.verify_totp(short, code).json()["data"]["jwtToken"]
        assert len(full) == 1199
        b.token = full
        assert b.get("user/fundsummary").status_code == 200

    def test_wrong_code_at_login_and_at_the_second_step(self, sim, b):
        sim.demo.totp_enabled = True
        wrong = f"{(int(sim.totp_now(sim.demo.client_code)) + 1) % 1_000_000:06d}"
        assert said(b.login(totp=wrong)) == (400, TOTP_WRONG)
        assert said(b.verify_totp(b.ticket(), wrong)) == (400, TOTP_WRONG)
        assert said(b.verify_totp(str(uuid.uuid4()))) == (400, TOTP_WRONG)

    def test_otp_and_totp_do_not_stand_in_for_each_other(self, sim, b):
        ticket = b.ticket()
        assert said(b.verify_totp(ticket)) == (400, TOTP_WRONG)
        sim.demo.totp_enabled = True
        assert b.session_token(b.ticket(), "123456").json()["message"] == OTP_TEXT
