"""The errors: each in one family, each with message, next step and code."""

from __future__ import annotations

import pytest

from broker._kit import errors
from broker._kit.errors import BrokerError
from broker.mstock import errors as mstock

FAMILIES: dict[type[BrokerError], set[type[BrokerError]]] = {
    errors.FixConfiguration: {
        *(errors.SettingError, errors.CertificateError, errors.StoreError),
        *(errors.AccessRefused, errors.UnsupportedVersion, errors.HostError),
    },
    errors.LogInAgain: {errors.SessionExpired},
    errors.CorrectInput: set(),
    errors.WaitAndRetry: {
        *(errors.Unreachable, errors.LoginUnfinished, errors.LoginInProgress, errors.RateLimited),
    },
    errors.ManualCheckRequired: {
        *(errors.SessionRefused, errors.RefusedByBroker, errors.UnusableReply),
        *(errors.PluginFault, errors.OutcomeUnknown),
    },
}
# In a steady order: several processes that collect these tests must agree.
LEAVES = sorted({leaf for leaves in FAMILIES.values() for leaf in leaves}, key=lambda e: e.__name__)
# mStock's own names, and the kit's that they are.
MSTOCK = {
    mstock.APIKeyException: errors.AccessRefused,
    mstock.VersionException: errors.UnsupportedVersion,
    mstock.TokenException: errors.SessionExpired,
    mstock.InputException: errors.CorrectInput,
    mstock.GeneralException: errors.WaitAndRetry,
    mstock.MiraeException: errors.RefusedByBroker,
    mstock.DataException: errors.UnusableReply,
}


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

    @pytest.mark.parametrize(("name", "kind"), MSTOCK.items())
    def test_each_of_mstocks_names_is_one_of_the_kits(
        self, name: type[BrokerError], kind: type[BrokerError]
    ) -> None:
        assert name.__bases__ == (kind,)

    @pytest.mark.parametrize("kind", [BrokerError, *FAMILIES, *LEAVES, *MSTOCK])
    def test_every_error_carries_message_next_step_code_and_http_status(
        self, kind: type[BrokerError]
    ) -> None:
        error = kind("It broke.", "Fix it.", code="MA500", http_status=200)
        assert (error.message, error.next_step) == ("It broke.", "Fix it.")
        assert (error.code, error.http_status) == ("MA500", 200)
        assert str(error) == "It broke. Fix it. (code MA500)"
        bare = kind("It broke.")
        assert (bare.next_step, bare.code, bare.http_status) == ("", "", None)
        assert str(bare) == "It broke."

    def test_attempts_and_seconds_are_unknown_unless_given(self) -> None:
        assert mstock.InputException("m").attempts_left is None
        assert mstock.InputException("m", attempts_left=0).attempts_left == 0
        assert errors.RateLimited("m").retry_after is None
        assert errors.RateLimited("m", retry_after=9).retry_after == 9
