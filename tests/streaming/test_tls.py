"""The feed's connection over TLS: what the server shows is verified, and nothing is sent before."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path
from struct import pack

import pytest
import trustme

from broker._kit.secret import Secret
from broker.mstock.streaming.connection import ConnectionLost, FeedConnection, FeedLogin
from tests.streaming.server import FeedServer
from tests.streaming.test_feed import until


def server_of(authority: trustme.CA, name: str) -> FeedServer:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return FeedServer(context)


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    return made


def connect(server: FeedServer, bundle: str | None) -> None:
    """Connect, and close."""
    login = FeedLogin(server.url, Secret("a-key"), Secret("a-token"), None, bundle)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = FeedConnection(login, ours, 5.0, 5.0)
        until(lambda: len(server.clients) == 1)
        connection.close()


def test_a_trusted_certificate_connects(authority: trustme.CA, tmp_path: Path) -> None:
    server = server_of(authority, "localhost")
    connect(server, str(tmp_path / "authority.pem"))
    server.close()


@pytest.mark.parametrize("is_tls", [False, True])
def test_frames_longer_than_a_read_come_whole(
    authority: trustme.CA, tmp_path: Path, is_tls: bool
) -> None:
    server = server_of(authority, "localhost") if is_tls else FeedServer()
    login = FeedLogin(
        server.url, Secret("a-key"), Secret("a-token"), None, str(tmp_path / "authority.pem")
    )
    ours, theirs = socket.socketpair()
    sent = [bytes([n]) * 700_000 for n in (1, 2)]

    def send() -> None:
        for data in sent:
            server.clients[0].sock.sendall(b"\x82\x7f" + pack(">Q", len(data)) + data)

    with ours, theirs:
        connection = FeedConnection(login, ours, 5.0, 5.0)
        until(lambda: server.clients)
        threading.Thread(target=send, daemon=True).start()
        found = []
        while len(found) < 2:
            assert connection.wait(5.0)
            found.append(connection.receive())
        assert found == sent
        assert not connection.has_buffered
        connection.close()
    server.close()


def test_without_a_bundle_those_are_trusted_that_all_other_calls_trust(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = server_of(authority, "localhost")
    monkeypatch.setattr("certifi.where", lambda: str(tmp_path / "authority.pem"))
    connect(server, None)
    server.close()


def test_a_folder_of_certificates_is_looked_into(authority: trustme.CA, tmp_path: Path) -> None:
    server = server_of(authority, "localhost")
    with pytest.raises(ConnectionLost):  # its name in there would have to be a hash
        connect(server, str(tmp_path))
    server.close()


@pytest.mark.parametrize(("name", "is_known"), [("localhost", False), ("elsewhere.example", True)])
def test_another_certificate_gets_nothing(
    authority: trustme.CA, tmp_path: Path, name: str, is_known: bool
) -> None:
    server = server_of(authority, name)
    with pytest.raises(ConnectionLost) as caught:
        connect(server, str(tmp_path / "authority.pem") if is_known else None)
    assert "a-token" not in str(caught.value)
    assert server.clients == []
    server.close()
