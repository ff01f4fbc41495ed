"""The control page: what it shows, what its switches do, and whose forms it refuses."""

from __future__ import annotations

import re
from datetime import datetime

import pytest
import requests

from broker_simulator.mstock import IST

PAGES = ("/", "/phone")


@pytest.fixture
def press(sim):
    """Send a form of the page as a browser would."""
    page = requests.get(sim.rest_url, timeout=5).text
    token = re.search(r'name="token" value="([^"]+)"', page).group(1)

    def send(path: str, headers: dict[str, str] | None = None, **fields: str) -> requests.Response:
        return requests.post(
            f"{sim.rest_url}/control/{path}",
            data={"token": token, **fields},
            headers={"Origin": sim.rest_url} if headers is None else headers,
            allow_redirects=False,
            timeout=5,
        )

    return send


def page(sim) -> str:
    return requests.get(sim.rest_url, timeout=5).text


@pytest.mark.parametrize("path", PAGES)
def test_pages_say_simulator_and_run_no_script(sim, b, path):
    b.enter()
    response = requests.get(sim.rest_url + path, timeout=5)
    assert response.status_code == 200
    assert "<strong>SIMULATOR</strong>" in response.text
    assert "<title>SIMULATOR" in response.text
    assert 'name="viewport"' in response.text
    for inline in ("<script", "<style", "style=", "onclick", "onload", "javascript:"):
        assert inline not in response.text
    policy = response.headers["Content-Security-Policy"]
    assert policy == (
        "default-src 'none'; style-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    assert "no-store" in response.headers["Cache-Control"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in response.headers


def test_a_refusal_says_simulator_too(sim, press):
    for refused in (
        requests.get(f"{sim.rest_url}/nonsense", timeout=5),
        press("fault", route="nonsense", kind="reset"),
        press("clock", headers={"Origin": "http://elsewhere.example"}),
    ):
        assert refused.status_code in (400, 403, 404)
        assert "<strong>SIMULATOR</strong>" in refused.text
        assert "Back to the control page" in refused.text


def test_the_style_is_a_file_for_light_and_dark(sim):
    href = re.search(r'rel="stylesheet" href="([^"]+)"', page(sim)).group(1)
    response = requests.get(sim.rest_url + href, timeout=5)
    assert response.headers["Content-Type"].startswith("text/css")
    assert "prefers-color-scheme: dark" in response.text


@pytest.mark.parametrize("path", PAGES)
def test_the_phone_shows_the_newest_otp_first(sim, b, type_b, path):
    assert "No message yet" in requests.get(sim.rest_url + path, timeout=5).text
    b.login()
    old = b.otp
    type_b(sim, sim.accounts["MA0000002"]).login()
    new = sim.phone.last_otp("MA0000002")
    text = requests.get(sim.rest_url + path, timeout=5).text
    assert re.findall(r'class="code"><code>(\d{6})</code>', text)[:2] == [new, old]
    assert text.count("Select it to copy") == 2


def test_the_phone_says_which_otp_is_void(sim, b):
    b.login()
    b.session_token(b.ticket())
    text = page(sim)
    assert text.count("No longer valid.") == 2
    assert "Select it to copy" not in text


def test_only_the_phones_own_page_reloads_itself(sim):
    assert "Refresh" not in requests.get(f"{sim.rest_url}/", timeout=5).headers
    phone = requests.get(f"{sim.rest_url}/phone", timeout=5)
    assert phone.headers["Refresh"] == "3"
    assert "every 3 seconds" in phone.text


def test_the_authenticator_shows_the_code_and_the_seconds(sim, press):
    sim.accounts["MA0000003"].totp_enabled = False
    assert "has TOTP off" in page(sim)
    press("account", client_code="MA0000001", action="totp_on")
    sim.clock.set(sim.clock.now().replace(second=12, microsecond=0), frozen=True)
    text = page(sim)
    assert sim.totp_now("MA0000001") in text
    assert "18 seconds left" in text


@pytest.mark.parametrize("path", PAGES)
def test_the_demos_totp_secret_is_shown_once_totp_is_set_up(sim, press, path):
    text = requests.get(sim.rest_url + path, timeout=5).text
    assert "Set up TOTP" in text
    for account in sim.accounts.values():
        assert account.totp_secret not in text
    press("account", client_code="MA0000001", action="totp_on")
    text = requests.get(sim.rest_url + path, timeout=5).text
    assert "Set up TOTP" not in text
    assert [sim.accounts[code].totp_secret in text for code in sorted(sim.accounts)] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("2026-11-23T08:34:49", "2026-11-23T08:34:5"),
        ("2026-11-23T08:34:50", "2026-11-24T08:34:5"),
        ("2026-11-27T23:00:00", "2026-11-30T08:34:5"),
        ("2026-11-28T03:00:00", "2026-11-30T08:34:5"),
    ],
)
def test_the_clock_goes_to_the_next_weekdays_morning(sim, press, now, then):
    sim.clock.set(datetime.fromisoformat(now).replace(tzinfo=IST), frozen=True)
    press("clock", action="morning")
    assert sim.clock.now().isoformat().startswith(then)


@pytest.mark.parametrize(
    ("action", "attribute", "value"),
    [
        ("totp_on", "totp_enabled", True),
        ("totp_off", "totp_enabled", False),
        ("lock", "locked", True),
        ("unlock", "locked", False),
        ("key_expire", "key_expired", True),
        ("key_renew", "key_expired", False),
        ("ip_refuse", "ip_refused", True),
        ("ip_allow", "ip_refused", False),
    ],
)
def test_account_switches(sim, press, action, attribute, value):
    account = sim.accounts["MA0000002"]
    if not value:
        account.totp_enabled = account.key_expired = account.ip_refused = True
        account.lock()
    response = press("account", client_code="MA0000002", action=action)
    assert (response.status_code, response.headers["Location"]) == (303, "/#accounts")
    assert getattr(account, attribute) is value
    others = {"totp_enabled", "locked", "key_expired", "ip_refused"} - {attribute}
    assert all(getattr(account, name) is not value for name in others)
    assert sim.demo.key_expired is False
    assert "LOCKED" in page(sim) or not account.locked


def test_sessions_are_listed_without_their_tokens(sim, a, b, press):
    assert "Nobody has logged in." in page(sim)
    b.enter()
    a.enter()
    text = page(sim)
    assert text.count("<td>alive</td>") == 2
    assert "02 Jan 00:00:00" in text
    a.get("logout")
    assert page(sim).count("<td>logged out</td>") == 1
    press("sessions")
    assert b.get("user/fundsummary").status_code == 401


def test_faults_are_set_shown_and_cleared(sim, b, press):
    response = press("fault", route="b/logout", kind="bad_gateway", times="2", when="after")
    assert (response.status_code, response.headers["Location"]) == (303, "/#faults")
    (fault,) = sim.faults.active
    assert (fault.route, fault.kind.name, fault.times, fault.when) == (
        "b/logout",
        "bad_gateway",
        2,
        "after",
    )
    assert "next 2" in page(sim)
    press("fault", route="*", kind="reset", times="", when="")
    press("fault", action="clear", route="b/logout")
    assert [fault.route for fault in sim.faults.active] == ["*"]
    press("fault", action="clear")
    assert sim.faults.active == []


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("fault", {"route": "b/logout", "kind": "nonsense"}),
        ("fault", {"route": "b/logout", "kind": "reset", "times": "many"}),
        ("fault", {}),
        ("account", {"client_code": "MA0000001", "action": "delete"}),
        ("account", {"client_code": "NOBODY", "action": "lock"}),
        ("clock", {"when": "tomorrow"}),
        ("clock", {"step": "1 year"}),
    ],
)
def test_nonsense_is_refused(sim, press, path, fields):
    assert press(path, **fields).status_code == 400
    assert sim.faults.active == []
    assert not sim.demo.locked


def test_the_clock_is_set_moved_and_let_go(sim, press):
    press("clock", when="2025-03-04T23:59:58")
    assert sim.clock.now().isoformat().startswith("2025-03-04T23:59:5")
    assert "set by hand" in page(sim)
    press("clock", step="1 hour")
    assert sim.clock.now().isoformat().startswith("2025-03-05T00:59:5")
    press("clock", action="follow")
    assert sim.clock.follows_real_time
    assert "real time" in page(sim)


def test_the_journal_is_shown_and_cleared(sim, b, press):
    b.login(password="wrong")
    text = page(sim)
    assert "POST b/connect/login" in text
    assert "wrong client code or password" in text
    press("journal")
    assert "No request yet." in page(sim)


def test_own_rules_are_told(sim):
    text = page(sim)
    assert "own rules" in text
    assert "lives 5 minutes" in text
    assert "After 3 wrong codes" in text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "https://127.0.0.1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "{own}", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"},
    ],
)
def test_forms_of_other_sites_are_refused(sim, press, headers):
    sent = {name: value.format(own=sim.rest_url) for name, value in headers.items()}
    response = press("account", headers=sent, client_code="MA0000001", action="lock")
    assert response.status_code == 403
    assert not sim.demo.locked


def test_own_forms_are_taken_by_either_header(sim, press):
    for headers in ({"Origin": sim.rest_url}, {"Sec-Fetch-Site": "same-origin"}):
        sim.demo.unlock()
        press("account", headers=headers, client_code="MA0000001", action="lock")
        assert sim.demo.locked


@pytest.mark.parametrize("path", ["account", "sessions", "fault", "clock", "journal"])
def test_no_form_without_this_starts_token(sim, press, b, path):
    b.login()
    for token in ("", "wrong", "é"):
        response = press(path, token=token, client_code="MA0000001", action="lock")
        assert response.status_code == 403
    assert len(sim.journal) == 1
    assert not sim.demo.locked


def test_tokens_differ_between_starts(box):
    found = {re.search(r'name="token" value="([^"]+)"', page(box())).group(1) for _ in range(2)}
    assert len(found) == 2


def test_switches_cannot_be_pressed_by_a_link(sim):
    for path in ("account", "sessions", "fault", "clock", "journal"):
        assert requests.get(f"{sim.rest_url}/control/{path}", timeout=5).status_code in (404, 405)


def test_the_page_is_not_in_the_journal(sim):
    page(sim)
    assert list(sim.journal) == []


def test_prices_are_shown_once_somebody_asked_and_can_be_moved(sim, press):
    assert "Nobody has asked for a price." in page(sim)
    assert not sim.world.has_market
    response = press("price", instrument="NSE:INFY", price="1400.50")
    assert (response.status_code, response.headers["Location"]) == (303, "/#market")
    shown = page(sim)
    assert "NSE:INFY-EQ" in shown
    assert "<strong>1400.50</strong>" in shown
    infy = sim.world.market.master.by_symbol("NSE", "INFY-EQ")
    assert sim.world.market.quote(infy).high >= 1400


@pytest.mark.parametrize(
    ("instrument", "price", "text"),
    [
        ("NSE:NOSUCH", "1", "No such instrument"),
        ("INFY", "1", "No such instrument"),
        ("NSE:INFY", "1400.03", "ticks of 0.05"),
        ("NSE:INFY", "-1", "ticks of"),
        ("NSE:INFY", "much", "Not a price"),
    ],
)
def test_a_price_that_cannot_be_is_refused(sim, press, instrument, price, text):
    response = press("price", instrument=instrument, price=price)
    assert response.status_code == 400
    assert text in response.text
