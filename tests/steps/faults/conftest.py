"""Source trees, what becomes of them undisturbed, and phases that are disturbed at the border to the system."""

import random
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from steps.archive import layout, manifest
from steps.files import durability
from tests.steps.faults.border import COMPILER, Border, Outcome
from workflows.rehearsal.kubernetes.cluster import Cluster as Kubernetes

SMALL = [f"{folder}/{name:02}" for folder, count in (("a", 6), ("b/inner", 4), ("c", 14)) for name in range(count)]
SEVERAL_BLOCKS = (5 << 20) + 1


class World(NamedTuple):
    """A source, and what an undisturbed run makes of it."""

    source: Path
    backup: Path
    target: Path


@pytest.fixture(scope="session")
def border(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Border]:
    """The border to the system, or where there is no compiler the seam that stands in for it."""
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux tells the path of a descriptor, by which a fault is aimed")
    with Kubernetes() as kubernetes:
        border = Border(tmp_path_factory.mktemp("border"), kubernetes, seam=not COMPILER)
        yield border
        border.stop()


@pytest.fixture(scope="module")
def nothing_is_synced() -> Iterator[None]:
    """For tests of thousands of copies of which none is to stay: a sync waits for all that others write to the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(durability, "_libc", lambda: SimpleNamespace(syncfs=lambda _descriptor: 0))
        yield


@pytest.fixture(params=[1, 4], ids=lambda workers: f"workers={workers}")
def workers(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="session")
def small(border: Border, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Folders with small files."""
    return _world(border, tmp_path_factory.mktemp("small"), dict.fromkeys(SMALL, 3000))


@pytest.fixture(scope="session")
def large(border: Border, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A file of several blocks between small ones."""
    return _world(border, tmp_path_factory.mktemp("large"), {"a/0": 3000, "large/0": SEVERAL_BLOCKS, "z/0": 3000})


@pytest.fixture
def save(border: Border, workers: int, tmp_path: Path) -> Callable[..., Outcome]:
    """Save a source to `backup`, disturbed by faults."""
    (tmp_path / "backup").mkdir()
    return partial(border.save, tmp_path / "backup", workers)


@pytest.fixture
def restore(border: Border, workers: int, tmp_path: Path) -> Callable[..., Outcome]:
    """Restore a backup to `target`, disturbed by faults."""
    (tmp_path / "target").mkdir()
    return partial(border.restore, tmp_path / "target", workers)


def _world(border: Border, folder: Path, sizes: dict[str, int]) -> World:
    made = World(folder / "source", folder / "backup", folder / "target")
    for path in made:
        path.mkdir()
    content = random.Random(3)  # noqa: S311  no secret
    for path, size in sizes.items():
        (made.source / path).parent.mkdir(parents=True, exist_ok=True)
        (made.source / path).write_bytes(content.randbytes(size))
    (made.source / "link").symlink_to("a")
    saved = border.save(made.backup, 1, made.source)
    assert saved.error == "", saved
    _seal(made.backup, saved)
    restored = border.restore(made.target, 1, made.backup)
    assert restored.error == "", restored
    return made


def _seal(root: Path, saved: Outcome) -> None:
    """Write the manifest that a restore opens; of the other phases it needs nothing."""
    now = datetime.now(UTC)
    source = manifest.Source(namespace="threescale", apimanager="apimanager", apimanager_uid="1")
    facts = manifest.FileTree.model_validate(saved.facts)
    sealed = manifest.Manifest(
        tool_version="0",
        backup="nightly",
        workflow="nightly",
        workflow_uid="1",
        started=now,
        ended=now,
        source=source,
        objects={},
        file_storage=facts,
    )
    layout.write(root, layout.MANIFEST, layout.as_json(sealed.model_dump(mode="json")))
