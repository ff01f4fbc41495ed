"""What an install or uninstall would do, computed from what is there; nothing is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from broker._kit.broker import Broker
from broker._kit.errors import HostError
from broker._kit.openalgo.checkout import TESTED_VERSION, is_tested
from broker._kit.openalgo.installer import app_patch
from broker._kit.openalgo.installer.env_file import EnvFile
from broker._kit.openalgo.installer.inspect import Checkout, State
from broker._kit.openalgo.installer.package import KIT, Package, read_package, sha256
from broker._kit.openalgo.installer.record import Record
from broker._kit.secret import Secret

_ADDRESS = r"(https?://[^/\s<>]+)"
_LOCAL = "http://127.0.0.1:5000"


class Plan(NamedTuple):
    """An install, not yet done. `app` and `env` are the new files, None where nothing changes.

    `words` are the steps as a person reads them, without any value; `diff` that of `app.py`.
    """

    broker: Broker
    host: Checkout
    package: Package
    writes_files: bool
    app: bytes | None
    env: EnvFile | None
    changes: Mapping[str, Secret]
    words: tuple[str, ...]
    diff: str

    @property
    def is_done(self) -> bool:
        """Everything is already as it should be."""
        return not self.writes_files and self.app is None and self.env is None


class Undo(NamedTuple):
    """An uninstall, not yet done. `left` says what it leaves alone, and why.

    `rest` is the record of what stays installed, None when nothing does.
    """

    broker: Broker
    host: Checkout
    removes_files: bool
    app: bytes | None
    env: EnvFile | None
    rest: Record | None
    words: tuple[str, ...]
    left: tuple[str, ...]
    diff: str


def plan(
    broker: Broker,
    host: Checkout,
    *,
    package: Package | None = None,
    changes: Mapping[str, Secret] | None = None,
    patch: bool = True,
    force: bool = False,
) -> Plan:
    """Say what an install would do.

    `package` is the plugin to install, this one unless given; `changes` are values for `.env`;
    `force` goes on with a version of OpenAlgo that is not known. Raises `BrokerError`.
    """
    package = package or read_package(broker)
    if package.folder == host.place.brokers:
        raise HostError(
            "This plugin is the one that is installed there already.",
            "Run the command in the folder of the release that you downloaded.",
        )
    for folder in (host.place.brokers / broker.name, host.place.brokers / KIT):
        if folder.is_symlink():
            raise HostError(
                f"{folder} is a link to another folder.",
                "Replace it by a real folder, or remove it.",
            )
    if not is_tested(host.version) and not force:
        raise HostError(
            f"This is OpenAlgo {host.version}; the plugin was tested with {TESTED_VERSION}.x only.",
            "Use --force to install all the same, and --dry-run to look first.",
        )
    sums = package.sums
    is_same = host.state is State.WHOLE and host.record is not None and host.record.files == sums
    app = app_patch.patched(broker, host.app) if patch else host.app
    env, wanted = host.env, dict(changes or {})
    if env is not None:
        wanted = {k: new for k, new in wanted.items() if env.values.get(k) != new.reveal()}
        env = env.edited(wanted) if wanted else None
    elif wanted:
        raise no_env()
    words = []
    if not is_same:
        words.append(
            f"copy {broker.title} {package.version} ({len(sums)} files) to broker/{broker.name} "
            f"and broker/{KIT}"
        )
        if host.kit_users:
            words.append(f"replace broker/{KIT}, which {' and '.join(host.kit_users)} uses too")
        if host.live:
            words.append(f"keep a copy of what it replaces in {host.place.home.name}")
    if app != host.app:
        words.append(f"add the marked lines to app.py that open {broker.title}'s own pages")
    elif not patch and app_patch.state(broker, app) is not app_patch.Patch.PRESENT:
        words.append("leave app.py as it is: no login by OTP and none of the plugin's own pages")
    words += [f"set {name} in .env" for name in wanted]
    return Plan(
        broker=broker,
        host=host,
        package=package,
        writes_files=not is_same,
        app=None if app == host.app else app,
        env=env,
        changes=wanted,
        words=tuple(words),
        diff=app_patch.diff(host.app, app),
    )


def plan_undo(broker: Broker, host: Checkout, *, force: bool = False) -> Undo:
    """Say what an uninstall would do; `force` puts back what was changed since, too.

    Raises `HostError`.
    """
    place, record = host.place, host.record
    if record is None and not (place.env_copy.parent.exists() or _has_remains(host)):
        raise HostError(
            f"This installer has installed nothing in {place.openalgo}.",
            "A plugin that was copied by hand is taken out by hand (see docs/openalgo.md).",
        )
    words: list[str] = []
    left: list[str] = []
    if record is None:
        words.append("remove what an install left that was stopped before it changed anything")
        record = Record()
    removes = _folders(broker, host, record, force, words, left)
    if removes:
        kept = [name for name in broker.host_files if (place.openalgo / name).exists()]
        words += [f"remove {name}" for name in kept]
    app, patch_stays = _app(broker, host, record, force, words, left)
    env, lines = _env(host, record, force, words, left)
    rest = record._replace(
        files={} if removes else record.files, is_patched=patch_stays, lines=lines, env=""
    )
    return Undo(
        broker=broker,
        host=host,
        removes_files=removes,
        app=app,
        env=env,
        rest=None if rest.is_empty else rest,
        words=tuple(words),
        left=tuple(left),
        diff=app_patch.diff(host.app, host.app if app is None else app),
    )


def suggested(broker: Broker, env: EnvFile) -> dict[str, str]:
    """The values that OpenAlgo itself needs for the broker, as far as `.env` lacks them, by name.

    They hold no secret: `REDIRECT_URL` at the address that stands there, and `VALID_BROKERS`.
    """
    wanted = {}
    redirect = env.values.get("REDIRECT_URL", "")
    if not re.fullmatch(_ADDRESS + broker.callback_path, redirect):
        base = re.match(_ADDRESS, redirect) or re.match(_ADDRESS, env.values.get("HOST_SERVER", ""))
        wanted["REDIRECT_URL"] = (base[1] if base else _LOCAL) + broker.callback_path
    brokers = env.values.get("VALID_BROKERS")
    if brokers is not None and broker.name not in names_in(brokers):
        wanted["VALID_BROKERS"] = f"{brokers.rstrip(', ')},{broker.name}".lstrip(",")
    return wanted


def other_broker(broker: Broker, env: EnvFile) -> str:
    """The broker that `.env` now names, "" when it is this one or none."""
    found = re.search(r"/([A-Za-z0-9_-]+)/callback$", env.values.get("REDIRECT_URL", ""))
    return found[1] if found and found[1].lower() != broker.name else ""


def names_in(brokers: str) -> set[str]:
    """The brokers in a `VALID_BROKERS` line."""
    return {name.strip().lower() for name in brokers.split(",")}


def no_env() -> HostError:
    """The error for an OpenAlgo that was never set up."""
    return HostError(
        "OpenAlgo has no .env file yet.",
        "Copy .sample.env to .env there and fill it in as OpenAlgo's guide says; or install with "
        "--no-env.",
    )


def some(names: tuple[str, ...]) -> str:
    """The first of many names."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _has_remains(host: Checkout) -> bool:
    home = host.place.home
    names = {path.name for path in home.iterdir()} if home.is_dir() else {"backups"}
    return not {"backups"} <= names <= {"backups", ".gitignore"}


def _folders(
    broker: Broker, host: Checkout, record: Record, force: bool, words: list[str], left: list[str]
) -> bool:
    """Whether the plugin's files are taken out."""
    if not record.files:
        return False
    name = f"broker/{broker.name}"
    if host.state is State.CHANGED and not force:
        left.append(
            f"the plugin was changed since the install ({some(host.differ)}), and is left as it "
            "is; --force puts the old one back and keeps a copy of what was changed"
        )
        return False
    if host.state is State.REPLACED:
        words.append(f"take our files out of {name} (an update of OpenAlgo has put its own there)")
        return True
    if record.original and not (host.place.home / record.original / broker.name).is_dir():
        raise HostError(
            f"The copy of OpenAlgo's own plugin, {host.place.home / record.original}, is gone.",
            f"In OpenAlgo's folder, `git checkout -- {name} app.py` brings both back.",
        )
    words.append(f"put OpenAlgo's own {name} back" if record.original else f"remove {name}")
    if host.kit_users:
        words.append(f"leave broker/{KIT}, which {' and '.join(host.kit_users)} uses")
    else:
        words.append(f"remove broker/{KIT}")
    return True


def _app(
    broker: Broker, host: Checkout, record: Record, force: bool, words: list[str], left: list[str]
) -> tuple[bytes | None, bool]:
    """The new `app.py`, None when it stays, and whether lines of ours stay in it."""
    found = app_patch.state(broker, host.app)
    if not record.is_patched or found is app_patch.Patch.ABSENT:
        return None, False
    if found is app_patch.Patch.OTHER and not force:
        left.append(
            f"the lines for {broker.title} in app.py were changed since the install, and are left "
            "as they are; --force takes out all that stands between the two marks"
        )
        return None, True
    words.append("take the marked lines out of app.py; the rest of it stays as it is")
    return app_patch.unpatched(broker, host.app, force=force), False


def _env(
    host: Checkout, record: Record, force: bool, words: list[str], left: list[str]
) -> tuple[EnvFile | None, dict[str, str]]:
    """The new `.env`, None when it stays, and the lines that stay ours."""
    env, copy = host.env, host.place.env_copy
    if not record.lines or env is None:
        return None, {}
    if not copy.is_file():
        names = ", ".join(record.lines)
        words.append(f"leave {names} in .env: the copy of the former values is gone")
        return None, {}
    before = EnvFile(copy.read_bytes())
    if record.env == sha256(env.data):
        words.append("put .env back")
        return before, {}
    changed = [name for name in record.lines if env.raw(name) != before.raw(name)]
    back = [
        name for name in changed if force or record.fingerprint(env.raw(name)) == record.lines[name]
    ]
    stay = [name for name in changed if name not in back]
    words += [f"put {name} in .env back" for name in back]
    left += [f"{name} in .env was changed since the install, and is left as it is" for name in stay]
    kept = {name: record.lines[name] for name in stay}
    return (env.put_back(before, back) if back else None), kept
