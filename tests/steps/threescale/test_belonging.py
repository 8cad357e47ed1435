import pytest

from steps.kubernetes.kinds import DEPLOYMENT, DEPLOYMENT_CONFIG
from steps.threescale import belonging, installation
from workflows.rehearsal.threescale import objects as threescale_objects

DATABASES = ("system-mysql", "system-postgresql", "system-redis", "backend-redis", "zync-database")


def owner(kind, name="some", api="apps.3scale.net/v1alpha1", *, controls=True):
    return {"apiVersion": api, "kind": kind, "name": name, "uid": "u", **({"controller": True} if controls else {})}


APIMANAGER = owner("APIManager")
GATEWAY = owner("APIcast")
OF_PODS = [owner("ReplicaSet", api="apps/v1"), owner("ReplicationController", api="v1")]


def obj(name, *owners, **labels):
    return {"metadata": {"name": name, "labels": labels, **({"ownerReferences": list(owners)} if owners else {})}}


@pytest.mark.parametrize("name", [*installation.WORKLOADS, *DATABASES, "renamed"])
def test_a_workload_that_an_apimanager_controls_is_3scale_s(name):
    assert belonging.is_workload(obj(name, owner("Other", api="v1", controls=False), APIMANAGER))


@pytest.mark.parametrize("name", installation.WORKLOADS)
def test_a_workload_of_one_of_the_operator_s_names_that_nothing_controls_is_3scale_s(name):
    assert belonging.is_workload(obj(name))
    assert belonging.is_workload(obj(name, owner("APIManager", controls=False)))


@pytest.mark.parametrize(
    "foreign",
    [
        *(obj(name) for name in DATABASES),
        obj("apicast-gateway", GATEWAY, threescale_component="apicast"),
        obj("apicast-production", GATEWAY, threescale_component="apicast"),
        obj("system-app", owner("APIManager", api="example.com/v1")),
        obj("our-mysql", threescale_component="system", threescale_component_element="mysql"),
        obj("system-application"),
    ],
    ids=str,
)
def test_no_label_and_no_name_of_a_database_makes_a_workload_3scale_s(foreign):
    assert not belonging.is_workload(foreign)


def test_every_workload_of_the_sample_is_known_when_its_apimanager_is_gone():
    names = {each["metadata"]["name"] for each in threescale_objects.sample("deployments", "here")}

    assert names - {*DATABASES} <= {*installation.WORKLOADS}


def pods(*found, deployments=(), configs=()):
    kept = belonging.pods(found, {DEPLOYMENT: deployments, DEPLOYMENT_CONFIG: configs})
    return [each["metadata"]["name"] for each in kept]


@pytest.mark.parametrize("label", installation.POD_LABELS)
@pytest.mark.parametrize("owners", [[], *([each] for each in OF_PODS)], ids=str)
def test_a_pod_belongs_by_the_label_that_names_its_workload(label, owners):
    assert pods(obj("a", *owners, **{label: "system-app"}), obj("b", *owners, **{label: "system-mysql"})) == ["a"]


def test_the_pod_of_a_database_belongs_if_an_apimanager_controls_its_workload():
    pod = obj("a", OF_PODS[0], deployment="system-mysql")

    assert pods(pod, deployments=[obj("system-mysql", APIMANAGER)]) == ["a"]
    assert pods(pod, deployments=[obj("system-mysql")]) == []
    assert pods(pod, configs=[obj("system-mysql", APIMANAGER)]) == []


def test_the_pod_of_a_gateway_that_is_named_as_3scale_s_own_does_not_belong():
    pod = obj("a", OF_PODS[0], deployment="apicast-production", threescale_component="apicast")

    assert pods(pod, deployments=[obj("apicast-production", GATEWAY)]) == []
    assert pods(pod) == ["a"]


def test_a_pod_that_something_else_controls_does_not_belong():
    assert pods(obj("a", owner("StatefulSet", api="apps/v1"), deployment="system-app")) == []
    assert pods(obj("a", GATEWAY), obj("b", APIMANAGER), obj("c", threescale_component="system")) == ["b"]


@pytest.mark.parametrize(
    ("route", "is_ours"),
    [
        (obj("backend", APIMANAGER), True),
        (obj("zync-1", owner("APIManager", controls=False)), True),
        (obj("zync-1", owner("Deployment", "zync-que", "apps/v1", controls=False)), True),
        (obj("zync-1", owner("DeploymentConfig", "zync-que", "apps.openshift.io/v1", controls=False)), True),
        (obj("zync-1", **{"3scale.net/created-by": "zync"}), True),
        (obj("zync-1", **{"3scale.created-by": "zync"}), True),
        (obj("zync-1", **{"3scale.net/created-by": "somebody"}), False),
        (obj("grafana", app="grafana"), False),
        (obj("backend", threescale_component="backend", app="3scale-api-management"), False),
        (obj("gateway", GATEWAY), False),
        (obj("gateway", owner("Deployment", "zync-que", "example.com/v1")), False),
        (obj("gateway", owner("Deployment", "apicast-gateway", "apps/v1")), False),
    ],
    ids=str,
)
def test_a_route_is_known_by_its_owner_or_by_zync_s_label(route, is_ours):
    assert belonging.is_route(route) is is_ours
