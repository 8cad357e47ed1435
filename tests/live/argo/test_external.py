"""With System's files in S3 there is no claim to mount: a real controller skips what would mount it."""

import base64

import pytest

from steps.threescale.installation import SYSTEM_STORAGE
from tests.live.argo import saved
from tests.live.argo.argo import Argo
from tests.live.installation import Operator
from tests.live.stage import Stage
from workflows.rehearsal.threescale import installation as threescale

pytestmark = pytest.mark.cluster

PARTS = ("secrets", "configmaps", "apimanager", "file-storage")
NAMED = "my-tracing"  # a Secret that the Roles of the sample name already
BUCKET = {"AWS_BUCKET": "tenants", "AWS_REGION": "eu-south-2"}


def test_files_in_s3_are_recorded_and_no_claim_for_them_is_asked_for(live: Stage, argo: Argo) -> None:
    live.installation.install()
    data = {key: base64.b64encode(value.encode()).decode() for key, value in BUCKET.items()}
    live.kubernetes.patch("secrets", live.namespace, NAMED, {"data": data})
    service = {"simpleStorageService": {"configurationSecretRef": {"name": NAMED}}}
    spec = {"system": {"fileStorage": {"persistentVolumeClaim": None, **service}}}
    live.kubernetes.patch("apimanagers", live.namespace, threescale.NAME, {"spec": spec})

    refused = argo.wait(argo.backup(name="refused"))
    backup = argo.wait(argo.backup(name="nightly", file_storage="external"))

    assert "Submit with -p file-storage=external" in refused.node("prepare(0)").message
    assert backup.phase == "Succeeded", backup.failures()
    assert {part: backup.phase_of(part) for part in PARTS} == dict.fromkeys(PARTS, "Skipped")
    found = saved.look(live.installation, "nightly")
    assert found.manifest
    assert found.manifest["source"]["external"]["bucket"] == "tenants"
    assert (found.wrong, found.tree) == ([], {})

    for ended in (refused, backup):
        live.kubernetes.delete("workflows", live.namespace, ended.name)
    live.installation.lose()
    live.installation.give_database_secrets()
    live.claim(SYSTEM_STORAGE)  # for the stand-in of Sidekiq, which mounts it whatever the APIManager says
    with Operator(live.kubernetes, live.installation):
        restore = argo.wait(argo.restore("nightly"))

    assert restore.phase == "Succeeded", restore.failures()
    assert restore.phase_of("file-storage") == "Skipped"
    assert live.installation.tree(SYSTEM_STORAGE) == {}
