"""What a broker's own pages in the standalone app are given, and what they give back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from flask import Blueprint, Response

from broker._kit.clock import Clock
from broker._kit.secret import Secret
from broker._kit.sessions.token_guard import TokenGuard
from broker._kit.settings import ServiceSettings
from broker._kit.web.pages import Pages


class Visit(NamedTuple):
    """A browser that is logged in; `config` are the broker's settings.

    `is_logged_in` may be asked later and from any thread: False when this session has ended or
    another has taken its place.
    """

    config: Any
    token: Secret
    is_logged_in: Callable[[], bool]


class PageTools(NamedTuple):
    """`pages` renders; `guard` stands before every call with a token.

    `show` answers with a view's page where the browser is logged in, and otherwise leads it to the
    login; a view may raise `SessionExpired`. `visit` is for what is no page: None when the browser
    is not logged in.
    """

    pages: Pages
    services: ServiceSettings
    guard: TokenGuard
    clock: Clock
    show: Callable[[Callable[[Visit], Response]], Response]
    visit: Callable[[], Visit | None]


class BrokerPages(NamedTuple):
    """The broker's blueprint, and names and endpoints for the navigation."""

    blueprint: Blueprint
    navigation: tuple[tuple[str, str], ...]
