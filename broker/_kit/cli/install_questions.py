"""What `install` asks about OpenAlgo's `.env`: hidden, checked, and never shown again."""

from __future__ import annotations

from collections.abc import Mapping

import click

from broker._kit.errors import SettingError
from broker._kit.openalgo.installer.env_file import values
from broker._kit.openalgo.installer.plan import other_broker, suggested
from broker._kit.secret import Secret
from broker.mstock.settings import Config

_CODE = "BROKER_API_KEY"
_KEY = "BROKER_API_SECRET"
_TYPE = "MSTOCK_API_TYPE"


def unasked(env: bytes, api_type: str | None) -> dict[str, Secret]:
    """What may be set without a question: nothing that another broker uses, and no key.

    `REDIRECT_URL` and `VALID_BROKERS` are set only while `.env` names no other broker.
    """
    wanted = {} if other_broker(env) else suggested(env)
    if api_type:
        wanted[_TYPE] = api_type
    return {name: Secret(value) for name, value in wanted.items()}


def asked(env: bytes, api_type: str | None) -> dict[str, Secret]:
    """The values to set, by name, as the user answers; Enter keeps what stands there."""
    said = values(env)
    changes = _addresses(env)
    click.echo("Your keys for .env. What you type is not shown; Enter keeps what stands there.")
    code = _hidden("mStock client code (the login id)", _CODE, said)
    given = {_CODE: code.reveal()} if code else {}
    key = _hidden("mStock API key", _KEY, {**said, **given})
    changes |= {name: secret for name, secret in ((_CODE, code), (_KEY, key)) if secret}
    kind = api_type or click.prompt(
        "Type of the API key",
        type=click.Choice(["A", "B"], case_sensitive=False),
        default="A" if said.get(_TYPE, "").upper() == "A" else "B",
    )
    return {**changes, _TYPE: Secret(str(kind).upper())}


def _addresses(env: bytes) -> dict[str, Secret]:
    wanted = suggested(env)
    other = other_broker(env)
    if not wanted:
        return {}
    question = (
        f"OpenAlgo is set to {other}. Make mStock its broker ({' and '.join(wanted)} in .env)?"
        if other
        else f"Make mStock OpenAlgo's broker ({' and '.join(wanted)} in .env)?"
    )
    if not click.confirm(question, default=not other):
        return {}
    return {name: Secret(value) for name, value in wanted.items()}


def _hidden(prompt: str, name: str, said: Mapping[str, str]) -> Secret | None:
    """What is typed, once it passes the plugin's own check; None for Enter."""
    while True:
        typed = click.prompt(prompt, default="", hide_input=True, show_default=False).strip()
        if not typed:
            return None
        # The other of the two may not be filled in yet; a blank one's complaint is not ours.
        other = {_CODE: "C1"} if name == _KEY else {_KEY: "K1"}
        here = said.get(_CODE, "") if name == _KEY else ""
        try:
            Config.from_env({**other, **({_CODE: here} if _usable(here) else {}), name: typed})
        except SettingError as error:
            click.echo(str(error))
        else:
            return Secret(typed)


def _usable(code: str) -> bool:
    try:
        Config.from_env({_CODE: code, _KEY: "K1"})
    except SettingError:
        return False
    return True
