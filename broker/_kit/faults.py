"""Keeps a fault of the plugin's own from reaching the host with its text, which may be secret."""

from __future__ import annotations

import logging
import os.path
import traceback
from collections.abc import Callable
from typing import TypeVar

from broker._kit.errors import BrokerError, PluginFault

log = logging.getLogger(__name__)

T = TypeVar("T")


def guarded(work: Callable[[], T]) -> T:
    """The work's value. Raises `BrokerError` and nothing else.

    Of a fault its kind and place are told, not its text: the text could quote what was entered,
    and OpenAlgo shows it to the user.
    """
    try:
        return work()
    except BrokerError as error:
        refusal: BrokerError | None = error
    except Exception as error:
        refusal, fault = None, fault_location(error)
    if refusal is not None:
        # Without its way here: the frames hold token, key and password, which some collectors of
        # errors write down.
        raise refusal.with_traceback(None)
    # Raised out here, so that the fault itself does not hang on the error as its context.
    log.error(f"The broker plugin failed: {fault}")
    raise PluginFault(f"The broker plugin failed ({fault}).", "Please report this fault in it.")


def fault_location(error: BaseException) -> str:
    """A fault's kind and place, and not its text."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
