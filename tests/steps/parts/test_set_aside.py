import json

import pytest

from steps import errors
from steps.archive import marks
from steps.kubernetes import fields
from steps.kubernetes.kinds import SECRET
from steps.kubernetes.workflow import Workflow
from steps.parts import set_aside
from steps.parts.set_aside import SetAsideClaim
from tests.builders.claims import CLAIMS
from tests.builders.refusals import refused

ASKED = SetAsideClaim("100Mi", None)


@pytest.mark.parametrize(
    ("name", "claim"),
    [
        ("threescale-restore-abcde", "threescale-restore-abcde-replaced"),
        ("x" * 54, "x" * 54 + "-replaced"),
        ("my.restore", "my-restore-replaced"),
    ],
)
def test_the_claim_is_called_as_its_workflow(name, claim):
    assert set_aside.claim_name(Workflow(name, "uid")) == claim


def test_the_claims_of_workflows_with_long_names_are_told_apart():
    names = {set_aside.claim_name(Workflow("x" * 62 + end, "uid")) for end in "ab"}

    assert len(names) == 2
    assert {len(name) for name in names} == {63}


def test_the_claim_is_made_once_for_a_workflow(empty):
    door, mine = empty.connect("threescale-restore"), Workflow("mine", "1")

    assert set_aside.create(door, ASKED, mine) == set_aside.create(door, ASKED, mine) == "mine-replaced"

    (made,) = empty.kubernetes.list(CLAIMS, empty.namespace)
    assert fields.label(made, marks.WORKFLOW_UID) == "1"
    assert fields.label(made, marks.BACKUP) == ""


def test_a_claim_of_another_workflow_is_not_taken(empty):
    door = empty.connect("threescale-restore")
    set_aside.create(door, ASKED, Workflow("mine", "1"))

    with refused(errors.ReplacedClaimTaken, name="mine-replaced"):
        set_aside.create(door, ASKED, Workflow("mine", "2"))


@pytest.mark.parametrize(
    ("storage", "files", "expected"),
    [
        (None, False, SetAsideClaim("100Mi", None)),
        ({"spec": {"storageClassName": "nfs"}}, False, SetAsideClaim("100Mi", "nfs")),
        ({"spec": {"resources": {"requests": {"storage": "1k"}}}}, True, SetAsideClaim(str(100 << 20), None)),
        (
            {"spec": {"storageClassName": "nfs"}, "status": {"capacity": {"storage": "10G"}}},
            True,
            SetAsideClaim("12000000000", "nfs"),
        ),
    ],
)
def test_the_claim_holds_all_that_system_storage_can(storage, files, expected):
    assert set_aside.wanted(storage, files=files) == expected


def test_objects_are_saved_whole_with_their_versions(empty, tmp_path):
    metadata = {"name": "zync", "namespace": empty.namespace, "finalizers": ["example/wait"]}
    empty.kubernetes.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"a": "eA=="}})

    versions = set_aside.save_objects(empty.connect("threescale-restore"), SECRET, ["zync"], tmp_path)

    found = empty.get("secrets", "zync")
    assert json.loads((tmp_path / "secrets/zync.json").read_bytes()) == found
    assert versions == {"zync": found["metadata"]["resourceVersion"]}


def test_an_object_that_is_gone_is_a_change(empty, tmp_path):
    with refused(errors.ChangedSincePlan, changes=["Secret zync is gone"]):
        set_aside.save_objects(empty.connect("threescale-restore"), SECRET, ["zync"], tmp_path)
