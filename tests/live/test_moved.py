"""A backup is carried to another namespace by the commands of the page, and restored there by another user."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from steps.contract.backup_contract import CLAIM
from tests.live import pages
from tests.live.installation import Operator
from tests.live.stage import Stage
from workflows.rehearsal import comparison

pytestmark = pytest.mark.cluster


def test_a_backup_moved_as_the_readme_tells_is_restored_in_a_second_namespace(
    new_stage: Callable[[], Stage], tmp_path: Path
) -> None:
    if not shutil.which("kubectl"):
        pytest.skip("the page's commands need kubectl on the PATH")
    first, second = new_stage(), new_stage()
    first.installation.install()
    before = first.installation.look()
    saved = first.backup(name="moved")
    assert saved.phase == "Succeeded", saved.failures
    claim = first.get("persistentvolumeclaims", "moved")
    assert claim

    script = pages.commands(
        "how-to/back-up.md",
        "## Carry a backup to another namespace",
        before=1,
        NAME="moved",
        api=first.namespace,
        OTHER=second.namespace,
        CLASS=claim["spec"]["storageClassName"],
    )
    config = first.kubernetes.kubeconfig(tmp_path / "config", namespace=first.namespace)
    try:
        pages.run(script, config)
    finally:  # the volume goes with the second namespace
        policy = {"spec": {"persistentVolumeReclaimPolicy": "Delete"}}
        first.kubernetes.patch("persistentvolumes", "", claim["spec"]["volumeName"], policy)

    second.installation.install_operator()
    second.installation.give_database_secrets()
    with Operator(second.kubernetes, second.installation):
        restored = second.restore(saved.outputs[CLAIM])

    assert restored.phase == "Succeeded", restored.failures
    rows = comparison.compare(before, second.installation.look())
    assert [row.differences for row in rows if row.differences] == []
