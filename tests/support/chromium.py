"""A real browser over real sockets: Debian's Chromium, or whichever is there."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Response,
    expect,
    sync_playwright,
)

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_PATIENCE_MS = 20_000  # other tests run at the same time
_BLOCKED = ("Content Security Policy", "Refused to", "net::")


@functools.cache
def _browser_path() -> str:
    """The browser to start, "" when there is none."""
    installed = next(filter(None, map(shutil.which, _NAMES)), "")
    if installed:
        return installed
    with sync_playwright() as driver:
        own = driver.chromium.executable_path
    return own if Path(own).exists() else ""


def require_chromium() -> None:
    """Without a browser: one line that says so, and a failure where CI is set."""
    if not _browser_path():
        reason = "no Chromium found: apt-get install chromium, or playwright install chromium"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests."""
    expect.set_options(timeout=_PATIENCE_MS)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=_browser_path(), args=_ARGS)
        yield browser
        browser.close()


@pytest.fixture
def new_context(chromium: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Fresh browser profiles; a script, a blocked load or a missing file in a page is an error."""
    opened: list[BrowserContext] = []
    complaints: list[str] = []

    def said(message: ConsoleMessage) -> None:
        if any(word in message.text for word in _BLOCKED):
            complaints.append(message.text)

    def answered(response: Response) -> None:
        if response.status >= 400 and response.request.resource_type != "document":
            complaints.append(f"{response.status} for {response.url}")

    def listen(page: Page) -> None:
        page.on("console", said)
        page.on("response", answered)
        page.on("pageerror", lambda error: complaints.append(str(error)))

    def make(**options: object) -> BrowserContext:
        context = chromium.new_context(**options)  # type: ignore[arg-type]
        context.set_default_timeout(_PATIENCE_MS)
        context.on("page", listen)
        opened.append(context)
        return context

    yield make
    for context in opened:
        context.close()
    assert complaints == []


@pytest.fixture
def page(new_context: Callable[..., BrowserContext]) -> Page:
    return new_context().new_page()


@pytest.fixture
def shoot(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Page, str], None]:
    """Take a picture of a whole page; kept only where the option or the variable says so."""
    kept = request.config.getoption("--screenshots", default=None)
    folder = Path(kept or os.environ.get("MSTOCK_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)

    def take(page: Page, name: str) -> None:
        page.screenshot(path=folder / f"{name}.png", full_page=True, animations="disabled")

    return take
