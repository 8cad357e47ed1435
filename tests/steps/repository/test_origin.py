"""An installation has one origin, and remembers to which repositories it has pushed."""

import pytest

from steps import errors
from steps.contract.names import ORIGIN
from steps.repository import origin


@pytest.fixture
def cluster(empty):
    return empty.connect()


def test_an_origin_is_made_once_and_stays(cluster):
    assert origin.known(cluster) == ""

    made = origin.of(cluster)

    assert len(made) == 16
    assert [origin.of(cluster), origin.known(cluster)] == [made, made]


def test_two_that_make_it_at_once_get_the_same(cluster, empty):
    other = empty.connect()
    found = []
    empty.kubernetes.before_next("create", "configmaps", lambda _request: found.append(origin.of(other)))

    assert [origin.of(cluster)] == found


def test_a_configmap_that_somebody_emptied_is_refused(cluster, empty):
    origin.of(cluster)
    empty.kubernetes.patch("configmaps", empty.namespace, ORIGIN, {"data": None})

    with pytest.raises(errors.NoOrigin):
        origin.of(cluster)


def test_the_first_push_to_each_repository_is_remembered(cluster):
    origin.of(cluster)
    origin.pushed(cluster, "one")
    first = origin.has_pushed(cluster, "one")
    origin.pushed(cluster, "one")

    assert first
    assert origin.has_pushed(cluster, "one") == first
    assert origin.has_pushed(cluster, "two") == ""
