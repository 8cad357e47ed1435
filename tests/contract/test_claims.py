"""Claims: what the server fills in, what it lets change, what it says where no volume comes, and who holds them."""

import pytest

from steps import errors
from steps.catalogue import backup_claims
from steps.kubernetes import events, mounting, waiting
from steps.kubernetes.claims import quantity
from steps.kubernetes.kinds import CLAIM
from tests.builders.refusals import Holding, refused
from tests.live.kubernetes import until

PATIENCE_S = 60.0
KEPT = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"


def spec(**fields):
    return {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}} | fields


def bound(cluster, name):
    def look():
        found = cluster.find("persistentvolumeclaims", name)
        return found if found["status"]["phase"] == "Bound" else None

    return until(f"claim {name} to be bound", look, PATIENCE_S)


def said(cluster, name):
    """Wait until there is an event of a claim."""
    return until(f"an event of {name}", lambda: events.last(cluster.connect(), CLAIM.name, name), PATIENCE_S)


# --- new ones ---


def test_a_new_claim_is_pending_protected_and_of_the_default_class(cluster):
    made = cluster.connect("threescale-backup").create(CLAIM, cluster.object(CLAIM.name, "new", spec=spec()))

    assert made["status"] == {"phase": "Pending"}
    assert made["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    assert (made["spec"]["volumeMode"], bool(made["spec"]["storageClassName"])) == ("Filesystem", True)


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ("1Gi", "1Gi"),
        ("1024Mi", "1Gi"),
        ("0.5Gi", "512Mi"),
        ("1.5Gi", "1536Mi"),
        ("1073741824", "1073741824"),
        ("1000", "1k"),
        ("1500", "1500"),
        ("1e3", "1e3"),
        ("1E4", "10e3"),
        ("2000M", "2G"),
        ("512Ki", "512Ki"),
        (".5Ki", "512"),
        (2000, "2k"),
    ],
)
@pytest.mark.thorough
def test_a_size_is_kept_in_one_spelling_and_means_the_same(cluster, asked, kept):
    size = {"requests": {"storage": asked}}
    claim = cluster.object(CLAIM.name, "sized", spec=spec(resources=size, storageClassName="no-such-class"))

    made = cluster.ask("POST", "persistentvolumeclaims", claim)
    cluster.hand.delete("persistentvolumeclaims", cluster.namespace, "sized")

    assert cluster.gone("persistentvolumeclaims", "sized")
    assert made.content["spec"]["resources"]["requests"]["storage"] == kept
    assert quantity(kept) == quantity(str(asked))


@pytest.mark.parametrize(
    ("fields", "status", "problem"),
    [
        ({"accessModes": []}, 422, "spec.accessModes: Required value: at least 1 access mode is required"),
        ({"accessModes": ["Sometimes"]}, 422, 'spec.accessModes: Unsupported value: "Sometimes": supported values: "'),
        ({"resources": {}}, 422, "spec.resources[storage]: Required value"),
        ({"resources": {"requests": {"storage": "0"}}}, 422, 'Invalid value: "0": must be greater than zero'),
        ({"resources": {"requests": {"storage": "-1Gi"}}}, 422, 'Invalid value: "-1Gi": must be greater than zero'),
        ({"resources": {"requests": {"storage": "1GB"}}}, 400, "quantities must match the regular expression"),
        ({"resources": {"requests": {"storage": "ten"}}}, 400, "quantities must match the regular expression"),
    ],
)
def test_a_claim_that_asks_for_nothing_that_is_there_is_refused(cluster, fields, status, problem):
    with refused(errors.Rejected, status=status) as error:
        cluster.connect("threescale-backup").create(CLAIM, cluster.object(CLAIM.name, "bad", spec=spec(**fields)))

    assert problem in str(error.value)


def test_labels_of_a_backup_are_checked_as_any(cluster):
    labels = {"threescale-backup/threescale-version": "2.16 (a build)"}

    with refused(errors.Rejected, message=Holding("a valid label must be an empty string or consist of")):
        cluster.connect("threescale-backup").create(
            CLAIM, cluster.object(CLAIM.name, "x", {"labels": labels}, spec=spec())
        )


# --- with and without a volume ---


def test_a_claim_of_the_default_class_is_bound(cluster):
    cluster.claim("easy")

    found = bound(cluster, "easy")

    assert found["spec"]["volumeName"] == f"pvc-{found['metadata']['uid']}"
    assert (found["status"]["accessModes"], found["status"]["capacity"]) == (["ReadWriteOnce"], {"storage": "1Mi"})
    assert found["metadata"]["annotations"]["pv.kubernetes.io/bind-completed"] == "yes"


def test_a_class_that_is_not_there_is_a_warning(cluster):
    cluster.claim("classless", storageClassName="no-such-class")

    event = said(cluster, "classless")

    assert event == ("Warning", "ProvisioningFailed", 'storageclass.storage.k8s.io "no-such-class" not found')
    with refused(errors.ClaimWithoutVolume, event=Holding("ProvisioningFailed")):
        waiting.wait_for_volume(cluster.connect("threescale-backup"), "classless", PATIENCE_S)


def test_no_class_and_no_volume_is_said_but_is_no_warning(cluster):
    cluster.claim("static", storageClassName="")

    event = said(cluster, "static")

    message = "no persistent volumes available for this claim and no storage class is set"
    assert event == ("Normal", "FailedBinding", message)
    with refused(errors.ClaimWithoutVolume, event=Holding("FailedBinding")):
        waiting.wait_for_volume(cluster.connect("threescale-backup"), "static", 0.0)


@pytest.mark.parametrize("fields", [{"storageClassName": ""}, {}], ids=["without-a-class", "of-the-default-class"])
def test_of_a_volume_that_is_not_there_nothing_is_said(cluster, fields):
    name = f"named-{len(fields)}"
    cluster.claim(name, volumeName="no-such-volume", **fields)

    assert cluster.stays("persistentvolumeclaims", name)
    assert cluster.find("persistentvolumeclaims", name)["status"] == {"phase": "Pending"}
    assert events.last(cluster.connect(), CLAIM.name, name) is None
    with refused(errors.ClaimWithoutVolume, event=Holding("volume no-such-volume is missing")):
        waiting.wait_for_volume(cluster.connect("threescale-backup"), name, 0.0)


# --- changes ---


def test_a_claim_without_a_volume_may_only_get_one(cluster):
    cluster.claim("unbound", storageClassName="no-such-class")

    def patch(**fields):
        return cluster.ask("PATCH", "persistentvolumeclaims/unbound", {"spec": fields})

    refused = [
        patch(accessModes=["ReadWriteMany"]),
        patch(storageClassName="other"),
        patch(resources={"requests": {"storage": "2Mi"}}),
    ]
    assert [(answer.status, KEPT in answer.message) for answer in refused] == [(422, True)] * 3
    assert patch(volumeName="no-such-volume").status == 200


@pytest.mark.parametrize(
    "fields", [{"volumeName": "other"}, {"accessModes": ["ReadWriteMany"]}, {"storageClassName": "other"}]
)
def test_a_bound_claim_keeps_its_volume_modes_and_class(cluster, fields):
    if cluster.find("persistentvolumeclaims", "kept") is None:
        cluster.claim("kept")
    bound(cluster, "kept")

    answer = cluster.ask("PATCH", "persistentvolumeclaims/kept", {"spec": fields})

    assert (answer.status, KEPT in answer.message) == (422, True)


def test_the_marks_of_a_bound_claim_can_be_changed(cluster):
    cluster.claim("marked")
    bound(cluster, "marked")
    marks = {"labels": {"threescale-backup/state": "complete"}, "annotations": {"threescale-backup/ended": "now"}}

    patched = cluster.connect("threescale-backup").patch(CLAIM, "marked", {"metadata": marks})

    assert patched["metadata"]["labels"] == marks["labels"]
    assert patched["metadata"]["annotations"]["threescale-backup/ended"] == "now"
    assert patched["status"]["phase"] == "Bound"


# --- who holds a claim ---


@pytest.mark.parametrize("state", ["running", "ended"])
def test_a_claim_stays_as_long_as_there_is_a_pod_that_mounts_it(cluster, state):
    cluster.claim(state)
    bound(cluster, state)
    cluster.pod(f"holder-{state}", state, claim=state)

    cluster.hand.delete("persistentvolumeclaims", cluster.namespace, state)
    held = cluster.stays("persistentvolumeclaims", state)
    holders = mounting.holders(cluster.connect("threescale-restore"), state)
    cluster.end(f"holder-{state}")

    assert (held, holders) == (True, [f"holder-{state}"])
    assert cluster.gone("persistentvolumeclaims", state)


def test_a_claim_that_is_going_is_still_there(cluster):
    cluster.claim("going")
    bound(cluster, "going")
    cluster.pod("holder-going", "ended", claim="going")
    cluster.hand.delete("persistentvolumeclaims", cluster.namespace, "going")

    with pytest.raises(errors.ClaimGoingAway):
        backup_claims.find(cluster.connect("threescale-restore"), "going")
    with pytest.raises(errors.AlreadyExists):
        cluster.connect("threescale-restore").create(CLAIM, cluster.object(CLAIM.name, "going", spec=spec()))


def test_a_pod_that_no_node_has_holds_no_claim(cluster):
    cluster.claim("waited-for", storageClassName="no-such-class")
    cluster.pod("holder-unscheduled", "unscheduled", claim="waited-for")

    cluster.hand.delete("persistentvolumeclaims", cluster.namespace, "waited-for")

    assert cluster.gone("persistentvolumeclaims", "waited-for")
