"""Deletion: what finalizers hold, and what goes with its owner."""

import pytest

from steps import errors
from steps.kubernetes.kinds import APIMANAGER, CONFIGMAP, SECRET, VOLUME
from tests.builders.refusals import Holding, refused

HOLD = "example.test/hold"
SPEC = {"wildcardDomain": "example.test"}


@pytest.fixture
def held(cluster):
    """A ConfigMap and an APIManager that are being deleted, held by a finalizer until the test is over."""
    objects = [("ConfigMap", "configmaps"), ("APIManager", "apimanagers")]
    for kind, resource in objects:
        cluster.create(kind, "held", {"finalizers": [HOLD]}, spec=SPEC)
        cluster.hand.delete(resource, cluster.namespace, "held")
    yield cluster
    for _, resource in objects:
        if cluster.find(resource, "held"):
            cluster.hand.patch(resource, cluster.namespace, "held", {"metadata": {"finalizers": None}})


def test_a_deleted_object_is_gone(cluster):
    uid = cluster.create("Secret", "deleted")["metadata"]["uid"]

    answer = cluster.ask("DELETE", "secrets/deleted")

    assert answer.content["details"] == {"name": "deleted", "kind": "secrets", "uid": uid}
    assert (answer.status, answer.content["status"]) == (200, "Success")
    assert cluster.find("secrets", "deleted") is None


def test_what_is_not_there_can_not_be_deleted(cluster):
    assert cluster.ask("DELETE", "secrets/nothing").status == 404


def test_an_object_of_another_uid_is_not_deleted(cluster):
    cluster.create("Secret", "another")

    answer = cluster.ask("DELETE", "secrets/another", {"preconditions": {"uid": "other"}})

    assert (answer.status, answer.reason) == (409, "Conflict")
    assert cluster.find("secrets", "another")


def test_an_object_that_has_changed_since_is_not_deleted(cluster):
    made = cluster.create("ConfigMap", "changed")["metadata"]
    door = cluster.connect()
    door.patch(CONFIGMAP, "changed", {"data": {"k": "v"}})

    with refused(errors.Conflict, reason="HTTP 409 Conflict"):
        door.delete(CONFIGMAP, "changed", made["uid"], made["resourceVersion"])

    assert cluster.find("configmaps", "changed")["data"] == {"k": "v"}


def test_an_object_of_another_uid_is_left_alone_whatever_its_version(cluster):
    version = cluster.create("ConfigMap", "successor")["metadata"]["resourceVersion"]

    assert not cluster.connect().delete(CONFIGMAP, "successor", "other", version)
    assert cluster.find("configmaps", "successor")


def test_an_object_of_this_uid_in_this_version_is_deleted_once(cluster):
    made = cluster.create("ConfigMap", "once")["metadata"]
    door = cluster.connect()

    told = [door.delete(CONFIGMAP, "once", made["uid"], made["resourceVersion"]) for _ in range(2)]

    assert told == [True, False]
    assert cluster.find("configmaps", "once") is None


def test_a_volume_lies_in_no_namespace(cluster):
    assert cluster.connect().get(VOLUME, "no-such-volume") is None


def test_the_phases_door_deletes_what_has_the_uid_and_leaves_another_alone(cluster):
    uid = cluster.create("Secret", "by-uid")["metadata"]["uid"]
    door = cluster.connect()

    door.delete(SECRET, "by-uid", "11111111-2222-3333-4444-555555555555")
    there = cluster.find("secrets", "by-uid")
    door.delete(SECRET, "by-uid", uid)
    door.delete(SECRET, "by-uid", uid)  # it is gone

    assert there["metadata"]["uid"] == uid
    assert cluster.find("secrets", "by-uid") is None


def test_what_is_created_by_a_dry_run_is_not_there(cluster):
    door = cluster.connect()

    answer = door.create(APIMANAGER, cluster.object("APIManager", "tried", spec=SPEC), dry_run=True)

    assert answer["metadata"]["name"] == "tried"
    assert cluster.find("apimanagers", "tried") is None


def test_an_object_made_again_is_another_one(cluster):
    first = cluster.create("Secret", "again")
    cluster.hand.delete("secrets", cluster.namespace, "again")

    assert cluster.create("Secret", "again")["metadata"]["uid"] != first["metadata"]["uid"]


def test_a_finalizer_holds_an_object_which_says_since_when(held):
    configmap, apimanager = held.find("configmaps", "held"), held.find("apimanagers", "held")

    assert configmap["metadata"]["deletionTimestamp"] >= configmap["metadata"]["creationTimestamp"]
    assert configmap["metadata"]["deletionGracePeriodSeconds"] == 0
    assert apimanager["metadata"]["generation"] == 2


def test_a_second_deletion_changes_nothing(held):
    before = held.find("configmaps", "held")

    held.hand.delete("configmaps", held.namespace, "held")

    assert held.find("configmaps", "held") == before


def test_the_name_of_an_object_that_is_going_is_still_taken(held):
    answer = held.ask("POST", "configmaps", held.object("ConfigMap", "held"))

    assert (answer.status, answer.reason) == (409, "AlreadyExists")
    assert answer.message == 'object is being deleted: configmaps "held" already exists'
    with pytest.raises(errors.AlreadyExists):
        held.connect().create(CONFIGMAP, held.object("ConfigMap", "held"))


def test_a_deletion_can_not_be_taken_back(held):
    held.connect().patch(CONFIGMAP, "held", {"metadata": {"deletionTimestamp": None}, "data": {"k": "v"}})

    found = held.find("configmaps", "held")
    assert (found["data"], "deletionTimestamp" in found["metadata"]) == ({"k": "v"}, True)


@pytest.mark.parametrize("finalizers", [None, []])
@pytest.mark.parametrize("resource", ["configmaps", "apimanagers"])
def test_an_object_goes_with_its_last_finalizer(held, resource, finalizers):
    answer = held.ask("PATCH", f"{resource}/held", {"metadata": {"finalizers": finalizers}})

    assert (answer.status, "finalizers" in answer.content["metadata"]) == (200, False)
    assert held.find(resource, "held") is None


# --- owners ---


def owned(cluster, name, *owners):
    references = [
        {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "name": obj["metadata"]["name"], "uid": uid}
        for obj, uid in owners
    ]
    return cluster.create("ConfigMap", name, {"ownerReferences": references})


def owner(cluster, name):
    made = cluster.create("APIManager", name, spec=SPEC)
    return made, made["metadata"]["uid"]


DEAD = "11111111-2222-3333-4444-555555555555"


def test_what_belongs_to_an_object_goes_with_it(cluster):
    owned(cluster, "belongs", owner(cluster, "goes"))

    cluster.hand.delete("apimanagers", cluster.namespace, "goes")

    assert cluster.gone("configmaps", "belongs")


def test_what_is_created_for_a_dead_owner_is_collected_behind_its_back(cluster):
    created = owned(cluster, "orphan", (cluster.object("APIManager", "dead"), DEAD))

    assert created["metadata"]["ownerReferences"][0]["uid"] == DEAD
    assert cluster.gone("configmaps", "orphan")


def test_an_owner_of_the_same_name_is_another_one(cluster):
    alive, _ = owner(cluster, "successor")

    owned(cluster, "of-the-former", (alive, DEAD))

    assert cluster.gone("configmaps", "of-the-former")


def test_a_uid_under_another_name_or_kind_is_no_owner(cluster):
    _, uid = owner(cluster, "named")

    owned(cluster, "of-another-name", (cluster.object("APIManager", "other"), uid))
    owned(cluster, "of-another-kind", (cluster.object("Secret", "named"), uid))

    assert cluster.gone("configmaps", "of-another-name")
    assert cluster.gone("configmaps", "of-another-kind")


def test_one_living_owner_is_enough(cluster):
    alive, uid = owner(cluster, "lives")
    owned(cluster, "of-two", (alive, uid), (cluster.object("APIManager", "dead"), DEAD))
    owned(cluster, "of-none", (cluster.object("APIManager", "dead"), DEAD))

    assert cluster.gone("configmaps", "of-none")
    assert cluster.stays("configmaps", "of-two")


def test_what_belongs_to_a_kind_that_nobody_knows_is_left_alone(cluster):
    unknown = {"apiVersion": "no.such.example/v1", "kind": "Thing", "metadata": {"name": "any"}}
    owned(cluster, "of-the-unknown", (unknown, DEAD))
    owned(cluster, "of-the-dead", (cluster.object("APIManager", "dead"), DEAD))

    assert cluster.gone("configmaps", "of-the-dead")
    assert cluster.stays("configmaps", "of-the-unknown")


@pytest.mark.parametrize("missing", ["kind", "name", "uid"])
def test_an_owner_without_a_name_is_invalid(cluster, missing):
    reference = {"apiVersion": "v1", "kind": "Secret", "name": "x", "uid": DEAD} | {missing: ""}

    with refused(errors.Rejected, message=Holding(f'{missing}: Invalid value: "": must not be empty')):
        cluster.connect().create(CONFIGMAP, cluster.object("ConfigMap", "x", {"ownerReferences": [reference]}))


def test_an_owner_in_another_namespace_is_none(cluster):
    elsewhere = cluster.hand.get("configmaps", "kube-system", "kube-root-ca.crt") or cluster.hand.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kube-root-ca.crt", "namespace": "kube-system"}}
    )

    owned(cluster, "of-elsewhere", (elsewhere, elsewhere["metadata"]["uid"]))

    assert cluster.gone("configmaps", "of-elsewhere")


def test_a_claim_goes_with_the_configmap_that_it_belongs_to(cluster):
    ledger = cluster.create("ConfigMap", "ledger")
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "ledger", "uid": ledger["metadata"]["uid"]}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    cluster.create("PersistentVolumeClaim", "of-the-ledger", {"ownerReferences": [owner]}, spec=spec)

    cluster.connect().delete(CONFIGMAP, "ledger", ledger["metadata"]["uid"])

    assert cluster.gone("persistentvolumeclaims", "of-the-ledger")
