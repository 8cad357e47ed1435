"""Failures as a person meets them on a real cluster: one sentence, and nothing harmed."""

import pytest

from tests.live.stage import Stage
from workflows.rehearsal.argo.engine import Workflow

pytestmark = pytest.mark.cluster


def sentence(workflow: Workflow, node: str) -> str:
    """What the last pod of a node said."""
    return workflow.node(node).attempts[-1].message


def test_a_backup_without_3scale_says_so_and_makes_no_claim(live: Stage) -> None:
    ended = live.backup(name="nothing")

    assert ended.phase == "Failed"
    assert "APIManager" in sentence(ended, "prepare")
    assert live.get("persistentvolumeclaims", "nothing") is None


def test_a_volume_that_cannot_be_written_says_what_to_set(live: Stage) -> None:
    live.installation.install()
    live.opener.closed.add("closed")

    ended = live.backup(name="closed", storage_request="256Mi")

    if ended.phase == "Succeeded":
        pytest.skip("volumes of this cluster's default class can be written by every pod")
    assert "--fs-group" in sentence(ended, "file-storage")


def test_a_mistyped_claim_is_named_beside_those_that_are_there(live: Stage) -> None:
    live.claim("nightly", labels={"threescale-backup/backup": "nightly"})

    ended = live.restore("nihgtly")

    assert ended.phase == "Failed"
    assert "'nihgtly'" in sentence(ended, "check")
    assert "nightly" in sentence(ended, "check")


def test_an_installation_that_is_there_is_never_restored_over(live: Stage) -> None:
    live.installation.install()
    assert live.backup(name="nightly", storage_request="256Mi").phase == "Succeeded"
    before = live.installation.look()

    ended = live.restore("nightly")

    assert ended.phase == "Failed"
    assert "APIManager" in sentence(ended, "check")
    assert live.installation.look() == before


def test_a_quota_on_claims_is_named(live: Stage) -> None:
    live.installation.install()
    quota = {"hard": {"persistentvolumeclaims": "1"}}
    metadata = {"name": "claims", "namespace": live.namespace}
    live.kubernetes.create({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": quota})
    live.wait_for_quota("claims")

    ended = live.backup(name="one-too-many")

    assert ended.phase == "Failed"
    assert "exceeded quota: claims" in sentence(ended, "prepare")


def test_a_missing_right_is_named(live: Stage) -> None:
    live.installation.install()
    live.kubernetes.delete("rolebindings", live.namespace, "threescale-backup")

    ended = live.backup(name="without-rights")

    assert ended.phase == "Failed"
    assert "cannot get resource" in sentence(ended, "prepare")
    assert live.get("persistentvolumeclaims", "without-rights") is None
