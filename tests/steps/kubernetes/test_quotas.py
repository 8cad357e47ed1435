from decimal import Decimal

import pytest

from steps.kubernetes import claims, quotas
from steps.kubernetes.kinds import APIMANAGER, CLAIM, CLUSTER_QUOTA, CONFIGMAP, QUOTA, SECRET


def claim(size, storage_class=""):
    return claims.new("any", {}, {}, claims.spec_of("ReadWriteOnce", size, storage_class))


class Served:
    """A server that lists quotas. Not the embedded one: OpenShift's kind of quota is not in it."""

    def __init__(self, *found):
        self.found = list(found)

    def list(self, _kind):
        return self.found


def quota(status, **spec):
    return {"metadata": {"name": "small"}, "spec": spec, "status": status}


def test_objects_are_counted_under_each_of_their_names():
    needs = quotas.needed([(SECRET, {}), (SECRET, {}), (CONFIGMAP, {}), (APIMANAGER, {})])

    assert needs == {
        "secrets": 2,
        "count/secrets": 2,
        "configmaps": 1,
        "count/configmaps": 1,
        "count/apimanagers.apps.3scale.net": 1,
    }


def test_claims_are_counted_with_their_storage_and_by_class():
    needs = quotas.needed([(CLAIM, claim("1Gi", "fast")), (CLAIM, claim("1Ki"))])

    assert needs == {
        "count/persistentvolumeclaims": 2,
        "persistentvolumeclaims": 2,
        "requests.storage": (1 << 30) + 1024,
        "fast.storageclass.storage.k8s.io/persistentvolumeclaims": 1,
        "fast.storageclass.storage.k8s.io/requests.storage": 1 << 30,
    }


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (QUOTA, {"hard": {"secrets": "2k", "pods": "4"}, "used": {"secrets": "7"}}),
        (CLUSTER_QUOTA, {"total": {"hard": {"secrets": "2k"}, "used": {"secrets": "7"}}}),
    ],
    ids=["of the namespace", "of several namespaces"],
)
def test_a_limit_is_read_where_its_use_is_known(kind, status):
    (limit,) = quotas.limits(Served(quota(status)), kind)

    assert limit == (f"{kind.name} small", "secrets", Decimal(2000), Decimal(7))


@pytest.mark.parametrize("spec", [{"scopes": ["BestEffort"]}, {"scopeSelector": {"matchExpressions": [{}]}}])
def test_a_quota_with_scopes_limits_none_of_these_objects(spec):
    status = {"hard": {"secrets": "1"}, "used": {"secrets": "1"}}

    assert quotas.limits(Served(quota(status, **spec)), QUOTA) == []


def test_a_quota_that_nobody_has_counted_yet_limits_nothing():
    assert quotas.limits(Served(quota({}), {"metadata": {"name": "none"}}), QUOTA) == []


def test_a_cluster_without_such_quotas_has_none(empty):
    assert quotas.limits(empty.connect("threescale-restore"), CLUSTER_QUOTA) == []


@pytest.mark.parametrize("odd", [{}, {"secrets": "many"}, {"secrets": None}, {"secrets": ["1"]}])
def test_an_amount_that_is_no_quantity_is_left_out(odd):
    odd_use = quota({"hard": {"secrets": "4", "configmaps": "2"}, "used": {"configmaps": "1", **odd}})
    odd_limit = quota({"hard": odd, "used": {"secrets": "1"}})

    found = quotas.limits(Served(odd_use, odd_limit), QUOTA)

    assert [(each.resource, each.hard, each.used) for each in found] == [("configmaps", Decimal(2), Decimal(1))]
