"""`doctor`: each line fine or what to do, no login without a yes, and a report to give away."""

from __future__ import annotations

import os
import re
import socket
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from broker._kit.broker import LoginClient
from broker._kit.cli.doctor import TRIAL_NAMES, clock_check, redacted
from broker._kit.errors import CertificateError, StoreError
from broker._kit.openalgo.checkout import SIGNS
from broker._kit.sessions.store import MemoryStore
from broker.mstock.broker import MSTOCK
from tests.cli.conftest import Person
from tests.conftest import settings_for

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such rights")


def lines(person: Person, *options: str, types: str | list[str] = "") -> dict[str, dict[str, str]]:
    """The checks by name."""
    _, body = person.asks("doctor", *options, types=types)
    return {check["name"]: check for check in body["checks"]}


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    path = tmp_path / ".env"
    path.touch(0o600)
    return path


class TestWithoutALogin:
    def test_all_is_well_and_mstock_is_only_greeted(self, person: Person, env_file: Path) -> None:
        person.is_logged_in()
        asked = len(person.box.journal)
        code, body = person.asks("doctor")
        assert (code, body["status"]) == (0, "success")
        assert [entry.path for entry in person.box.journal[asked:]] in ([], ["/"])
        assert {each["state"] for each in body["checks"]} == {"ok", "skipped"}
        assert not any(each["todo"] for each in body["checks"])

    def test_every_line_that_is_not_fine_says_what_to_do(self, person: Person) -> None:
        person.box.stop()
        person.settings["BROKER_DEADLINE"] = "0.3"
        code, body = person.asks("doctor")
        assert (code, body["status"]) == (1, "to do")
        wrong = [each for each in body["checks"] if each["state"] == "to do"]
        assert wrong
        assert all(each["todo"] for each in wrong)

    def test_swapped_settings_are_told_in_both_directions(self, person: Person) -> None:
        key = person.settings["BROKER_API_SECRET"]
        person.settings["BROKER_API_KEY"] = key
        found = lines(person)["Settings"]
        assert "Swap it with BROKER_API_SECRET" in found["todo"]
        person.settings |= {"BROKER_API_KEY": "MA0000001", "BROKER_API_SECRET": "MA0000002"}
        found = lines(person)["Settings"]
        assert (found["state"], "client code" in found["words"]) == ("to do", True)

    def test_the_network_waits_for_the_settings(self, person: Person) -> None:
        person.settings["BROKER_API_SECRET"] = ""
        found = lines(person)
        assert [found[name]["state"] for name in ("DNS", "TLS", "mStock", "Clock")] == [
            "skipped"
        ] * 4
        assert len(person.box.journal) == 0

    def test_a_clock_that_is_wrong_is_told_with_its_seconds(self, person: Person) -> None:
        person.box.clock.advance(timedelta(seconds=40))
        found = lines(person)["Clock"]
        assert found["state"] == "to do"
        assert re.search(r"clock is 4[01] s behind mStock's", found["words"])

    @on_posix
    @pytest.mark.parametrize("mode", [0o644, 0o640, 0o606])
    def test_an_env_that_others_may_read_is_told(
        self, person: Person, env_file: Path, mode: int
    ) -> None:
        env_file.chmod(mode)
        found = lines(person)["Rights of .env"]
        assert (found["state"], found["todo"]) == ("to do", f"Run chmod 600 {env_file}")

    @on_posix
    def test_a_key_that_others_may_read_is_told(self, person: Person, tmp_path: Path) -> None:
        home = tmp_path / "home"
        home.mkdir(0o700)
        for name, mode in (
            ("sessions.key", 0o640),
            ("sessions.db", 0o600),
            ("trading-days.json", 0o644),
        ):
            (home / name).touch()
            (home / name).chmod(mode)
        found = lines(person)["Rights of stored data"]
        assert found["todo"] == f"Run chmod go-rwx {home / 'sessions.key'}"
        (home / "sessions.key").chmod(0o600)
        assert lines(person)["Rights of stored data"]["state"] == "ok"

    def test_a_torn_store_is_a_line_and_not_the_end(self, person: Person) -> None:
        class Torn(MemoryStore):
            def accounts(self) -> Any:
                raise StoreError("The stored data is damaged.", "Put it back.")

        person.store = Torn(MSTOCK)
        found = lines(person)
        assert found["Stored data"] == {
            "name": "Stored data",
            "state": "to do",
            "words": "The stored data is damaged.",
            "todo": "Put it back.",
        }
        assert found["mStock"]["state"] == "ok"

    def test_a_login_without_a_terminal_is_refused(self, person: Person) -> None:
        person.is_at_terminal = False
        assert person.runs("doctor", "--login").exit_code == 2


class TestTheWayToMstock:
    @pytest.fixture
    def live(self, person: Person) -> Person:
        del person.settings["MSTOCK_REST_URL"]
        greeting = MSTOCK.login_client(person.config, person.clock)
        greeting.server_time = lambda: None  # type: ignore[method-assign]
        person.broker = replace(MSTOCK, login_client=lambda *_: greeting)
        return person

    def test_a_name_without_address_is_told(
        self, live: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def unknown(*_: object, **__: object) -> None:
            raise socket.gaierror

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        found = lines(live)["DNS"]
        assert (found["state"], found["words"]) == ("to do", "api.mstock.trade has no address")

    def test_mstock_itself_has_name_and_certificate(
        self, live: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: ["an address"])
        found = lines(live)
        assert found["DNS"]["state"] == found["TLS"]["state"] == "ok"
        assert found["Clock"]["state"] == "skipped"

    def test_a_proxy_looks_the_name_up(self, live: Person) -> None:
        live.settings["HTTPS_PROXY"] = "http://127.0.0.1:9"
        assert lines(live)["DNS"]["state"] == "skipped"

    @pytest.mark.parametrize(
        ("seconds", "state", "words"),
        [
            (0.4, "ok", "agrees"),
            (29.9, "ok", "30 s behind"),
            (30.1, "to do", "30 s behind"),
            (-3600, "to do", "3600 s ahead of"),
        ],
    )
    def test_how_far_clocks_may_be_apart(self, seconds: float, state: str, words: str) -> None:
        found = clock_check(timedelta(seconds=seconds), "mStock")
        assert found.state == state
        assert words in found.words

    def test_a_false_certificate_is_about_tls(self, person: Person) -> None:
        def refuse(*_: object) -> LoginClient:
            raise CertificateError("It is not mStock.", "Look at the proxy.")

        person.broker = replace(MSTOCK, login_client=refuse)
        found = lines(person)
        assert found["TLS"]["state"] == "to do"
        assert found["mStock"]["state"] == found["Clock"]["state"] == "skipped"


class TestWithALogin:
    @pytest.fixture(autouse=True)
    def totp(self, person: Person) -> None:
        person.box.demo.totp_enabled = True

    def trial(self, person: Person, code: str = "", answer: str = "y") -> dict[str, Any]:
        right = person.box.totp_now(person.box.demo.client_code)
        return lines(person, "--login", types=[answer, person.box.demo.password, code or right])

    @pytest.mark.parametrize("api_type", ["A", "B"])
    def test_all_five_are_told_and_the_session_is_ended(
        self, person: Person, api_type: str
    ) -> None:
        person.settings |= settings_for(person.box, api_type)
        found = self.trial(person)
        assert [found[name]["state"] for name in TRIAL_NAMES] == ["ok"] * 5
        assert person.calls("connect/login") == person.calls("logout") == 1
        assert not any(s.alive(person.box.clock.now()) for s in person.box.sessions)
        assert person.context().session() is None

    def test_a_logout_that_was_lost_is_sent_once_more(self, person: Person) -> None:
        person.box.faults.set("b/logout", "bad_gateway", times=1, when="before")
        assert self.trial(person)["Logout"]["state"] == "ok"
        assert person.calls("logout") == 2
        assert not any(s.alive(person.box.clock.now()) for s in person.box.sessions)

    def test_without_a_yes_nothing_is_sent(self, person: Person) -> None:
        found = self.trial(person, answer="n")
        assert found["Login"]["state"] == "skipped"
        assert person.calls("connect/login") == 0

    def test_a_wrong_password_is_about_the_password_and_sent_once(self, person: Person) -> None:
        person.box.demo.password = person.leaks.hide("another", "Another-password-1")
        found = lines(person, "--login", types=["y", "not-the-password", "123456"])
        assert found["Password"]["state"] == "to do"
        assert "9 attempts are left" in found["Password"]["words"]
        assert found["TOTP"]["state"] == found["API key"]["state"] == "skipped"
        assert person.calls("connect/login") == 1
        assert person.calls("verifytotp") == 0

    def test_a_wrong_code_is_about_totp(self, person: Person) -> None:
        right = person.box.totp_now(person.box.demo.client_code)
        found = self.trial(person, f"{(int(right) + 7) % 1_000_000:06}")
        states = {name: found[name]["state"] for name in TRIAL_NAMES}
        assert states == {
            "Password": "ok",
            "IP whitelist": "ok",
            "TOTP": "to do",
            "API key": "ok",
            "Logout": "skipped",
        }

    def test_a_key_of_the_other_type_is_about_the_key(self, person: Person) -> None:
        person.settings["BROKER_API_SECRET"] = person.box.demo.api_key_a
        found = self.trial(person)
        assert found["API key"]["state"] == "to do"
        assert found["Password"]["state"] == "ok"

    @pytest.mark.parametrize("api_type", ["A", "B"])
    def test_an_address_that_is_not_registered_is_about_the_address(
        self, person: Person, api_type: str
    ) -> None:
        person.settings |= settings_for(person.box, api_type)
        person.box.demo.ip_refused = True
        found = self.trial(person)
        assert found["IP whitelist"]["state"] == "to do"
        assert "static IP" in found["IP whitelist"]["todo"]

    def test_totp_that_is_not_enabled_is_told(self, person: Person) -> None:
        person.box.demo.totp_enabled = False
        found = self.trial(person)
        assert "not enabled" in found["TOTP"]["words"]
        assert person.calls("verifytotp") == 0

    def test_a_torn_store_does_not_hinder_it(self, person: Person) -> None:
        class Torn(MemoryStore):
            def accounts(self) -> Any:
                raise StoreError("The stored data is damaged.", "Put it back.")

        person.store = Torn(MSTOCK)
        assert self.trial(person)["Password"]["state"] == "ok"


class TestReport:
    def test_it_holds_nothing_that_is_nobody_elses(
        self, person: Person, tmp_path: Path, env_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        home = tmp_path / "asha"
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setenv("USERPROFILE", str(home))
        for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
            monkeypatch.setenv(name, "asha")
        if os.name == "posix":
            env_file.chmod(0o644)

        class Torn(MemoryStore):
            def accounts(self) -> Any:
                words = f"Torn: {home}/.openalgo-brokers/sessions.db of asha is damaged. MA0000001"
                raise StoreError(words, "Ask 49.36.12.7, 2405:201:aa:1::7 or asha@example.com.")

        person.store = Torn(MSTOCK)
        for form in ([], ["--json"]):
            text = person.runs("doctor", "--report", *form).stdout
            for hidden in ("asha", str(tmp_path), "MA0000001", "49.36", "2405", "MA••••01"):
                assert hidden not in text, (hidden, text)
            assert "~/.openalgo-brokers/sessions.db" in text
            assert "SIMULATOR" in text
            assert "agrees with mStock's" in text

    def test_a_version_is_no_address(self) -> None:
        for text, clean in (
            ("OpenAlgo 2.0.2.1 here", "OpenAlgo 2.0.2.1 here"),
            ("at 127.0.0.1:5000.", "at <address>:5000."),
            ("from 10.1.2.3.", "from <address>."),
            ("23 Nov 2026, 09:15:00 IST", "23 Nov 2026, 09:15:00 IST"),
        ):
            assert redacted(text, {}, {}) == clean

    def test_the_longer_path_goes_first(self) -> None:
        texts = {"/home/asha": "~", "/home/asha/x": "<folder>", "/": "?"}
        assert redacted("/home/asha/x/.env /home/asha/y /", texts, {}) == "<folder>/.env ~/y /"


class TestOpenalgo:
    @pytest.fixture
    def checkout(self, tmp_path: Path) -> Path:
        folder = tmp_path / "openalgo"
        for sign in SIGNS:
            (folder / sign).parent.mkdir(exist_ok=True, parents=True)
            if (folder / sign).suffix:
                (folder / sign).touch()
            else:
                (folder / sign).mkdir()
        (folder / "utils" / "version.py").write_text('VERSION = "2.0.2.1"\n')
        return folder

    @pytest.mark.parametrize(
        ("version", "state"), [("2.0.2.1", "ok"), ("2.1.0", "to do"), ("", "to do")]
    )
    def test_its_version_is_told(
        self, person: Person, checkout: Path, version: str, state: str
    ) -> None:
        (checkout / "utils" / "version.py").write_text(f'VERSION = "{version}"\n')
        found = lines(person, "--openalgo", str(checkout))
        assert found["OpenAlgo"]["state"] == state
        assert version in found["OpenAlgo"]["words"]
        assert found["Rights of stored data"]["state"] == "skipped"

    def test_its_own_settings_are_looked_at(self, person: Person, checkout: Path) -> None:
        (checkout / ".env").write_text("BROKER_API_KEY=a/key+that@@is=one\n")
        assert "Swap it" in lines(person, "--openalgo", str(checkout))["Settings"]["todo"]

    def test_what_the_installer_finds_is_told(self, person: Person, checkout: Path) -> None:
        found = lines(person, "--openalgo", str(checkout))
        assert any(each["state"] == "to do" and each["todo"] for each in found.values())

    def test_another_folder_is_not_taken_for_it(self, person: Person, tmp_path: Path) -> None:
        done = person.runs("doctor", "--openalgo", str(tmp_path))
        assert (done.exit_code, "not OpenAlgo's folder" in done.stderr) == (2, True)
