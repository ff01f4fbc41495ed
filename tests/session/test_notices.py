"""What is sent when a login fails for good, to whom, and what never shows."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from broker._kit.secret import Secret
from broker._kit.sessions import notices
from broker._kit.sessions.notices import Notice, teller
from broker._kit.settings import Account, ServiceSettings
from broker.mstock.broker import MSTOCK
from broker.mstock.settings import REST_URL
from broker.mstock.terms import TERMS
from tests.support.auto import at
from tests.support.leaks import Leaks

ACCOUNT = Account(REST_URL, "B", "MA0000001")
NOTICE = Notice(ACCOUNT, "Auto-login was refused. Wrong “password”.", at("08:35"))
BOT = "123456789:AAExampleExampleExampleExample"


class Ear:
    """An HTTP server that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.silent = threading.Event()
        self.is_silent = False
        ear = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                ear.heard.append((self.path, dict(self.headers), json.loads(body)))
                if ear.is_silent:
                    ear.silent.wait(10)
                self.send_response(ear.status)
                for name, value in ear.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_args: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self.silent.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def ear() -> Iterator[Ear]:
    ear = Ear()
    yield ear
    ear.close()


def service_settings(**more: Any) -> ServiceSettings:
    return ServiceSettings(home="/nowhere", **more)


def test_without_an_address_only_the_log_is_told(caplog: pytest.LogCaptureFixture) -> None:
    teller(MSTOCK, service_settings())(NOTICE)
    assert "mStock auto-login of MA••••01" in caplog.text
    assert NOTICE.words in caplog.text


def test_a_webhook_gets_json_without_a_secret(ear: Ear) -> None:
    teller(MSTOCK, service_settings(webhook=Secret(f"{ear.url}/hook?key=v")))(NOTICE)
    [(path, headers, body)] = ear.heard
    assert path == "/hook?key=v"
    assert headers["Content-Type"] == "application/json"
    assert body.pop("text").endswith(NOTICE.words)
    assert body == {"account": "MA••••01", "api_type": "B", "at": "2026-11-23T08:35:00+05:30"}


def test_telegram_gets_the_words_for_its_chat(ear: Ear) -> None:
    teller(MSTOCK, service_settings(telegram=(Secret(BOT), "-100123")), telegram=ear.url)(NOTICE)
    [(path, _, body)] = ear.heard
    assert path == f"/bot{BOT}/sendMessage"
    assert body["chat_id"] == "-100123"
    assert NOTICE.words in body["text"]


def test_one_that_fails_does_not_keep_the_other_from_being_told(ear: Ear) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{probe.getsockname()[1]}"
    tell = teller(
        MSTOCK,
        service_settings(webhook=Secret(closed), telegram=(Secret(BOT), "1")),
        telegram=ear.url,
    )
    tell(NOTICE)
    assert len(ear.heard) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(
    ear: Ear, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    ear.status, ear.headers = status, {"Location": f"{ear.url}/elsewhere"}
    teller(MSTOCK, service_settings(webhook=Secret(f"{ear.url}/hook")))(NOTICE)
    assert [path for path, *_ in ear.heard] == ["/hook"]
    assert f"HTTP {status}" in caplog.text


def test_a_certificate_that_proves_nothing_gets_no_word(
    ear: Ear, caplog: pytest.LogCaptureFixture
) -> None:
    trustme = pytest.importorskip("trustme")
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    ear._server.socket = context.wrap_socket(ear._server.socket, server_side=True)
    teller(MSTOCK, service_settings(webhook=Secret(ear.url.replace("http:", "https:"))))(NOTICE)
    assert ear.heard == []
    assert "could not be sent (webhook)" in caplog.text


def test_silence_does_not_hold_up_the_program(
    ear: Ear, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(notices, "_WAIT_S", 0.2)
    ear.is_silent = True
    started = time.monotonic()
    teller(MSTOCK, service_settings(webhook=Secret(ear.url)))(NOTICE)
    assert time.monotonic() - started < 2
    assert "still on its way" in caplog.text


@pytest.mark.parametrize("status", [200, 302, 401, 500])
def test_no_log_shows_the_addresses(
    ear: Ear, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    leaks = Leaks()
    leaks.hide("bot", BOT)
    leaks.hide("hook", "hook-secret-path")
    ear.status, ear.headers = status, {"Location": f"{ear.url}/bot{BOT}"}
    here = service_settings(
        webhook=Secret(f"{ear.url}/hook-secret-path"), telegram=(Secret(BOT), "1")
    )
    tell = teller(MSTOCK, here, telegram=ear.url)
    tell(NOTICE)
    ear.close()
    tell(NOTICE)
    leaks.show("log", caplog.text)
    leaks.show("settings", here)
    leaks.show("teller", [cell.cell_contents for cell in tell.__closure__ or ()])
    assert len(ear.heard) == 2
    assert leaks.found() == []


def test_no_address_stands_in_an_uncaught_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even when something fails that nobody thought of."""
    ends: list[object] = []
    monkeypatch.setattr(threading, "excepthook", ends.append)

    def fails(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError(BOT)

    monkeypatch.setattr(notices.request, "build_opener", fails)
    teller(MSTOCK, service_settings(telegram=(Secret(BOT), "1")))(NOTICE)
    assert ends == []


def test_the_terms_name_what_a_user_must_know() -> None:
    text = " ".join(TERMS)
    for words in ("password", "TOTP secret", "encrypted", "static", "SEBI", "contract with mStock"):
        assert words in text
    assert all(paragraph.endswith(".") for paragraph in TERMS)
