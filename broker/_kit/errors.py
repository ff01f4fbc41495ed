"""What can go wrong, in families named for what the caller should do about it.

A broker derives its own names from these.
"""

from __future__ import annotations


class BrokerError(Exception):
    """A failure told to a trader: what happened, what to do next, and the broker's own code.

    `http_status` is that of its answer, `attempts_left` the number of password attempts and
    `retry_after` the seconds to wait, each None when the broker does not say it. `is_silence` is
    True when no answer came in time: the broker may still be at work on the call.
    No field ever holds a secret or HTML.
    """

    def __init__(
        self,
        message: str,
        next_step: str = "",
        *,
        code: str = "",
        http_status: int | None = None,
        attempts_left: int | None = None,
        retry_after: int | None = None,
        is_silence: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step
        self.code = code
        self.http_status = http_status
        self.attempts_left = attempts_left
        self.retry_after = retry_after
        self.is_silence = is_silence

    def __str__(self) -> str:
        text = f"{self.message} {self.next_step}".rstrip()
        return f"{text} (code {self.code})" if self.code else text


class FixConfiguration(BrokerError):
    """Nothing will work until a setting, the API key or the machine's set-up is put right."""


class LogInAgain(BrokerError):
    """The session is over; a new login is needed."""


class CorrectInput(BrokerError):
    """What was entered or asked for is wrong; correct it before trying again."""


class WaitAndRetry(BrokerError):
    """The broker could not serve the call now; the same call may succeed later."""


class ManualCheckRequired(BrokerError):
    """A person has to look first: the outcome is unknown, or only the broker's words explain it."""


class SettingError(FixConfiguration):
    """A setting in `.env` is missing or unusable; the message names it."""


class CertificateError(FixConfiguration):
    """The other side's TLS certificate does not prove that it is the broker; nothing was sent."""


class StoreError(FixConfiguration):
    """What is kept (password, secret, token) cannot be read or written; nothing was overwritten."""


class AccessRefused(FixConfiguration):
    """The broker refused the API key or the address it is used from."""


class UnsupportedVersion(FixConfiguration):
    """The broker wants another API version than the one this plugin speaks."""


class HostError(FixConfiguration):
    """OpenAlgo lacks something the plugin needs, or has changed it; the message names both."""


class SessionExpired(LogInAgain):
    """The session is over: by the time, or because the broker says so in known words."""


class SessionRefused(ManualCheckRequired):
    """The broker gave the code of a dead token with words that are not known to mean one."""


class Unreachable(WaitAndRetry):
    """No usable answer came from the broker, and nothing was changed there."""


class LoginUnfinished(WaitAndRetry):
    """The broker took the password, and the code for the second step could not be sent."""


class LoginInProgress(WaitAndRetry):
    """Another process or form is logging this account in at this moment."""


class RateLimited(WaitAndRetry):
    """Too many calls, as the broker says (429) or as its limits are; `retry_after` says when."""


class RefusedByBroker(ManualCheckRequired):
    """The broker refused for a reason that only its own words give."""


class UnusableReply(ManualCheckRequired):
    """The broker answered with something that cannot be used; the message names the fault."""


class PluginFault(ManualCheckRequired):
    """The plugin itself is at fault; the message names the place."""


class OutcomeUnknown(ManualCheckRequired):
    """A call that must not be repeated was sent; whether the broker carried it out is unknown."""
