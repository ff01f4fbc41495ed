"""The host's door to the account's funds."""

from __future__ import annotations

from typing import Any

from broker._kit.errors import BrokerError, LogInAgain
from broker._kit.faults import guarded
from broker._kit.secret import Secret
from broker._kit.sessions.token_guard import token_guard
from broker.mstock.broker import MSTOCK
from broker.mstock.client.dialects import client_for
from broker.mstock.mapping import funds
from broker.mstock.mapping.funds import FundSummary
from broker.mstock.settings import Config


def get_margin_data(auth_token: str) -> dict[str, str]:
    """The five figures of OpenAlgo's dashboard, strings of rupees with two decimals.

    Keys: `availablecash` (cash without collateral, margin in use not taken off; with
    MSTOCK_FUNDS_VIEW=balance mStock's `AVAILABLE_BALANCE`), `collateral`, `m2munrealized`,
    `m2mrealized`, `utiliseddebits`. Raises `BrokerError`, whose text is fit to show; the host turns
    an exception into an error and a returned error into a success.
    """

    def read() -> dict[str, str]:
        config = Config.from_env()
        return funds.margin(_fetch(config, auth_token), config.funds_view).for_host()

    return guarded(read)


def get_fund_summary(auth_token: str, *, config: Config | None = None) -> FundSummary:
    """All 24 fields of mStock's fund summary: 22 figures in rupees as `Decimal`, two words.

    The settings are read from the environment unless `config` is given. Raises `BrokerError`.
    """
    return guarded(lambda: funds.summary(_fetch(config or Config.from_env(), auth_token)))


def check_auth_token(auth_token: str) -> tuple[bool, str]:
    """Whether mStock still takes the token, and a sentence on it; asks mStock, raises no error.

    `False` also when mStock could not be asked; the sentence says which. Not named
    `test_auth_token`: OpenAlgo would call that before `get_margin_data` when it resumes a session,
    and ask mStock twice for the same funds.
    """
    try:
        guarded(lambda: _fetch(Config.from_env(), auth_token))
    except LogInAgain as error:
        return False, str(error)
    except BrokerError as error:
        return False, f"The mStock session could not be checked. {error}"
    return True, "The mStock session is valid."


def _fetch(config: Config, auth_token: str) -> Any:
    # The host may hold None here; what is no text is no token, and the client says so.
    token = Secret(auth_token if isinstance(auth_token, str) else "")
    return token_guard(MSTOCK).run(config, token, lambda: client_for(config).fund_summary(token))
