"""Logs in without a person: the password, and a TOTP code reckoned by the broker's own clock."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from broker._kit.broker import Broker, BrokerSettings
from broker._kit.clock import SYSTEM_CLOCK, Clock
from broker._kit.errors import CorrectInput, LoginUnfinished, Unreachable
from broker._kit.secret import Secret
from broker._kit.settings import Timeouts

STEP = 30  # seconds that a code lives; the brokers' authenticators are the usual one (RFC 6238)
# A code that is about to change is left alone: it may arrive when it is over.
_MARGIN = 3.0
# The broker's ticket and the open connection bear no longer wait between the two calls.
_LONGEST_WAIT = STEP + _MARGIN
_FEWEST_BYTES = 10  # a shorter secret is a typing error; RFC 4226 wants 16


def longest_login(timeouts: Timeouts) -> float:
    """Seconds that a login may take: a wait before each call, both to their deadlines, some air."""
    return 2 * (_LONGEST_WAIT + timeouts.deadline + timeouts.connect) + 60


def step_at(moment: datetime) -> int:
    """The TOTP step that this moment lies in."""
    return math.floor(moment.timestamp() / STEP)


class Choice(NamedTuple):
    """Which step's code to send, and the seconds until then."""

    step: int
    wait: float


def log_in(
    broker: Broker,
    config: BrokerSettings,
    password: Secret,
    totp_secret: Secret,
    *,
    used: Iterable[int] = (),
    note: Callable[[int, int], None],
    clock: Clock = SYSTEM_CLOCK,
) -> Secret:
    """The day's token, by both calls on one connection; each goes out once.

    `used` are the steps whose codes were sent before; none is sent again. `note` is given the step
    before its code goes out, to store it, and the seconds by which this computer's clock is ahead
    of the broker's; what it raises ends the login. Takes up to a minute, most of it waiting for the
    next code. Raises as the broker's `log_in_with_totp` does, `LoginUnfinished` also when no fresh
    code was to be had in time.
    """
    import pyotp

    codes, used = pyotp.TOTP(totp_key(totp_secret).reveal()), frozenset(used)
    # Here, so that the wait between the two calls is short where this computer's clock is right.
    clock.sleep(min(choose_step(clock.now().timestamp(), used).wait, _LONGEST_WAIT))
    client = broker.login_client(config, clock)
    reply = client.login(config.client_code, password)
    now = clock.now()
    server_time = reply.server_time or now
    step, wait = choose_step(server_time.timestamp(), used)
    if wait > _LONGEST_WAIT:
        raise LoginUnfinished(
            f"{broker.title} took the password, but the authenticator code of this moment was "
            "used before.",
            "Wait for a minute and start again.",
        )
    if wait:
        clock.sleep(wait)
    note(step, round((now - server_time).total_seconds()))
    try:
        return client.verify_totp(reply.ticket, Secret(codes.generate_otp(step)))
    except Unreachable:
        raise LoginUnfinished(
            f"{broker.title} took the password, but the authenticator code could not be sent.",
            "Wait for the next code and start again.",
        ) from None


def totp_key(totp_secret: Secret) -> Secret:
    """The TOTP secret in its usual spelling. Raises `CorrectInput` when it is none.

    Blanks, hyphens and small letters are tolerated, as authenticators show them.
    """
    text = "".join(totp_secret.reveal().split()).replace("-", "").upper().rstrip("=")
    try:
        raw = base64.b32decode(text + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) < _FEWEST_BYTES:
        raise CorrectInput(
            "This is not a TOTP secret; nothing was sent.",
            "Enter the text that the broker shows under the QR code (letters A to Z and digits 2 "
            "to 7), not the six digits of a code.",
        )
    return Secret(text)


def choose_step(time: float, used: frozenset[int]) -> Choice:
    """The first step whose code may be sent, for a time in seconds since 1970.

    It is later than every used step up to the next one: a step further ahead was reckoned by a
    clock that was wrong, and waiting for it could take years.
    """
    now = math.floor(time / STEP)
    step = max([now, *(each + 1 for each in used if each <= now + 1)])
    if step == now and (now + 1) * STEP - time <= _MARGIN:
        step += 1
    while step in used:
        step += 1
    return Choice(step, max(0.0, step * STEP - time))
