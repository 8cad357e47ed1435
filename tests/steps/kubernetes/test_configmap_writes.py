"""A change of a shared ConfigMap is made again after a conflict, and not without end."""

import pytest

from steps import errors
from steps.kubernetes import configmap_writes

NAME = "shared"


def conflict():
    return errors.Conflict("patch", "configmaps", NAME, "HTTP 409 Conflict", "server")


def taken():
    return errors.AlreadyExists("configmaps", NAME, "server")


class Change:
    """A change that fails with these errors, one a try, and then succeeds."""

    def __init__(self, *failures):
        self.failures = list(failures)
        self.tries = 0

    def __call__(self):
        self.tries += 1
        if self.failures:
            raise self.failures.pop(0)


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    found = []
    monkeypatch.setattr(configmap_writes.time, "sleep", found.append)
    return found


def test_a_change_without_a_conflict_is_made_once(pauses):
    change = Change()

    configmap_writes.until_no_conflict(change)

    assert (change.tries, pauses) == (1, [])


@pytest.mark.parametrize("failure", [conflict, taken])
def test_a_change_is_made_again_after_each_conflict(pauses, failure):
    change = Change(failure(), failure())

    configmap_writes.until_no_conflict(change)

    assert change.tries == 3
    assert pauses == [0.05, 0.05]


@pytest.mark.parametrize("failure", [conflict, taken])
def test_the_conflict_of_the_tenth_try_is_raised(pauses, failure):
    change = Change(*(failure() for _ in range(10)))

    with pytest.raises(type(failure())):
        configmap_writes.until_no_conflict(change)

    assert change.tries == 10
    assert len(pauses) == 9


def test_another_error_is_raised_at_once():
    change = Change(errors.NoAnswer("patch", "configmaps", NAME, "no connection", "server"))

    with pytest.raises(errors.NoAnswer):
        configmap_writes.until_no_conflict(change)

    assert change.tries == 1


def test_a_new_configmap_is_marked_as_a_part_of_this_tool():
    assert configmap_writes.new(NAME, {"key": "value"}) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": NAME, "labels": {"app.kubernetes.io/part-of": "threescale-backup"}},
        "data": {"key": "value"},
    }
