"""A form is sent once: the double click, the repeat, and the one that fails."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from broker._kit.web.login_limits import AlreadySubmitted, SingleSubmit
from tests.web.helpers import until_waiting


def test_a_double_click_shares_one_answer() -> None:
    once: SingleSubmit[int] = SingleSubmit()
    started, finish = threading.Event(), threading.Event()
    calls = []

    def work() -> int:
        calls.append(1)
        started.set()
        assert finish.wait(5)
        return 42

    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(once.run, "form", work, 5)
        assert started.wait(5)
        others = [pool.submit(once.run, "form", work, 5) for _ in range(4)]
        until_waiting(once, 4)
        finish.set()
        assert [first.result(5), *(each.result(5) for each in others)] == [42] * 5
    assert len(calls) == 1


def test_a_later_repeat_is_turned_away() -> None:
    once: SingleSubmit[int] = SingleSubmit()
    assert once.run("form", lambda: 1, 5) == 1
    with pytest.raises(AlreadySubmitted):
        once.run("form", lambda: 2, 5)
    assert once.run("other form", lambda: 3, 5) == 3


def test_a_failure_is_told_to_its_doer_alone_and_still_uses_the_form_up() -> None:
    once: SingleSubmit[int] = SingleSubmit()
    started, finish = threading.Event(), threading.Event()

    def work() -> int:
        started.set()
        assert finish.wait(5)
        raise LookupError("secret")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(once.run, "form", work, 5)
        assert started.wait(5)
        second = pool.submit(once.run, "form", work, 5)
        until_waiting(once, 1)
        finish.set()
        with pytest.raises(LookupError):
            first.result(5)
        with pytest.raises(AlreadySubmitted):
            second.result(5)
    with pytest.raises(AlreadySubmitted):
        once.run("form", lambda: 1, 5)


def test_patience_has_an_end() -> None:
    once: SingleSubmit[int] = SingleSubmit()
    started, finish = threading.Event(), threading.Event()

    def work() -> int:
        started.set()
        assert finish.wait(5)
        return 1

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(once.run, "form", work, 5)
        assert started.wait(5)
        with pytest.raises(AlreadySubmitted):
            once.run("form", work, 0.01)
        finish.set()
        assert first.result(5) == 1


def test_the_result_is_not_kept_and_the_memory_is_bounded() -> None:
    once: SingleSubmit[object] = SingleSubmit(capacity=3)
    for n in range(10):
        once.run(n, object, 1)
    assert once._running == {}
    assert list(once._used) == [7, 8, 9]
