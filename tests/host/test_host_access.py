"""Access to the host's modules: with it, without it, and with one that has changed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from broker._kit.errors import HostError
from broker._kit.openalgo import auth_table, host, symbols
from broker._kit.secret import Secret
from broker.mstock.broker import MSTOCK
from tests.host.openalgo import OpenAlgo

KIT = Path(__file__).parents[2] / "broker" / "_kit"
HOSTS_OWN = {"utils", "database", "extensions", "websocket_proxy", "limiter", "services"}
HOSTS_MODULE = re.compile(rf"({'|'.join(HOSTS_OWN)})\.\w+(\.\w+)*")

# What each name of ours needs of the host.
NEEDS: list[tuple[str, Callable[[], object]]] = [
    ("database.auth_db.encrypt_token", lambda: auth_table.encrypt(Secret("a text"))),
    ("database.auth_db.decrypt_token", lambda: auth_table.decrypt("a text")),
    ("database.auth_db.Auth", auth_table.auth_rows),
    ("database.auth_db.engine", auth_table.auth_rows),
    ("database.auth_db.Auth", lambda: auth_table.write_aux("trader", {})),
    ("database.auth_db.upsert_auth", lambda: store_token()),
    ("database.auth_db.db_session", lambda: auth_table.revoke(MSTOCK, "trader")),
    ("database.auth_db.Auth", lambda: auth_table.on_revoked(MSTOCK, lambda user, token: None)),
    ("database.auth_db.get_active_sessions", lambda: register_device()),
    ("database.auth_db.register_session", lambda: register_device()),
    ("utils.auth_utils.handle_auth_success", lambda: finish_login()),
    ("database.master_contract_status_db.init_broker_status", lambda: prepare_contract()),
    ("utils.auth_utils.should_download_master_contract", lambda: prepare_contract()),
    ("utils.auth_utils.async_master_contract_download", lambda: prepare_contract()),
]


def store_token() -> None:
    auth_table.store_token(MSTOCK, "trader", Secret("token"), "MA1")


def register_device() -> None:
    auth_table.register_device(MSTOCK, "trader")


def finish_login() -> object:
    return auth_table.finish_login(MSTOCK, Secret("token"), "trader", "MA1")


def prepare_contract() -> None:
    auth_table.prepare_contract(MSTOCK)


# What is no function, or is left to a thread to call.
NOT_CALLED = ("Auth", "engine", "db_session", "async_master_contract_download")


@pytest.mark.parametrize(("name", "use"), NEEDS)
def test_what_is_missing_is_named_with_the_hosts_version(
    name: str, use: Callable[[], object], openalgo: OpenAlgo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(name)
    with pytest.raises(HostError) as caught:
        use()
    assert name in caught.value.message
    assert "2.0.2.1" in caught.value.message


@pytest.mark.parametrize(
    ("name", "use"), [each for each in NEEDS if not each[0].endswith(NOT_CALLED)]
)
def test_other_arguments_are_named_too(
    name: str, use: Callable[[], object], openalgo: OpenAlgo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(name, lambda *, renamed: None)
    with pytest.raises(HostError, match=f"other arguments in {name}"):
        use()


def test_a_type_error_inside_the_host_is_the_hosts(
    openalgo: OpenAlgo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("database.auth_db.encrypt_token", lambda token: len(5))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        auth_table.encrypt(Secret("a text"))


def test_a_module_of_the_hosts_that_does_not_load(
    openalgo: OpenAlgo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "auth_utils.py").write_text("raise RuntimeError('no pepper is set')")
    monkeypatch.delitem(sys.modules, "utils.auth_utils")
    monkeypatch.setattr(sys.modules["utils"], "__path__", [str(tmp_path)], raising=False)
    with pytest.raises(HostError, match="RuntimeError") as caught:
        finish_login()
    assert "pepper" not in str(caught.value)


def test_without_the_host_nothing_breaks() -> None:
    assert not host.is_present()
    assert host.version() == ""
    assert host.login_limits() == ""
    assert host.adapter_base() is object
    assert host.logger("mstock.test").name == "mstock.test"
    for use in (auth_table.auth_rows, lambda: auth_table.encrypt(Secret("a text"))):
        with pytest.raises(HostError, match="needs OpenAlgo"):
            use()


def test_with_the_host_its_own_is_used(openalgo: OpenAlgo) -> None:
    assert host.is_present()
    assert host.version() == "2.0.2.1"
    assert host.login_limits() == "5 per minute; 25 per hour"
    assert auth_table.decrypt(auth_table.encrypt(Secret("a text"))) == Secret("a text")


def test_the_hosts_session_of_a_thread_is_given_back(openalgo: OpenAlgo) -> None:
    openalgo.db_session.remove()
    store_token()
    assert not openalgo.db_session.registry.has()
    openalgo.db_session()
    auth_table.revoke(MSTOCK, "trader")
    assert openalgo.db_session.registry.has()


def test_nobody_else_imports_the_host() -> None:
    """Neither by an import nor by a module's name as a text, outside the room that knows it."""
    for path in KIT.parent.rglob("*.py"):
        is_room = KIT / "openalgo" in path.parents
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            assert not HOSTS_OWN & {name.split(".")[0] for name in names}, path
            if isinstance(node, ast.Constant) and not is_room:
                assert not HOSTS_MODULE.fullmatch(str(node.value)), path


@pytest.mark.parametrize(
    ("answer", "exchange", "found"),
    [(1800, "NFO", 1800), (1, "NFO", None), (None, "NFO", None), (1800, "NSE", None)],
)
def test_a_freeze_quantity_is_the_hosts_or_none(
    openalgo: OpenAlgo,
    monkeypatch: pytest.MonkeyPatch,
    answer: object,
    exchange: str,
    found: int | None,
) -> None:
    assert symbols.freeze_quantity("NIFTY", exchange) is None  # a host without that table
    table = ModuleType("database.qty_freeze_db")
    table.get_freeze_qty = lambda symbol, exchange: answer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, table.__name__, table)
    assert symbols.freeze_quantity("NIFTY", exchange) == found


class TestTheStreamingAdapter:
    """The host imports it when it starts, for every broker."""

    def run(self, code: str, folder: Path) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONPATH": f"{folder}:{KIT.parents[1]}"},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def test_an_empty_environment_and_no_host(self, tmp_path: Path) -> None:
        code = (
            "import sys\n"
            "from broker.mstock.streaming.mstock_adapter import MstockWebSocketAdapter as A\n"
            "a = A()\n"
            "heavy = {'flask', 'sqlalchemy', 'requests', 'cryptography', 'websocket'}\n"
            "print(heavy & set(sys.modules) or 'light')\n"
            "print(a.initialize('mstock', 'u')['status'], a.connect()['code'],\n"
            "      a.subscribe('INFY', 'NSE', 2, 5)['status'],\n"
            "      a.unsubscribe('INFY', 'NSE')['status'], a.disconnect())"
        )
        assert self.run(code, tmp_path) == "light\nsuccess CONNECTION_FAILED error success None\n"

    def proxy(self, folder: Path, base: str) -> None:
        package = folder / "websocket_proxy"
        package.mkdir()
        (package / "base_adapter.py").write_text(base)
        (package / "__init__.py").write_text(
            "from .base_adapter import *\n"
            "from broker.mstock.streaming.mstock_adapter import MstockWebSocketAdapter\n"
        )

    BASE = (
        "from abc import ABC, abstractmethod\n"
        "class BaseBrokerWebSocketAdapter(ABC):\n"
        "    def __init__(self):\n"
        "        self.connected = False\n"
        "    @abstractmethod\n"
        "    def connect(self): ...\n"
        "    def cleanup_zmq(self):\n"
        "        print('cleaned up')\n"
    )

    @pytest.mark.parametrize("first", ["websocket_proxy", "broker.mstock.streaming.mstock_adapter"])
    def test_whichever_is_imported_first(self, first: str, tmp_path: Path) -> None:
        self.proxy(tmp_path, self.BASE)
        code = (
            f"import {first}, websocket_proxy\n"
            "from broker.mstock.streaming.mstock_adapter import MstockWebSocketAdapter as A\n"
            "from websocket_proxy.base_adapter import BaseBrokerWebSocketAdapter as B\n"
            "a = A()\n"
            "print(issubclass(A, B), websocket_proxy.MstockWebSocketAdapter is A, A.__name__)\n"
            "a.disconnect()"
        )
        assert self.run(code, tmp_path) == "True True MstockWebSocketAdapter\ncleaned up\n"

    @pytest.mark.parametrize(
        "base",
        [
            "",
            "raise RuntimeError('broken')",
            "BaseBrokerWebSocketAdapter = None",
            "BaseBrokerWebSocketAdapter = bool",
            "class BaseBrokerWebSocketAdapter:\n    def __init_subclass__(cls, *, name): ...\n",
        ],
    )
    def test_a_host_that_has_changed(self, base: str, tmp_path: Path) -> None:
        self.proxy(tmp_path, base)
        code = (
            "try:\n    import websocket_proxy\nexcept RuntimeError:\n    pass\n"
            "from broker.mstock.streaming.mstock_adapter import MstockWebSocketAdapter as A\n"
            "print(A().connect()['code'])"
        )
        assert self.run(code, tmp_path) == "CONNECTION_FAILED\n"

    def test_no_other_name_is_made_up(self) -> None:
        module = __import__(
            "broker.mstock.streaming.mstock_adapter", fromlist=["MstockWebSocketAdapter"]
        )
        assert isinstance(module, ModuleType)
        with pytest.raises(AttributeError, match="no_such"):
            _ = module.no_such
