"""The backup that a verification or a drill is of: the one that is named, or the one that is next."""

import logging
from collections.abc import Callable, Sequence

from steps.catalogue import backup_claims, proof
from steps.catalogue.catalogue import BackupEntry
from steps.kubernetes import mounting
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import Object
from steps.phases.run import Run

log = logging.getLogger(__name__)


def named_or(entries: Sequence[BackupEntry], name: str, choose: Callable[[Sequence[BackupEntry]], BackupEntry]) -> str:
    """The claim that a person names, or the one that is next."""
    if not name:
        return choose(entries).name
    proof.check_ended(entries, name)
    return name


def tell_chosen(run: Run, cluster: Cluster, name: str, claim_wait_s: float) -> Object:
    """Tell which backup it is and where its pods may run, and return its claim."""
    claim = backup_claims.check_mountable(cluster, name, run.workflow, claim_wait_s)
    placement = mounting.placement(cluster, claim, run.workflow)
    run.output(claim_name=name, node_operator=placement.operator, node=placement.node)
    log.info("chosen: claim %s", name)
    return claim
