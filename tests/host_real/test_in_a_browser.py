"""The host's own pages and ours in a real browser, from the first visit to the funds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, Request, Response, expect

from broker_simulator.mstock import Simulator
from tests.support.chromium import require_chromium
from tests.support.openalgo.host import Host
from tests.support.openalgo.hours import until
from tests.support.openalgo.visitor import PASSWORD, USER

Shoot = Callable[[Page, str], None]
WINDOW = {"width": 1600, "height": 900}
# Every page of the host's that asks the plugin for something, or could.
PAGES = (
    *("dashboard", "positions", "orderbook", "tradebook", "holdings", "search/token", "search"),
    *(
        "apikey",
        "platforms",
        "tradingview",
        "gocharting",
        "pnl-tracker",
        "sandbox",
        "sandbox/mypnl",
    ),
    *("analyzer", "tools", "scalping", "optionchain", "ivchart", "oitracker", "oirange"),
    *("gammadensity", "maxpain", "straddle", "straddlepnl", "volsurface", "gex", "ivsmile"),
    *("oiprofile", "arbitrage", "strategybuilder", "strategybuilder/portfolio", "websocket/test"),
    *("websocket/order", "chart/test", "strategy", "python", "chartink", "flow", "leverage"),
    *("admin", "admin/freeze", "admin/holidays", "admin/timings", "admin/diagnostics", "telegram"),
    *("whatsapp", "logs", "logs/live", "logs/sandbox", "logs/security", "logs/traffic"),
    *("logs/latency", "health", "profile", "master-contract", "action-center", "playground"),
    *("trading", "historify", "portfolio", "portfolio-backtester", "sip-backtester"),
)


@pytest.fixture(autouse=True, scope="module")
def browser_is_there() -> None:
    require_chromium()


@pytest.fixture
def tab(host: Host, chromium: object, simulator: Simulator) -> Iterator[Page]:
    """A page of a fresh browser; an error of a script in it is a failure."""
    context: BrowserContext = chromium.new_context(viewport=WINDOW)  # type: ignore[attr-defined]
    context.set_default_timeout(15000)
    page = context.new_page()
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(f"{page.url}: {error}"))
    yield page
    for cookie in context.cookies():
        host.seen("a browser's cookie", str(cookie))
    simulator.faults.clear()
    page.goto(f"{host.url}/auth/logout")
    context.close()
    assert broken == []


def app_login(page: Page, host: Host) -> None:
    page.goto(f"{host.url}/login")
    page.get_by_label("Username").fill(USER)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/broker")
    expect(page.get_by_role("button", name=re.compile("Connect"))).to_be_enabled()


def choose_broker(page: Page) -> None:
    page.get_by_role("button", name=re.compile("Connect")).click()
    page.wait_for_url("**/mstock/callback")


def press(page: Page, button: str) -> None:
    with page.expect_navigation():
        page.get_by_role("button", name=button, exact=True).click()


def test_otp_on_our_page_then_the_hosts_dashboard(
    host: Host, tab: Page, simulator: Simulator, shoot: Shoot
) -> None:
    simulator.demo.totp_enabled = False
    app_login(tab, host)
    shoot(tab, "host-broker")
    choose_broker(tab)
    expect(tab.get_by_label("Send me an OTP")).to_be_checked()
    shoot(tab, "host-login")
    tab.get_by_label("Password").fill(simulator.demo.password)
    press(tab, "Continue")
    otp = tab.get_by_label(re.compile("^OTP for"))
    shoot(tab, "host-otp")
    otp.fill(simulator.phone.last_otp(simulator.demo.client_code) or "")
    press(tab, "Log in")
    tab.wait_for_url("**/dashboard")
    expect(tab.get_by_text("Available Balance")).to_be_visible()
    shoot(tab, "host-dashboard")
    tab.goto(f"{host.url}/mstock/funds")
    expect(tab.get_by_text("₹3,64,340.85").first).to_be_visible()
    shoot(tab, "host-funds")
    pages = tab.get_by_role("navigation", name="Pages")
    pages.get_by_role("link", name="Auto-login").click()
    expect(tab.get_by_role("heading", name="Before you switch it on")).to_be_visible()
    shoot(tab, "host-auto-login")


def test_todays_session_is_offered_after_an_outage_at_the_app_login(
    host: Host, tab: Page, simulator: Simulator, totp: Callable[[], str], shoot: Shoot
) -> None:
    simulator.demo.totp_enabled = True
    first = host.visitor()
    first.app_login()
    first.broker_login(simulator.demo.password, totp())
    simulator.faults.set("b/user/fundsummary", "bad_gateway")
    app_login(tab, host)
    tab.get_by_role("button", name=re.compile("Connect")).click()
    tab.wait_for_url("**/mstock/continue")
    shoot(tab, "host-continue")
    press(tab, "Continue with today's session")
    expect(tab.get_by_role("alert")).to_contain_text("mStock")
    simulator.faults.clear()
    press(tab, "Continue with today's session")
    tab.wait_for_url("**/dashboard")
    expect(tab.get_by_text("Available Balance")).to_be_visible()


def test_totp_on_the_hosts_own_page(
    host: Host, tab: Page, simulator: Simulator, totp: Callable[[], str], shoot: Shoot
) -> None:
    simulator.demo.totp_enabled = True
    app_login(tab, host)
    tab.goto(f"{host.url}/broker/mstock/totp")
    tab.get_by_label("Password", exact=True).fill(simulator.demo.password)
    tab.get_by_label("TOTP").fill("000000")
    submit = tab.get_by_role("button", name=re.compile("Authenticate|Connect|Log|Submit"))
    submit.click()
    expect(tab.get_by_text(re.compile("did not accept this authenticator code"))).to_be_visible()
    shoot(tab, "host-totp")
    tab.get_by_label("TOTP").fill(totp())
    submit.click()
    tab.wait_for_url("**/dashboard")
    expect(tab.get_by_text("Available Balance")).to_be_visible()


def test_a_dead_token_offers_to_reconnect_and_the_way_leads_back(
    host: Host, tab: Page, simulator: Simulator, totp: Callable[[], str], shoot: Shoot
) -> None:
    simulator.demo.totp_enabled = True
    app_login(tab, host)
    log_in_here(tab, host, simulator, totp)
    simulator.world.end_sessions()
    tab.goto(f"{host.url}/dashboard")
    tab.wait_for_timeout(500)
    tab.reload()
    reconnect = tab.get_by_text("Reconnect Broker")
    expect(reconnect).to_be_visible()
    shoot(tab, "host-session-over")
    reconnect.click()
    tab.wait_for_url("**/broker")
    choose_broker(tab)
    expect(tab.get_by_role("heading", name="Log in to mStock")).to_be_visible()


def log_in_here(page: Page, host: Host, simulator: Simulator, totp: Callable[[], str]) -> None:
    """By our page, with a code of the authenticator."""
    page.goto(f"{host.url}/mstock/callback")
    page.get_by_label("I have an authenticator app").check()
    page.get_by_label("Password").fill(simulator.demo.password)
    page.get_by_label("Code from the app").fill(totp())
    press(page, "Continue")
    page.wait_for_url("**/dashboard")


def test_the_order_pages_show_real_rows(
    host: Host, tab: Page, simulator: Simulator, totp: Callable[[], str], shoot: Shoot
) -> None:
    simulator.demo.totp_enabled = True
    app_login(tab, host)
    log_in_here(tab, host, simulator, totp)
    as_json = {"Accept": "application/json"}
    key = tab.request.get(f"{host.url}/apikey", headers=as_json).json()["api_key"]
    infy = {"symbol": "INFY", "exchange": "NSE"}
    order = {**infy, "strategy": "test", "action": "BUY", "product": "MIS", "quantity": 5}
    rest = host.visitor().rest
    assert until(lambda: rest("quotes", key, **infy).json()["status"] == "success", 60)
    ltp = rest("quotes", key, **infy).json()["data"]["ltp"]
    limit = {"pricetype": "LIMIT", "price": float(round(ltp * 0.95))}
    for more in ({"pricetype": "MARKET"}, limit):
        placed = rest("placeorder", key, **order, **more).json()
        assert placed["status"] == "success", placed
    resting = placed["orderid"]
    for page, words in (
        ("orderbook", ("INFY", resting, "open")),
        ("tradebook", ("INFY",)),
        ("positions", ("INFY", "MIS")),
        ("pnl-tracker", ("Current MTM",)),
    ):
        tab.goto(f"{host.url}/{page}")
        for word in words:
            expect(tab.get_by_text(re.compile(re.escape(word), re.I)).first).to_be_visible()
        shoot(tab, f"host-{page}")
    for end in ("cancelallorder", "closeposition"):
        assert rest(end, key, strategy="test").json()["status"] == "success"


def test_every_page_of_the_host_loads(
    host: Host, tab: Page, simulator: Simulator, totp: Callable[[], str], shoot: Shoot
) -> None:
    simulator.demo.totp_enabled = True
    app_login(tab, host)
    log_in_here(tab, host, simulator, totp)
    wrong: list[str] = []
    failed: list[tuple[str, Request]] = []
    where = ""

    def answered(response: Response) -> None:
        is_page = response.request.resource_type == "document"
        if response.status >= 500 or (is_page and response.status >= 400):
            failed.append((where, response.request))

    tab.on("response", answered)
    for where in PAGES:
        tab.goto(f"{host.url}/{where}", wait_until="domcontentloaded")
        tab.locator("#root > *").first.wait_for(state="attached")
        expect(tab.locator("body")).to_contain_text(re.compile(r"\S"))
        tab.wait_for_timeout(100)
        if tab.url.removeprefix(host.url) in ("/error", "/login"):
            wrong.append(f"{where}: ended at {tab.url}")
        if where == "orderbook":
            tab.wait_for_timeout(1000)
            expect(tab.get_by_text("Failed to fetch orders")).to_have_count(0)
            shoot(tab, "host-orderbook")
    tab.remove_listener("response", answered)
    for page, request in failed:
        # Asked once more: of a page that was left the browser has forgotten what it was told.
        said = tab.request.fetch(request).text()
        if "being downloaded" not in said:  # the instruments, just after a login
            wrong.append(f"{page}: {request.url} {said[:300]}")
    assert wrong == []
