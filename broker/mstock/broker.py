"""mStock described for the kit: settings, login, funds, logout, and when a session ends."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from broker._kit.broker import Broker, FundReport
from broker._kit.clock import session_end
from broker._kit.secret import Secret
from broker._kit.settings import ServiceSettings
from broker.mstock import VERSION
from broker.mstock.client import login
from broker.mstock.client.dialects import client_for
from broker.mstock.mapping import funds
from broker.mstock.mapping.fund_report import fund_report
from broker.mstock.settings import Config
from broker.mstock.terms import TERMS

if TYPE_CHECKING:
    from broker._kit.web.broker_pages import BrokerPages, PageTools


def _fund_report(config: Config, token: Secret) -> FundReport:
    summary = funds.summary(client_for(config).fund_summary(token))
    return fund_report(summary, config.funds_view)


def _check_session(config: Config, token: Secret) -> None:
    client_for(config).fund_summary(token)


def _erase_journal(settings: ServiceSettings) -> list[str]:
    from broker.mstock.orders.journal import erase_journals  # SQLAlchemy takes its time to load

    return erase_journals(settings)


def _check_instruments() -> None:
    """Download the instruments when they are of another API type: OpenAlgo goes by the day only."""
    from broker.mstock.database import instruments

    with suppress(instruments.NoInstruments):  # it downloads
        instruments.instruments()


def _pages(tools: PageTools) -> BrokerPages:
    from broker.mstock.web import pages  # loads websocket-client and SQLAlchemy

    return pages(tools)


MSTOCK = Broker(
    name="mstock",
    title="mStock",
    version=VERSION,
    read_settings=Config.from_env,
    credentials=(
        ("BROKER_API_KEY", "client code (the login id)"),
        ("BROKER_API_SECRET", "API key"),
    ),
    api_types=("A", "B"),
    api_type_setting="MSTOCK_API_TYPE",
    send_otp=login.send_otp,
    verify_otp=login.verify_otp,
    log_in_with_totp=login.login_with_totp,
    login_client=client_for,
    check_session=_check_session,
    fund_report=_fund_report,
    log_out=login.logout,
    # Source: mStock's login page ("valid till 12:00 AM of generated day", newer "12 hours").
    session_end=session_end,
    session_end_words="at midnight IST",
    usual_life=timedelta(hours=12),
    terms=TERMS,
    # A token that the first logout has ended is answered with a 401, and nothing else happens.
    repeats_logout=True,
    after_login=_check_instruments,
    erase_more=_erase_journal,
    host_files=("db/mstock_orders.db",),
    pages=_pages,
    order_updates=("broker.mstock.streaming.host_orders", "order_adapter"),
)
