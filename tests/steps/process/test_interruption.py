import os
import signal
import time
from itertools import islice

import pytest

from steps import errors
from steps.process import interruption


@pytest.fixture
def caught():
    """Notice a SIGTERM, and forget it afterwards: it belongs to the whole process."""
    before = signal.getsignal(signal.SIGTERM)
    interruption.catch()
    yield
    interruption._asked.clear()
    signal.signal(signal.SIGTERM, before)


def test_a_safe_point_passes_without_a_sigterm():
    interruption.point()
    interruption.sleep(0)


def test_the_next_safe_point_after_a_sigterm_asks_for_another_try(caught):  # noqa: ARG001  the process's own state
    os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(errors.Interrupted) as error:
        interruption.point()

    assert error.value.exit_code == 75


def test_who_sleeps_wakes_for_a_sigterm(caught):  # noqa: ARG001  the process's own state
    os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(errors.Interrupted):
        interruption.sleep(600)


@pytest.mark.parametrize(("limit_s", "times"), [(0, 1), (600, 3)])
def test_one_looks_once_at_least_and_again_while_there_is_time(limit_s, times):
    seen = [number for number, _ in zip(range(3), interruption.looks(limit_s, 0), strict=False)]

    assert len(seen) == times


def test_the_time_for_looking_ends_and_is_slept_through():
    began = time.monotonic()

    seen = list(islice(interruption.looks(0.2, 0.05), 50))

    assert time.monotonic() - began >= 0.2
    assert 2 <= len(seen) <= 5


def test_a_look_that_outlasts_the_time_is_the_last():
    looks = interruption.looks(0.01, 0)
    next(looks)
    time.sleep(0.02)

    assert next(looks, "over") == "over"


def test_who_looks_again_and_again_wakes_for_a_sigterm(caught):  # noqa: ARG001  the process's own state
    looks = interruption.looks(600, 600)
    next(looks)
    os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(errors.Interrupted):
        next(looks)
