"""A stand-in for OpenAlgo: the modules that the plugin asks for, with the host's rules in them.

Written from what the host does, not from its text; only what the plugin touches is here.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography.fernet import Fernet, InvalidToken
from flask import Flask, Response, jsonify, redirect, request, session
from flask_wtf.csrf import CSRFProtect
from sqlalchemy import (
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    Sequence,
    String,
    Text,
    create_engine,
)
from sqlalchemy.orm import declarative_base, scoped_session, sessionmaker
from sqlalchemy.pool import NullPool

from tests.support.clock import FakeClock

_MOST_DEVICES = 5


class OpenAlgo:
    """One install: its database, its modules, and what was asked of it."""

    def __init__(self, folder: Path, clock: FakeClock) -> None:
        self.clock = clock
        self.calls: list[str] = []
        self.fernet = Fernet(Fernet.generate_key())
        self.engine = create_engine(
            f"sqlite:///{folder / 'openalgo.db'}",
            poolclass=NullPool,
            connect_args={"check_same_thread": False},
        )
        self.db_session = scoped_session(
            sessionmaker(autocommit=False, autoflush=False, bind=self.engine)
        )
        base = declarative_base()

        class Auth(base):  # type: ignore[misc,valid-type]
            __tablename__ = "auth"
            id = Column(Integer, primary_key=True)
            name = Column(String(255), unique=True, nullable=False)
            auth = Column(Text, nullable=False)
            feed_token = Column(Text)
            broker = Column(String(20), nullable=False)
            user_id = Column(String(255))
            is_revoked = Column(Boolean, default=False)
            aux_param1 = Column(Text)
            aux_param2 = Column(Text)
            aux_param3 = Column(Text)
            aux_param4 = Column(Text)

        class SymToken(base):  # type: ignore[misc,valid-type]
            __tablename__ = "symtoken"
            id = Column(Integer, Sequence("symtoken_id_seq"), primary_key=True)
            symbol = Column(String, nullable=False, index=True)
            brsymbol = Column(String, nullable=False, index=True)
            name = Column(String)
            exchange = Column(String, index=True)
            brexchange = Column(String, index=True)
            token = Column(String, index=True)
            expiry = Column(String)
            strike = Column(Float)
            lotsize = Column(Integer)
            instrumenttype = Column(String)
            tick_size = Column(Float)
            contract_value = Column(Float)
            __table_args__ = (
                Index("idx_symbol_exchange", "symbol", "exchange"),
                Index("idx_symbol_name", "symbol", "name"),
                Index("idx_brsymbol_exchange", "brsymbol", "exchange"),
            )

        self.Auth = Auth
        self.SymToken = SymToken
        base.metadata.create_all(self.engine)
        self.devices: list[dict[str, Any]] = []
        self.contract_status: list[str] = []
        self.is_contract_due = True
        self.events: list[str] = []
        self.policy = "default-src 'self'"

    # database.auth_db

    def encrypt_token(self, token: str) -> str:
        return self.fernet.encrypt(token.encode()).decode() if token else ""

    def decrypt_token(self, encrypted: str) -> str | None:
        if not encrypted:
            return ""
        try:
            return self.fernet.decrypt(encrypted.encode()).decode()
        except InvalidToken:
            return None

    def upsert_auth(
        self,
        name: str,
        auth_token: str,
        broker: str,
        feed_token: str | None = None,
        user_id: str | None = None,
        revoke: bool = False,
    ) -> int:
        self.calls.append("revoke" if revoke else "upsert_auth")
        row = self.db_session.query(self.Auth).filter_by(name=name).first()
        if row is None:
            row = self.Auth(name=name)
            self.db_session.add(row)
        row.auth = self.encrypt_token(auth_token)
        row.feed_token = self.encrypt_token(feed_token) if feed_token else None
        row.broker = broker
        row.user_id = user_id
        row.is_revoked = revoke
        self.db_session.commit()
        return int(row.id)

    def get_auth_token(self, name: str, bypass_cache: bool = False) -> str | None:
        row = self.db_session.query(self.Auth).filter_by(name=name).first()
        return None if row is None or row.is_revoked else self.decrypt_token(row.auth)

    def register_session(
        self,
        username: str,
        session_id: str,
        device_info: str | None = None,
        ip_address: str | None = None,
        broker: str | None = None,
    ) -> bool:
        self.calls.append("register_session")
        if ip_address:
            self.devices = [each for each in self.devices if each["ip_address"] != ip_address]
        if len(self.devices) >= _MOST_DEVICES:
            self.devices.remove(min(self.devices, key=lambda each: str(each["login_time"])))
        self.devices.append(
            {
                "session_id": session_id,
                "device_info": device_info,
                "ip_address": ip_address,
                "broker": broker,
                "login_time": self.clock.now().isoformat(),
            }
        )
        return True

    def get_active_sessions(self, username: str) -> list[dict[str, Any]]:
        return list(self.devices)

    def remove_session(self, session_id: str) -> None:
        self.devices = [each for each in self.devices if each["session_id"] != session_id]

    # utils.auth_utils and what goes with it

    def handle_auth_success(
        self,
        auth_token: str,
        user_session_key: str,
        broker: str,
        feed_token: str | None = None,
        user_id: str | None = None,
    ) -> Any:
        self.calls.append("handle_auth_success")
        if feed_token:
            session["FEED_TOKEN"] = feed_token
        session.update(
            logged_in=True,
            USER_ID=user_id,
            user_session_key=user_session_key,
            broker=broker,
            login_time=self.clock.now().isoformat(),
            session_id=f"device-{len(self.devices)}",
        )
        self.register_session(
            user_session_key,
            session["session_id"],
            request.headers.get("User-Agent", ""),
            request.remote_addr,
            broker,
        )
        self.upsert_auth(user_session_key, auth_token, broker, feed_token, user_id)
        self.init_broker_status(broker)
        is_multipart = request.mimetype == "multipart/form-data"
        if is_multipart or "application/json" in request.headers.get("Accept", ""):
            return (
                jsonify(
                    status="success", message="Authentication successful", redirect="/dashboard"
                ),
                200,
            )
        return redirect("/dashboard")

    def init_broker_status(self, broker: str) -> None:
        self.calls.append("init_broker_status")
        self.contract_status.append("pending")

    def should_download_master_contract(self, broker: str) -> tuple[bool, str]:
        return self.is_contract_due, "as the test says"

    def async_master_contract_download(self, broker: str) -> None:
        self.contract_status.append("downloading")

    def load_existing_master_contract(self, broker: str) -> None:
        self.contract_status.append("loaded")

    # utils.session: the night

    def _boundary(self) -> datetime:
        return self.clock.now().replace(hour=3, minute=0, second=0, microsecond=0)

    def expire(self) -> None:
        """Before each request: yesterday's tab revokes the token, unless a newer login is there."""
        if not session.get("logged_in"):
            return
        login = datetime.fromisoformat(session["login_time"])
        boundary = self._boundary()
        if self.clock.now() <= boundary or login >= boundary:
            return
        mine = session.get("session_id")
        fresher = [
            each
            for each in self.devices
            if each["session_id"] != mine and datetime.fromisoformat(each["login_time"]) >= boundary
        ]
        if fresher:
            self.remove_session(mine)
        else:
            self.upsert_auth(session["user"], "", "", revoke=True)
            self.devices.clear()
        session.clear()

    # The install as a whole

    def modules(self) -> dict[str, dict[str, Any]]:
        auth = (
            *("engine", "db_session", "Auth", "encrypt_token", "decrypt_token", "upsert_auth"),
            *("get_auth_token", "register_session", "get_active_sessions", "remove_session"),
        )
        utils = (
            *("handle_auth_success", "should_download_master_contract"),
            *("async_master_contract_download", "load_existing_master_contract"),
        )
        emit = ModuleType("socketio")
        emit.emit = lambda event, data: self.events.append(  # type: ignore[attr-defined]
            f"{event} {data['status']}" if "status" in data else event
        )
        return {
            "utils.version": {"get_version": lambda: "2.0.2.1"},
            "utils.auth_utils": {name: getattr(self, name) for name in utils},
            "utils.config": {
                "get_login_rate_limit_min": lambda: "5 per minute",
                "get_login_rate_limit_hour": lambda: "25 per hour",
            },
            "database.auth_db": {name: getattr(self, name) for name in auth},
            "database.master_contract_status_db": {"init_broker_status": self.init_broker_status},
            "database.token_db": {
                "get_token": lambda symbol, exchange: {"INFY": "1594"}.get(symbol),
                "get_br_symbol": lambda symbol, exchange: None,
                "get_symbol": lambda token, exchange: getattr(
                    self.instrument(token=token, exchange=exchange), "symbol", None
                ),
                "clear_cache": lambda: self.calls.append("clear_cache"),
                "get_symbol_info": lambda symbol, exchange: self.instrument(
                    symbol=symbol, exchange=exchange
                ),
            },
            "database.symbol": {
                "engine": self.engine,
                "db_session": self.db_session,
                "SymToken": self.SymToken,
            },
            "extensions": {"socketio": emit},
        }

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put the modules where an import finds them."""
        for path, names in self.modules().items():
            parent = path.rpartition(".")[0]
            if parent and parent not in sys.modules:
                monkeypatch.setitem(sys.modules, parent, ModuleType(parent))
            module = ModuleType(path)
            for name, value in names.items():
                setattr(module, name, value)
            monkeypatch.setitem(sys.modules, path, module)
            if parent:
                setattr(sys.modules[parent], path.rpartition(".")[2], module)

    def row(self, name: str = "trader") -> Any:
        self.db_session.remove()
        return self.db_session.query(self.Auth).filter_by(name=name).first()

    def instrument(self, **by: str) -> Any:
        return self.db_session.query(self.SymToken).filter_by(**by).first()

    def token(self, name: str = "trader") -> str:
        row = self.row(name)
        return "" if row is None or row.is_revoked else str(self.decrypt_token(row.auth))

    def app(self) -> Flask:
        """The host's app with the routes that matter here, before the plugin is registered."""
        app = Flask("openalgo")
        app.config.update(SECRET_KEY="a host's key", SESSION_COOKIE_NAME="session")
        CSRFProtect(app)
        app.before_request(self.expire)

        @app.after_request
        def policy(response: Response) -> Response:
            if self.policy and "Content-Security-Policy" not in response.headers:
                response.headers["Content-Security-Policy"] = self.policy
            return response

        app.teardown_appcontext(lambda _error: self.db_session.remove())

        @app.route(
            "/<broker>/callback", endpoint="brlogin.broker_callback", methods=["GET", "POST"]
        )
        def generic(broker: str) -> str:
            return f"generic page of {broker}"

        @app.route("/dashboard")
        def dashboard() -> str:
            return "the dashboard"

        @app.route("/auth/login")
        def app_login() -> str:
            return "log in to OpenAlgo"

        @app.route("/auth/session-status")
        def status() -> Response:
            is_over = self.get_auth_token(session.get("user", "")) is None
            return jsonify(
                logged_in=session.get("logged_in", False), broker_session_expired=is_over
            )

        @app.route("/auth/logout")
        def log_out() -> str:
            self.upsert_auth(session["user"], "", "", revoke=True)
            self.devices.clear()
            session.clear()
            return "logged out"

        return app


class PatientClock(FakeClock):
    """A clock whose sleep takes a moment, for threads that wait for each other."""

    def sleep(self, seconds: float) -> None:
        import time

        time.sleep(0.01)


def until(is_so: Callable[[], bool], seconds: float = 5.0) -> None:
    """Return when it is so."""
    import time

    ends = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < ends, "it did not come to pass"
        time.sleep(0.01)


def next_morning(clock: FakeClock, hour: int, minute: int) -> None:
    """Set the clock to a time of the next day."""
    day = clock.wall + timedelta(days=1)
    clock.wall = day.replace(hour=hour, minute=minute, second=0, microsecond=0)
    with contextlib.suppress(AttributeError):
        clock.ticks += 24 * 3600
