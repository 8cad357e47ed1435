"""What people's clusters do to the tool, played on the embedded one."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from steps.archive import contents
from steps.contract.restore_contract import RestoreWishes
from steps.plans import restore_plan
from steps.plans.restore_plan import RestorePlan
from tests.conftest import Stage
from workflows.rehearsal.threescale import installation as threescale


@pytest.fixture
def quiet(installed: Stage) -> Stage:
    """A namespace whose installation is lost, and in which no operator is at work."""
    installed.lose()
    threescale.give_database_secrets(installed.kubernetes, installed.namespace)
    return installed


@pytest.fixture
def planned() -> Callable[..., RestorePlan]:
    """Plan a restore from a backup's folder, with the rights of the restore."""

    def of(stage: Stage, root: Path, **wishes: Any) -> RestorePlan:
        door = stage.connect("threescale-restore")
        return restore_plan.of(door, contents.open_at(root, root.name), RestoreWishes(**wishes), last_try=True)

    return of


@pytest.fixture
def snapshots() -> Iterator[Callable[[Path], Callable[[], None]]]:
    """Show earlier states of a volume at its root, read-only, as a NAS does; what is returned takes them away."""
    mounted: list[Path] = []

    def hide(folder: Path) -> None:
        _run("umount", str(folder))
        mounted.remove(folder)
        folder.rmdir()

    def show(root: Path) -> Callable[[], None]:
        folder = root / ".snapshot"
        folder.mkdir()
        if refusal := _run("mount", "-t", "tmpfs", "tmpfs", str(folder)):
            pytest.skip(f"this machine mounts no tmpfs: {refusal}")
        mounted.append(folder)
        (folder / "hourly").mkdir()
        (folder / "hourly/old.txt").write_text("as it was\n")
        _run("mount", "-o", "remount,ro", str(folder))
        return lambda: hide(folder)

    yield show
    for folder in mounted.copy():
        hide(folder)


def _run(*command: str) -> str:
    """Run a command of the system; return what it says against it."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  words of these tests
    return done.stderr.strip() if done.returncode else ""
