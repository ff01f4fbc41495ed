"""Checks of the `.env` and of what is kept: nothing here asks the network."""

from __future__ import annotations

import os
import platform
import re
import stat
import sys
from pathlib import Path

from broker._kit.broker import BrokerSettings
from broker._kit.cli.checks.check import Check, failed, fine, skipped, to_do
from broker._kit.cli.context import Desk
from broker._kit.cli.describe import LOG_IN
from broker._kit.errors import BrokerError
from broker._kit.openalgo.installer import findings, repair

IS_WINDOWS = sys.platform == "win32"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
# As all known client codes are: mStock's keys are longer and have other characters too.
_CLIENT_CODE = r"[A-Za-z]{2}[0-9]{4,10}"
_OLDEST_PYTHON = (3, 11)


def program() -> Check:
    """The Python that runs this."""
    words = f"Python {platform.python_version()} on {platform.system()}"
    if sys.version_info[:2] < _OLDEST_PYTHON:
        return to_do("Python", words, "Use Python 3.11 or newer.")
    return fine("Python", words)


def settings(desk: Desk) -> list[Check]:
    """Whether the `.env` is there, is kept to its owner, and can be used."""
    found = desk.env_file
    checks = []
    if found is not None:
        checks.append(_rights_of_env(found))
    try:
        _ = desk.settings
    except BrokerError as error:
        return [*checks, failed("Settings", error)]
    try:
        config = desk.config
    except BrokerError as error:
        checks.append(failed("Settings", error))
    else:
        kind = "mStock itself" if config.is_live else "a SIMULATOR on this computer"
        checks += [
            fine("Settings", f"complete; API type {config.api_type}, for {kind}"),
            _not_swapped(config),
        ]
    try:
        _ = desk.upkeep
    except BrokerError as error:
        checks.append(failed("Settings of what is kept", error))
    return checks


def kept(desk: Desk) -> list[Check]:
    """Whether what is kept is its owner's alone and can be read, and whether a session is alive."""
    if desk.openalgo is not None:
        return [skipped("What is kept", "OpenAlgo keeps it, in its own database")]
    try:
        upkeep = desk.upkeep
    except BrokerError:
        return [skipped("What is kept", "the settings come first")]
    checks = [_rights_of_home(upkeep.home)]
    try:
        desk.store.accounts()
    except BrokerError as error:
        return [*checks, failed("Vault", error)]
    checks.append(fine("Vault", "can be read, or holds nothing yet"))
    try:
        session = desk.session()
    except BrokerError:
        return checks
    if session is None or session.is_over:
        words = "none is kept" if session is None else "over; mStock sessions end at midnight IST"
        checks.append(skipped("Session", f"{words}. To log in: {LOG_IN}"))
    else:
        checks.append(fine("Session", "one is kept that can be alive"))
    return checks


def repaired(desk: Desk) -> list[Check]:
    """Takes back what was interrupted in OpenAlgo's folder; nothing when all is whole."""
    name, folder = "Repair", desk.openalgo
    if folder is None:
        return [skipped(name, "no OpenAlgo here; point at one with --openalgo FOLDER")]
    try:
        done = repair(folder)
    except BrokerError as error:
        return [failed(name, error)]
    return [fine(name, words) for words in done] or [fine(name, "nothing was interrupted")]


def host(desk: Desk) -> list[Check]:
    """The OpenAlgo that this runs in or was pointed at: its version, and how we are installed."""
    folder = desk.openalgo
    if folder is None:
        return [skipped("OpenAlgo", "not here; point at one with --openalgo FOLDER")]
    return [
        fine(each.name, each.words) if each.ok else to_do(each.name, each.words, each.todo)
        for each in findings(folder)
    ]


def _rights_of_env(path: Path) -> Check:
    if IS_WINDOWS:
        return skipped("Rights of .env", "Windows keeps them in another way; not looked at")
    try:
        mode = path.stat().st_mode
    except OSError:
        return to_do("Rights of .env", "they cannot be read", "Check that the file is yours.")
    if mode & _OTHERS:
        return to_do(
            "Rights of .env",
            "other users of this computer may read or change it, and it holds the API key",
            f"Run chmod 600 {path}",
        )
    return fine("Rights of .env", "only its owner may read it")


def _rights_of_home(home: str) -> Check:
    """The folder of the vault and everything in it; looked at, and not mended."""
    name = "Rights of key and vault"
    if not os.path.isdir(home):
        return skipped(name, "nothing is kept on this computer yet")
    if IS_WINDOWS:
        return skipped(name, "Windows keeps them in another way; not looked at")
    try:
        loose = [
            path
            for path in (home, *(entry.path for entry in os.scandir(home)))
            if os.lstat(path).st_mode & (_OTHERS if path != home else stat.S_IWGRP | stat.S_IWOTH)
            and os.path.basename(path) not in _NO_SECRET
        ]
    except OSError:
        return to_do(name, f"{home} cannot be read", "Check that the folder is yours.")
    if not loose:
        return fine(name, "only their owner may read them")
    mend = " and ".join(
        f"chmod {'700' if os.path.isdir(path) else '600'} {path}" for path in sorted(loose)
    )
    return to_do(name, "other users of this computer may read or change them", f"Run {mend}")


_NO_SECRET = ("trading-days.json",)


def _not_swapped(config: BrokerSettings) -> Check:
    """The other way round is refused by the settings themselves."""
    name = "Client code and API key"
    if re.fullmatch(_CLIENT_CODE, config.api_key.reveal()):
        return to_do(
            name,
            "BROKER_API_SECRET holds what looks like a client code",
            "Put the client code into BROKER_API_KEY and the API key into BROKER_API_SECRET.",
        )
    return fine(name, "each looks as it should, and they are not swapped")
