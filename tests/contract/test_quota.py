"""Quotas: a full one is told apart from a missing right."""

import pytest

from steps import errors
from steps.kubernetes.kinds import APIMANAGER, CLAIM, CONFIGMAP
from tests.builders.refusals import Holding, refused

SPEC = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}


@pytest.fixture(scope="module")
def full(cluster):
    """A quota that leaves room for one claim, and none for ConfigMaps and APIManagers."""
    for obj in cluster.hand.list("configmaps", cluster.namespace):
        cluster.hand.delete("configmaps", cluster.namespace, obj["metadata"]["name"])
    cluster.quota({"persistentvolumeclaims": 1, "configmaps": 0, "apimanagers": 0})
    cluster.claim("first")
    return cluster


@pytest.mark.parametrize(
    ("kind", "spec", "said"),
    [
        (CLAIM, SPEC, "persistentvolumeclaims=1, used: persistentvolumeclaims=1, limited: persistentvolumeclaims=1"),
        (
            APIMANAGER,
            {"wildcardDomain": "example.test"},
            "count/apimanagers.apps.3scale.net=1, used: count/apimanagers.apps.3scale.net=0, limited: "
            "count/apimanagers.apps.3scale.net=0",
        ),
    ],
    ids=["claims", "apimanagers"],
)
def test_one_more_than_a_quota_allows_is_refused_with_its_numbers(full, kind, spec, said):
    answer = full.ask("POST", kind.resource, full.object(kind.name, "more", spec=spec))

    qualified = f"{kind.resource}.{kind.group}" if kind.group else kind.resource
    assert (answer.status, answer.reason) == (403, "Forbidden")
    assert answer.message == f'{qualified} "more" is forbidden: exceeded quota: small, requested: {said}'
    with refused(errors.QuotaExceeded, message=Holding("exceeded quota: small")):
        full.connect("threescale-restore").create(kind, full.object(kind.name, "more", spec=spec))


def test_a_quota_that_is_full_is_said_before_a_name_that_is_taken(full):
    with pytest.raises(errors.QuotaExceeded):
        full.connect("threescale-restore").create(CLAIM, full.object("PersistentVolumeClaim", "first", spec=SPEC))


def test_what_is_invalid_is_said_before_a_quota_that_is_full(full):
    with pytest.raises(errors.Rejected):
        full.connect("threescale-restore").create(CONFIGMAP, full.object("ConfigMap", "Bad_Name"))


def test_a_missing_right_is_said_before_a_quota_that_is_full(full):
    with pytest.raises(errors.NotAllowed):
        full.connect("threescale-backup").create(APIMANAGER, full.object("APIManager", "more", spec={}))
