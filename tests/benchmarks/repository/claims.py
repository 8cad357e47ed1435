"""Sealed backups of a set, night after night: each on a new claim, as the phases of a backup leave it."""

import hashlib
import os
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from steps.archive import layout, manifest, marks, seal
from steps.files import durability
from steps.parts import file_storage
from tests.benchmarks.copying import sets
from tests.benchmarks.copying.sets import Set
from tests.builders import repositories
from workflows.manifests import render
from workflows.rehearsal.argo.engine import Engine
from workflows.rehearsal.kubernetes.cluster import Cluster
from workflows.rehearsal.rehearse import NAMESPACE, SETTINGS
from workflows.rehearsal.threescale import installation

CHANGED = 0.02  # of the files, each night
_CLAIMS = "persistentvolumeclaims"
_BASE = "base"


@dataclass(frozen=True)
class Namespace:
    """A namespace of the embedded Kubernetes with one small backup, from which those of the sets are made."""

    cluster: Cluster
    engine: Engine
    folder: Path

    def kubeconfig(self, account: str) -> Path:
        """Write a kubeconfig with the rights of a workflow."""
        path = self.folder / f"kubeconfig-{account}"
        return self.cluster.kubeconfig(path, namespace=NAMESPACE, service_account=account)

    def seal(self, source: Path, name: str, day: int) -> Path:
        """Back up a tree on a new claim, and return its volume. The copier copies, as in the phase."""
        root = self.engine.volume(name)
        base = self.engine.volume(_BASE)
        shutil.rmtree(root, ignore_errors=True)
        ours = shutil.ignore_patterns(layout.TREE, layout.LISTING, layout.MANIFEST)
        shutil.copytree(base, root, ignore=ours, symlinks=True)
        with durability.durable(root):
            tree = file_storage.save(source, root, lambda _done, _all: None, 4, ()).file_storage
        found = manifest.parse((base / layout.MANIFEST).read_bytes())
        days = timedelta(days=day)
        facts: dict[str, Any] = {"backup": name, "started": found.started + days, "ended": found.ended + days}
        made = found.model_copy(update={**facts, "file_storage": tree})
        text = manifest.text(made)
        (root / layout.SUMS).write_bytes(seal.sums(made))
        (root / layout.MANIFEST).write_bytes(text)
        self._claim(name, hashlib.sha256(text).hexdigest())
        return root

    def drop(self, name: str) -> None:
        """Remove a claim and its volume."""
        self.cluster.delete(_CLAIMS, NAMESPACE, name)
        shutil.rmtree(self.engine.volume(name), ignore_errors=True)

    def _claim(self, name: str, digest: str) -> None:
        base = self.cluster.get(_CLAIMS, NAMESPACE, _BASE)
        assert base is not None
        labels = {**base["metadata"]["labels"], marks.BACKUP: name}
        annotations = {**base["metadata"]["annotations"], marks.MANIFEST_DIGEST: digest}
        metadata = {"name": name, "namespace": NAMESPACE, "labels": labels, "annotations": annotations}
        spec = {key: value for key, value in base["spec"].items() if key != "volumeName"}
        self.cluster.create({**base, "metadata": metadata, "spec": spec, "status": {}})


@contextmanager
def namespace(folder: Path) -> Iterator[Namespace]:
    """Serve a namespace whose workflows have a repository.

    Raises:
        RuntimeError: the small backup failed.

    """
    with Cluster() as cluster:
        engine = Engine(cluster, folder / "volumes", namespace=NAMESPACE)
        for each in render(SETTINGS.model_copy(update={"repositories": (repositories.NAME,)})):
            engine.apply(each)
        installation.install(cluster, NAMESPACE, engine.volume("system-storage"))
        ended = engine.submit("threescale-backup", {"name": _BASE, "push": "no"})
        if ended.phase != "Succeeded":
            raise RuntimeError(ended.message)
        yield Namespace(cluster, engine, folder)


def change(wanted: Set, root: Path, seed: str) -> int:
    """Write other bytes of the same size to a share of the files, and return how many they were."""
    source = random.Random(seed)  # noqa: S311  a choice, not a secret
    count = 0
    for file in sets.lay(wanted):
        if source.random() < CHANGED:
            (root / file.path).write_bytes(os.urandom(file.size_bytes))
            count += 1
    return count
