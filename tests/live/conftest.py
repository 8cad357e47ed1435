"""What the live tests share: the cluster that the command line names, and namespaces that are removed."""

import itertools
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from steps.threescale.installation import OPERATOR_DEPLOYMENTS
from tests.live import stage
from tests.live.kubernetes import Kubernetes, Object
from tests.live.pods import OF_TESTS
from tests.live.second_node import FIRST, SECOND
from tests.live.stage import Stage
from tests.live.volumes import Opener
from workflows.rehearsal.threescale.objects import REFERENCED_SECRETS
from workflows.rendering.pods import Pods
from workflows.rendering.settings import Settings

FIRST_USER = 1_000_680_000  # as OpenShift numbers the users of a namespace; no image knows one
PREFIX = "threescale-backup-test-"
_LOOK_S = 0.5


@pytest.fixture(scope="session", autouse=True)
def alone(kubernetes: Kubernetes, crds: list[str]) -> None:  # noqa: ARG001  the kinds are there
    """No operator of 3scale is there: it would act on the sample, whose databases do not exist."""
    deployments = kubernetes.list("deployments")
    others = [d["metadata"] for d in deployments if d["metadata"]["name"] in OPERATOR_DEPLOYMENTS]
    if strange := [meta["namespace"] for meta in others if not meta["namespace"].startswith(PREFIX)]:
        pytest.skip(f"a 3scale operator runs in namespace {strange[0]}, and would act on the sample installation")


@pytest.fixture(scope="session")
def own_cluster(kubernetes: Kubernetes) -> Kubernetes:
    """The cluster of `tests/cluster`, where a second node and folders of this machine do no harm."""
    nodes = {node["metadata"]["name"] for node in kubernetes.list("nodes")} - {SECOND}
    if nodes != {FIRST} or os.geteuid() != 0:
        pytest.skip("makes a node, and volumes of local folders: only as root, on the cluster of tests/cluster")
    return kubernetes


@pytest.fixture(scope="session")
def opener(kubernetes: Kubernetes) -> Iterator[Opener]:
    with Opener(kubernetes) as opener:
        yield opener


@pytest.fixture(scope="session")
def users(kubernetes: Kubernetes) -> Iterator[int | None]:
    """A user for each namespace; None where the cluster itself gives one."""
    groups = kubernetes.call("GET", "/apis")["groups"]
    if any(group["name"] == "security.openshift.io" for group in groups):
        return itertools.repeat(None)
    return itertools.count(FIRST_USER, 10_000)


@pytest.fixture
def new_stage(
    kubernetes: Kubernetes,
    users: Iterator[int | None],
    opener: Opener,
    image: str,
    tmp_path: Path,
) -> Iterator[Callable[..., Stage]]:
    """Make a namespace that enforces Pod Security `restricted`, with all that is rendered; it is removed afterwards.

    What is given changes the settings with which it is rendered.
    """
    made: list[str] = []

    def make(**changes: Any) -> Stage:
        namespace = f"{PREFIX}{uuid.uuid4().hex[:6]}"
        user = next(users)
        kubernetes.create(namespaced(namespace))
        made.append(namespace)
        opener.namespaces.add(namespace)
        settings = Settings(
            image=image,
            namespace=namespace,
            pods=Pods(run_as_user=user, fs_group=user),
            secrets=REFERENCED_SECRETS,
            look_s=_LOOK_S,
        )
        return stage.build(kubernetes, settings.model_copy(update=changes), opener, tmp_path)

    yield make
    for namespace in made:
        opener.namespaces.discard(namespace)
        kubernetes.delete("namespaces", "", namespace)


@pytest.fixture
def live(new_stage: Callable[[], Stage]) -> Stage:
    return new_stage()


def namespaced(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict(OF_TESTS)}}
