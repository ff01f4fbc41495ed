"""The server: this computer only, and silent."""

from __future__ import annotations

import logging
import socket

import pytest
import requests
from flask import Flask, request

from broker._kit.web.server import LoopbackServer


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "192.168.1.5", "example.com", "127.0.0.2"])
def test_other_addresses_are_refused(host: str) -> None:
    with pytest.raises(ValueError, match=r"served on 127\.0\.0\.1 only"):
        LoopbackServer(host=host)


def test_it_listens_on_loopback_only_and_the_cookie_is_named_for_the_port() -> None:
    app = Flask(__name__)
    app.add_url_rule("/", "home", lambda: request.host)
    with LoopbackServer(host="localhost").start(app) as server:
        assert server._socket.getsockname()[0] == "127.0.0.1"
        answer = requests.get(server.url, timeout=5)
        assert answer.text == f"127.0.0.1:{server.port}"
        assert answer.headers["Server"] == "mstock"
        assert app.config["SESSION_COOKIE_NAME"] == f"mstock_session_{server.port}"
    with pytest.raises(requests.ConnectionError):
        requests.get(server.url, timeout=5)


def test_a_taken_port_is_an_error_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        LoopbackServer(taken.getsockname()[1])


def test_nothing_of_a_request_is_logged(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    app = Flask(__name__)

    @app.get("/boom")
    def boom() -> str:
        raise OSError("secret-in-a-fault")

    @app.errorhandler(Exception)
    def again(error: Exception) -> str:
        raise error

    app.config["PROPAGATE_EXCEPTIONS"] = True
    caplog.set_level(logging.DEBUG)
    with LoopbackServer().start(app) as server:
        requests.get(f"{server.url}/nowhere?otp=secret-in-a-url", timeout=5)
        requests.get(f"{server.url}/boom", timeout=5)
        with socket.create_connection(("127.0.0.1", server.port), 5) as raw:
            raw.sendall(b"secret-in-garbage\r\n\r\n")
            raw.recv(100)
    out = capfd.readouterr()
    ours = [each for each in caplog.records if not each.name.startswith("urllib3")]
    text = " ".join(each.getMessage() for each in ours) + out.out + out.err
    assert "secret-in" not in text
