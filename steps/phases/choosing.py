"""The choice of the backup for a verification or a drill: the named backup, or the one that is due."""

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
    """Return the name of the claim that a person gave, else of the backup that is due."""
    if not name:
        return choose(entries).name
    proof.check_ended(entries, name)
    return name


def tell_chosen(run: Run, cluster: Cluster, name: str, claim_wait_s: float) -> Object:
    """Output the name of the claim and the node for the next pods. Return the claim."""
    claim = backup_claims.check_mountable(cluster, name, run.workflow, claim_wait_s)
    placement = mounting.placement(cluster, claim, run.workflow)
    run.output(claim_name=name, node_operator=placement.operator, node=placement.node)
    log.info("chosen: claim %s", name)
    return claim
