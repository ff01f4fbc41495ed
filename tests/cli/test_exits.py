"""The table of exit codes: every error has its own, and the help tells all of them."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from broker._kit.cli.console import FAMILIES, WORDS, Exit, exit_of
from broker._kit.errors import BrokerError
from broker.mstock.__main__ import cli
from broker.mstock.streaming import connection  # noqa: F401 - its errors are to be known here
from tests.cli.conftest import commands_of

OURS = commands_of(cli)  # which loads the rooms, and with them their errors

EXPECTED = {
    "SettingError": 5,
    "CertificateError": 5,
    "StoreError": 5,
    "HostError": 5,
    "APIKeyException": 5,
    "VersionException": 5,
    "TokenException": 3,
    "InputException": 1,
    "GeneralException": 4,
    "Unreachable": 4,
    "LoginUnfinished": 4,
    "LoginInProgress": 4,
    "LockBusy": 5,
    "RateLimited": 4,
    "MiraeException": 1,
    "PluginFault": 1,
    "SessionRefused": 6,
    "DataException": 6,
    "OutcomeUnknown": 6,
    "PositionUnsure": 6,
    "TokenRefused": 3,
    "ConnectionLost": 4,
    "NoInstruments": 6,
}


def leaves(kind: type[BrokerError]) -> list[type[BrokerError]]:
    subs = [sub for sub in kind.__subclasses__() if not sub.__name__.startswith("_")]
    return [leaf for sub in subs for leaf in leaves(sub)] or [kind]


@pytest.mark.parametrize("kind", leaves(BrokerError), ids=lambda kind: kind.__name__)
def test_every_error_has_the_code_that_is_documented(kind: type[BrokerError]) -> None:
    assert exit_of(kind("words")) == EXPECTED[kind.__name__]


def test_no_row_is_hidden_by_an_earlier_one() -> None:
    for n, (family, _) in enumerate(FAMILIES):
        assert not any(issubclass(family, earlier) for earlier, _ in FAMILIES[:n])


def test_every_code_is_explained_in_every_help() -> None:
    assert set(WORDS) == set(Exit)
    ours = set(OURS) - {"demo", "install", "uninstall"}
    for words in ([], *([name] for name in ours), ["auto-login", "test"]):
        text = CliRunner().invoke(cli, [*words, "--help"]).stdout
        for code in Exit:
            assert f"\n  {int(code)} " in text, words


def test_no_option_takes_a_secret() -> None:
    def options(command: click.Command) -> list[str]:
        names = [name for each in command.params for name in each.opts]
        if isinstance(command, click.Group):
            names += [name for each in commands_of(command).values() for name in options(each)]
        return names

    for name in options(cli):
        assert not any(word in name for word in ("password", "secret", "token", "pin")), name
