import json

import pytest

from steps import errors
from steps.kubernetes import cluster
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import APIMANAGER, APIMANAGER_BACKUP, CLAIM, DEPLOYMENT_CONFIG, POD, ROUTE, SECRET
from tests.builders.refusals import Holding, refused
from tests.builders.stored import PAGE, SECRET_OBJECT, not_found, secret
from workflows.rehearsal.kubernetes.cluster import Cluster as Kubernetes


def test_what_is_created_is_read_back(empty):
    door = empty.connect()

    created = door.create(SECRET, SECRET_OBJECT)

    assert door.get(SECRET, "new") == created
    assert created["data"] == SECRET_OBJECT["data"]
    assert created["metadata"]["uid"]


def test_what_is_not_there_reads_as_none(empty):
    assert empty.connect().get(SECRET, "zync") is None


def test_an_object_is_read_raw(empty):
    spec = {"fromTheFuture": [1.5, None, {"x": "größe ☃"}]}
    metadata = {"name": "example", "namespace": empty.namespace}
    empty.kubernetes.apply(
        {"apiVersion": APIMANAGER.api_version, "kind": "APIManager", "metadata": metadata, "spec": spec}
    )

    assert empty.connect().get(APIMANAGER, "example")["spec"] == spec


@pytest.mark.parametrize(
    ("without", "is_served"), [("", True), ("route.openshift.io", False), ("routes.route.openshift.io", False)]
)
def test_whether_a_kind_is_served_needs_no_right(empty, without, is_served):
    empty.kubernetes.without(without)

    assert empty.connect("nobody-in-particular").serves(ROUTE) is is_served


def test_listed_objects_say_what_they_are(empty):
    secret(empty)

    (found,) = empty.connect().list(SECRET)

    assert (found["apiVersion"], found["kind"]) == ("v1", "Secret")


def test_a_selector_chooses(empty):
    secret(empty, "one")
    empty.kubernetes.patch("secrets", empty.namespace, "one", {"metadata": {"labels": {"component": "zync"}}})
    secret(empty, "two")
    door = empty.connect()

    assert [obj["metadata"]["name"] for obj in door.list(SECRET, "component=zync")] == ["one"]
    assert [obj["metadata"]["name"] for obj in door.list(SECRET, fields="metadata.name=two")] == ["two"]


class TestPages:
    """Lists that are read page by page, whole objects or their metadata alone."""

    @pytest.fixture(params=["each", "heads"])
    def read(self, request, monkeypatch):
        monkeypatch.setattr(cluster, "_PAGE", 2)
        return lambda door, kind=SECRET, selector="": getattr(door, request.param)(kind, selector)

    @pytest.fixture
    def five(self, empty):
        for number in range(5):
            secret(empty, f"s-{number}", data={"k": "YQ=="})
        empty.kubernetes.patch("secrets", empty.namespace, "s-3", {"metadata": {"labels": {"done": "true"}}})
        return empty

    def test_all_are_read_a_few_at_once(self, five, read):
        five.kubernetes.clear_requests()

        assert [obj["metadata"]["name"] for obj in read(five.connect())] == [f"s-{number}" for number in range(5)]
        assert len(five.kubernetes.requests) == 3

    def test_a_selector_chooses_those_without_the_label_too(self, five, read):
        found = [obj["metadata"]["name"] for obj in read(five.connect(), SECRET, "done!=true")]

        assert found == ["s-0", "s-1", "s-2", "s-4"]

    def test_metadata_alone_holds_no_data(self, five):
        assert all("data" not in obj for obj in five.connect().heads(SECRET))
        assert all(obj["data"] and obj["kind"] == "Secret" for obj in five.connect().each(SECRET))

    def test_all_pages_show_the_moment_of_the_first(self, five, read):
        found = read(five.connect())
        first = next(found)
        five.kubernetes.delete("secrets", five.namespace, "s-4")
        secret(five, "s-9")

        assert [obj["metadata"]["name"] for obj in (first, *found)] == [f"s-{number}" for number in range(5)]

    def test_a_list_whose_moment_the_server_has_forgotten_is_no_answer(self, five, read):
        found = read(five.connect())
        next(found)
        five.kubernetes.compact()

        with refused(errors.NoAnswer, verb="list", resource="secrets", reason="HTTP 410 Expired"):
            list(found)

    def test_a_right_that_is_missing_is_named(self, five, read):
        with refused(errors.NotAllowed, verb="list", resource="secrets"):
            list(read(five.connect("threescale-backup")))

    def test_a_kind_that_the_cluster_does_not_know_can_not_be_listed(self, empty, read):
        empty.kubernetes.without("apps.openshift.io")

        with refused(errors.UnknownResource, resource="deploymentconfigs"):
            list(read(empty.connect(), DEPLOYMENT_CONFIG))


def test_a_patch_is_merged(empty):
    secret(empty, data={"a": "MQ==", "b": "Mg=="})

    empty.connect().patch(SECRET, "zync", {"data": {"b": None, "c": "Mw=="}})

    assert empty.get("secrets", "zync")["data"] == {"a": "MQ==", "c": "Mw=="}


def test_a_patch_of_nothing_is_refused(empty):
    with refused(errors.Rejected, status=404):
        empty.connect().patch(SECRET, "zync", {"data": {}})


def test_a_kind_that_the_cluster_does_not_know_can_not_be_listed(empty):
    empty.kubernetes.without("apps.openshift.io")

    with refused(errors.UnknownResource, resource="deploymentconfigs"):
        empty.connect().list(DEPLOYMENT_CONFIG)


def test_an_object_of_a_kind_that_the_cluster_does_not_know_is_not_there(empty):
    empty.kubernetes.without("route.openshift.io")

    assert empty.connect().get(ROUTE, "backend") is None


def test_one_kind_of_a_group_may_be_unknown(empty):
    empty.kubernetes.without("apimanagerbackups.apps.3scale.net")
    door = empty.connect()

    assert door.get(APIMANAGER_BACKUP, "any") is None
    assert door.list(APIMANAGER) == []
    with refused(errors.UnknownResource, resource="apimanagerbackups"):
        door.list(APIMANAGER_BACKUP)


def test_a_missing_right_names_what_was_asked_and_what_to_apply(empty):
    secret(empty, "private")

    with refused(errors.NotAllowed, verb="get", resource="secrets", name="private") as error:
        empty.connect("threescale-backup").get(SECRET, "private")

    assert "threescale-backup manifests" in str(error.value)
    assert error.value.exit_code == 1


def test_what_admission_refuses_is_no_missing_right(empty):
    message = 'persistentvolumeclaims "c" is forbidden: maximum storage usage per PersistentVolumeClaim is 1Gi'
    empty.kubernetes.refuse_next("create", "persistentvolumeclaims", status=403, message=message)

    with refused(errors.Rejected, message=Holding("maximum storage usage per PersistentVolumeClaim is 1Gi")):
        empty.connect().create(CLAIM, {"metadata": {"name": "c"}})


def test_a_quota_is_told_apart_from_a_missing_right(empty):
    empty.kubernetes.quota("secrets", empty.namespace, limit=0, name="small")

    with refused(errors.QuotaExceeded, message=Holding("exceeded quota: small"), server=Holding("127.0.0.1:")):
        empty.connect().create(SECRET, SECRET_OBJECT)


def test_a_name_that_is_taken_is_for_the_next_try_to_judge(empty):
    secret(empty, "new")

    with refused(errors.AlreadyExists, resource="secrets", name="new", server=Holding("127.0.0.1:")) as error:
        empty.connect().create(SECRET, SECRET_OBJECT)

    assert error.value.exit_code == 75


@pytest.mark.parametrize(
    ("verb", "act"),
    [
        ("get", lambda door: door.get(SECRET, "zync")),
        ("list", lambda door: door.list(SECRET)),
        ("create", lambda door: door.create(SECRET, SECRET_OBJECT)),
        ("patch", lambda door: door.patch(SECRET, "zync", {})),
    ],
    ids=["get", "list", "create", "patch"],
)
def test_an_answer_that_may_be_another_one_later_is_tried_again(empty, verb, act):
    secret(empty)
    door = empty.connect()
    for status in (408, 409, 425, 429, 500, 502, 503, 504):
        empty.kubernetes.refuse_next(verb, "secrets", status=status)

        with refused(errors.NoAnswer, reason=Holding(f"HTTP {status}")) as error:
            act(door)

        assert error.value.exit_code == 75


def test_a_request_that_will_never_do_is_final(empty):
    door = empty.connect()
    for status in (400, 405, 422):
        empty.kubernetes.refuse_next("get", "pods", status=status, message="no such thing")

        with refused(errors.Rejected, status=status, message="no such thing") as error:
            door.get(POD, "any")

        assert error.value.exit_code == 1


def test_a_dropped_connection_is_tried_again(empty):
    empty.kubernetes.drop_next("get", "secrets")

    with pytest.raises(errors.NoAnswer) as error:
        empty.connect().get(SECRET, "zync")

    assert error.value.__cause__ is not None


def test_a_create_whose_answer_is_lost_was_done(empty):
    empty.kubernetes.lose_answer_of_next("create", "secrets")

    with pytest.raises(errors.NoAnswer):
        empty.connect().create(SECRET, SECRET_OBJECT)

    assert empty.get("secrets", "new") is not None


def test_nothing_is_retried_in_here(empty):
    empty.kubernetes.drop_next("get", "secrets")
    empty.kubernetes.clear_requests()

    with pytest.raises(errors.NoAnswer):
        empty.connect().get(SECRET, "zync")

    assert len(empty.kubernetes.requests) == 1


def test_a_server_that_is_gone_is_tried_again(tmp_path, monkeypatch):
    with Kubernetes() as kubernetes:
        kubeconfig = kubernetes.kubeconfig(tmp_path / "kubeconfig", namespace="threescale")
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
        door = Cluster.connect("threescale", 5.0)

    with pytest.raises(errors.NoAnswer):
        door.get(SECRET, "zync")


AUTHORIZATION = {"name": "authorization.k8s.io", "versions": [{"groupVersion": "authorization.k8s.io/v1"}]}
GROUPS = {"kind": "APIGroupList", "apiVersion": "v1", "groups": [AUTHORIZATION]}
WITH_ROUTES = {
    **GROUPS,
    "groups": [AUTHORIZATION, {"name": ROUTE.group, "versions": [{"groupVersion": ROUTE.api_version}]}],
}
OTHERS = [{"groupVersion": "other/v1"}]
RESOURCES = {"kind": "APIResourceList", "groupVersion": ROUTE.api_version, "resources": [{"name": ROUTE.resource}]}


def discovery(groups=GROUPS, resources=RESOURCES):
    """What the server says it has; None: not even that."""
    said = {"/apis": groups, f"/{ROUTE.api}": resources}
    return {path: (200, json.dumps(text).encode()) for path, text in said.items()}


@pytest.mark.parametrize(
    "text",
    [
        b"404 page not found",
        PAGE,
        not_found(name="threescale", kind="namespaces"),
        not_found(name="other", kind="routes"),
        not_found(name=["backend"], kind={}),
        not_found(),
        not_found(kind="routes", group=ROUTE.group),
        b'{"reason": "NotFound"}',
        b'{"kind": "Status", "status": "Failure", "reason": ""}',
    ],
)
def test_a_404_of_anything_else_is_no_absence_while_the_kind_is_there(through, text):
    door = through(status=404, text=text, texts=discovery(WITH_ROUTES))

    for act in (lambda: door.get(ROUTE, "backend"), lambda: door.list(ROUTE), lambda: door.delete(ROUTE, "x", "u")):
        with pytest.raises(errors.NoAnswer):
            act()


STORED = {"name": "x", "uid": "u", "resourceVersion": "1", "creationTimestamp": "2026-11-01T02:00:00Z"}
HEAD = {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": STORED}
HEADS = {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": {}, "items": [HEAD]}


def test_metadata_alone_is_believed_in_the_form_of_the_server(through):
    assert [obj["metadata"] for obj in through(text=json.dumps(HEADS).encode()).heads(SECRET)] == [STORED]


@pytest.mark.parametrize(
    "answer",
    [
        {**HEADS, "kind": "SecretList"},  # a proxy that does not pass on what was asked for
        {**HEADS, "items": None},
        {**HEADS, "items": [{**HEAD, "kind": "Secret"}]},
        {**HEADS, "items": [{**HEAD, "metadata": {"name": "x"}}]},
        {**HEADS, "items": [{**HEAD, "metadata": {**STORED, "namespace": "another"}}]},
        {**HEADS, "items": ["x"]},
        {**HEADS, "metadata": ["x"]},
        {**HEADS, "metadata": {"continue": "for ever"}},
        {**HEADS, "metadata": {"continue": 7}},
        {**HEADS, "items": [{**HEAD, "metadata": {**STORED, "labels": {"a": 1}}}]},
        {**HEADS, "items": [{**HEAD, "metadata": {**STORED, "ownerReferences": "zz"}}]},
        {**HEADS, "items": [{**HEAD, "metadata": {**STORED, "ownerReferences": ["zz"]}}]},
    ],
)
def test_a_page_that_is_none_is_no_answer(through, answer):
    with refused(errors.NoAnswer, verb="list", resource="secrets"):
        list(through(text=json.dumps(answer).encode()).heads(SECRET))


@pytest.mark.parametrize(
    ("groups", "resources"),
    [
        (GROUPS, None),
        ({**GROUPS, "groups": [AUTHORIZATION, {"name": "other", "versions": []}]}, None),
        ({**GROUPS, "groups": [AUTHORIZATION, {"name": ROUTE.group, "versions": OTHERS}]}, None),
        (WITH_ROUTES, {**RESOURCES, "resources": [{"name": "others"}]}),
    ],
)
def test_a_kind_is_not_there_when_the_servers_own_lists_lack_it(through, groups, resources):
    door = through(status=404, text=b"404 page not found", texts=discovery(groups, resources))

    assert door.get(ROUTE, "backend") is None
    with refused(errors.UnknownResource, resource="routes"):
        door.list(ROUTE)


@pytest.mark.parametrize("resources", [[], [{"name": "pods"}]])
def test_a_core_without_a_kind_of_every_core_is_no_answer(through, resources):
    said = {"kind": "APIResourceList", "groupVersion": "v1", "resources": resources}
    door = through(status=404, text=b"404 page not found", texts={"/api/v1": (200, json.dumps(said).encode())})

    with refused(errors.NoAnswer, verb="discover", resource="secrets"):
        door.get(SECRET, "system-seed")


@pytest.mark.parametrize(
    ("groups", "resources"),
    [
        (None, None),
        ({}, None),
        ({**GROUPS, "groups": []}, None),
        ({**GROUPS, "groups": None}, None),
        ({**GROUPS, "groups": [None]}, None),
        ({**GROUPS, "groups": [{}]}, None),
        ({**GROUPS, "kind": "Status"}, None),
        ({**GROUPS, "groups": [AUTHORIZATION, {"name": ROUTE.group}]}, None),
        ({**GROUPS, "groups": [AUTHORIZATION, {"name": ROUTE.group, "versions": []}]}, None),
        ({**GROUPS, "groups": [AUTHORIZATION, {"name": ROUTE.group, "versions": [{}]}]}, None),
        (WITH_ROUTES, None),
        (WITH_ROUTES, {**RESOURCES, "resources": {}}),
        (WITH_ROUTES, {"kind": "APIResourceList", "groupVersion": "other/v1", "resources": []}),
        (WITH_ROUTES, {"kind": "APIResourceList", "resources": []}),
        ({**GROUPS, "groups": [*WITH_ROUTES["groups"], {"name": ROUTE.group, "versions": OTHERS}]}, None),
    ],
)
def test_lists_that_are_none_say_of_no_kind_that_it_is_not_there(through, groups, resources):
    door = through(status=404, text=b"404 page not found", texts=discovery(groups, resources))

    with refused(errors.NoAnswer, verb="discover", resource="routes"):
        door.get(ROUTE, "backend")
    with refused(errors.NoAnswer, verb="discover", resource="routes"):
        door.list(ROUTE)
