"""One WebSocket connection to mStock: TLS, upgrade, LOGIN, frames in and out.

The token rides in the address (protocol 9). So no text of the library is passed on, redirects are
not followed, and what the library logs about itself is cleared of tokens.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
from collections import deque
from typing import Any, NamedTuple, Self
from urllib.parse import quote, unquote, urlsplit

import websocket

from broker._kit.errors import BrokerError, LogInAgain, Unreachable
from broker._kit.http.connections import tls_context
from broker._kit.secret import Secret
from broker.mstock.settings import Config

_TEXT, _BINARY, _CLOSE, _PING = 0x1, 0x2, 0x8, 0x9
_REFUSED = frozenset({400, 401, 403})
_READ_BYTES = 256 * 1024


class FeedLogin(NamedTuple):
    """Where to connect and as whom; `proxy` as in the settings."""

    ws_url: str
    api_key: Secret
    token: Secret
    proxy: Secret | None = None
    ca_bundle: str | None = None

    @classmethod
    def of(cls, config: Config, token: Secret) -> Self:
        """A token's login with the settings' server, key, proxy and certificates."""
        return cls(config.ws_url, config.api_key, token, config.proxy, config.ca_bundle)


class TokenRefused(LogInAgain):
    """mStock refused the upgrade because of the token or the key."""


class ConnectionLost(Unreachable):
    """The connection could not be made or has ended; a new one may work."""


class FeedConnection:
    """An open, upgraded connection. Sending is safe from any thread, receiving from one.

    `wake` is a socket that ends a `wait` when something can be read from it.
    """

    def __init__(
        self,
        login: FeedLogin,
        wake: socket.socket,
        connect_timeout: float = 10.0,
        read_timeout: float = 10.0,
    ) -> None:
        """Connect and upgrade. Raises `TokenRefused` or `ConnectionLost`."""
        _hide(login)
        self._socket = websocket.WebSocket(
            enable_multithread=True, skip_utf8_validation=True, sslopt=_tls(login)
        )
        self._socket.settimeout(connect_timeout)
        if fault := self._upgrade(login):
            raise fault  # from here: no frame of its traceback has the address
        self._socket.settimeout(read_timeout)
        self._buffered = _BufferedSocket(self._socket.sock)
        self._socket.sock = self._buffered  # type: ignore[assignment]
        self._wake = wake
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._buffered.fileno(), selectors.EVENT_READ)
        self._selector.register(wake, selectors.EVENT_READ, wake)

    def _upgrade(self, login: FeedLogin) -> BrokerError | None:
        """Connect; why that failed."""
        url = (
            f"{login.ws_url}/?ACCESS_TOKEN={quote(login.token.reveal(), safe='')}"
            f"&API_KEY={quote(login.api_key.reveal(), safe='')}"
        )
        try:
            # A redirect would carry the token elsewhere.
            self._socket.connect(  # type: ignore[no-untyped-call]
                url, redirect_limit=0, suppress_origin=True, **_proxy(login)
            )
        except websocket.WebSocketBadStatusException as error:
            return _refusal(error.status_code)
        except (websocket.WebSocketException, OSError, ValueError) as error:
            return _lost("The connection for live prices could not be made", error)
        return None

    def send(self, text: str, kind: int = _TEXT) -> None:
        """Send one text frame. Raises `ConnectionLost`."""
        try:
            self._socket.send(text, kind)
        except (websocket.WebSocketException, OSError) as error:
            raise _lost("The connection for live prices broke", error) from None

    def ping(self) -> None:
        """Ask for a sign of life. Raises `ConnectionLost`."""
        self.send("", _PING)

    def wait(self, seconds: float) -> bool:
        """Wait for a frame or for `wake`; True when there is something to receive."""
        if self.has_buffered:
            return True
        try:
            ready = [key.data for key, _ in self._selector.select(seconds)]
        except (OSError, ValueError, RuntimeError) as error:  # closed by another thread
            raise _lost("The connection for live prices broke", error) from None
        if self._wake in ready:
            with contextlib.suppress(BlockingIOError):
                self._wake.recv(4096)
        return None in ready

    def receive(self) -> bytes | str | None:
        """One message: bytes, text, or None for a sign of life. Raises `ConnectionLost`."""
        try:
            opcode, data = self._socket.recv_data(control_frame=True)
        except (websocket.WebSocketException, OSError) as error:
            raise _lost("The connection for live prices broke", error) from None
        if opcode == _BINARY:
            return bytes(data)
        if opcode == _TEXT:
            return bytes(data).decode("utf-8", "replace")
        if opcode == _CLOSE:
            raise ConnectionLost("mStock closed the connection for live prices.")
        return None

    @property
    def has_buffered(self) -> bool:
        """True when `receive` will not wait for the network."""
        return self._buffered.has_data

    def close(self) -> None:
        """End it at once; whoever is receiving gets `ConnectionLost`."""
        with contextlib.suppress(OSError):
            self._buffered.shutdown(socket.SHUT_RDWR)
        self._selector.close()
        with contextlib.suppress(OSError):
            self._buffered.close()


class _BufferedSocket:
    """A socket that reads ahead: the library asks for each frame in two or three small reads."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        # One block for all reads: a new one for each would break the heap into pieces.
        self._block = memoryview(bytearray(_READ_BYTES))
        self._data = self._block[:0]

    @property
    def has_data(self) -> bool:
        """True when `recv` need not ask the network, nor TLS what it has decrypted already."""
        return bool(self._data) or bool(getattr(self._sock, "pending", int)())

    def recv(self, size: int) -> bytes:
        if not self._data:
            self._data = self._block[: self._sock.recv_into(self._block)]
        piece, self._data = self._data[:size], self._data[size:]
        return bytes(piece)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def _tls(login: FeedLogin) -> dict[str, Any]:
    is_tls = login.ws_url.startswith("wss:")
    return {"context": tls_context(login.ca_bundle)} if is_tls else {}


def _proxy(login: FeedLogin) -> dict[str, Any]:
    # The settings decide, not the environment: the library asks it for whatever is left empty,
    # and does not look at hosts without a proxy unless there is a proxy.
    if login.proxy is None:
        return {"http_proxy_host": "none", "http_no_proxy": ["*"]}
    parts = urlsplit(login.proxy.reveal())
    options: dict[str, Any] = {
        "http_no_proxy": [""],
        "http_proxy_host": parts.hostname,
        "http_proxy_port": parts.port or 80,
        "proxy_type": "http",
    }
    if parts.username:
        options["http_proxy_auth"] = (unquote(parts.username), unquote(parts.password or ""))
    return options


def _refusal(status: int) -> BrokerError:
    if status in _REFUSED:
        return TokenRefused(
            "mStock refused the session for live prices.",
            "Log in to mStock again.",
            http_status=status,
        )
    return ConnectionLost("mStock did not open the connection for live prices.", http_status=status)


def _lost(what: str, error: BaseException) -> ConnectionLost:
    # Only the kind of the error: its text may quote the address, in which the token is.
    return ConnectionLost(f"{what} ({type(error).__name__}).")


class _TokenFilter(logging.Filter):
    """Masks the last few tokens and keys in what websocket-client logs or traces."""

    def __init__(self) -> None:
        super().__init__()
        self.secrets: deque[str] = deque(maxlen=16)

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        for secret in tuple(self.secrets):
            text = text.replace(secret, "•••")
        record.msg, record.args = text, ()
        return True


_filter = _TokenFilter()


def _hide(login: FeedLogin) -> None:
    for secret in (login.token.reveal(), login.api_key.reveal()):
        for form in (secret, quote(secret, safe="")):
            if form and form not in _filter.secrets:
                _filter.secrets.append(form)
    logging.getLogger("websocket").addFilter(_filter)
