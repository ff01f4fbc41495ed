"""The floor that all else stands on: secrets that do not print, the end of the day, the errors."""

from __future__ import annotations

import copy
import json
import logging
import pickle
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from broker._kit import errors
from broker._kit.clock import IST, SYSTEM_CLOCK, session_end
from broker._kit.errors import (
    BrokerError,
    CertificateError,
    CorrectInput,
    FixConfiguration,
    HostError,
    LogInAgain,
    LoginInProgress,
    LoginUnfinished,
    ManualCheckRequired,
    OutcomeUnknown,
    PluginFault,
    RateLimited,
    SessionRefused,
    SettingError,
    StoreError,
    Unreachable,
    WaitAndRetry,
)
from broker._kit.secret import Secret
from broker.mstock.errors import (
    APIKeyException,
    DataException,
    GeneralException,
    InputException,
    MiraeException,
    TokenException,
    VersionException,
)

VALUE = "s3cr3t-value"
SECRET = Secret(VALUE)


@dataclass
class Holder:
    name: str
    secret: Secret


class TestSecret:
    @pytest.mark.parametrize(
        "text",
        [
            repr(SECRET),
            str(SECRET),
            f"{SECRET}",
            f"{SECRET!r}",
            f"{SECRET!a}",
            f"{SECRET:>40}",
            format(SECRET),
            "{}".format(SECRET),  # noqa: UP032
            "%s" % SECRET,  # noqa: UP031
            "%r" % SECRET,  # noqa: UP031
            str([SECRET]),
            str({"x": SECRET}),
            repr(Holder("n", SECRET)),
            str(ValueError(SECRET)),
            repr(ValueError(SECRET)),
        ],
    )
    def test_does_not_print_itself(self, text: str) -> None:
        assert VALUE not in text
        assert text

    def test_does_not_print_its_length(self) -> None:
        assert len({repr(Secret("x" * n)) for n in (0, 1, 6, 300)}) == 1

    def test_is_revealed_only_when_asked(self) -> None:
        assert SECRET.reveal() == VALUE

    def test_does_not_print_itself_into_a_log(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        log = logging.getLogger("somebody.else")
        log.debug("%s %r", SECRET, SECRET)
        log.error("in a list: %s", [SECRET], extra={"secret": SECRET})
        try:
            raise ValueError(SECRET)
        except ValueError:
            log.exception("it broke")
        assert VALUE not in caplog.text
        assert len(caplog.records) == 3

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_cannot_be_pickled(self, protocol: int) -> None:
        for thing in (SECRET, [SECRET], Holder("n", SECRET)):
            with pytest.raises(TypeError) as caught:
                pickle.dumps(thing, protocol)
            assert VALUE not in str(caught.value)

    def test_cannot_be_copied_or_put_into_json_unnoticed(self) -> None:
        for write in (copy.copy, copy.deepcopy, json.dumps):
            with pytest.raises(TypeError) as caught:
                write(SECRET)
            assert VALUE not in str(caught.value)
        with pytest.raises(TypeError):
            asdict(Holder("n", SECRET))

    def test_has_no_attributes_to_look_into(self) -> None:
        with pytest.raises(TypeError):
            vars(SECRET)

    def test_equals_a_secret_of_the_same_value_and_nothing_else(self) -> None:
        assert Secret("पासवर्ड") == Secret("पासवर्ड")
        assert Secret("a") != Secret("b")
        assert Secret("a") != "a"
        assert Secret("") != Secret("a")
        assert Secret("a") not in ("a", None, b"a")

    def test_is_hashed_by_value_and_not_as_its_text(self) -> None:
        assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
        assert "a" not in {Secret("a")}
        assert hash(Secret("a")) != hash("a")

    def test_is_true_unless_empty(self) -> None:
        assert Secret("0")
        assert not Secret("")


def ist(*when: int) -> datetime:
    return datetime(*when, tzinfo=IST)  # type: ignore[misc,arg-type]


class TestSessionEnd:
    @pytest.mark.parametrize(
        ("login", "end"),
        [
            (ist(2026, 11, 23, 9, 0), ist(2026, 11, 24)),
            (ist(2026, 11, 23, 0, 0), ist(2026, 11, 24)),
            (ist(2026, 11, 23, 0, 0, 0, 1), ist(2026, 11, 24)),
            (ist(2026, 11, 23, 23, 59, 59, 999999), ist(2026, 11, 24)),
            (ist(2026, 12, 31, 20, 0), ist(2027, 1, 1)),
            (ist(2028, 2, 28, 20, 0), ist(2028, 2, 29)),
            # Midnight IST is 18:30 UTC.
            (datetime(2026, 11, 23, 18, 29, 59, 999999, tzinfo=UTC), ist(2026, 11, 24)),
            (datetime(2026, 11, 23, 18, 30, tzinfo=UTC), ist(2026, 11, 25)),
            (datetime(2026, 11, 23, 23, 59, tzinfo=UTC), ist(2026, 11, 25)),
            # In other zones the day is still India's.
            (datetime(2026, 11, 23, 20, 0, tzinfo=ZoneInfo("America/New_York")), ist(2026, 11, 25)),
            (datetime(2026, 11, 24, 1, 0, tzinfo=ZoneInfo("Asia/Tokyo")), ist(2026, 11, 24)),
            (datetime(2026, 3, 29, 2, 30, tzinfo=ZoneInfo("Europe/Berlin")), ist(2026, 3, 30)),
            (
                datetime(2026, 11, 23, 9, 0, tzinfo=timezone(timedelta(hours=5, minutes=30))),
                ist(2026, 11, 24),
            ),
        ],
    )
    def test_is_the_midnight_ist_that_follows(self, login: datetime, end: datetime) -> None:
        result = session_end(login)
        assert result == end
        assert result.utcoffset() == timedelta(hours=5, minutes=30)
        assert (result.hour, result.minute, result.second, result.microsecond) == (0, 0, 0, 0)

    def test_now_is_aware_and_in_ist(self) -> None:
        assert SYSTEM_CLOCK.now().utcoffset() == timedelta(hours=5, minutes=30)
        assert abs(SYSTEM_CLOCK.now() - datetime.now(UTC)) < timedelta(seconds=5)


FAMILIES: dict[type[BrokerError], list[type[BrokerError]]] = {
    FixConfiguration: [
        SettingError,
        CertificateError,
        StoreError,
        HostError,
        APIKeyException,
        VersionException,
    ],
    LogInAgain: [TokenException],
    CorrectInput: [InputException],
    WaitAndRetry: [GeneralException, Unreachable, LoginUnfinished, LoginInProgress, RateLimited],
    ManualCheckRequired: [
        SessionRefused,
        MiraeException,
        DataException,
        PluginFault,
        OutcomeUnknown,
    ],
}
LEAVES = [leaf for leaves in FAMILIES.values() for leaf in leaves]


class TestErrors:
    def test_every_error_stands_in_exactly_one_family(self) -> None:
        everything = {
            each
            for each in vars(errors).values()
            if isinstance(each, type) and issubclass(each, Exception)
        }
        assert everything == {BrokerError, *FAMILIES, *LEAVES}
        for family, leaves in FAMILIES.items():
            assert family.__bases__ == (BrokerError,)
            for leaf in leaves:
                assert leaf.__bases__ == (family,)

    @pytest.mark.parametrize("kind", [BrokerError, *FAMILIES, *LEAVES])
    def test_every_error_carries_message_next_step_code_and_http_status(
        self, kind: type[BrokerError]
    ) -> None:
        error = kind("It broke.", "Mend it.", code="MA500", http_status=200)
        assert (error.message, error.next_step) == ("It broke.", "Mend it.")
        assert (error.code, error.http_status) == ("MA500", 200)
        assert str(error) == "It broke. Mend it. (code MA500)"
        bare = kind("It broke.")
        assert (bare.next_step, bare.code, bare.http_status) == ("", "", None)
        assert str(bare) == "It broke."

    def test_attempts_and_seconds_are_unknown_unless_given(self) -> None:
        assert InputException("m").attempts_left is None
        assert InputException("m", attempts_left=0).attempts_left == 0
        assert RateLimited("m").retry_after is None
        assert RateLimited("m", retry_after=9).retry_after == 9
