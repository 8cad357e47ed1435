"""The phases run one after the other in this process, with the rights of their rendered Roles, as a workflow would."""

from pathlib import Path

import pytest

from steps import __main__
from steps.contract.names import EXTERNAL

RESTORE = "threescale-restore"
BACKUP = "threescale-backup"


def run(stage, account: str, phase: str, *words: object, workflow: str = "") -> None:
    """Run one phase; what it refuses is raised."""
    told = ["--namespace", stage.namespace, "--workflow", workflow or account, "--workflow-uid", account]
    stage.connect(account)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", str(stage.folder / f"kubeconfig-{account}"))
        words = (*told, "--outputs", stage.folder / "outputs", account.rpartition("-")[2], phase, *words)
        __main__.cli.main([str(word) for word in words], standalone_mode=False)


def backup(stage, root: Path) -> None:
    """Back up to the volume of a new claim, which is called as its folder."""
    root.mkdir()
    volume_of = ("--claim", root.name, "--backup", root)
    run(stage, BACKUP, "prepare", "--name", root.name, "--storage-request", "1Gi")
    (found,) = stage.exists("apimanagers")
    for phase in ("secrets", "configmaps", "apimanager"):
        run(stage, BACKUP, phase, *volume_of, "--apimanager", found)
    run(stage, BACKUP, "file-storage", *volume_of, "--file-storage", stage.storage, "--workers", 1)
    run(stage, BACKUP, "seal", *volume_of)


def restore(
    stage, root: Path, *, databases: tuple[str, ...] = (), domain: tuple[str, ...] = (), version: tuple[str, ...] = ()
) -> None:
    """Restore from the volume of a claim, which is called as its folder, up to the APIManager.

    Files that `prepare` says are external are passed over, as the workflow does.
    """
    claim = ("--claim", root.name)
    volume_of = (*claim, "--backup", root)
    run(stage, RESTORE, "check", *claim, *databases)
    run(stage, RESTORE, "prepare", *volume_of, *databases, *domain, *version)
    if (stage.folder / "outputs/file-storage").read_text() != EXTERNAL:
        run(stage, RESTORE, "file-storage", *volume_of, "--file-storage", stage.storage, "--workers", 1)
    run(stage, RESTORE, "configmaps", *volume_of, *domain)
    run(stage, RESTORE, "secrets", *volume_of, *databases, *domain)
    run(stage, RESTORE, "apimanager", *volume_of, *domain)


def routes(stage, root: Path, *words: object) -> None:
    """Have Zync make the Routes, and wait for 3scale, one minute at most."""
    patience = ("--look-s", 0.02, "--wait-minutes", 1)
    run(stage, RESTORE, "routes", "--claim", root.name, "--backup", root, *patience, *words)
