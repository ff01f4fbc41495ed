"""Secrets do not print, pickle or copy themselves."""

from __future__ import annotations

import copy
import json
import logging
import pickle
from dataclasses import asdict, dataclass

import pytest

from broker._kit.secret import Secret

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
