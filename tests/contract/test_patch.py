"""Patches: what they change, what the server keeps to itself, and which are refused."""

import pytest

from steps import errors
from steps.kubernetes.kinds import APIMANAGER, CLAIM, CONFIGMAP, SECRET
from tests.builders.refusals import refused

SPEC = {"wildcardDomain": "example.test"}
STATUS = {"conditions": [], "deployments": {"ready": ["zync"]}}
CHANGED = "the object has been modified; please apply your changes to the latest version and try again"


def test_a_patch_adds_replaces_and_removes(cluster):
    cluster.create("Secret", "patched", data={"keep": "YQ==", "change": "YQ==", "drop": "YQ=="})

    patched = cluster.connect().patch(SECRET, "patched", {"data": {"change": "Yg==", "drop": None, "new": "Yw=="}})

    assert patched["data"] == {"keep": "YQ==", "change": "Yg==", "new": "Yw=="}
    assert cluster.connect().get(SECRET, "patched") == patched


def test_a_list_is_replaced_as_a_whole(cluster):
    cluster.create("ConfigMap", "listed", {"finalizers": ["example.test/a", "example.test/b"]})

    patched = cluster.connect().patch(CONFIGMAP, "listed", {"metadata": {"finalizers": ["example.test/c"]}})
    cluster.hand.patch("configmaps", cluster.namespace, "listed", {"metadata": {"finalizers": None}})

    assert patched["metadata"]["finalizers"] == ["example.test/c"]


@pytest.mark.parametrize(("part", "patch"), [("labels", {"labels": {"a": None}}), ("labels", {"labels": None})])
def test_a_part_whose_last_key_is_removed_is_gone(cluster, part, patch):
    cluster.hand.apply(cluster.object("ConfigMap", "emptied", {part: {"a": "b"}}))

    patched = cluster.connect().patch(CONFIGMAP, "emptied", {"metadata": patch})

    assert part not in patched["metadata"]


def test_data_whose_last_key_is_removed_is_gone(cluster):
    cluster.create("Secret", "emptied", data={"k": "YQ=="})

    assert "data" not in cluster.connect().patch(SECRET, "emptied", {"data": {"k": None}})


def test_a_patch_of_nothing_is_refused(cluster):
    with refused(errors.Rejected, status=404, message='configmaps "nothing" not found'):
        cluster.connect().patch(CONFIGMAP, "nothing", {"data": {}})


@pytest.mark.parametrize("kind", [CONFIGMAP, APIMANAGER], ids=lambda kind: kind.resource)
def test_a_patch_of_a_stale_version_is_tried_again(cluster, kind):
    stale = cluster.hand.apply(cluster.object(kind.name, "stale", spec=SPEC))["metadata"]["resourceVersion"]
    cluster.hand.patch(kind.resource, cluster.namespace, "stale", {"metadata": {"labels": {"a": "b"}}})

    with refused(errors.Conflict, reason="HTTP 409 Conflict"):
        cluster.connect().patch(kind, "stale", {"metadata": {"resourceVersion": stale, "labels": {"a": "c"}}})


def test_a_conflict_says_what_to_do(cluster):
    cluster.create("ConfigMap", "conflict")

    answer = cluster.ask("PATCH", "configmaps/conflict", {"metadata": {"resourceVersion": "1"}})

    assert (answer.status, answer.reason) == (409, "Conflict")
    assert answer.message == f'Operation cannot be fulfilled on configmaps "conflict": {CHANGED}'


def test_a_patch_that_changes_nothing_keeps_the_version(cluster):
    before = cluster.create("Secret", "same", data={"k": "YQ=="})

    after = cluster.connect().patch(SECRET, "same", {"data": {"k": "YQ=="}})

    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


def test_a_change_makes_another_version_of_the_same_object(cluster):
    before = cluster.create("Secret", "versions")

    after = cluster.connect().patch(SECRET, "versions", {"data": {"k": "YQ=="}})

    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]


def test_what_only_a_server_says_stays(cluster):
    before = cluster.create("Secret", "kept")

    forged = {"creationTimestamp": "2020-01-01T00:00:00Z", "generation": 7, "deletionTimestamp": None}
    after = cluster.connect().patch(SECRET, "kept", {"metadata": forged})

    assert after["metadata"]["creationTimestamp"] == before["metadata"]["creationTimestamp"]
    assert "generation" not in after["metadata"]


@pytest.mark.parametrize(
    ("metadata", "status", "said"),
    [
        ({"name": "z"}, 400, "the name of the object (z) does not match the name on the URL (named)"),
        ({"name": None}, 400, "the name of the object (named based on URL) was undeterminable: name must be provided"),
        ({"namespace": "z"}, 400, "the namespace of the provided object does not match the namespace sent"),
        ({"uid": "z"}, 422, 'metadata.uid: Invalid value: "z": field is immutable'),
        ({"labels": {"a": "b c"}}, 422, "metadata.labels: Invalid value"),
        ({"labels": {"a": 7}}, 422, "cannot unmarshal number into Go struct field"),
    ],
)
@pytest.mark.parametrize("kind", [CONFIGMAP, APIMANAGER], ids=lambda kind: kind.resource)
def test_a_patch_that_makes_another_or_a_wrong_object_is_refused(cluster, kind, metadata, status, said):
    cluster.hand.apply(cluster.object(kind.name, "named", spec=SPEC))

    answer = cluster.ask("PATCH", f"{kind.resource}/named", {"metadata": metadata})

    assert (answer.status, said in answer.message) == (status, True)


def test_the_refusal_of_a_patch_quotes_the_secret_and_the_door_does_not(cluster):
    cluster.create("Secret", "quoted", data={"k": "Y2FuYXJ5"})

    answer = cluster.ask("PATCH", "secrets/quoted", {"data": {"other": 7}})
    with pytest.raises(errors.Rejected) as error:
        cluster.connect().patch(SECRET, "quoted", {"data": {"other": 7}})

    assert "Y2FuYXJ5" in answer.message
    assert "HTTP 422: Invalid, the server's message is withheld" in str(error.value)
    assert "Y2FuYXJ5" not in str(error.value)


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{oh", "application/merge-patch+json", 400),
        (b"[]", "application/merge-patch+json", 400),
        (b"{}", "application/json", 415),
        (b"{}", "application/strategic-merge-patch+json", 415),
    ],
)
def test_what_is_no_merge_patch_is_refused(cluster, body, content_type, status):
    cluster.hand.apply(cluster.object("APIManager", "formed", spec=SPEC))

    answer = cluster.ask("PATCH", "apimanagers/formed", body, headers={"Content-Type": content_type})

    assert answer.status == status


def test_an_immutable_secret_stays_as_it_is(cluster):
    cluster.create("Secret", "immutable", data={"k": "YQ=="}, immutable=True)

    answers = [
        cluster.ask("PATCH", "secrets/immutable", patch)
        for patch in ({"data": {"k": "Yg=="}}, {"immutable": None}, {"metadata": {"labels": {"a": "b"}}})
    ]

    forbidden = "Forbidden: field is immutable when `immutable` is set"
    assert [answer.status for answer in answers] == [422, 422, 200]
    assert answers[0].message == f'Secret "immutable" is invalid: data: {forbidden}'
    assert answers[1].message == f'Secret "immutable" is invalid: immutable: {forbidden}'


def test_the_type_of_a_secret_stays_as_it_is(cluster):
    cluster.create("Secret", "typed")

    with refused(errors.Rejected, status=422):
        cluster.connect().patch(SECRET, "typed", {"type": "example.test/other"})


# --- status ---


def test_the_status_of_an_object_is_not_written_with_it(cluster):
    made = cluster.ask("POST", "apimanagers", cluster.object("APIManager", "status", spec=SPEC, status=STATUS))

    patched = cluster.ask("PATCH", "apimanagers/status", {"status": STATUS})

    assert (made.status, patched.status) == (201, 200)
    assert "status" not in made.content
    assert "status" not in patched.content


def test_the_subresource_writes_the_status_and_nothing_else(cluster):
    cluster.create("APIManager", "reported", spec=SPEC)

    answer = cluster.ask("PATCH", "apimanagers/reported/status", {"spec": {"tenantName": "x"}, "status": STATUS})

    assert (answer.content["spec"], answer.content["status"]) == (SPEC, STATUS)
    assert answer.content["metadata"]["generation"] == 1


def test_only_a_change_of_the_spec_counts_as_a_generation(cluster):
    cluster.create("APIManager", "counted", spec=SPEC)
    door = cluster.connect()

    marked = door.patch(APIMANAGER, "counted", {"metadata": {"annotations": {"a": "b"}}})
    changed = door.patch(APIMANAGER, "counted", {"spec": {"tenantName": "acme"}})

    assert (marked["metadata"]["generation"], changed["metadata"]["generation"]) == (1, 2)


def test_a_claim_is_not_bound_by_a_patch_of_its_status(cluster):
    cluster.claim("unbound", storageClassName="no-such-class")

    patched = cluster.connect("threescale-backup").patch(CLAIM, "unbound", {"status": {"phase": "Bound"}})

    assert patched["status"] == {"phase": "Pending"}


# --- replacements, with which kubectl works ---


def test_a_replacement_of_a_stale_version_is_a_conflict(cluster):
    stale = cluster.create("ConfigMap", "replaced")
    cluster.hand.patch("configmaps", cluster.namespace, "replaced", {"data": {"k": "v"}})

    answer = cluster.ask("PUT", "configmaps/replaced", stale)

    assert (answer.status, answer.reason) == (409, "Conflict")


@pytest.mark.parametrize(
    ("metadata", "status"),
    [
        ({"name": "replaced-so"}, 200),
        ({"name": "other"}, 400),
        ({}, 400),
        ({"name": "replaced-so", "namespace": "z"}, 400),
        ({"name": "replaced-so", "uid": "z"}, 409),
    ],
)
def test_a_replacement_means_the_object_of_its_path(cluster, metadata, status):
    cluster.hand.apply(cluster.object("ConfigMap", "replaced-so"))

    assert cluster.ask("PUT", "configmaps/replaced-so", {"metadata": metadata}).status == status


def test_a_custom_resource_is_not_replaced_without_its_version(cluster):
    cluster.hand.apply(cluster.object("APIManager", "unversioned", spec=SPEC))

    answer = cluster.ask("PUT", "apimanagers/unversioned", cluster.object("APIManager", "unversioned", spec=SPEC))

    assert (answer.status, "must be specified for an update" in answer.message) == (422, True)
