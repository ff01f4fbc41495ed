"""How each system starts a program at every login: systemd, launchd, Windows' task scheduler.

The three texts are pure; `Manager` writes them and runs the system's own command for it.
"""

from __future__ import annotations

import os
import plistlib
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

from broker._kit import files

_WAIT_S = 60.0
_AGAIN_S = 30  # between a crash and the next start


class Service(NamedTuple):
    """What is to run: its short name and title, the command by absolute paths, its folder."""

    name: str
    title: str
    command: tuple[str, ...]
    folder: str


class State(NamedTuple):
    """`is_running` is None when the system cannot say."""

    is_installed: bool
    is_running: bool | None


def systemd_unit(service: Service) -> str:
    """A systemd user unit. Source: systemd.service(5), systemd.exec(5), "Command lines"."""

    def quoted(argument: str) -> str:
        escaped = argument.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped.replace("%", "%%").replace("$", "$$")}"'

    return f"""[Unit]
Description={service.title.replace("%", "%%")}

[Service]
WorkingDirectory={service.folder.replace("%", "%%")}
ExecStart={" ".join(map(quoted, service.command))}
Restart=on-failure
RestartSec={_AGAIN_S}

[Install]
WantedBy=default.target
"""


def launchd_agent(service: Service) -> str:
    """A launchd agent, started at login and again after a crash. Source: launchd.plist(5)."""
    agent = {
        "Label": _label(service.name),
        "ProgramArguments": list(service.command),
        "WorkingDirectory": service.folder,
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": _AGAIN_S,
    }
    return plistlib.dumps(agent).decode()


def windows_task(service: Service) -> str:
    """A task of the user's at logon, without end and on batteries too. Source: Task Scheduler 1.2
    XML schema."""
    program, *rest = service.command
    arguments = escape(subprocess.list2cmdline(rest))
    return f"""<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo><Description>{escape(service.title)}</Description></RegistrationInfo>
  <Triggers><LogonTrigger><Enabled>true</Enabled></LogonTrigger></Triggers>
  <Principals><Principal id="Author">
    <LogonType>InteractiveToken</LogonType><RunLevel>LeastPrivilege</RunLevel>
  </Principal></Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <RestartOnFailure><Interval>PT1M</Interval><Count>999</Count></RestartOnFailure>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>{escape(program)}</Command>
      <Arguments>{arguments}</Arguments>
      <WorkingDirectory>{escape(service.folder)}</WorkingDirectory>
    </Exec>
  </Actions>
</Task>
"""


# What ran: its exit code, None when there is no such program, and what it wrote.
Run = Callable[[Sequence[str]], tuple[int | None, str]]


def run(command: Sequence[str]) -> tuple[int | None, str]:
    """Run one of the system's programs; its exit code (None without it) and its words."""
    try:
        done = subprocess.run(  # noqa: S603 - our own words and paths, and no shell
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_WAIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, f"{command[0]}: {type(error).__name__}"
    return done.returncode, (done.stderr or done.stdout).decode(errors="replace").strip()


Commands = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Manager:
    """One service and the system's way to keep it.

    `path` is where its text lies, for the moment of installing only where `keeps_file` is False.
    The commands `before` and `after` may fail. `query` ends with 0 while it runs (or is there),
    with `idle` when it does not. `starts` says when the system starts it, `way_out` what to do
    when the system's commands cannot be used.
    """

    path: Path
    text: Callable[[Service], str]
    before: Commands = ()
    start: Commands
    stop: Commands
    after: Commands = ()
    query: tuple[str, ...]
    idle: int
    starts: str
    way_out: str
    keeps_file: bool = True
    encoding: str = "utf-8"
    run: Run = run

    def install(self, service: Service) -> str:
        """Write and start it, again where it was; "", or the system's words when it refused."""
        with files.store_errors(self.path, "written"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        files.write_atomic(self.path, self.text(service).encode(self.encoding), mode=0o644)
        try:
            for command in self.before:
                self.run(command)
            return self._each(self.start)
        finally:
            if not self.keeps_file:
                files.remove(self.path)

    def remove(self) -> str | None:
        """Stop it and take it away; None when it was not there, else as `install`."""
        if not self.state().is_installed:
            return None
        *first, last = self.stop
        for command in first:  # what does not run cannot be ended, and is to go all the same
            self.run(command)
        words = self._each((last,))
        files.remove(self.path)
        for command in self.after:
            self.run(command)
        return words

    def state(self) -> State:
        """Whether it is installed and runs."""
        if not self.keeps_file:
            return State(self.run(self.query)[0] == 0, None)
        if not self.path.exists():
            return State(False, False)
        code, _ = self.run(self.query)
        return State(True, {0: True, self.idle: False}.get(-1 if code is None else code))

    def _each(self, commands: Commands) -> str:
        for command in commands:
            code, words = self.run(command)
            if code != 0:
                return words or f"{command[0]} ended with code {code}"
        return ""


def manager(
    name: str, home: Path, env: Mapping[str, str], platform: str = sys.platform, run: Run = run
) -> Manager:
    """This system's way to keep the service of that name; `home` is the user's own folder."""
    if platform == "win32":
        path = home / f"{name}-task.xml"
        task = ("/TN", name)
        return Manager(
            path=path,
            text=windows_task,
            start=(
                ("schtasks", "/Create", *task, "/XML", str(path), "/F"),
                ("schtasks", "/Run", *task),
            ),
            stop=(("schtasks", "/End", *task), ("schtasks", "/Delete", *task, "/F")),
            query=("schtasks", "/Query", *task),
            idle=1,
            starts="when you log in to Windows",
            way_out="Look at the task in Windows' Task Scheduler.",
            keeps_file=False,
            encoding="utf-16",
            run=run,
        )
    if platform == "darwin":
        path = home / "Library" / "LaunchAgents" / f"{_label(name)}.plist"
        domain = f"gui/{getattr(os, 'getuid', lambda: 0)()}"
        agent = f"{domain}/{_label(name)}"
        return Manager(
            path=path,
            text=launchd_agent,
            before=(("launchctl", "bootout", agent),),
            start=(("launchctl", "bootstrap", domain, str(path)),),
            stop=(("launchctl", "bootout", agent),),
            query=("launchctl", "print", agent),
            idle=113,  # no such service
            starts="when you log in to this Mac",
            way_out="It starts at your next login; at the Mac's own screen, not over ssh, run this "
            "again.",
            run=run,
        )
    folder = Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "systemd" / "user"
    user, unit = ("systemctl", "--user"), f"{name}.service"
    return Manager(
        path=folder / unit,
        text=systemd_unit,
        start=((*user, "daemon-reload"), (*user, "enable", unit), (*user, "restart", unit)),
        stop=((*user, "disable", "--now", unit),),
        after=((*user, "daemon-reload"),),
        query=(*user, "is-active", "--quiet", unit),
        idle=3,
        starts="when you log in to this computer; after loginctl enable-linger when it starts",
        way_out="Run loginctl enable-linger, log in to this computer as this user (not with su or "
        f"sudo), and run systemctl --user enable --now {unit}",
        run=run,
    )


def _label(name: str) -> str:
    return f"openalgo.broker.{name}"
