"""What every test may use: a simulator of its own, and settings that point the plugin at it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from broker._kit.sessions.token_guard import token_guard
from broker.mstock.settings import Config
from broker_simulator.mstock import Simulator
from proofs.postgres import NoPostgreSQL, postgresql
from tests.support.chromium import chromium, new_context, page, shoot
from tests.support.stage import morning_box

# One browser for every folder's tests: two of Playwright's drivers do not bear each other.
__all__ = ["chromium", "new_context", "page", "shoot"]

_ENV = dict(os.environ)  # as it was before any test took our settings out of it
_OURS = ("BROKER_", "MSTOCK_", "REDIRECT_URL")
_NETWORK = ("PROXY", "CA_BUNDLE", "SSL_CERT_FILE", "NETRC")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--screenshots", metavar="DIR", help="keep the browser tests' screenshots in this folder"
    )


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings of the person who runs it."""
    for name in list(os.environ):
        if name.startswith(_OURS) or name.upper().endswith(_NETWORK):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def nothing_known_of_tokens() -> None:
    """No test's dead token is another test's."""
    token_guard.cache_clear()


def settings_for(simulator: Simulator, api_type: str = "B", **more: str) -> dict[str, str]:
    """A `.env`'s content for the simulator's demo account."""
    account = simulator.demo
    return {
        "BROKER_API_KEY": account.client_code,
        "BROKER_API_SECRET": account.api_key_a if api_type == "A" else account.api_key_b,
        "MSTOCK_API_TYPE": api_type,
        "MSTOCK_REST_URL": simulator.rest_url,
        **more,
    }


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a PostgreSQL server; skipped with the reason where there is none."""
    try:
        with postgresql(_ENV) as url:
            yield url
    except NoPostgreSQL as reason:
        pytest.skip(str(reason))


@pytest.fixture(params=["older", "newer"])
def revision(request: pytest.FixtureRequest) -> str:
    """mStock's two revisions: they differ in the HTTP statuses and codes of refusals."""
    return str(request.param)


@pytest.fixture(params=["A", "B"])
def api_type(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def simulator(revision: str) -> Iterator[Simulator]:
    with morning_box(revision=revision) as box:
        yield box


@pytest.fixture
def config(simulator: Simulator, api_type: str, monkeypatch: pytest.MonkeyPatch) -> Config:
    """The settings, in the environment and as the plugin reads them."""
    for name, value in settings_for(simulator, api_type).items():
        monkeypatch.setenv(name, value)
    return Config.from_env()
