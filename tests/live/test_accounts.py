"""What each account may do, as the API server itself judges the rendered Roles."""

import pytest

from tests.live.kubernetes import kind_named
from tests.live.stage import Stage
from workflows.rehearsal.kubernetes.kinds import KINDS

pytestmark = pytest.mark.cluster

VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
RESOURCES = [*(kind.resource for kind in KINDS if kind.namespaced), "pods/exec", "pods/log"]
NOBODYS = "somebody-elses"

# Whatever the name; each line here is one of docs/reference/permissions.md.
ANY = {
    "threescale-backup": {
        "apimanagers": "get list",
        "configmaps": "create",
        "events": "list",
        "persistentvolumeclaims": "get list create patch",
        "pods": "list",
        "routes": "list",
        "workflowtaskresults": "create patch",
    },
    "threescale-restore": {
        "apimanagerbackups": "get",
        "apimanagers": "get list create",
        "configmaps": "create",
        "deploymentconfigs": "list",
        "deployments": "list",
        "events": "list",
        "persistentvolumeclaims": "get list create",
        "pods": "list",
        "pods/exec": "get create",
        "resourcequotas": "list",
        "routes": "list",
        "secrets": "create",
        "workflowtaskresults": "create patch",
    },
    "threescale-prune": {
        "apimanagerbackups": "get",
        "events": "list",
        "persistentvolumeclaims": "get list patch delete",
        "pods": "list",
        "workflows": "get list",
        "workflowtaskresults": "create patch",
    },
    "threescale-verify": {
        "apimanagerbackups": "get",
        "events": "list",
        "persistentvolumeclaims": "get list patch",
        "pods": "list",
        "workflows": "list",
        "workflowtaskresults": "create patch",
    },
    "threescale-drill": {
        "apimanagerbackups": "get",
        "configmaps": "create",
        "events": "list",
        "persistentvolumeclaims": "get list create patch",
        "pods": "list",
        "workflows": "list",
        "workflowtaskresults": "create patch",
    },
}
BY_NAME = {
    "threescale-backup": {
        ("secrets", "system-seed"): "get",
        ("configmaps", "system-environment"): "get",
        ("configmaps", "threescale-backup-results"): "get patch",
        ("deployments", "threescale-operator-controller-manager-v2"): "get",
    },
    "threescale-restore": {
        ("secrets", "system-seed"): "get update",
        ("configmaps", "system-environment"): "get update",
        ("configmaps", "threescale-restore-results"): "get patch",
        ("persistentvolumeclaims", "system-storage"): "patch",
        ("deployments", "threescale-operator-controller-manager-v2"): "get",
    },
    "threescale-drill": {
        ("configmaps", "threescale-drill"): "get delete",
        ("configmaps", "threescale-drill-results"): "get patch",
    },
}


@pytest.mark.parametrize("account", ANY)
def test_an_account_may_do_this_and_nothing_else(live: Stage, account: str) -> None:
    allowed = {resource: rights(live, account, resource, NOBODYS) for resource in RESOURCES}

    assert {resource: verbs for resource, verbs in allowed.items() if verbs} == ANY[account]


@pytest.mark.parametrize("account", BY_NAME)
def test_an_account_may_do_more_to_objects_that_it_knows_by_name(live: Stage, account: str) -> None:
    found = {
        (resource, name): set(rights(live, account, resource, name).split()) for resource, name in BY_NAME[account]
    }

    assert found == {
        key: {*verbs.split(), *ANY[account].get(key[0], "").split()} for key, verbs in BY_NAME[account].items()
    }


@pytest.mark.parametrize("account", ANY)
def test_an_account_may_do_nothing_in_another_namespace(live: Stage, account: str) -> None:
    user = f"system:serviceaccount:{live.namespace}:{account}"

    assert not live.kubernetes.may(user, "default", "get", "secrets", "system-seed")
    assert not live.kubernetes.may(user, "default", "list", "persistentvolumeclaims")


def rights(live: Stage, account: str, resource: str, name: str) -> str:
    assert kind_named(resource.partition("/")[0])
    user = f"system:serviceaccount:{live.namespace}:{account}"
    return " ".join(verb for verb in VERBS if live.kubernetes.may(user, live.namespace, verb, resource, name))
