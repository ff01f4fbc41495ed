"""The journal: whole in this process, masked wherever somebody might look."""

from __future__ import annotations

import logging

import requests

from broker_simulator.mstock.journal import KEEP, MASK, Journal


def test_entries_hold_the_call_as_it_came(sim, b):
    b.login()
    entry = sim.journal[-1]
    assert (entry.route, entry.method, entry.http_status) == ("b/connect/login", "POST", 200)
    assert entry.path == "/openapi/typeb/connect/login"
    assert entry.verdict == "ok"
    assert entry.headers["x-mirae-version"] == "1"
    assert ("X-Mirae-Version", "1") in list(entry.headers)
    assert b'"password": "Simulated-1"' in entry.body
    assert entry.at.isoformat().startswith("2025-01-01T10:00:0")
    assert entry.at.isoformat().endswith("+05:30")


def test_verdicts_say_why(sim, a, b):
    b.login(password="wrong")
    b.post("connect/login", {}, drop="X-Mirae-Version")
    b.post("session/token", {})
    a.post("session/token", {"api_key": "x"})
    b.post("logout", {})
    b.post("connect/login", {"surprise": "x"})
    assert [(entry.http_status, entry.verdict) for entry in sim.journal] == [
        (500, "refused: wrong client code or password"),
        (200, "refused: version header missing or not 1"),
        (400, "refused: missing: refreshToken, otp"),
        (400, "refused: API key invalid or expired"),
        (405, "wrong method"),
        (400, "refused: strict profile: body"),
    ]


def test_no_secret_on_page_repr_or_log(sim, a, b, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    demo = sim.demo
    docs = sim.accounts["MA0000002"]
    secrets = {docs.password, demo.api_key_a, demo.api_key_b, demo.totp_secret, "hunter2"}

    secrets |= {b.ticket(), b.enter(), a.enter()}
    b.get("user/fundsummary")
    # Mistakes that put a secret where none belongs.
    b.post("connect/login", {"hunter2": "hunter2"})
    b.post("connect/login", ["hunter2"])
    a.post("connect/login", {"hunter2": ""})
    b.get("user/fundsummary", Cookie="hunter2", X_Stray="hunter2")
    requests.get(f"{sim.rest_url}/openapi/typeb/hunter2?token=hunter2", timeout=5)
    requests.post(a.url("connect/login"), data=b"hunter2", timeout=5)
    requests.get(f"{sim.rest_url}/hunter2", timeout=5)
    demo.totp_enabled = True
    ticket = b.ticket(totp=sim.totp_now(demo.client_code))
    totp = sim.totp_now(demo.client_code)
    secrets |= {ticket, b.verify_totp(ticket).json()["data"]["jwtToken"]}
    sim.clock.advance(sim.world.clock.now() - sim.journal[0].at)

    page = requests.get(sim.rest_url, timeout=5).text
    # The test's own HTTP library logs the paths that it asks for.
    records = [r for r in caplog.records if not r.name.startswith("urllib3")]
    log = "".join(record.getMessage() for record in records)
    texts = {
        "page": page,
        "repr": repr(list(sim.journal)) + repr(sim.journal) + repr(sim.accounts),
        "sessions": repr(sim.sessions) + repr(sim.world._pending) + repr(sim.phone.messages),
        "log": log + "".join(capfd.readouterr()),
        "masked": repr([(e.masked_headers, e.masked_body) for e in sim.journal]),
    }
    for where, text in texts.items():
        # The visitor needs the demo's own TOTP secret, as its password; both open nothing else.
        for secret in secrets - ({demo.totp_secret} if where == "page" else set()):
            assert secret not in text, where
        assert demo.password not in text or where == "page"
    for where in ("repr", "sessions", "log", "masked"):
        assert totp not in texts[where], where
        for message in sim.phone.messages:
            assert message.code not in texts[where], where
    # The demo's own password is told once, in its place.
    assert page.count(demo.password) == 1


def test_masking_keeps_what_is_harmless(sim, b):
    b.login()
    entry = sim.journal[-1]
    headers = dict(entry.masked_headers)
    assert headers["X-Mirae-Version"] == "1"
    assert headers["Content-Type"] == "application/json"
    assert dict(entry.masked_body) == {
        "clientcode": "MA0000001",
        "password": MASK,
        "totp": "",
        "state": "",
    }
    b.enter()
    b.get("logout")
    headers = dict(sim.journal[-1].masked_headers)
    assert headers["Authorization"] == headers["X-PrivateKey"] == MASK
    assert sim.journal[-1].masked_body == []


def test_the_oldest_entries_are_dropped(sim, b):
    b.login()
    entry = sim.journal[0]
    journal = Journal()
    for _ in range(KEEP + 10):
        journal.record(entry)
    assert len(journal) == KEEP
    sim.journal.clear()
    assert list(sim.journal) == []
