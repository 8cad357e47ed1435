import pytest

from steps import errors
from steps.kubernetes import mounting
from steps.kubernetes.mounting import ANYWHERE, Placement
from steps.kubernetes.workflow import Workflow
from tests.builders.pods import pod
from tests.builders.refusals import refused

ME = Workflow("backup-1", "uid-1")
OTHER = Workflow("backup-0", "uid-0")


class TestPlacement:
    @pytest.mark.parametrize("modes", [["ReadWriteMany"], ["ReadOnlyMany"], ["ReadWriteOnce", "ReadWriteMany"]])
    def test_a_claim_for_many_nodes_can_be_mounted_anywhere(self, empty, modes):
        pod(empty, "one", "node-a")
        pod(empty, "two", "node-b")

        assert mounting.placement(empty.connect(), empty.claim(modes=modes), ME) == ANYWHERE

    def test_a_claim_for_one_node_that_nobody_uses_can_be_mounted_anywhere(self, empty):
        assert mounting.placement(empty.connect(), empty.claim(), ME) == ANYWHERE

    @pytest.mark.lesson(13)
    def test_a_claim_for_one_node_is_mounted_where_its_pods_are(self, empty):
        pod(empty, "one", "node-b")
        pod(empty, "two", "node-b")
        pod(empty, "other", "node-c", claim="other")

        assert mounting.placement(empty.connect(), empty.claim(), ME) == Placement("In", "node-b")

    @pytest.mark.lesson(13)
    def test_a_claim_for_one_node_on_two_nodes_is_refused(self, empty):
        pod(empty, "one", "node-b")
        pod(empty, "two", "node-a")

        with refused(errors.ClaimOnTwoNodes, nodes=["node-a", "node-b"]):
            mounting.placement(empty.connect(), empty.claim(), ME)

    def test_a_claim_for_one_pod_that_is_in_use_is_refused(self, empty):
        pod(empty, "system-app-1")

        with refused(errors.ClaimInUse, access_mode="ReadWriteOncePod", pods=["system-app-1"]):
            mounting.placement(empty.connect(), empty.claim(modes=["ReadWriteOncePod"]), ME)

    def test_a_claim_for_one_pod_that_nobody_uses_can_be_mounted_anywhere(self, empty):
        assert mounting.placement(empty.connect(), empty.claim(modes=["ReadWriteOncePod"]), ME) == ANYWHERE

    @pytest.mark.parametrize("mode", ["ReadWriteOnce", "ReadWriteOncePod"])
    def test_pods_of_this_workflow_and_pods_that_have_ended_do_not_count(self, empty, mode):
        pod(empty, "mine", "node-a", workflow=ME.name)
        pod(empty, "done", "node-b", phase="Succeeded")
        pod(empty, "failed", "node-c", phase="Failed")

        assert mounting.placement(empty.connect(), empty.claim(modes=[mode]), ME) == ANYWHERE

    def test_pods_of_another_workflow_count(self, empty):
        pod(empty, "theirs", "node-a", workflow=OTHER.name)

        assert mounting.placement(empty.connect(), empty.claim(), ME) == Placement("In", "node-a")

    def test_a_pod_that_has_no_node_yet_leaves_the_choice(self, empty):
        pod(empty, "waiting", "", phase="Pending")

        assert mounting.placement(empty.connect(), empty.claim(), ME) == ANYWHERE


def test_a_pod_that_has_ended_still_holds_its_claim(empty):
    empty.claim()
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "ended", "namespace": empty.namespace},
        "spec": {"containers": [], "volumes": [{"persistentVolumeClaim": {"claimName": "system-storage"}}]},
        "status": {"phase": "Succeeded"},
    }
    empty.kubernetes.apply(pod)

    assert mounting.holders(empty.connect("threescale-restore"), "system-storage") == ["ended"]
