"""The guard over tokens: what is not sent, what is asked again, and what is said once."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from broker._kit.errors import CorrectInput, SessionExpired, SessionRefused, Unreachable
from broker._kit.secret import Secret
from broker._kit.sessions.token_guard import TokenGuard, token_guard
from broker.mstock.broker import MSTOCK
from broker.mstock.client.dialects import client_for
from broker.mstock.errors import TokenException
from broker.mstock.settings import Config
from broker_simulator.mstock import Simulator
from proofs.simulated import SimulatedTime
from tests.conftest import settings_for
from tests.support.auto import at

READS = "b/user/fundsummary"


class Watched:
    """A logged-in account, its guard, and what the guard has reported."""

    def __init__(self, box: Simulator) -> None:
        self.box = box
        self.time = SimulatedTime(box, at("08:40"))
        self.config = Config.from_env(settings_for(box))
        self.token = self.log_in()
        self.guard = TokenGuard(MSTOCK, self.time)

    def log_in(self) -> Secret:
        demo, world = self.box.demo, self.box.world
        world.login("b", demo.client_code, demo.password)
        otp = self.box.phone.last_otp(demo.client_code)
        return Secret(world.finish_with_otp("b", demo.api_key_b, str(otp)).token)

    def read(self, token: Secret | None = None) -> object:
        token = token or self.token
        config = self.config
        return self.guard.run(config, token, lambda: client_for(config).fund_summary(token))

    @property
    def is_dead(self) -> bool:
        return self.guard.is_revoked(self.config.account, self.token)

    @property
    def reads(self) -> int:
        return sum(entry.route == READS for entry in self.box.journal)


@pytest.fixture
def watched() -> Iterator[Watched]:
    with Simulator() as box:
        yield Watched(box)


class TestByTheTime:
    def test_yesterdays_token_is_not_sent(self, watched: Watched) -> None:
        assert watched.read()
        watched.time.until(at("00:00") + timedelta(days=1))
        with pytest.raises(SessionExpired, match="it ended at 00:00 IST"):
            watched.read()
        assert watched.reads == 1
        assert not watched.is_dead  # nobody was told by mStock

    def test_todays_is_sent_until_the_last_second(self, watched: Watched) -> None:
        watched.time.until(at("23:59:59"))
        assert watched.read()

    def test_a_refusal_after_twelve_hours_is_an_expiry_like_any_other(
        self, watched: Watched
    ) -> None:
        watched.time.until(at("20:45"))
        assert watched.read()  # not refused here: mStock decides
        watched.box.world.end_sessions()
        with pytest.raises(SessionExpired):
            watched.read()
        assert watched.is_dead

    @pytest.mark.parametrize("text", ["a.b.c", "no-jwt", "e30.e30.e30"])
    def test_a_token_that_does_not_say_is_mstocks_to_judge(
        self, watched: Watched, text: str
    ) -> None:
        with pytest.raises(SessionExpired):
            watched.read(Secret(text))
        assert watched.reads == 2


class TestByMstocksWord:
    def test_twice_refused_is_dead_and_told_once(
        self, watched: Watched, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        watched.box.world.end_sessions()
        for _ in range(3):
            with pytest.raises(SessionExpired):
                watched.read()
        assert watched.reads == 2
        assert watched.is_dead
        assert caplog.text.count("has ended the session") == 1

    def test_once_refused_and_once_answered_is_alive(self, watched: Watched) -> None:
        watched.box.faults.set(READS, "dead_token", times=1)
        with pytest.raises(SessionRefused) as caught:
            watched.read()
        assert caught.value.next_step
        assert watched.read()
        assert not watched.is_dead

    @pytest.mark.parametrize("fault", ["bad_gateway", "reset", "general_error", "expired_key"])
    def test_what_cannot_be_confirmed_is_not_marked(self, watched: Watched, fault: str) -> None:
        def refused() -> None:
            watched.box.faults.set(READS, fault)
            raise TokenException("The mStock session is over.", code="IA401")

        with pytest.raises(SessionExpired) as caught:
            watched.guard.run(watched.config, watched.token, refused)
        assert caught.value.code == "IA401"
        watched.box.faults.clear()
        assert watched.read()
        assert not watched.is_dead

    def test_other_errors_pass_and_are_not_looked_into(self, watched: Watched) -> None:
        watched.box.faults.set(READS, "bad_gateway")
        with pytest.raises(Unreachable):
            watched.read()
        reads = watched.reads
        with pytest.raises(CorrectInput):
            watched.guard.run(watched.config, watched.token, _wrong_input)
        assert watched.reads == reads

    def test_the_next_token_is_another(self, watched: Watched) -> None:
        watched.box.world.end_sessions()
        with pytest.raises(SessionExpired):
            watched.read()
        assert watched.read(watched.log_in())
        assert watched.is_dead

    def test_many_threads_ask_once_and_tell_once(
        self, watched: Watched, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        watched.box.world.end_sessions()
        ends: list[type[BaseException]] = []
        start = threading.Barrier(8)

        def read() -> None:
            start.wait()
            try:
                watched.read()
            except SessionExpired as error:
                ends.append(type(error))

        threads = [threading.Thread(target=read) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(ends) == 8
        assert caplog.text.count("has ended the session") == 1
        assert watched.reads <= 8 + 1  # one confirmation for all of them


def test_a_process_has_one_guard_of_a_broker() -> None:
    assert token_guard(MSTOCK) is token_guard(MSTOCK)


def test_loads_nothing_heavy() -> None:
    """The login's door imports it, and a host's start waits for the door."""
    heavy = "{'cryptography', 'sqlalchemy', 'flask', 'pyotp', 'jwt'}"
    code = f"import sys, broker.mstock.api.auth_api; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def _wrong_input() -> None:
    raise CorrectInput("no")
