"""Where the pods of a workflow go on a cluster of two nodes: together, to the node that has their volumes.

In each test the scheduler would rather take the other node, so that the templates alone bring the pods where they are.
What is seen are the scheduler's decisions; nothing is attached, and on the second node nothing runs.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from steps.catalogue import backup_claims
from steps.catalogue.backup_claims import WantedClaim
from steps.contract.backup_contract import APIMANAGER, CLAIM
from steps.kubernetes import mounting, waiting
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.workflow import Workflow
from steps.phases import exit as exit_phase
from steps.phases.exit import FailedNode
from steps.threescale.installation import SYSTEM_STORAGE
from tests.live.kubernetes import Kubernetes
from tests.live.local_volumes import LocalVolumes
from tests.live.scheduler import NO_IMAGE, Scheduler
from tests.live.second_node import FIRST, SECOND, SecondNode
from tests.live.stage import Stage
from workflows.rehearsal.kubelet.pod import Order
from workflows.rehearsal.threescale import installation as threescale

pytestmark = pytest.mark.cluster

BACKUP = "nightly"
PARTS = ("secrets", "configmaps", "apimanager", "file-storage")
WORKFLOW = Workflow("a-backup", "uid-of-a-backup")
OTHER = {FIRST: SECOND, SECOND: FIRST}
NODES = pytest.mark.parametrize("node", [FIRST, SECOND], ids=["first-node", "second-node"])
EACH_FIRST = pytest.mark.parametrize(("first", "node"), list(zip(PARTS, [FIRST, SECOND, FIRST, SECOND], strict=True)))


@pytest.fixture(scope="module")
def second(own_cluster: Kubernetes) -> Iterator[SecondNode]:
    with SecondNode(own_cluster) as second:
        yield second


@dataclass
class Place:
    """A namespace whose pods may go to two nodes."""

    stage: Stage
    scheduler: Scheduler
    volumes: LocalVolumes
    cluster: Cluster

    def claim(self, name: str, volume: str = "") -> None:
        self.volumes.claim(self.stage.namespace, name, volume)

    def node_of(self, claim: str) -> str:
        return self.volumes.node_of(self.stage.namespace, claim)

    def backup(self, *, volume: str = "") -> dict[str, Order]:
        """Make the claim of a backup as its `prepare` does, and return the pods that the backup orders."""
        apimanager = threescale.sample_apimanager(self.stage.namespace, [])
        apimanager["metadata"]["uid"] = "uid-of-an-apimanager"
        wanted = WantedClaim(BACKUP, "100Mi", "" if volume else self.volumes.storage_class, volume)
        backup_claims.create_backup(self.cluster, wanted, apimanager, WORKFLOW)
        if volume:
            self.volumes.wait_until_bound(self.stage.namespace, BACKUP)
        waiting.wait_for_volume(self.cluster, BACKUP, 30)
        operator, node = mounting.placement(self.cluster, backup_claims.find(self.cluster, SYSTEM_STORAGE), WORKFLOW)
        told = {
            CLAIM: BACKUP,
            APIMANAGER: threescale.NAME,
            "node-operator": operator,
            "node": node,
            "file-storage": "claim",
        }
        return self.scheduler.orders("threescale-backup", {"prepare": told})

    def restore(self) -> dict[str, Order]:
        told = {"check": {"time-limit": "15m"}, "prepare": {"file-storage": "claim"}}
        return self.scheduler.orders("threescale-restore", told, claim_name=BACKUP)


@pytest.fixture
def place(
    new_stage: Callable[..., Stage], second: SecondNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    stage = new_stage(image=NO_IMAGE)
    kubernetes, namespace = stage.kubernetes, stage.namespace
    config = kubernetes.kubeconfig(tmp_path / "config", namespace=namespace, service_account="threescale-backup")
    monkeypatch.setenv("KUBECONFIG", str(config))
    cluster = Cluster.connect(namespace, 30)
    with LocalVolumes(kubernetes) as volumes:
        yield Place(stage, Scheduler(stage, second, tmp_path), volumes, cluster)
        second.clear(namespace)


@NODES
@pytest.mark.parametrize("workflow", ["backup", "restore"])
def test_all_pods_of_a_workflow_follow_the_first_to_its_node(place: Place, workflow: str, node: str) -> None:
    place.claim(SYSTEM_STORAGE, place.volumes.make("system-storage"))
    orders = place.backup(volume=place.volumes.make("backup"))
    first, *others = (orders if workflow == "backup" else place.restore()).values()

    place.scheduler.prefer(node)
    chosen = place.scheduler.place(first)
    place.scheduler.prefer(OTHER[node])
    followed = place.scheduler.place(*others)

    assert chosen == followed == {node}


@NODES
def test_the_first_consumer_of_a_backup_chooses_its_volume_and_the_others_follow(place: Place, node: str) -> None:
    place.claim(SYSTEM_STORAGE, place.volumes.make("system-storage"))
    place.volumes.make_on_both_nodes()
    orders = place.backup()
    first, *others = (orders[part] for part in PARTS)

    place.scheduler.prefer(node)
    chosen = place.scheduler.place(first)
    place.scheduler.prefer(OTHER[node])
    followed = place.scheduler.place(*others)
    place.scheduler.end(first, *others)
    sealed = place.scheduler.place(orders["seal"])

    assert chosen == followed == sealed == {place.node_of(BACKUP)} == {node}


@EACH_FIRST
def test_a_volume_on_the_node_of_the_source_is_chosen_whatever_comes_first(place: Place, first: str, node: str) -> None:
    place.claim(SYSTEM_STORAGE, place.volumes.make("system-storage", node))
    place.volumes.make_on_both_nodes()
    orders = place.backup()
    place.scheduler.prefer(OTHER[node])

    chosen = place.scheduler.place(orders[first])
    followed = place.scheduler.place(*(orders[part] for part in PARTS if part != first))

    assert chosen == followed == {place.node_of(BACKUP)} == {node}


@NODES
def test_a_volume_on_the_node_of_the_source_is_chosen_when_all_come_at_once(place: Place, node: str) -> None:
    place.claim(SYSTEM_STORAGE, place.volumes.make("system-storage", node))
    place.volumes.make_on_both_nodes()
    orders = place.backup()
    place.scheduler.prefer(OTHER[node])

    chosen = place.scheduler.place(*(orders[part] for part in PARTS))

    assert chosen == {place.node_of(BACKUP)} == {node}


@EACH_FIRST
def test_a_volume_on_the_node_where_the_source_is_mounted_is_chosen(place: Place, first: str, node: str) -> None:
    place.claim(SYSTEM_STORAGE, place.volumes.make("system-storage"))
    place.scheduler.put("system-app", node, SYSTEM_STORAGE)
    place.volumes.make_on_both_nodes()
    orders = place.backup()
    place.scheduler.prefer(OTHER[node])

    chosen = place.scheduler.place(orders[first])
    followed = place.scheduler.place(*(orders[part] for part in PARTS if part != first))

    assert chosen == followed == {place.node_of(BACKUP)} == {node}


@NODES
def test_a_restore_chooses_the_new_volume_on_the_node_of_the_backup(place: Place, node: str) -> None:
    place.claim(BACKUP, place.volumes.make("backup", node))
    place.volumes.make_on_both_nodes()
    check, *others = place.restore().values()
    place.scheduler.prefer(OTHER[node])

    checked = place.scheduler.place(check)  # has no volume yet
    place.scheduler.end(check)
    place.claim(SYSTEM_STORAGE)
    restored = place.scheduler.place(*others)

    assert checked == {OTHER[node]}
    assert restored == {place.node_of(SYSTEM_STORAGE)} == {node}


@NODES
def test_a_backup_volume_on_another_node_than_the_source_leaves_a_pod_pending_and_the_report_says_why(
    place: Place, node: str
) -> None:
    place.claim(SYSTEM_STORAGE, place.volumes.make("system-storage", node))
    secrets = place.backup(volume=place.volumes.make("backup", OTHER[node]))["secrets"]

    refusal = place.scheduler.refusal(secrets)

    assert "0/2 nodes are available" in refusal
    assert "volume node affinity conflict" in refusal or "didn't match PersistentVolume's node affinity" in refusal
    failed = FailedNode("secrets", "Step exceeded its deadline", secrets.pod)
    held_back = exit_phase.waiting_pods(place.cluster, secrets.workflow, [failed], "report")
    assert f"Pod {secrets.pod}: FailedScheduling: {refusal}" in held_back
