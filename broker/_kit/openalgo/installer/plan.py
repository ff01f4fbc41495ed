"""What an install would do, reckoned beforehand from what is there: shown, and then carried out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from broker._kit.errors import HostError
from broker._kit.openalgo.installer import app_patch, env_file
from broker._kit.openalgo.installer.inspect import KNOWN, Checkout, Place, look
from broker._kit.openalgo.installer.install_record import Record, read_record
from broker._kit.openalgo.installer.journal import refuse_interrupted
from broker._kit.openalgo.installer.plugin_files import (
    Match,
    Package,
    compared,
    own_folder,
    read_package,
)
from broker._kit.secret import Secret
from broker.mstock.settings import REDIRECT_URL

_CALLBACK = "/mstock/callback"
_ADDRESS = r"(https?://[^/\s<>]+)"


class Plan(NamedTuple):
    """An install, not yet done. `app` and `env` are the new bytes, None where nothing changes.

    `words` are the steps as a person reads them, without any value; `diff` that of `app.py`.
    """

    host: Checkout
    package: Package
    record: Record | None
    replaces_plugin: bool
    app: bytes | None
    env: bytes | None
    changes: Mapping[str, Secret]
    words: tuple[str, ...]
    diff: str

    @property
    def is_done(self) -> bool:
        """Everything is already as it should be."""
        return not self.replaces_plugin and self.app is None and self.env is None


def plan(
    openalgo: Path,
    *,
    package: Package | None = None,
    changes: Mapping[str, Secret] | None = None,
    patch: bool = True,
    force: bool = False,
) -> Plan:
    """Look at an OpenAlgo and say what an install would do; nothing is written.

    `package` is the plugin to install, this one unless given; `changes` are values for `.env`;
    `force` goes on with a version of OpenAlgo that is not known. Raises `HostError`.
    """
    refuse_interrupted(Place(openalgo.resolve()))
    host = look(openalgo)
    package = package or read_package(own_folder())
    live = host.place.plugin
    if package.folder.resolve() == live.resolve():
        raise HostError(
            "This plugin is the one that is installed there already.",
            "Run the command in the folder of the release that you downloaded.",
        )
    if live.is_symlink():
        raise HostError(
            f"{live} is a link to another folder.", "Replace it by a real folder, or take it away."
        )
    if not host.is_known and not force:
        raise HostError(
            f"This is OpenAlgo {host.version}; the plugin was tested with {KNOWN}.x only.",
            "Use --force to install all the same, and --dry-run to look first.",
        )
    record = read_record(host.place)
    match, _ = compared(live, package.files)
    replaces = match is not Match.WHOLE or record is None or dict(record.files) != package.files
    app = app_patch.patched(host.app) if patch else host.app
    env, wanted = host.env, dict(changes or {})
    if env is not None:
        said = env_file.values(env)
        wanted = {name: new for name, new in wanted.items() if said.get(name) != new.reveal()}
        env = env_file.edited(env, wanted)
    elif wanted:
        raise HostError(
            "OpenAlgo has no .env file yet.",
            "Copy .sample.env to .env there and fill it in as OpenAlgo's guide says.",
        )
    return Plan(
        host=host,
        package=package,
        record=record,
        replaces_plugin=replaces,
        app=None if app == host.app else app,
        env=None if env == host.env else env,
        changes=wanted,
        words=_words(host, package, replaces, app, wanted, patch),
        diff=app_patch.diff(host.app, app),
    )


def suggested(env: bytes) -> dict[str, str]:
    """The values that OpenAlgo itself needs for mStock, as far as `.env` lacks them, by name.

    They hold no secret: `REDIRECT_URL` at the address that stands there, and `VALID_BROKERS`.
    Raises `SettingError`.
    """
    said = env_file.values(env)
    wanted = {}
    redirect = said.get("REDIRECT_URL", "")
    if not re.fullmatch(rf"{_ADDRESS}{_CALLBACK}", redirect):
        base = re.match(rf"{_ADDRESS}/", redirect) or re.match(
            _ADDRESS, said.get("HOST_SERVER", "")
        )
        wanted["REDIRECT_URL"] = base[1] + _CALLBACK if base else REDIRECT_URL
    brokers = said.get("VALID_BROKERS")
    if brokers is not None and "mstock" not in names_in(brokers):
        wanted["VALID_BROKERS"] = f"{brokers.rstrip(', ')},mstock".lstrip(",")
    return wanted


def other_broker(env: bytes) -> str:
    """The broker that `.env` now names, "" when it is mStock or none. Raises `SettingError`."""
    found = re.search(r"/([A-Za-z0-9_-]+)/callback$", env_file.values(env).get("REDIRECT_URL", ""))
    return found[1] if found and found[1].lower() != "mstock" else ""


def names_in(brokers: str) -> set[str]:
    """The brokers in a `VALID_BROKERS` line."""
    return {name.strip().lower() for name in brokers.split(",")}


def _words(
    host: Checkout,
    package: Package,
    replaces: bool,
    app: bytes,
    changes: Mapping[str, Secret],
    patch: bool,
) -> tuple[str, ...]:
    words = []
    if replaces:
        words.append(
            f"put mStock {package.version} ({len(package.files)} files) into broker/mstock"
        )
        if host.place.plugin.is_dir():
            words.append("keep the broker/mstock of now in .mstock-openalgo/backups")
    if app != host.app:
        words.append("add the marked lines to app.py that open mStock's own pages")
    elif not patch and app_patch.state(app) is not app_patch.Patch.PRESENT:
        words.append("leave app.py as it is: no login by OTP and none of the plugin's own pages")
    words += [f"set {name} in .env" for name in changes]
    return tuple(words)
