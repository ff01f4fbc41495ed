"""The settings: every variable, its default, and what is refused by name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import trustme

from broker._kit.errors import SettingError
from broker._kit.secret import Secret
from broker._kit.settings import Timeouts, file_environment
from broker.mstock.settings import Config

KEY = "ay3KqW7b/Zt9XvB1MAKg+TTx@@"
GOOD = {"BROKER_API_KEY": "MA12345", "BROKER_API_SECRET": KEY}
OPTIONAL = (
    *("MSTOCK_API_TYPE", "MSTOCK_CHECKSUM", "MSTOCK_FUNDS_VIEW", "REDIRECT_URL"),
    *("MSTOCK_REST_URL", "MSTOCK_WS_URL"),
    *("MSTOCK_WS_MAX_INSTRUMENTS", "MSTOCK_WS_SOCKETS", "MSTOCK_ORDER_UPDATES"),
    *("BROKER_CONNECT_TIMEOUT", "BROKER_READ_TIMEOUT", "BROKER_DEADLINE"),
)
FIELDS = {
    *("client_code", "api_key", "api_type", "checksum", "funds_view", "redirect_url"),
    *("rest_url", "ws_url", "timeouts", "proxy", "ca_bundle"),
    *("most_instruments", "most_sockets", "order_updates"),
}
LIVE = "https://api.mstock.trade"
LIVE_WS = "wss://ws.mstock.trade"
LOCAL = {"MSTOCK_REST_URL": "http://127.0.0.1:8080"}


def load(**more: str) -> Config:
    return Config.from_env({**GOOD, **more})


def refusal(**more: str) -> str:
    with pytest.raises(SettingError) as caught:
        load(**more)
    assert caught.value.next_step
    return str(caught.value)


class TestDefaults:
    def test_are_those_of_the_documents(self) -> None:
        assert load() == Config(
            client_code="MA12345",
            api_key=Secret(KEY),
            api_type="B",
            checksum="L",
            funds_view="cash",
            most_instruments=3000,
            most_sockets=1,
            order_updates="poll",
            redirect_url="http://127.0.0.1:5000/mstock/callback",
            rest_url=LIVE,
            ws_url=LIVE_WS,
            timeouts=Timeouts(connect=3.0, read=10.0, deadline=15.0),
            proxy=None,
            ca_bundle=None,
        )

    @pytest.mark.parametrize(
        "name",
        [*OPTIONAL, "HTTPS_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE"],
    )
    def test_hold_for_a_variable_that_is_there_but_empty(self, name: str) -> None:
        assert load(**{name: ""}) == load(**{name: "  "}) == load()

    def test_the_process_environment_is_read_at_call_time(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for code in ("FIRST", "SECOND"):
            monkeypatch.setenv("BROKER_API_KEY", code)
            monkeypatch.setenv("BROKER_API_SECRET", KEY)
            assert Config.from_env().client_code == code


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("BROKER_API_KEY", "9876543210", "client_code", "9876543210"),
        ("BROKER_API_KEY", " MA1 ", "client_code", "MA1"),
        ("BROKER_API_KEY", "'MA1'", "client_code", "MA1"),
        ("BROKER_API_SECRET", f" {KEY}\n", "api_key", Secret(KEY)),
        ("BROKER_API_SECRET", f'"{KEY}"', "api_key", Secret(KEY)),
        ("BROKER_API_SECRET", "aB3dE6gH9jK2mN5pQ8s1SQ=", "api_key", None),
        ("MSTOCK_API_TYPE", "A", "api_type", "A"),
        ("MSTOCK_API_TYPE", "B", "api_type", "B"),
        ("MSTOCK_CHECKSUM", "W", "checksum", "W"),
        ("MSTOCK_FUNDS_VIEW", "balance", "funds_view", "balance"),
        ("MSTOCK_FUNDS_VIEW", "cash", "funds_view", "cash"),
        ("BROKER_CONNECT_TIMEOUT", "1.5", "timeouts", Timeouts(connect=1.5)),
        ("BROKER_READ_TIMEOUT", "7", "timeouts", Timeouts(read=7)),
        ("BROKER_DEADLINE", "30", "timeouts", Timeouts(deadline=30)),
        ("REDIRECT_URL", "https://trade.example/mstock/callback", "redirect_url", None),
    ],
)
def test_each_variable_sets_its_field_and_no_other(
    name: str, text: str, field: str, value: object
) -> None:
    config = load(**{name: text})
    wanted = (Secret(text) if field == "api_key" else text) if value is None else value
    assert getattr(config, field) == wanted
    for other in FIELDS - {field}:
        assert getattr(config, other) == getattr(load(), other)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("BROKER_API_KEY", ""),
        ("BROKER_API_KEY", "your_mstock_client_code"),
        ("BROKER_API_KEY", "MA 12345"),
        ("BROKER_API_KEY", "MA\t1"),
        ("BROKER_API_KEY", "ＭＡ１"),
        ("BROKER_API_KEY", "MA1;x"),
        ("BROKER_API_SECRET", ""),
        ("BROKER_API_SECRET", "your_mstock_api_key"),
        ("BROKER_API_SECRET", "MA12345"),
        ("BROKER_API_SECRET", f"{KEY} {KEY}"),
        ("BROKER_API_SECRET", f"{KEY}\r\nX-Evil: 1"),
        ("BROKER_API_SECRET", f"{KEY}é"),
        ("MSTOCK_API_TYPE", "C"),
        ("MSTOCK_API_TYPE", "AB"),
        ("MSTOCK_API_TYPE", "typeb"),
        ("MSTOCK_CHECKSUM", "LW"),
        ("MSTOCK_CHECKSUM", "1"),
        ("MSTOCK_CHECKSUM", "Ｌ"),
        ("MSTOCK_FUNDS_VIEW", "margin"),
        ("BROKER_CONNECT_TIMEOUT", "0"),
        ("BROKER_CONNECT_TIMEOUT", "-1"),
        ("BROKER_READ_TIMEOUT", "soon"),
        ("BROKER_READ_TIMEOUT", "inf"),
        ("BROKER_READ_TIMEOUT", "nan"),
        ("BROKER_READ_TIMEOUT", "1e1"),
        ("BROKER_DEADLINE", "१५"),
        ("BROKER_DEADLINE", "1_5"),
        ("BROKER_DEADLINE", "100000"),
        ("REDIRECT_URL", "http://127.0.0.1:5000/zerodha/callback"),
        ("REDIRECT_URL", "http://127.0.0.1:5000/mstock/callback/"),
        ("REDIRECT_URL", "http://127.0.0.1:5000/mstock/callback?x=1"),
        ("REDIRECT_URL", "http://127.0.0.1:5000/mstock/callback#x"),
        ("REDIRECT_URL", "http://127.0.0.1:5000/<broker>/callback"),
        ("REDIRECT_URL", "ftp://127.0.0.1/mstock/callback"),
        ("REDIRECT_URL", "/mstock/callback"),
        ("REDIRECT_URL", "http://[::1/mstock/callback"),
        ("REQUESTS_CA_BUNDLE", "/no/such/file.pem"),
        ("CURL_CA_BUNDLE", "/no/such/file.pem"),
        ("SSL_CERT_FILE", "/no/such/file.pem"),
    ],
)
def test_a_refusal_names_its_variable_and_shows_no_key(name: str, text: str) -> None:
    message = refusal(**{name: text})
    assert name in message
    assert KEY not in message


@pytest.mark.parametrize(
    "name",
    ["BROKER_API_KEY", *OPTIONAL],
)
def test_a_key_pasted_into_the_wrong_line_is_refused_and_no_part_of_it_shown(name: str) -> None:
    message = refusal(**{name: KEY})
    assert name in message
    assert not any(KEY[n : n + 6] in message for n in range(len(KEY) - 5))


class TestSwapped:
    @pytest.mark.parametrize(
        "key", [KEY, "aB3dE6gH9jK2mN5pQ8s1SQ=", "aB3dE6gH9jK2mN5pQ8s1SQ", "short@@", "a/b", "a+b"]
    )
    def test_client_code_and_key_are_told_apart_and_the_key_is_not_shown(self, key: str) -> None:
        message = refusal(BROKER_API_KEY=key, BROKER_API_SECRET="MA12345")
        assert "BROKER_API_KEY" in message
        assert "BROKER_API_SECRET" in message
        assert "Swap" in message
        assert key not in message

    def test_the_key_in_both_places_is_refused_too(self) -> None:
        assert KEY not in refusal(BROKER_API_KEY=KEY)


ELSEWHERE = [
    "https://api.mstock.trade.evil.in",
    "https://api.mstock.trade@evil.in",
    "https://evil.in/api.mstock.trade",
    "https://evil.in?https://api.mstock.trade",
    "https://evil.in#api.mstock.trade",
    "https://user@api.mstock.trade",
    "https://user:pw@api.mstock.trade",
    "https://api.mstock.tradé",
    "https://api.mstock.trаde",  # a Cyrillic letter
    "https://api。mstock。trade",
    "https://xapi.mstock.trade",
    "https://mstock.trade",
    "https://api.mstock.trade.",
    "https://api.mstock.trade:8443",
    "https://api.mstock.trade:80",
    "https://api.mstock.trade:99999",
    "https://api.mstock.trade:x",
    "https://api.mstock.trade/openapi",
    "https://api.mstock.trade/?x=1",
    "https://api.mstock.trade\\.evil.in",
    "http://api.mstock.trade",
    "ftp://api.mstock.trade",
    "//api.mstock.trade",
    "https:api.mstock.trade",
    "https://",
    "http://127.0.0.1.evil.in",
    "http://127.0.0.1@evil.in",
    "http://evil.in@127.0.0.1",
    "http://127.0.0.1:8080@evil.in",
    "http://127.0.0.1\\@evil.in",
    "http://localhost.evil.in",
    "http://localhost.",
    "http://127.0.0.1.",
    "http://2130706433",
    "http://0x7f000001",
    "http://0x7f.0.0.1",
    "http://0177.0.0.1",
    "http://017700000001",
    "http://127.1",
    "http://127.0.1",
    "http://１２７.0.0.1",
    "http://127.0.0.1%2eevil.in",
    "http://0.0.0.0",
    "http://[::]",
    "http://[::2]",
    "http://[::ffff:8.8.8.8]",
    "http://10.0.0.1",
    "http://192.168.1.2:8080",
    "http://169.254.169.254",
    "http://128.0.0.1",
    "http://126.255.255.255",
    "http://127.0.0.1:8080/path",
    "http://127.0.0.1:8080/?x",
    "http://127.0.0.1:8080?",
    "http://127.0.0.1:8080#",
    "http://user:pw@127.0.0.1",
    "http://127.0.0.1 evil.in",
    "http://[::1",
    # Not for the streaming address below, where the first two would be right or mean the same.
    "https://ws.mstock.trade",
    "ws://127.0.0.1:8080",
    "api.mstock.trade",
    "file:///etc/passwd",
]
LOOPBACK = [
    "http://127.0.0.1",
    "http://127.0.0.1:8080",
    "https://127.0.0.1:8443",
    "http://127.0.0.2:8080",
    "http://localhost:8080",
    "http://LOCALHOST:8080",
    "http://[::1]:8080",
]


class TestLivePrices:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            *(
                ("MSTOCK_WS_MAX_INSTRUMENTS", value)
                for value in ("0", "-1", "1.5", "many", "100000")
            ),
            *(("MSTOCK_WS_SOCKETS", value) for value in ("0", "10", "two")),
            ("MSTOCK_ORDER_UPDATES", "push"),
        ],
    )
    def test_a_wrong_value_is_refused_by_name(self, name: str, value: str) -> None:
        assert name in refusal(**{name: value})

    def test_what_is_given_is_taken(self) -> None:
        config = load(
            MSTOCK_WS_MAX_INSTRUMENTS="500", MSTOCK_WS_SOCKETS="2", MSTOCK_ORDER_UPDATES="Socket"
        )
        assert (config.most_instruments, config.most_sockets) == (500, 2)
        assert config.order_updates == "socket"


class TestAddresses:
    @pytest.mark.parametrize("url", ELSEWHERE)
    def test_a_typing_error_is_refused_for_the_rest_address(self, url: str) -> None:
        assert "MSTOCK_REST_URL" in refusal(MSTOCK_REST_URL=url)

    @pytest.mark.parametrize(
        "url",
        [
            *(url.replace("http", "ws").replace("api.", "ws.") for url in ELSEWHERE[:-4]),
            *("https://ws.mstock.trade", LIVE, "wss://api.mstock.trade", "http://127.0.0.1:8080"),
        ],
    )
    def test_a_typing_error_is_refused_for_the_streaming_address(self, url: str) -> None:
        assert "MSTOCK_WS_URL" in refusal(MSTOCK_WS_URL=url)

    @pytest.mark.parametrize(
        "url", [LIVE, f"{LIVE}/", f"{LIVE}:443", "HTTPS://API.MSTOCK.TRADE", f" '{LIVE}' "]
    )
    def test_every_spelling_of_mstocks_own_address_becomes_one(self, url: str) -> None:
        assert load(MSTOCK_REST_URL=url).rest_url == LIVE
        assert load(MSTOCK_REST_URL=url).is_live

    @pytest.mark.parametrize("url", LOOPBACK)
    def test_a_loopback_address_is_taken_and_is_not_live(self, url: str) -> None:
        for given in (url, f"{url}/"):
            config = load(MSTOCK_REST_URL=given)
            assert config.rest_url.lower() == url.lower()
            assert not config.is_live

    @pytest.mark.parametrize("url", [url.replace("http", "ws") for url in LOOPBACK])
    def test_a_loopback_address_is_taken_for_streaming(self, url: str) -> None:
        assert load(MSTOCK_WS_URL=url).ws_url.lower() == url.lower()

    @pytest.mark.parametrize(
        "url", [LIVE_WS, f"{LIVE_WS}/", f"{LIVE_WS}:443", "WSS://WS.MSTOCK.TRADE"]
    )
    def test_every_spelling_of_mstocks_streaming_address_becomes_one(self, url: str) -> None:
        assert load(MSTOCK_WS_URL=url).ws_url == LIVE_WS


class TestNetwork:
    PROXY = "http://joe:pw@proxy.example:3128"

    @pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
    def test_the_usual_proxy_variables_are_taken(self, name: str) -> None:
        assert load(**{name: self.PROXY}).proxy == Secret(self.PROXY)

    def test_a_proxy_for_plain_http_is_none_for_mstock(self) -> None:
        assert load(HTTP_PROXY=self.PROXY, http_proxy=self.PROXY).proxy is None

    def test_a_proxy_without_a_scheme_is_an_http_one(self) -> None:
        assert load(HTTPS_PROXY="proxy.example:3128").proxy == Secret("http://proxy.example:3128")

    @pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
    @pytest.mark.parametrize(
        ("bypass", "goes_direct"),
        [
            ("*", True),
            ("api.mstock.trade", True),
            ("mstock.trade", True),
            (".mstock.trade", True),
            ("localhost, API.mstock.trade", True),
            ("localhost,127.0.0.1", False),
            ("stock.trade.example", False),
            ("pi.mstock.trade", False),
        ],
    )
    def test_no_proxy_is_heeded(self, name: str, bypass: str, goes_direct: bool) -> None:
        proxy = load(HTTPS_PROXY=self.PROXY, **{name: bypass}).proxy
        assert proxy == (None if goes_direct else Secret(self.PROXY))

    @pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
    def test_the_usual_variables_for_a_private_authority_are_taken(
        self, name: str, tmp_path: Path
    ) -> None:
        bundle = tmp_path / "ca.pem"
        trustme.CA().cert_pem.write_to_path(str(bundle))
        assert load(**{name: str(bundle)}).ca_bundle == str(bundle)
        assert load(**{name: str(tmp_path)}).ca_bundle == str(tmp_path)  # a folder of them

    def test_a_file_that_holds_no_certificate_is_refused(self, tmp_path: Path) -> None:
        bundle = tmp_path / "ca.pem"
        bundle.write_text("not a certificate")
        assert "SSL_CERT_FILE" in refusal(SSL_CERT_FILE=str(bundle))

    @pytest.mark.parametrize("name", ["HTTPS_PROXY", "all_proxy"])
    @pytest.mark.parametrize(
        "value",
        [
            *("socks5://joe:pw@proxy.example:1080", "http://proxy:80a", "http://[bad"),
            *("proxy:3128:1", "http://joe:p/w@proxy:3128", "http://joe:p#w@proxy:3128", "a b:1"),
        ],
    )
    def test_what_is_no_http_proxy_is_refused_by_its_name_and_not_shown(
        self, name: str, value: str
    ) -> None:
        message = refusal(**{name: value})
        assert message.startswith(f"{name} ")
        assert "proxy:" not in message
        assert "pw" not in message

    @pytest.mark.parametrize("url", LOOPBACK)
    def test_none_of_them_counts_for_a_loopback_address(self, url: str, tmp_path: Path) -> None:
        config = load(
            MSTOCK_REST_URL=url,
            HTTPS_PROXY=self.PROXY,
            ALL_PROXY=self.PROXY,
            REQUESTS_CA_BUNDLE=str(tmp_path),
            SSL_CERT_FILE="/no/such/file.pem",
        )
        assert (config.proxy, config.ca_bundle) == (None, None)


def test_the_text_of_a_config_shows_no_secret() -> None:
    config = load(HTTPS_PROXY="http://joe:pr0xypw@proxy.example:3128")
    for text in (repr(config), str(config), f"{config}", repr([config])):
        assert KEY not in text
        assert "pr0xypw" not in text
        assert "MA12345" in text


def test_equal_settings_make_equal_configs() -> None:
    assert load() == load()
    assert load() != load(BROKER_API_SECRET=KEY + "x")
    assert load() != load(**LOCAL)


POISONED = """
import collections.abc, decimal, logging, os, sys, zoneinfo
import requests, urllib3
class Poison(collections.abc.MutableMapping):
    def refuse(self, *_):
        raise SystemExit("the environment was touched")
    __getitem__ = __setitem__ = __delitem__ = __iter__ = __len__ = __contains__ = get = refuse
os.environ = os.environb = Poison()
import {module}
loaded = set(sys.modules) & {{"flask", "jwt", "pyotp", "dotenv"}}
sys.exit(f"loaded {{loaded}}" if loaded else 0)
"""


@pytest.mark.parametrize("module", ["settings", "api.auth_api", "api.funds"])
def test_importing_reads_no_setting_and_loads_no_heavy_package(module: str) -> None:
    code = POISONED.format(module=f"broker.mstock.{module}")
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_file_that_may_not_be_read_is_told_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path))

    monkeypatch.setattr("dotenv.dotenv_values", refuse)
    with pytest.raises(SettingError, match=r"The \.env file cannot be read") as caught:
        file_environment(str(tmp_path / ".env"))
    assert str(tmp_path) not in str(caught.value)
