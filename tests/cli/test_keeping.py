"""`auto-login` and `erase`: what is kept, what is shown of it, and that it is gone afterwards."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from broker._kit.cli.auto_login import EXITS
from broker._kit.cli.context import Context
from broker._kit.secret import Secret
from broker._kit.sessions.record import Result
from broker._kit.sessions.store import Store, open_store
from broker._kit.settings import ServiceSettings
from broker.mstock.__main__ import cli
from broker.mstock.broker import MSTOCK
from broker.mstock.terms import TERMS
from proofs.simulated import SimulatedTime
from tests.cli.conftest import Person
from tests.support.stage import MORNING

ENABLE = ("auto-login", "enable")


def enabled(person: Person) -> None:
    demo = person.box.demo
    demo.totp_enabled = True
    done = person.runs(*ENABLE, "--accept-terms", types=[demo.password, demo.totp_secret])
    assert done.exit_code == 0, done.output


class TestAutoLogin:
    def test_the_terms_come_first_and_consent_is_asked(self, person: Person) -> None:
        demo = person.box.demo
        done = person.runs(*ENABLE, types=["y", demo.password, demo.totp_secret])
        assert done.exit_code == 0
        assert all(paragraph in done.stderr for paragraph in TERMS)
        assert "Auto-login  on" in done.stdout
        assert person.store.load(person.config.account).password
        assert len(person.box.journal) == 0

    @pytest.mark.parametrize("answer", ["n", ""])
    def test_without_consent_nothing_is_kept(self, person: Person, answer: str) -> None:
        done = person.runs(*ENABLE, types=[answer])
        assert done.exit_code == 1
        assert person.store.accounts() == []
        code, body = person.asks(*ENABLE, types=[answer])
        assert (code, body["status"]) == (1, "cancelled")

    def test_what_is_no_totp_secret_is_refused(self, person: Person) -> None:
        words = person.leaks.hide("no secret", "not base32 at all 0189")
        done = person.runs(*ENABLE, "--accept-terms", types=[person.box.demo.password, words])
        assert done.exit_code == 1
        assert person.asks("auto-login", "status")[1]["auto_login"]["state"] == "off"

    def test_nobody_at_a_terminal_is_asked_nothing(self, person: Person) -> None:
        person.is_at_terminal = False
        assert person.runs(*ENABLE, "--accept-terms").exit_code == 2

    def test_it_stands_on_the_status(self, person: Person) -> None:
        enabled(person)
        code, body = person.asks("status")
        assert (code, body["auto_login"]["state"]) == (3, "on")
        assert body["auto_login"]["next"]
        line = person.runs("status").stdout.splitlines()[0]
        assert line == "SIMULATOR: Not logged in; next login Wednesday 08:35"

    def test_a_test_logs_in_once_and_keeps_the_session(
        self, person: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        enabled(person)
        code, body = person.asks("auto-login", "test")
        assert (code, body["attempt"]["result"]) == (0, "done")
        assert person.calls("connect/login") == 1
        assert person.asks("status")[1]["session"]["method"] == "auto-login"
        assert "Logged in." in person.runs("auto-login", "status").stdout

    def test_a_test_without_it_sends_nothing(self, person: Person) -> None:
        assert person.asks("auto-login", "test")[0] == 1
        assert len(person.box.journal) == 0

    def test_a_changed_password_is_refused_once_and_shown_afterwards(self, person: Person) -> None:
        enabled(person)
        person.box.demo.password = person.leaks.hide("new password", "Changed-at-mStock-2")
        code, body = person.asks("auto-login", "test")
        assert (code, body["kind"]) == (1, "InputException")
        assert person.calls("connect/login") == 1
        shown = person.asks("auto-login", "status")[1]["auto_login"]
        assert shown["last"]["result"] == "refused"
        assert shown["blocked"]
        line, why, _ = person.runs("status").stdout.splitlines()
        assert line == "SIMULATOR: Not logged in; auto-login has stopped"
        assert why == shown["blocked"]

    def test_a_code_that_was_entered_a_moment_ago_is_not_sent_again(self, person: Person) -> None:
        person.clock = SimulatedTime(person.box, MORNING)  # type: ignore[assignment]
        enabled(person)
        demo = person.box.demo
        code = person.leaks.hide("code", person.box.totp_now(demo.client_code))
        done = person.runs("doctor", "--login", types=["y", demo.password, code])
        assert person.calls("session/verifytotp") == 1, done.output
        assert person.asks("auto-login", "test")[1]["attempt"]["result"] == "done"

    def test_off_removes_both_secrets(self, person: Person) -> None:
        enabled(person)
        code, body = person.asks("auto-login", "disable")
        assert (code, len(body["removed"])) == (0, 2)
        record = person.store.load(person.config.account)
        assert record.password is record.totp_secret is None
        assert person.runs("auto-login", "disable").stdout == "Auto-login is off.\n"

    def test_every_result_has_an_exit_code(self) -> None:
        assert set(EXITS) == {str(each) for each in Result}


class TestErase:
    def test_it_says_what_it_removed(self, person: Person) -> None:
        enabled(person)
        code, body = person.asks("erase", "--yes")
        assert (code, body["status"]) == (0, "success")
        assert "password of MA••••01, API type B" in body["removed"]
        assert person.store.accounts() == []
        assert person.runs("erase", "--yes").stdout == (
            "Nothing was stored, so nothing was removed.\n"
        )

    def test_it_asks_first(self, person: Person) -> None:
        person.is_logged_in()
        done = person.runs("erase", types=["n"])
        assert (done.exit_code, done.stdout.splitlines()[-1]) == (1, "Nothing was removed.")
        assert person.context().session() is not None
        assert person.runs("erase", types=["y"]).exit_code == 0
        assert person.context().session() is None

    def test_a_script_has_to_say_yes(self, person: Person) -> None:
        person.is_logged_in()
        person.is_at_terminal = False
        done = person.runs("erase")
        assert (done.exit_code, "--yes" in done.stderr) == (2, True)
        assert person.context().session() is not None

    def test_it_works_when_the_account_is_not_set_right(self, person: Person) -> None:
        person.is_logged_in()
        person.settings["BROKER_API_SECRET"] = ""
        assert person.runs("erase", "--yes").exit_code == 0
        assert person.store.accounts() == []

    @pytest.mark.parametrize("later", ["database", "keyring"])
    def test_nothing_stays_in_a_folder_that_was_used_before_another_place(
        self, person: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later: str
    ) -> None:
        (tmp_path / ".env").touch(0o600)
        account = person.config.account

        def put() -> Store:
            store = open_store(MSTOCK, ServiceSettings.from_env(person.settings))
            with store.update(account) as record:
                record.password = Secret("stored")
            return store

        stores = [put()]
        if later == "keyring":
            keyring = SimpleNamespace(get_password=lambda *_: None)
            monkeypatch.setitem(sys.modules, "keyring", keyring)
            person.settings["BROKER_KEYRING"] = "1"
        else:
            person.settings["BROKER_STORE"] = f"sqlite:///{tmp_path / 'mstock.db'}"
            stores.append(put())
        context = Context(MSTOCK, read_settings=lambda: person.settings)
        done = CliRunner().invoke(cli, ["erase", "--yes"], obj=context)
        assert done.exit_code == 0, done.output
        assert done.output.count("of MA••••01, API type B") == len(stores)
        assert [store.accounts() for store in stores] == [[]] * len(stores)
        assert not any("key" in path.name for path in (tmp_path / "home").iterdir())
