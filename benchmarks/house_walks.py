"""The walks that `benchmarks.house` counts: `python -m benchmarks.house_walks NAME` runs one.

Each prints its figures as JSON and needs a fresh process. The simulator listens on a real loopback
socket in the same process; its code is not counted. What names the project's modules is the table
`_NAMES` and the functions below it, nothing else.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.house_counter import CallCounter, FileCounter, SqlCounter

ROOT = Path(__file__).resolve().parents[1]
BROKERS = ROOT / "broker"
# A POST of the login page's form, and the path of a logout at the broker.
LOGIN_PAGE, LOGOUT_ROUTE = "/mstock/callback", "logout"

# The project's names, in one place; everything else asks `_the`.
_NAMES = {
    "simulator at 09:15": "tests.support.stage:morning_box",
    "settings for it": "tests.conftest:settings_for",
    "settings": "broker.mstock.settings:Config",
    "service settings": "broker._kit.settings:ServiceSettings",
    "auto-login": "broker._kit.sessions.auto_login:AutoLogin",
    "memory store": "broker._kit.sessions.store:MemoryStore",
    "open store": "broker._kit.sessions.store:open_store",
    "standalone app": "broker._kit.web.standalone_app:create_app",
    "get_margin_data": "broker.mstock.api.funds:get_margin_data",
    "daily login": "tests.support.auto:staged",
    "browser": "tests.web.helpers:Browser",
    "host": "tests.host.openalgo:OpenAlgo",
    "host's clock": "tests.host.openalgo:PatientClock",
    "join the host": "broker._kit.openalgo.register:register",
    "checkout": "tests.install.tree:make_openalgo",
    "release": "tests.install.tree:make_plugin",
    "installer": "broker._kit.openalgo.installer.plan",
    "command line": "broker.mstock.__main__:cli",
    "broker": "broker.mstock.broker:MSTOCK",
}
# The store where it is one file; a database is counted by its transactions.
_STORE_FILE = "sessions.db"
# Files that OpenAlgo's own plugin and ours both have, by which comparisons are counted.
_IN_BOTH_PLUGINS = ("api/auth_api.py", "api/funds.py")


def _the(name: str) -> Any:
    module, _, attribute = _NAMES[name].partition(":")
    found = importlib.import_module(module)
    return getattr(found, attribute) if attribute else found


def _standalone(env: dict[str, str], is_kept: bool) -> Any:
    """The standalone app as `web` makes it; a store in memory unless it `is_kept`."""

    def config() -> Any:
        return _the("settings").from_env(env)

    services = _the("service settings").from_env(env)
    broker = _the("broker")
    store = _the("open store")(broker, services) if is_kept else _the("memory store")(broker)
    auto = _the("auto-login")(broker, store, lambda account: config())
    return _the("standalone app")(broker, config, store=store, auto=auto)


def _store(home: Path) -> Any:
    services = _the("service settings").from_env({"BROKER_HOME": str(home)})
    return _the("open store")(_the("broker"), services)


def _joined_host(folder: Path, box: Any, stack: ExitStack) -> Any:
    """A browser in the stand-in host with the plugin in it, logged in to the host only."""
    import pytest

    patch = pytest.MonkeyPatch()
    stack.callback(patch.undo)
    clock = _the("host's clock")(box.clock.now())
    host = _the("host")(folder, clock)
    host.install(patch)
    stack.callback(host.engine.dispose)
    app = host.app()
    _the("join the host")(_the("broker"), app, clock)
    stack.callback(lambda: app.extensions["mstock"].stop())
    browser = _the("browser")(app)
    with browser.client.session_transaction() as inside:
        inside["user"] = "trader"
    return browser


# From here on nothing names a module of the project.


class Counters:
    """All counters of a process, on together."""

    def __init__(self, home: Path) -> None:
        from dotenv.parser import Reader

        self.home = home
        self.calls = CallCounter(BROKERS, [Reader.__init__.__code__])
        self.files = FileCounter()
        self.sql = SqlCounter()
        for each in (self.calls, self.files, self.sql):
            each.install()

    @contextmanager
    def counting(self) -> Iterator[None]:
        with self.calls.counting(), self.files.counting(), self.sql.counting():
            yield


def otp_login(count: Counters, is_kept: bool = True) -> dict[str, int]:
    """Password POST to stored token; the code page that the browser gets between is not counted."""
    with _the("simulator at 09:15")() as box:
        env = _the("settings for it")(box, BROKER_HOME=str(count.home / "kept"))
        browser = _the("browser")(_standalone(env, is_kept))
        form = browser.get().form("login")
        entry = {**form, "method": "otp", "password": box.demo.password, "totp": ""}
        with count.counting():
            first = browser.raw(LOGIN_PAGE, method="POST", data=entry)
        code = {**browser.get().form("verify"), "otp": box.phone.last_otp(box.demo.client_code)}
        with count.counting():
            last = browser.raw(LOGIN_PAGE, method="POST", data=code)
        _check(first.status_code == last.status_code == 303, f"no login: {last.text}")
        _check(len(box.sessions) == 1, "no session")
    return count.calls.figures()


def otp_login_memory(count: Counters) -> dict[str, int]:
    """The same without a file or database behind it."""
    return otp_login(count, is_kept=False)


def margin(count: Counters, repeated: bool = False) -> dict[str, int]:
    """The process's first call of the host's door to the funds, on a token it has not seen."""
    with _the("simulator at 09:15")() as box:
        os.environ.update(_the("settings for it")(box))
        token = _token(box)
        door = _the("get_margin_data")
        if repeated:
            door(token)
        with count.counting():
            figures = door(token)
        _check("availablecash" in figures, str(figures))
    return count.calls.figures()


def margin_again(count: Counters) -> dict[str, int]:
    """The second call, as all later ones are."""
    return margin(count, repeated=True)


def daily_login(count: Counters) -> dict[str, int]:
    """The tick at 08:35 that logs in, on the store that the settings open by default."""
    with _the("daily login")(store=_store(count.home / "kept")) as stage:
        stage.enable()
        _check(stage.tick_until("08:34") == [], "logged in too early")
        with count.counting():
            results = [attempt.result for attempt in stage.auto.tick()]
        _check(results == ["done"], f"{stage.time.now()}: {results}")
    file = count.home / "kept" / _STORE_FILE
    return {
        **count.calls.figures(),
        "store opened": count.files.reads(file) + count.sql.transactions,
        "store rewritten": count.files.replaced(file) + count.sql.writes,
    }


def host_logout(count: Counters) -> dict[str, int]:
    """The host's logout, from its request to the end of the logout at mStock."""
    with _the("simulator at 09:15")() as box, ExitStack() as stack:
        box.demo.totp_enabled = True
        os.environ.update(_the("settings for it")(box))
        browser = _joined_host(count.home, box, stack)
        code = box.totp_now(box.demo.client_code)
        answer = browser.multipart(password=box.demo.password, totp=code)
        _check(answer.json["status"] == "success", answer.text)
        with count.counting():
            with _later_threads():
                browser.raw("/auth/logout", method="GET")
            count.calls.settle()
        sent = sum(entry.route.endswith(LOGOUT_ROUTE) for entry in box.journal)
        _check(sent == 1, f"{sent} logouts at mStock")
    return count.calls.figures()


def installation(count: Counters) -> dict[str, int]:
    """The command `install`, no question asked, on an OpenAlgo in its delivered state."""
    from click.testing import CliRunner

    openalgo = _the("checkout")(count.home / "openalgo")
    release = _the("release")(count.home / "release")
    package = _the("installer").read_package(_the("broker"), release)
    _the("installer").read_package = lambda _broker: package
    env = openalgo / ".env"
    text = env.read_text().replace("YOUR_BROKER_API_KEY", "MA12345")
    env.write_text(text.replace("YOUR_BROKER_API_SECRET", "a-key=="))
    line = ["install", str(openalgo), "--preview", "--yes"]
    main = _the("command line")
    with count.counting():
        done = CliRunner().invoke(main, line)
    _check(done.exit_code == 0, done.output)
    _check("/mstock/callback" in (openalgo / ".env").read_text(), "nothing was written in .env")
    return {
        **count.calls.figures(),
        ".env read": count.files.reads(openalgo / ".env"),
        ".env parsed": count.calls.extra_calls(),
        "tree compared": max(
            count.files.extra_reads(count.home, name) for name in _IN_BOTH_PLUGINS
        ),
    }


WALKS: dict[str, Callable[[Counters], dict[str, int]]] = {
    walk.__name__: walk
    for walk in (
        *(otp_login, otp_login_memory, margin, margin_again),
        *(daily_login, host_logout, installation),
    )
}


def _token(box: Any) -> str:
    """A session token got at the simulator by the documented calls, past the plugin."""
    import requests

    def ask(path: str, **body: str) -> Any:
        answer = requests.post(
            f"{box.rest_url}/openapi/typeb/{path}",
            json=body,
            headers={"X-Mirae-Version": "1", "X-PrivateKey": box.demo.api_key_b},
            timeout=10,
        )
        return answer.json()["data"]

    customer = box.demo
    ticket = ask(
        "connect/login",
        clientcode=customer.client_code,
        password=customer.password,
        totp="",
        state="",
    )
    otp = box.phone.last_otp(customer.client_code)
    session = ask(
        "session/token", refreshToken=ticket["refreshToken"] or ticket["jwtToken"], otp=otp
    )
    return str(session["jwtToken"])


@contextmanager
def _later_threads(longest: float = 2.0) -> Iterator[None]:
    """Hold threads that begin within until its end, so that two runs take the same way."""
    is_over, run = threading.Event(), threading.Thread.run

    def run_later(thread: threading.Thread) -> None:
        is_over.wait(longest)
        run(thread)

    threading.Thread.run = run_later  # type: ignore[method-assign]
    try:
        yield
    finally:
        threading.Thread.run = run  # type: ignore[method-assign]
        is_over.set()


def _check(is_so: bool, words: str) -> None:
    if not is_so:
        raise SystemExit(f"The walk did not arrive: {words}")


def main(name: str) -> None:
    """Run one walk and print its figures."""
    ours = ("BROKER_", "MSTOCK_", "REDIRECT_URL")
    for variable in list(os.environ):
        if variable.startswith(ours) or variable.upper().endswith("PROXY"):
            del os.environ[variable]
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(WALKS[name](Counters(Path(folder).resolve()))))


if __name__ == "__main__":
    main(sys.argv[1])
