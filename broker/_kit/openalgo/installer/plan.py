"""What an install or uninstall would do, computed from what is there; nothing is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from secrets import token_hex
from typing import NamedTuple

from broker._kit.broker import Broker
from broker._kit.errors import HostError
from broker._kit.openalgo.checkout import TESTED_VERSION, is_tested
from broker._kit.openalgo.installer.app_patch import Patch, diff, patched, state, unpatched
from broker._kit.openalgo.installer.env_file import EnvFile
from broker._kit.openalgo.installer.inspect import (
    KIT,
    Checkout,
    Package,
    Record,
    State,
    read_package,
    sha256,
)
from broker._kit.secret import Secret

_ADDRESS = r"(https?://[^/\s<>]+)"
_LOCAL = "http://127.0.0.1:5000"


class Plan(NamedTuple):
    """An install of a package, or an uninstall (None); not yet done.

    `moves_files` says whether the plugin's files are written or taken out, `record` what will be
    installed then. `words` are the steps as a person reads them, without any value; `left` says
    what an uninstall leaves alone, and why.
    """

    host: Checkout
    package: Package | None
    moves_files: bool
    app: bytes
    env: EnvFile | None
    record: Record
    words: tuple[str, ...]
    left: tuple[str, ...] = ()

    @property
    def is_done(self) -> bool:
        """Everything is already as it should be."""
        return not self.moves_files and self.app == self.host.app and self.env is self.host.env

    @property
    def diff(self) -> str:
        """The change of `app.py`."""
        return diff(self.host.app, self.app)


def plan(
    host: Checkout,
    *,
    package: Package | None = None,
    changes: Mapping[str, Secret] | None = None,
    patch: bool = True,
    force: bool = False,
) -> Plan:
    """Say what an install would do.

    `package` is the plugin to install, this one unless given; `changes` are values for `.env`,
    None to leave it alone; `force` goes on with a version of OpenAlgo that is not known. Raises
    `BrokerError`.
    """
    broker, place, before = host.broker, host.place, host.record
    package = package or read_package(broker)
    _refuse(host, package, force)
    if host.env is None and changes is not None:
        raise HostError(
            "OpenAlgo has no .env file yet.",
            "Copy .sample.env to .env there and fill it in as OpenAlgo's guide says; or install "
            "with --no-env.",
        )
    app = patched(broker, host.app) if patch else host.app
    is_patched = state(broker, app) is Patch.PRESENT
    files = {name: [sha256(data)] for name, data in package.files.items()}
    is_same = host.state is State.WHOLE and before.files == files
    record = before._replace(
        is_complete=True,
        plugin=package.version,
        host=host.version,
        files=files,
        is_patched=is_patched,
        salt=before.salt or token_hex(16),
    )
    env, values = host.env, host.env.values if host.env else {}
    wanted = {k: new for k, new in (changes or {}).items() if values.get(k) != new.reveal()}
    if wanted and env:
        env = env.edited(wanted)
        lines = {name: record.fingerprint(env.raw(name)) for name in wanted}
        record = record._replace(lines={**(before.lines if host.before else {}), **lines})
    where = f"broker/{broker.name} and broker/{KIT}"
    steps = {
        f"copy {broker.title} {package.version} ({len(files)} files) to {where}": not is_same,
        f"replace broker/{KIT}, which {' and '.join(host.kit_users)} uses too": (
            host.kit_users and not is_same
        ),
        f"keep a copy of what it replaces in {place.home.name}": host.live and not is_same,
        f"add the marked lines to app.py that open {broker.title}'s own pages": app != host.app,
        "leave app.py as it is: no login by OTP and none of the plugin's own pages": not is_patched,
        **{f"set {name} in .env": True for name in wanted},
    }
    words = tuple(step for step, is_due in steps.items() if is_due)
    return Plan(host, package, not is_same, app, env, record, words)


def plan_undo(host: Checkout, *, force: bool = False) -> Plan:
    """Say what an uninstall would do; `force` puts back what was changed since, too.

    Raises `HostError`.
    """
    place, record = host.place, host.record
    words: list[str] = []
    left: list[str] = []
    if record == Record():
        if not (place.env_copy.parent.exists() or _has_remains(host)):
            raise HostError(
                f"This installer has installed nothing in {place.openalgo}.",
                "A plugin that was copied by hand is taken out by hand (see docs/openalgo.md).",
            )
        words.append("remove what an install left that was stopped before it changed anything")
    removes = _undo_files(host, force, words, left)
    if removes:
        own = [name for name in host.broker.host_files if (place.openalgo / name).exists()]
        words += [f"remove {name}" for name in own]
    app, is_patched = _undo_app(host, force, words, left)
    env, lines = _undo_env(host, force, words, left)
    rest = record._replace(
        is_complete=True,
        files={} if removes else record.files,
        is_patched=is_patched,
        lines=lines,
    )
    return Plan(host, None, removes, app, env, rest, tuple(words), tuple(left))


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


def some(names: tuple[str, ...]) -> str:
    """The first of many names."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _refuse(host: Checkout, package: Package, force: bool) -> None:
    if package.folder == host.place.brokers:
        raise HostError(
            "This plugin is the one that is installed there already.",
            "Run the command in the folder of the release that you downloaded.",
        )
    for folder in (host.place.brokers / host.broker.name, host.place.brokers / KIT):
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


def _has_remains(host: Checkout) -> bool:
    home = host.place.home
    names = {path.name for path in home.iterdir()} if home.is_dir() else {"backups"}
    return not {"backups"} <= names <= {"backups", ".gitignore"}


def _undo_files(host: Checkout, force: bool, words: list[str], left: list[str]) -> bool:
    """Whether the plugin's files are taken out."""
    record, name = host.record, f"broker/{host.broker.name}"
    if not record.files:
        return False
    if host.state is State.CHANGED and not force:
        left.append(
            f"the plugin was changed since the install ({some(host.differ)}), and is left as it "
            "is; --force puts the old one back and keeps a copy of what was changed"
        )
        return False
    if host.state is State.REPLACED:
        words.append(f"take our files out of {name} (an update of OpenAlgo has put its own there)")
        return True
    original = host.place.home / record.original
    if record.original and not (original / host.broker.name).is_dir():
        raise HostError(
            f"The copy of OpenAlgo's own plugin, {original}, is gone.",
            f"In OpenAlgo's folder, `git checkout -- {name} app.py` brings both back.",
        )
    words.append(f"put OpenAlgo's own {name} back" if record.original else f"remove {name}")
    users = " and ".join(host.kit_users)
    words.append(f"leave broker/{KIT}, which {users} uses" if users else f"remove broker/{KIT}")
    return True


def _undo_app(host: Checkout, force: bool, words: list[str], left: list[str]) -> tuple[bytes, bool]:
    """`app.py` as it will be, and whether lines of ours stay in it."""
    found = state(host.broker, host.app)
    if not host.record.is_patched or found is Patch.ABSENT:
        return host.app, False
    if found is Patch.OTHER and not force:
        left.append(
            f"the lines for {host.broker.title} in app.py were changed since the install, and are "
            "left as they are; --force takes out all that stands between the two marks"
        )
        return host.app, True
    words.append("take the marked lines out of app.py; the rest of it stays as it is")
    return unpatched(host.broker, host.app, force=force), False


def _undo_env(
    host: Checkout, force: bool, words: list[str], left: list[str]
) -> tuple[EnvFile | None, dict[str, str]]:
    """`.env` as it will be, and the lines that stay ours."""
    env, before, lines = host.env, host.before, host.record.lines
    if not lines or env is None:
        return env, {}
    if before is None:
        words.append(f"leave {', '.join(lines)} in .env: the copy of the former values is gone")
        return env, {}
    changed = [name for name in lines if env.raw(name) != before.raw(name)]
    is_ours = {n for n in changed if host.record.fingerprint(env.raw(n)) == lines[n]}
    back = [name for name in changed if force or name in is_ours]
    stay = [name for name in changed if name not in back]
    words += [f"put {name} in .env back" for name in back]
    left += [f"{name} in .env was changed since the install, and is left as it is" for name in stay]
    return env.put_back(before, set(back)) if back else env, {n: lines[n] for n in stay}
