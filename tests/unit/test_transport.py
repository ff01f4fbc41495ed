"""The transport over real sockets: its connections, TLS, and what it repeats."""

from __future__ import annotations

import base64
import json
import ssl
from pathlib import Path

import pytest
import trustme
from urllib3.exceptions import ConnectTimeoutError

from broker._kit.errors import (
    CertificateError,
    OutcomeUnknown,
    Unreachable,
    UnusableReply,
)
from broker._kit.http.routes import Route
from broker._kit.secret import Secret
from broker._kit.settings import Timeouts
from tests.support.raw_server import (
    Action,
    Exchange,
    RawServer,
    hang_up,
    raw,
    reply,
    reset,
    silence,
    truncated,
    tunnel,
)
from tests.unit.wire import (
    DEAD_PORT,
    LOGIN,
    OK,
    ONCE,
    READ,
    PausingClock,
    outcome,
    transport,
)

NEGATIVE_CHUNK = raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


class TestConnection:
    def test_calls_share_one_connection(self) -> None:
        with RawServer([OK]) as server, transport(server.url) as wire:
            for _ in range(3):
                assert wire.call(READ, {}).http_status == 200
            assert [exchange.connection for exchange in server.exchanges] == [1, 1, 1]

    def test_the_connection_survives_an_answer_without_content(self) -> None:
        with RawServer([reply(204, b""), OK]) as server, transport(server.url) as wire:
            wire.call(READ, {})
            wire.call(READ, {})
            assert [exchange.connection for exchange in server.exchanges] == [1, 1]

    def test_a_connection_that_was_closed_meanwhile_is_replaced_for_a_read(self) -> None:
        def answer_and_close(exchange) -> None:  # type: ignore[no-untyped-def]
            OK(exchange)
            exchange.keep = False

        with RawServer([answer_and_close]) as server, transport(server.url) as wire:
            for _ in range(3):
                assert wire.call(READ, {}).http_status == 200
            assert [exchange.connection for exchange in server.exchanges] == [1, 2, 3]

    def test_what_goes_out(self) -> None:
        with RawServer([OK]) as server, transport(server.url) as wire:
            wire.call(LOGIN, {"X-PrivateKey": "k"}, json={"clientcode": "C", "totp": ""})
            wire.call(LOGIN, {}, form={"username": "C", "password": "a&b=c ü"})
        as_json, as_form = server.requests
        head, _, body = as_json.partition(b"\r\n\r\n")
        assert head.startswith(b"POST /login HTTP/1.1\r\n")
        assert b"\r\nX-Acme-Version: 1\r\n" in head
        assert b"\r\nX-PrivateKey: k\r\n" in head
        assert b"\r\nContent-Type: application/json\r\n" in head + b"\r\n"
        assert json.loads(body) == {"clientcode": "C", "totp": ""}
        assert b"application/x-www-form-urlencoded" in as_form
        assert as_form.endswith(b"username=C&password=a%26b%3Dc+%C3%BC")

    def test_headers_of_one_call_do_not_stay_for_the_next(self) -> None:
        with RawServer([OK]) as server, transport(server.url) as wire:
            wire.call(READ, {"Authorization": "Bearer first"})
            wire.call(READ, {})
        assert b"first" in server.requests[0]
        assert b"Authorization" not in server.requests[1]

    def test_no_cookie_is_kept(self) -> None:
        cookie = reply(200, "{}", Set_Cookie="bot=1; Path=/")
        with RawServer([cookie]) as server, transport(server.url) as wire:
            wire.call(READ, {})
            wire.call(READ, {})
        assert not any(b"cookie" in request.lower() for request in server.requests)

    def test_netrc_and_proxy_variables_are_not_read(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login somebody password else\n")
        monkeypatch.setenv("NETRC", str(netrc))
        monkeypatch.setenv("HTTP_PROXY", DEAD_PORT)
        monkeypatch.setenv("http_proxy", DEAD_PORT)
        with RawServer([OK]) as server, transport(server.url) as wire:
            assert wire.call(READ, {}).http_status == 200
        assert b"authorization" not in server.requests[0].lower()

    def test_a_given_proxy_carries_a_tunnel(self, authority: trustme.CA, tmp_path: Path) -> None:
        bundle = tmp_path / "ca.pem"
        authority.cert_pem.write_to_path(str(bundle))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("api.acme.invalid").configure_cert(context)
        with RawServer([tunnel(context, OK)]) as proxy:
            address = Secret(proxy.url.replace("//", "//joe:p%40w@"))
            url = "https://api.acme.invalid"
            with transport(url, proxy=address, ca_bundle=str(bundle)) as wire:
                assert wire.call(READ, {"Authorization": "Bearer b"}).http_status == 200
            opening, inside = proxy.requests
        login = base64.b64encode(b"joe:p@w")
        assert opening.startswith(b"CONNECT api.acme.invalid:443 ")
        assert b"proxy-authorization: basic " + login.lower() in opening.lower()
        assert b"Bearer" not in opening
        assert inside.startswith(b"GET /funds ")
        assert b"proxy-authorization" not in inside.lower()

    @pytest.mark.parametrize("fault", [hang_up, reset, silence, truncated])
    def test_what_a_tunnel_passed_on_counts_as_sent(
        self, authority: trustme.CA, tmp_path: Path, fault: Action
    ) -> None:
        bundle = tmp_path / "ca.pem"
        authority.cert_pem.write_to_path(str(bundle))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("api.acme.invalid").configure_cert(context)
        with RawServer([tunnel(context, fault)]) as proxy:
            url, address = "https://api.acme.invalid", Secret(proxy.url)
            with transport(url, proxy=address, ca_bundle=str(bundle)) as wire:
                assert outcome(wire, LOGIN) is OutcomeUnknown
            assert len(proxy.requests) == 2

    def test_a_proxy_that_is_down_means_that_nothing_was_sent(self) -> None:
        with transport("https://api.acme.invalid", proxy=Secret(DEAD_PORT)) as wire:
            with pytest.raises(Unreachable, match=r"proxy did not let.*Nothing was sent"):
                wire.call(LOGIN, {}, json={})

    @pytest.mark.parametrize("answer", [hang_up, reset, silence, reply(407), b"nonsense\r\n\r\n"])
    def test_a_tunnel_that_was_not_set_up_carried_nothing(self, answer: Action | bytes) -> None:
        action = answer if callable(answer) else lambda exchange: exchange.send(answer)
        with RawServer([action]) as proxy:
            with transport("https://api.acme.invalid", proxy=Secret(proxy.url)) as wire:
                with pytest.raises(Unreachable, match="Nothing was sent"):
                    wire.call(LOGIN, {}, json={"password": "p"})
            assert all(request.startswith(b"CONNECT ") for request in proxy.requests)

    def test_a_tunnel_that_breaks_before_tls_carried_nothing(self) -> None:
        def accept_and_leave(exchange: Exchange) -> None:
            exchange.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            exchange.keep = False

        with RawServer([accept_and_leave]) as proxy:
            with transport("https://api.acme.invalid", proxy=Secret(proxy.url)) as wire:
                with pytest.raises(Unreachable, match="Nothing was sent"):
                    wire.call(LOGIN, {}, json={"password": "p"})

    @pytest.mark.parametrize(
        "other", [ssl.SSLCertVerificationError("x"), ConnectTimeoutError("x"), FileNotFoundError()]
    )
    def test_what_the_caller_is_dealing_with_does_not_change_the_meaning(
        self, other: Exception
    ) -> None:
        with RawServer([reset]) as server, transport(server.url) as wire:
            try:
                raise other
            except type(other):
                with pytest.raises(OutcomeUnknown):
                    wire.call(LOGIN, {}, json={})

    def test_a_read_with_a_body_sends_its_own(self) -> None:
        quote = Route("quote", "POST", "/quote", repeat=True)
        with RawServer([OK]) as server, transport(server.url) as wire:
            wire.call(quote, {}, json={"symbol": "INFY"})
            wire.call(quote, {}, json={"symbol": "TCS"})
        assert b"INFY" in server.requests[0]
        assert b"TCS" in server.requests[1]


class TestTls:
    def server(self, authority: trustme.CA, name: str) -> RawServer:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)
        return RawServer([OK], tls=context)

    @pytest.mark.parametrize("route", [READ, LOGIN])
    def test_an_unknown_certificate_gets_nothing(self, authority: trustme.CA, route: Route) -> None:
        with self.server(authority, "127.0.0.1") as server, transport(server.url) as wire:
            assert outcome(wire, route) is CertificateError
            assert server.requests == []

    def test_a_certificate_for_another_name_gets_nothing(
        self, authority: trustme.CA, tmp_path: Path
    ) -> None:
        bundle = tmp_path / "ca.pem"
        authority.cert_pem.write_to_path(str(bundle))
        with self.server(authority, "somebody.else") as server:
            with transport(server.url, ca_bundle=str(bundle)) as wire:
                assert outcome(wire, LOGIN) is CertificateError
            assert server.requests == []

    def test_a_private_authority_is_trusted_when_given(
        self, authority: trustme.CA, tmp_path: Path
    ) -> None:
        bundle = tmp_path / "ca.pem"
        authority.cert_pem.write_to_path(str(bundle))
        with self.server(authority, "127.0.0.1") as server:
            with transport(server.url, ca_bundle=str(bundle)) as wire:
                assert outcome(wire, LOGIN) == 200
                assert outcome(wire, READ) == 200

    def test_a_plain_server_where_tls_is_spoken_means_that_nothing_was_sent(self) -> None:
        with RawServer([OK]) as server:
            with transport(server.url.replace("http:", "https:")) as wire:
                with pytest.raises(Unreachable, match="Nothing was sent"):
                    wire.call(LOGIN, {}, json={"password": "p"})
            assert not any(b"password" in request for request in server.requests)


class TestRepeats:
    @pytest.mark.parametrize(
        "fault", [reset, hang_up, truncated, reply(502), reply(503), reply(504)]
    )
    def test_a_read_goes_out_at_most_twice_more(self, fault: Action) -> None:
        clock = PausingClock()
        with RawServer([fault, fault, OK]) as server:
            with transport(server.url, Timeouts(), clock=clock) as wire:
                assert outcome(wire, READ) == 200
        assert len(server.requests) == 3
        assert clock.slept == [0.25, 0.5]
        with RawServer([fault]) as server, transport(server.url, Timeouts()) as wire:
            assert outcome(wire, READ) in (Unreachable, 502, 503, 504)
            assert len(server.requests) == 3

    @pytest.mark.parametrize("route", ONCE)
    @pytest.mark.parametrize(
        "fault",
        [
            *(reset, hang_up, truncated, silence, NEGATIVE_CHUNK),
            *(reply(502), reply(503), reply(429, Retry_After="0")),
        ],
    )
    def test_what_must_not_be_repeated_goes_out_once(self, route: Route, fault: Action) -> None:
        with RawServer([fault]) as server, transport(server.url) as wire:
            assert outcome(wire, route) in (OutcomeUnknown, 502, 503, 429)
            assert len(server.requests) == 1

    def test_a_body_that_is_not_what_its_headers_say_is_not_asked_for_again(self) -> None:
        with RawServer([NEGATIVE_CHUNK]) as server, transport(server.url) as wire:
            assert outcome(wire, READ) is UnusableReply
            assert len(server.requests) == 1

    @pytest.mark.parametrize(("fault", "is_silence"), [(silence, True), (reset, False)])
    def test_a_lost_answer_says_whether_mstock_may_still_be_at_work(
        self, fault: Action, is_silence: bool
    ) -> None:
        with RawServer([fault]) as server, transport(server.url) as wire:
            with pytest.raises(OutcomeUnknown) as caught:
                wire.call(LOGIN, {})
        assert caught.value.is_silence is is_silence

    def test_a_lost_answer_says_that_the_outcome_is_unknown(self) -> None:
        for route in ONCE:
            with RawServer([reset]) as server, transport(server.url) as wire:
                with pytest.raises(OutcomeUnknown, match="is unknown"):
                    wire.call(route, {})

    @pytest.mark.parametrize("route", [READ, *ONCE])
    def test_a_refused_connection_says_that_nothing_was_sent(self, route: Route) -> None:
        with transport(DEAD_PORT) as wire:
            with pytest.raises(Unreachable, match=r"could not be reached\. Nothing was sent"):
                wire.call(route, {})

    def test_a_name_that_does_not_resolve_says_that_nothing_was_sent(self) -> None:
        with transport("http://acme.invalid") as wire:
            with pytest.raises(Unreachable, match=r"looked up\. Nothing was sent"):
                wire.call(LOGIN, {}, json={})

    def test_a_read_that_gets_no_answer_is_not_repeated(self) -> None:
        with RawServer([silence]) as server, transport(server.url) as wire:
            assert outcome(wire, READ) is Unreachable
            assert len(server.requests) == 1

    def test_no_repeat_starts_after_the_deadline(self) -> None:
        clock = PausingClock()
        with RawServer([reply(502)]) as server:
            with transport(server.url, Timeouts(deadline=0.2), clock=clock) as wire:
                assert outcome(wire, READ) == 502
        assert len(server.requests) == 1
        assert clock.slept == []

    @pytest.mark.parametrize("code", [500, 501, 400, 401, 403, 404])
    def test_other_statuses_are_answers(self, code: int) -> None:
        with RawServer([reply(code)]) as server, transport(server.url) as wire:
            assert outcome(wire, READ) == code
            assert len(server.requests) == 1
