import os
import signal

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
