"""Where things are kept and whom to tell: defaults, and what is refused by name and not shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker._kit.errors import SettingError
from broker._kit.secret import Secret
from broker._kit.settings import ServiceSettings

BOT = "123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc"


def test_defaults_are_a_folder_of_the_user_and_nobody_to_tell() -> None:
    home = str(Path("~/.openalgo-brokers").expanduser())
    assert ServiceSettings.from_env({}) == ServiceSettings(home, False, None, None, None)


def test_is_read_from_the_environment_at_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_HOME", "/srv/mstock")
    monkeypatch.setenv("BROKER_KEYRING", "1")
    upkeep = ServiceSettings.from_env()
    assert (upkeep.home, upkeep.uses_keyring) == (str(Path("/srv/mstock").absolute()), True)


@pytest.mark.parametrize(
    "url",
    ["sqlite:////srv/mstock.db", "postgresql+psycopg://me:s3cr3t@127.0.0.1/mstock"],
)
def test_takes_a_database_of_two_kinds(url: str) -> None:
    assert ServiceSettings.from_env({"BROKER_STORE": f' "{url}" '}).store_url == Secret(url)


@pytest.mark.parametrize(
    "url", ["https://example.com/hook", "http://127.0.0.1:8080/hook", "http://localhost/x"]
)
def test_takes_a_webhook_over_tls_or_on_this_computer(url: str) -> None:
    assert ServiceSettings.from_env({"BROKER_NOTIFY_URL": url}).webhook == Secret(url)


@pytest.mark.parametrize("chat", ["-1001234567890", "42", "@my_channel"])
def test_takes_a_telegram_bot_with_its_chat(chat: str) -> None:
    given = {"BROKER_TELEGRAM_TOKEN": BOT, "BROKER_TELEGRAM_CHAT": chat}
    assert ServiceSettings.from_env(given).telegram == (Secret(BOT), chat)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BROKER_KEYRING", "s3cr3t"),
        ("BROKER_STORE", "mysql://me:s3cr3t@db/mstock"),
        ("BROKER_STORE", "s3cr3t"),
        ("BROKER_NOTIFY_URL", "http://example.com/s3cr3t"),
        ("BROKER_NOTIFY_URL", "https://me:s3cr3t@example.com/hook"),
        ("BROKER_NOTIFY_URL", "http://127.0.0.1.example.com/s3cr3t"),
        ("BROKER_TELEGRAM_TOKEN", BOT),
        ("BROKER_TELEGRAM_CHAT", "42"),
    ],
)
def test_refuses_by_name_without_showing_the_value(name: str, value: str) -> None:
    with pytest.raises(SettingError) as caught:
        ServiceSettings.from_env({name: value})
    assert name in str(caught.value)
    assert value not in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.next_step


def test_shows_no_secret() -> None:
    given = {
        "BROKER_STORE": "postgresql://me:s3cr3t@db/mstock",
        "BROKER_NOTIFY_URL": "https://example.com/s3cr3t",
        "BROKER_TELEGRAM_TOKEN": BOT,
        "BROKER_TELEGRAM_CHAT": "42",
    }
    shown = repr(ServiceSettings.from_env(given))
    assert "s3cr3t" not in shown
    assert BOT not in shown
