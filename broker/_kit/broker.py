"""What the kit asks of a broker: one `Broker`, described in the broker's own `broker.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, Protocol, Self

from broker._kit.clock import Clock
from broker._kit.secret import Secret
from broker._kit.settings import Account, ServiceSettings, Timeouts


class BrokerSettings(Protocol):
    """The checked settings of one account; two equal ones may share their connections."""

    @property
    def account(self) -> Account: ...
    @property
    def client_code(self) -> str: ...
    @property
    def api_key(self) -> Secret: ...
    @property
    def api_type(self) -> str: ...
    @property
    def is_live(self) -> bool: ...
    @property
    def rest_url(self) -> str: ...
    @property
    def redirect_url(self) -> str: ...
    @property
    def timeouts(self) -> Timeouts: ...
    @property
    def proxy(self) -> Secret | None: ...
    def with_timeouts(self, timeouts: Timeouts) -> Self: ...


class LoginReply(NamedTuple):
    """A password that was taken: the ticket for the second step, and where an OTP went, if any.

    `server_time` is the broker's own clock, by which it judges an authenticator code.
    """

    ticket: Secret
    message: str
    server_time: datetime | None = None


class LoginClient(Protocol):
    """The two calls of a login; every method raises `BrokerError`."""

    def login(self, client_code: str, password: Secret) -> LoginReply: ...
    def verify_totp(self, ticket: Secret, code: Secret) -> Secret: ...
    def server_time(self) -> datetime | None: ...


class LogoutResult(NamedTuple):
    """How a logout ended: `confirmed` when the broker is known to have ended the session."""

    confirmed: bool
    message: str


@dataclass(frozen=True, slots=True)
class FundLine:
    """One figure in rupees with its name and meaning; `signed` ones show a plus too."""

    name: str
    meaning: str
    amount: Decimal
    signed: bool = False

    @property
    def is_zero(self) -> bool:
        return not self.amount


@dataclass(frozen=True, slots=True)
class FundGroup:
    """A heading, what it means, and the figures under it."""

    title: str
    note: str
    lines: tuple[FundLine, ...]


@dataclass(frozen=True, slots=True)
class FundReport:
    """An account's funds, ready to be shown.

    `columns` are the groups as they are stacked on a wide screen; `host_fields` OpenAlgo's five
    keys, `host_lines` the same with labels; `fields` the broker's own, as they came.
    """

    available: Decimal
    in_use: Decimal
    scope: str
    columns: tuple[tuple[FundGroup, ...], ...]
    host_lines: tuple[FundLine, ...]
    host_fields: Mapping[str, str]
    fields: Mapping[str, str]
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """A broker. Its calls raise `BrokerError`; those that change something are sent once.

    `name` is its folder below `broker/`, OpenAlgo's name for it and the root of its addresses.
    `credentials` says what the host's lines in `.env` hold here: names, and words for a question.
    `check_session` is one read, which raises `SessionExpired` for a dead token. It and
    `fund_report` ask the broker at once: the token guard is the caller's.
    `session_end` is the moment at which a session that began then is dead for certain, in words
    `session_end_words`; `usual_life` how long it may be expected to live at least. A broker whose
    keys are of one kind has no `api_types`. `otp_channels` is how an OTP comes.
    `repeats_logout` allows a logout that was not confirmed to be sent once more: of a token that is
    dead by then it must be harmless. `after_login` is what OpenAlgo does not do by itself when a
    new session is stored there. `unbuilt` names what the plugin cannot do yet, such as "orders".
    `erase_more` removes what the broker keeps beside the sessions and says what it was;
    `host_files` are its files in OpenAlgo's folder, which an uninstall removes. `order_updates` is
    the module and the function that make OpenAlgo's adapter for order updates out of a user's name;
    without it OpenAlgo polls. `pages` makes the broker's own pages of the standalone app: it gets
    `web.broker_pages.PageTools` and returns `BrokerPages`.
    """

    name: str
    title: str
    version: str
    read_settings: Callable[[Mapping[str, str] | None], BrokerSettings]
    credentials: tuple[tuple[str, str], ...]
    send_otp: Callable[[Any, Secret], LoginReply]
    verify_otp: Callable[[Any, Secret, Secret], Secret]
    log_in_with_totp: Callable[[Any, Secret, Secret], Secret]
    login_client: Callable[[Any, Clock], LoginClient]
    check_session: Callable[[Any, Secret], object]
    fund_report: Callable[[Any, Secret], FundReport]
    log_out: Callable[[Any, Secret], LogoutResult]
    session_end: Callable[[datetime], datetime]
    session_end_words: str
    usual_life: timedelta
    terms: tuple[str, ...]
    api_types: tuple[str, ...] = ()
    api_type_setting: str = ""
    otp_channels: str = "SMS and e-mail"
    repeats_logout: bool = False
    after_login: Callable[[], object] = lambda: None
    unbuilt: tuple[str, ...] = ()
    erase_more: Callable[[ServiceSettings], list[str]] = lambda _settings: []
    host_files: tuple[str, ...] = ()
    order_updates: tuple[str, str] | None = None
    pages: Callable[[Any], Any] | None = None

    def end_session(self, config: Any, token: Secret) -> LogoutResult:
        """Log out; where it may be repeated, once more when the broker did not confirm it."""
        result = self.log_out(config, token)
        if result.confirmed or not self.repeats_logout:
            return result
        return self.log_out(config, token)

    @property
    def callback_path(self) -> str:
        """Where OpenAlgo has the login page for this broker."""
        return f"/{self.name}/callback"
