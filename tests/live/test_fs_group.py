"""`--fs-group` on a real kubelet: it hands a fresh volume to the group once, and never the source.

It does so for volumes of type `local`, and not for host paths, which is what the class of `tests/cluster` makes.
"""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.conftest import FIRST_USER
from tests.live.kubernetes import Kubernetes, until
from tests.live.local_volumes import LocalVolumes
from tests.live.second_node import FIRST
from tests.live.stage import Stage
from workflows.rehearsal.kubelet.pod import Order
from workflows.rendering.pods import Pods

pytestmark = pytest.mark.cluster

SYSTEMS_GROUP = 4242  # of an installation whose files are not the backup's


@pytest.fixture
def volumes(own_cluster: Kubernetes) -> Iterator[LocalVolumes]:
    with LocalVolumes(own_cluster) as volumes:
        yield volumes


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """The folder of a fresh volume: root's, and nobody else may write there."""
    folder = tmp_path / "fresh"
    folder.mkdir()
    folder.chmod(0o755)
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The folder of System's volume."""
    folder = tmp_path / "system-storage"
    folder.mkdir()
    return folder


def give_to_system(folder: Path) -> None:
    """Hand everything to System's group, readable for all, as if no pod of a backup's group had ever seen it."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, 0, SYSTEMS_GROUP, follow_symlinks=False)
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)


def rights(path: Path) -> tuple[int, int, int]:
    found = path.lstat()
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)


def touched(folder: Path) -> dict[str, tuple[int, int, int, int]]:
    """Whose everything is, and when that was last changed."""
    return {str(path): (*rights(path), path.lstat().st_ctime_ns) for path in (folder, *sorted(folder.rglob("*")))}


def is_unmounted(folder: Path) -> bool:
    return str(folder) not in Path("/proc/self/mountinfo").read_text()


def test_a_fresh_volume_is_handed_to_the_group_once_and_the_source_never(
    live: Stage, volumes: LocalVolumes, fresh: Path, source: Path
) -> None:
    group = live.settings.pods.fs_group
    volume = volumes.make("system-storage", FIRST, folder=source)
    live.installation.storage = {"storageClassName": "", "volumeName": volume}
    live.installation.install()
    live.installation.stop_sidekiq()  # a volume that is mounted already is never handed over
    until("the end of System's mounts", lambda: is_unmounted(source), 60)
    give_to_system(source)
    before = touched(source)
    begin, manifest = fresh / "begin.json", fresh / "manifest.json"

    def take_a_file_from_the_group_before_the_seal(order: Order) -> None:
        if order.node == "seal":
            until("the end of the parts' mounts", lambda: is_unmounted(fresh), 60)
            assert begin.stat().st_gid == group
            os.chown(begin, -1, 0)

    live.pods.before = take_a_file_from_the_group_before_the_seal
    volume = volumes.make("backup", FIRST, folder=fresh)

    saved = live.backup(name="nightly", volume_name=volume, storage_request="256Mi")

    assert saved.phase == "Succeeded", saved.failures
    assert rights(fresh) == (0, group, 0o2775)
    assert manifest.stat().st_gid == group
    assert begin.stat().st_gid == 0  # OnRootMismatch: when the seal mounts the volume, its root has matched
    assert touched(source) == before


def test_without_a_group_a_fresh_volume_is_refused_with_what_to_set(
    new_stage: Callable[..., Stage], volumes: LocalVolumes, fresh: Path
) -> None:
    live = new_stage(pods=Pods(run_as_user=FIRST_USER))
    live.installation.install()
    volume = volumes.make("backup", FIRST, folder=fresh)

    ended = live.backup(name="nightly", volume_name=volume, storage_request="256Mi")

    assert ended.phase == "Failed"
    for part in ("secrets", "configmaps", "apimanager", "file-storage"):
        assert "`threescale-backup manifests --fs-group N`" in ended.node(part).attempts[-1].message
    assert rights(fresh) == (0, 0, 0o755)
    assert list(fresh.iterdir()) == []
