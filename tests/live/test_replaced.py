"""What a restore replaces on a real cluster is saved first, and put back by the commands of the page."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from steps.threescale.installation import SYSTEM_STORAGE
from tests.live import pages
from tests.live.installation import Operator
from tests.live.kubernetes import until
from tests.live.pods import POD_S, hand_made
from tests.live.stage import Stage
from workflows.rehearsal import comparison

pytestmark = pytest.mark.cluster

REPLACE = {"on_conflict": "replace", "file_storage_conflict": "replace"}
MAY_WRITE = {"file": 0o060, "dir": 0o070, "link": 0}  # by the group


@contextmanager
def a_pod_to_undo(stage: Stage, replaced: str) -> Iterator[None]:
    """Have the pod of the page's commands."""
    claims = {"/replaced": replaced, "/system-filestorage": SYSTEM_STORAGE}
    pod = hand_made(
        stage.namespace,
        "undo",
        stage.settings.image,
        ["sleep", "infinity"],
        claims=claims,
        security=stage.installation.security,
    )
    stage.kubernetes.create(pod)

    def runs() -> bool:
        return bool((stage.get("pods", "undo") or {}).get("status", {}).get("phase") == "Running")

    try:
        until("pod undo", runs, POD_S)
        yield
    finally:
        stage.kubernetes.delete("pods", stage.namespace, "undo", now=True)
        until("the end of pod undo", lambda: stage.get("pods", "undo") is None, POD_S)


def test_what_was_replaced_is_put_back_as_the_readme_tells(live: Stage, tmp_path: Path) -> None:
    if missing := [program for program in ("kubectl", "jq") if not shutil.which(program)]:
        pytest.skip(f"the page's commands need {' and '.join(missing)} on the PATH")
    live.installation.install()
    before = live.installation.look()
    backup = live.backup(name="nightly")
    assert backup.phase == "Succeeded", backup.failures
    secret, files = live.another_installation()

    refused = live.restore("nightly")
    assert refused.phase == "Failed"
    assert "on-conflict=replace" in refused.node("prepare").attempts[-1].message

    with Operator(live.kubernetes, live.installation):
        restored = live.restore("nightly", **REPLACE)
    assert restored.phase == "Succeeded", restored.failures
    rows = comparison.compare(before, live.installation.look())
    assert [row.differences for row in rows if row.differences] == []

    script = pages.commands("how-to/restore.md", "To put something back")
    with a_pod_to_undo(live, f"{restored.name}-replaced"):
        pages.run(script, live.kubernetes.kubeconfig(tmp_path / "config", namespace=live.namespace))

    there = live.get("secrets", secret["metadata"]["name"])
    assert there
    assert there["data"] == secret["data"]
    assert there["metadata"]["uid"] == secret["metadata"]["uid"]
    widened = {name: node._replace(mode=node.mode | MAY_WRITE[node.kind]) for name, node in files.items()}
    assert live.installation.tree(SYSTEM_STORAGE) == widened
