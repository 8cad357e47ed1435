"""The nodes on which a pod may run. The claim of a backup is ReadWriteOnce, and System's claim may be, too."""

from hera.expr import g
from hera.workflows.models import (
    Affinity,
    LabelSelector,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PodAffinity,
    PodAffinityTerm,
)

from steps.contract.told import NODE, NODE_OPERATOR
from workflows.rendering.parameters import value


def anywhere() -> Affinity:
    """Allow any node for the pods of a template, whatever its workflow requires."""
    return Affinity()


def together() -> Affinity:
    """Require one node for all pods of a workflow, because the claim of a backup is ReadWriteOnce."""
    return Affinity(pod_affinity=_beside_own_pods())


def together_in_place() -> Affinity:
    """Require the same, on the node where the claims are already mounted (In), or on any other node (NotIn)."""
    there = NodeSelectorRequirement(key="metadata.name", operator=value(NODE_OPERATOR), values=[value(NODE)])
    required = NodeSelector(node_selector_terms=[NodeSelectorTerm(match_fields=[there])])
    return Affinity(
        pod_affinity=_beside_own_pods(),
        node_affinity=NodeAffinity(required_during_scheduling_ignored_during_execution=required),
    )


def _beside_own_pods() -> PodAffinity:
    mine = LabelSelector(match_labels={"workflows.argoproj.io/workflow": f"{g.workflow.name:$}"})
    term = PodAffinityTerm(label_selector=mine, topology_key="kubernetes.io/hostname")
    return PodAffinity(required_during_scheduling_ignored_during_execution=[term])
