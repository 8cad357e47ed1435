"""A backup is carried to another namespace by the commands of the README, and restored there by another user."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.installation import Operator
from tests.live.stage import Stage
from workflows.phases import CLAIM
from workflows.rehearsal import comparison

pytestmark = pytest.mark.cluster

README = Path(__file__).parents[2] / "README.md"


def commands(title: str, **words: str) -> str:
    """Return the two blocks of commands before and after a title in the README, with its placeholders replaced."""
    before, found, after = README.read_text().partition(title)
    assert found
    script = "".join(re.findall(r"(?m)^(?: {4}.*\n)+", before)[-1:] + re.findall(r"(?m)^(?: {4}.*\n)+", after)[:1])
    script = re.sub(r"(?m)^ {4}", "", script)
    for placeholder, word in words.items():
        assert placeholder in script
        script = re.sub(rf"\b{placeholder}\b", word, script)
    return script


def test_a_backup_moved_as_the_readme_tells_is_restored_in_a_second_namespace(
    new_stage: Callable[[], Stage], tmp_path: Path
) -> None:
    if not shutil.which("kubectl"):
        pytest.skip("the README's commands need kubectl on the PATH")
    first, second = new_stage(), new_stage()
    first.installation.install()
    before = first.installation.look()
    saved = first.backup(name="moved")
    assert saved.phase == "Succeeded", saved.failures
    claim = first.get("persistentvolumeclaims", "moved")
    assert claim

    script = commands(
        "**Carry a backup to another namespace",
        NAME="moved",
        OTHER=second.namespace,
        CLASS=claim["spec"]["storageClassName"],
    )
    config = first.kubernetes.kubeconfig(tmp_path / "config", namespace=first.namespace)
    try:
        subprocess.run(["bash", "-euc", script], env={**os.environ, "KUBECONFIG": str(config)}, check=True)  # noqa: S603, S607
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
