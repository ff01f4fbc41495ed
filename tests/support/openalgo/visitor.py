"""A browser as far as the host can tell: what OpenAlgo's own pages send, sent the way they do."""

from __future__ import annotations

from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

USER = "trader"
PASSWORD = "Ouzel-7-rain!"


class _From(HTTPAdapter):
    """Connections that come from this address: the host tells devices apart by it."""

    def __init__(self, address: str) -> None:
        self._address = address
        # As a browser does when the host has just closed a connection that lay idle.
        super().__init__(max_retries=Retry(1, allowed_methods={"GET"}))

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, source_address=(self._address, 0), **kwargs)


class Visitor:
    """One device at `address`; its cookies, and all the bodies it was ever shown."""

    def __init__(self, url: str, address: str = "127.0.0.1") -> None:
        self.url = url
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.mount("http://", _From(address))
        self.http.headers["User-Agent"] = f"Device at {address}"
        self.shown: list[tuple[str, str]] = []

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {"Sec-Fetch-Site": "same-origin", **options.pop("headers", {})}
        if method != "GET":
            headers["Origin"] = self.url
        answer = self.http.request(
            method, self.url + path, headers=headers, timeout=60, allow_redirects=False, **options
        )
        self.shown.append((f"{method} {path}", f"{answer.headers}\n{answer.text}"))
        return answer

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.ask("GET", path, **options)

    def json(self, path: str) -> dict[str, Any]:
        return dict(self.get(path, headers={"Accept": "application/json"}).json())

    def csrf(self) -> str:
        return str(self.json("/auth/csrf-token")["csrf_token"])

    def fetch(self, path: str, **fields: str) -> requests.Response:
        """`fetch` with a FormData, as the React pages send their forms."""
        form = {**fields, "csrf_token": self.csrf()}
        return self.ask("POST", path, files={name: (None, value) for name, value in form.items()})

    def set_up(self) -> requests.Response:
        return self.fetch(
            "/setup",
            username=USER,
            email="trader@example.com",
            password=PASSWORD,
            confirm_password=PASSWORD,
        )

    def app_login(self) -> requests.Response:
        return self.fetch("/auth/login", username=USER, password=PASSWORD)

    def broker_login(self, password: str, totp: str) -> requests.Response:
        """What the host's own TOTP page sends."""
        return self.fetch("/mstock/callback", password=password, totp=totp)

    def dashboard(self) -> requests.Response:
        return self.get("/auth/dashboard-data")

    def status(self) -> dict[str, Any]:
        return self.json("/auth/session-status")

    def logout(self) -> requests.Response:
        return self.ask("POST", "/auth/logout", headers={"X-CSRFToken": self.csrf()})

    def api_key(self) -> str:
        return str(self.json("/apikey")["api_key"])

    def rest(self, path: str, key: str, **fields: Any) -> requests.Response:
        """A call of the host's REST API, as a strategy makes it: no cookie, no browser."""
        return requests.post(
            f"{self.url}/api/v1/{path}", json={"apikey": key, **fields}, timeout=60
        )
