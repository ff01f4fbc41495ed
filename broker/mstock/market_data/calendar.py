"""The trading days that the user's own table corrects."""

from __future__ import annotations

import logging

from broker._kit.errors import SettingError
from broker._kit.sessions.trading_calendar import Calendar, load_calendar
from broker._kit.settings import ServiceSettings, file_environment

log = logging.getLogger(__name__)


def trading_calendar() -> Calendar:
    """The table of trading days with the user's `trading-days.json` over it.

    Where that or its folder's setting cannot be read, the packaged table alone, and the log says
    so: prices do not wait for it.
    """
    try:
        return load_calendar(ServiceSettings.from_env(file_environment(is_needed=False)).home)
    except SettingError as error:
        log.warning("mStock: the plugin's own table of trading days is used. %s", error)
        return load_calendar()
