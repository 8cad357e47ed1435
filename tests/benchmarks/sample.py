"""The phase that is measured: `backup secrets`, on the sample installation in the embedded Kubernetes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.benchmarks import stopwatch
from workflows import backup
from workflows.manifests import render
from workflows.rehearsal.kubernetes.cluster import Cluster
from workflows.rehearsal.rehearse import NAMESPACE, SETTINGS
from workflows.rehearsal.threescale import installation as threescale

STOPWATCH: Final = Path(stopwatch.__file__)
PHASE: Final = (
    *("-m", "steps", "--namespace", NAMESPACE, "--workflow", "measured", "--workflow-uid", "measured"),
    *("backup", "secrets", "--claim", "measured", "--backup", stopwatch.FOLDER, "--apimanager", threescale.NAME),
)


@contextmanager
def kubeconfig(folder: Path) -> Iterator[Path]:
    """Serve the sample installation, for whoever can read this kubeconfig with the rights of a backup."""
    with Cluster() as cluster:
        for manifest in render(SETTINGS):
            cluster.apply(manifest)
        threescale.install(cluster, NAMESPACE, folder / "system-storage")
        yield cluster.kubeconfig(folder / "kubeconfig", namespace=NAMESPACE, service_account=backup.NAME)
