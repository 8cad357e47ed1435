"""One contract for two servers: what the phases rely on holds for the embedded Kubernetes and for a real one.

Each test runs once for each. Where they differ the real one is right; the default run asks the embedded one only.
"""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.contract.servers import Contract, Embedded, Real
from tests.embedded.kubernetes import Cluster as EmbeddedKubernetes
from tests.live.kubernetes import Kubernetes


@pytest.fixture(scope="module", params=["embedded", pytest.param("real", marks=pytest.mark.cluster)])
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Contract]:
    """A namespace of its own for each file of tests."""
    make: Callable[[Path], Contract] = request.getfixturevalue(request.param)
    made = make(tmp_path_factory.mktemp("contract"))
    made.prepare()
    yield made
    made.close()


@pytest.fixture(scope="module")
def embedded() -> Iterator[Callable[[Path], Contract]]:
    with EmbeddedKubernetes() as kubernetes:
        kubernetes.without("apps.openshift.io")  # as where there is no OpenShift
        yield lambda folder: Embedded(kubernetes, "threescale-backup-test-embedded", folder)


@pytest.fixture(scope="module")
def real(kubernetes: Kubernetes, crds: list[str], image: str) -> Iterator[Callable[[Path], Contract]]:  # noqa: ARG001  they are there
    namespace = f"threescale-backup-test-{uuid.uuid4().hex[:6]}"

    def make(folder: Path) -> Contract:
        made = Real(kubernetes, namespace, folder)
        made.image = image
        return made

    yield make
    kubernetes.delete("namespaces", "", namespace)
