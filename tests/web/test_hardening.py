"""What a hostile page, a clumsy client or a change of the settings must not bring about."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace as with_changes

import pytest
from flask import Flask

from broker._kit.secret import Secret
from broker._kit.web.login_flow import Entry, LoginFlow, Visit
from broker.mstock.settings import Config
from tests.web.helpers import (
    CALLBACK,
    OTP,
    PASSWORD,
    TOTP,
    Browser,
    FakeMstock,
    settings,
    until_waiting,
)

JSON = {"Accept": "application/json"}


def test_the_token_of_one_account_is_not_given_out_with_the_settings_of_another(
    flow: LoginFlow, config: Config, mstock: FakeMstock
) -> None:
    entry = Entry("login", password=Secret(PASSWORD), totp=Secret(TOTP), form="one-form")
    visit = Visit(config, "browser", "127.0.0.1")
    other = with_changes(visit, config=Config.from_env(settings(BROKER_API_KEY="OTHER123")))
    under_way, go_on = threading.Event(), threading.Event()

    def hold(name: str) -> None:
        under_way.set()
        assert go_on.wait(5)

    mstock.before = hold
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(flow.act, visit, entry)
        assert under_way.wait(5)
        second = pool.submit(flow.act, other, entry)
        until_waiting(flow._forms, 1)
        go_on.set()
        assert first.result(10).token is not None
        assert second.result(10).token is None
    assert mstock.calls == ["login_with_totp"]


def test_an_older_tabs_start_again_leaves_the_newer_login_alone(
    flow: LoginFlow, config: Config, mstock: FakeMstock
) -> None:
    visit = Visit(config, "browser", "127.0.0.1")
    older = flow.act(visit, Entry("login", password=Secret(PASSWORD))).waiting
    newer = flow.act(visit, Entry("login", password=Secret(PASSWORD))).waiting
    assert older is not None
    assert newer is not None
    outcome = flow.act(visit, Entry("restart", login_id=older.login_id))
    assert outcome.waiting == newer
    assert outcome.problem is not None
    done = flow.act(visit, Entry("verify", otp=Secret(OTP), login_id=newer.login_id))
    assert done.token is not None


@pytest.mark.parametrize("name", ["form", "login_id"])
def test_an_endless_id_is_refused_before_it_is_remembered(
    name: str, browser: Browser, mstock: FakeMstock
) -> None:
    form = {**browser.get().form("login"), "password": PASSWORD, name: "x" * 65}
    assert browser.post(form).status == 400
    assert mstock.calls == []


@pytest.mark.parametrize("password", ["p\ufffdssword", "half \ud83d"])
def test_a_garbled_password_costs_no_attempt(
    password: str, flow: LoginFlow, config: Config, mstock: FakeMstock
) -> None:
    visit = Visit(config, "browser", "127.0.0.1")
    outcome = flow.act(visit, Entry("login", password=Secret(password)))
    assert outcome.http == 400
    assert mstock.calls == []


def test_a_password_in_another_script_is_sent(
    flow: LoginFlow, config: Config, mstock: FakeMstock
) -> None:
    visit = Visit(config, "browser", "127.0.0.1")
    assert flow.act(visit, Entry("login", password=Secret("पासवर्ड-9"))).http == 409


def test_a_browser_without_cookies_is_told_so(app: Flask, mstock: FakeMstock) -> None:
    client = app.test_client(use_cookies=False)
    page = client.post(CALLBACK, data={"password": PASSWORD}, base_url="http://127.0.0.1")
    assert page.status_code == 400
    assert "keeps no cookie" in page.text
    assert mstock.calls == []


def test_a_request_from_another_site_is_never_a_success_to_a_program(app: Flask) -> None:
    headers = {**JSON, "Sec-Fetch-Site": "cross-site"}
    reply = app.test_client().get(CALLBACK, headers=headers, base_url="http://127.0.0.1")
    assert reply.status_code == 403
    assert reply.json is not None


def test_json_nested_without_end_is_refused(app: Flask, mstock: FakeMstock) -> None:
    client = app.test_client()
    token = client.get(CALLBACK, headers=JSON, base_url="http://127.0.0.1").json["csrf_token"]  # type: ignore[index]
    reply = client.post(
        CALLBACK,
        data="[" * 15_000,
        content_type="application/json",
        headers={"X-CSRFToken": token},
        base_url="http://127.0.0.1",
    )
    assert reply.status_code == 400
    assert json.loads(reply.data)["status"] == "error"


def test_a_stranger_is_not_told_what_runs_here(app: Flask) -> None:
    page = app.test_client().get(CALLBACK, base_url="http://evil.example")
    assert page.status_code == 400
    assert "127.0.0.1:8/phone" not in page.text
    assert "API Type" not in page.text
    assert "SIMULATOR" in page.text
