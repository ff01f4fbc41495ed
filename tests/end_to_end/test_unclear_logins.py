"""A login whose outcome is not known, over real sockets: what it says, by the way in."""

from __future__ import annotations

import pytest

from broker._kit.errors import OutcomeUnknown
from broker._kit.secret import Secret
from broker.mstock.client import login
from broker.mstock.settings import Config
from broker_simulator.mstock import Simulator


@pytest.mark.parametrize("step", ["connect/login", "session/verifytotp"])
def test_one_by_authenticator_does_not_speak_of_an_otp(
    config: Config, simulator: Simulator, api_type: str, step: str
) -> None:
    account = simulator.demo
    account.totp_enabled = True
    simulator.faults.set(f"{api_type.lower()}/{step}", "reset")
    code = Secret(simulator.totp_now(account.client_code))
    with pytest.raises(OutcomeUnknown) as caught:
        login.login_with_totp(config, Secret(account.password), code)
    assert "OTP" not in str(caught.value).replace("TOTP", "")


def test_one_by_otp_does(config: Config, simulator: Simulator, api_type: str) -> None:
    simulator.faults.set(f"{api_type.lower()}/connect/login", "reset")
    with pytest.raises(OutcomeUnknown, match="ignore any OTP that arrives"):
        login.send_otp(config, Secret(simulator.demo.password))
