"""What a command's exit code says, and which one each family of errors gets."""

from __future__ import annotations

from enum import IntEnum

from broker._kit.errors import (
    BrokerError,
    CorrectInput,
    FixConfiguration,
    LogInAgain,
    ManualCheckRequired,
    PluginFault,
    RefusedByBroker,
    WaitAndRetry,
)


class Exit(IntEnum):
    """The exit codes of every command."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    NO_SESSION = 3
    LATER = 4
    SETTINGS = 5
    LOOK_FIRST = 6
    STOPPED = 130


WORDS: dict[Exit, str] = {
    Exit.OK: "Done.",
    Exit.REFUSED: "Refused, or failed: the message says why. Of doctor: something is to be done.",
    Exit.USAGE: "Not understood, or a terminal is needed to ask you something.",
    Exit.NO_SESSION: "There is no mStock session, or it is over: log in.",
    Exit.LATER: "mStock cannot be reached, or asks to wait: try again later.",
    Exit.SETTINGS: "A setting, the API key or the vault has to be put right first.",
    Exit.LOOK_FIRST: "Whether mStock did it is unknown, or cannot be told: look before you repeat.",
    Exit.STOPPED: "Stopped by you (Ctrl-C).",
}

# First match wins.
FAMILIES: tuple[tuple[type[BrokerError], Exit], ...] = (
    (FixConfiguration, Exit.SETTINGS),
    (LogInAgain, Exit.NO_SESSION),
    (CorrectInput, Exit.REFUSED),
    (WaitAndRetry, Exit.LATER),
    (RefusedByBroker, Exit.REFUSED),
    (PluginFault, Exit.REFUSED),
    (ManualCheckRequired, Exit.LOOK_FIRST),
    (BrokerError, Exit.REFUSED),
)


def exit_of(error: BrokerError) -> Exit:
    """The exit code for an error."""
    return next(code for family, code in FAMILIES if isinstance(error, family))
