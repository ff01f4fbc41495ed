"""The server: this computer only, and silent."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests
from flask import Flask, Response, request

from broker._kit.web.server import LoopbackServer


def test_it_listens_on_loopback_only_and_the_cookie_is_named_for_the_port() -> None:
    app = Flask(__name__)
    app.add_url_rule("/", "home", lambda: request.host)
    with LoopbackServer().start(app) as server:
        assert server._socket.getsockname()[0] == "127.0.0.1"
        answer = requests.get(server.url, timeout=5)
        assert answer.text == f"127.0.0.1:{server.port}"
        assert "Server" not in answer.headers
        assert app.config["SESSION_COOKIE_NAME"] == f"session_{server.port}"
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


def test_pages_are_served_while_many_streams_are_open() -> None:
    app, over = Flask(__name__), threading.Event()

    def events() -> Iterator[bytes]:
        yield b"data: 1\n\n"
        over.wait(20)

    app.add_url_rule("/", "home", lambda: "home")
    app.add_url_rule("/events", "events", lambda: Response(events(), mimetype="text/event-stream"))
    with ExitStack() as stack, LoopbackServer().start(app) as server:
        stack.callback(over.set)
        for _ in range(20):
            stream = requests.get(f"{server.url}/events", stream=True, timeout=5)
            stack.callback(stream.close)
            assert next(stream.iter_lines()) == b"data: 1"
        assert requests.get(server.url, timeout=5).text == "home"
        over.set()


def test_garbage_gets_no_software_name() -> None:
    with LoopbackServer().start(Flask(__name__)) as server:
        with socket.create_connection(("127.0.0.1", server.port), 5) as raw:
            raw.sendall(b"nonsense\r\n\r\n")
            answer = raw.recv(1000).lower()
    assert b"waitress" not in answer
    assert b"python" not in answer
