"""The token rides in the WebSocket's address: nothing that fails there shows it."""

from __future__ import annotations

import logging
import socket
import threading
import traceback
from base64 import b64encode
from collections.abc import Iterator

import pytest
import websocket

from broker._kit.errors import BrokerError
from broker._kit.secret import Secret
from broker.mstock.streaming.connection import ConnectionLost, FeedConnection, FeedLogin
from tests.streaming.server import FeedServer

TOKEN, KEY = "eyJ.a-token/with+signs=.x", "KEY/with+signs@@"
FORMS = (TOKEN, KEY, "eyJ.a-token%2Fwith%2Bsigns%3D.x", "KEY%2Fwith%2Bsigns%40%40")

ECHO = b"HTTP/1.1 %s\r\nLocation: ws://127.0.0.1:9/?%s\r\nContent-Length: %d\r\n\r\n%s"
ANSWERS = {
    "garbage": b"SSH-2.0-nothing of HTTP\r\n\r\n",
    "nothing": b"",
    "not upgraded": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "another key": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n",
}


@pytest.fixture(params=[*ANSWERS, "redirect", "refused", "error page", "closed port"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server that answers the upgrade in a wrong way, with the address where it can."""
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"ws://127.0.0.1:{listener.getsockname()[1]}"
    if request.param == "closed port":
        listener.close()
        yield address
        return

    def serve() -> None:
        try:
            sock, _ = listener.accept()
            with sock:
                query = sock.recv(65536).partition(b"?")[2].partition(b" ")[0]
                status = {"redirect": b"302 Found", "refused": b"401 No", "error page": b"502 Bad"}
                if request.param in status:
                    answer = ECHO % (status[request.param], query, len(query), query)
                else:
                    answer = ANSWERS[request.param]
                sock.sendall(answer)
        except OSError:
            return

    threading.Thread(target=serve, daemon=True).start()
    yield address
    listener.close()


@pytest.fixture
def wake() -> Iterator[socket.socket]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours


@pytest.fixture(autouse=True)
def traced(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """The library traces, as somebody who looks for a fault lets it."""
    websocket.enableTrace(True)
    yield
    websocket.enableTrace(False)
    logging.getLogger("websocket").handlers.clear()


def login_at(url: str) -> FeedLogin:
    return FeedLogin(url, Secret(KEY), Secret(TOKEN))


def assert_hidden(*texts: str) -> None:
    for text in texts:
        assert not [form for form in FORMS if form in text], text


def test_whatever_goes_wrong_at_the_upgrade(
    url: str,
    wake: socket.socket,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(BrokerError) as caught:
        FeedConnection(login_at(url), wake, 2, 2)
    error = caught.value
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    out, err = capfd.readouterr()
    assert_hidden(
        str(error), repr(error), repr(vars(error)), *shown.format(), caplog.text, out, err
    )
    assert error.__context__ is None


def test_a_redirect_is_not_followed(wake: socket.socket) -> None:
    elsewhere, listener = FeedServer(), socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        sock, _ = listener.accept()
        with sock:
            query = sock.recv(65536).partition(b"?")[2].partition(b" ")[0].decode()
            sock.sendall(
                f"HTTP/1.1 302 Found\r\nLocation: {elsewhere.url}/?{query}\r\n\r\n".encode()
            )

    threading.Thread(target=serve, daemon=True).start()
    with listener, pytest.raises(ConnectionLost):
        FeedConnection(login_at(f"ws://127.0.0.1:{listener.getsockname()[1]}"), wake, 2, 2)
    elsewhere.close()
    assert elsewhere.attempts == []


def test_a_proxy_of_the_environment_gets_nothing(
    wake: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = FeedServer()
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        FeedConnection(login_at(server.url), wake, 2, 2).close()
    server.close()


def test_the_settings_proxy_is_used_whatever_the_environment_says(
    wake: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = FeedServer()
    asked_for: list[bytes] = []

    def refuse(proxy: socket.socket) -> None:
        sock, _ = proxy.accept()
        with sock:
            asked_for.append(sock.recv(65536))
            sock.sendall(b"HTTP/1.1 403 No\r\n\r\n")

    monkeypatch.setenv("no_proxy", "*")
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        threading.Thread(target=refuse, args=(proxy,), daemon=True).start()
        address = Secret(f"http://me%40here:p%2Fw%3A@127.0.0.1:{proxy.getsockname()[1]}")
        with pytest.raises(ConnectionLost):
            FeedConnection(login_at(server.url)._replace(proxy=address), wake, 2, 2)
    server.close()
    assert asked_for[0].startswith(b"CONNECT ")
    assert f"Basic {b64encode(b'me@here:p/w:').decode()}\r\n".encode() in asked_for[0]
    assert server.attempts == []


def test_an_open_connection_and_its_login(
    wake: socket.socket, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    server = FeedServer()
    login = login_at(server.url)
    try:
        with caplog.at_level(logging.DEBUG):
            connection = FeedConnection(login, wake, 2, 2)
            connection.send(f"LOGIN:{TOKEN}")
            assert connection.wait(2)
            assert connection.receive()
            connection.close()
            with pytest.raises(BrokerError) as caught:
                connection.send(f"LOGIN:{TOKEN}")
    finally:
        server.close()
    out, err = capfd.readouterr()
    assert "request header" in caplog.text + err  # it did trace
    assert_hidden(repr(connection), repr(login), str(caught.value), caplog.text, out, err)
