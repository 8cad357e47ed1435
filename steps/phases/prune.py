"""The phases of retention as commands: decide and delete; of a failed run read the volume, then remove the claim."""

import json
import logging
from collections.abc import Sequence

from steps.catalogue import backup_claims, deletion
from steps.catalogue.retention import Rules
from steps.contract import arguments
from steps.contract import prune_contract as declared
from steps.phases.command_line import PhaseGroup
from steps.phases.run import Run

log = logging.getLogger(__name__)
prune_phases = PhaseGroup("prune", help="Phases of retention, in their order.")

# Linux takes 128 KiB for one argument or variable (MAX_ARG_STRLEN), and Argo hands a pod its template in a variable,
# in which an argument stands twice: so many starts of uids, 45 kB, fit.
_DELETED_AT_MOST = 2000  # a phase has 15 minutes, and each takes four requests
_READ_AT_MOST = 100  # each is three nodes of the Workflow, which etcd keeps up to some 1.5 MB


@prune_phases.phase(declared.PruneDecide)
def _decide(run: Run, told: declared.PruneDecide) -> None:
    plan_only = arguments.is_plan("prune", told.plan)
    run.tell_plan(plan_only=plan_only)
    cluster = run.cluster()
    decision = deletion.judge(cluster, Rules.of(told))
    for line in decision.text():
        log.info(line)
    log.info(deletion.RECLAIM)
    if plan_only:
        log.info("it is only a plan: nothing is deleted")
    else:
        deletion.mend(cluster, decision)
    going = [*decision.to_delete, *decision.to_read]
    doomed, failed = decision.to_delete[:_DELETED_AT_MOST], decision.to_read[:_READ_AT_MOST]
    if later := len(going) - len(doomed) - len(failed):
        log.info("%d of them are left to the next run, which one argument and one workflow can't hold", later)
    run.output(
        kept=len(decision.verdicts) - len(going),
        to_delete=len(doomed),
        doomed=",".join(deletion.short(entry.uid) for entry in doomed),
        failed=json.dumps([entry.name for entry in failed]),
    )


@prune_phases.phase(declared.PruneDelete)
def _delete_doomed(run: Run, told: declared.PruneDelete) -> None:
    _delete(run, "delete", told.doomed or (), Rules.of(told))


@prune_phases.phase(declared.PruneLook)
def _look(run: Run, told: declared.PruneLook) -> None:
    run.need("look")
    cluster = run.cluster()
    holds = deletion.look(cluster, told.backup, told.claim_name)
    run.output(holds=holds, uid=backup_claims.find(cluster, told.claim_name)["metadata"]["uid"])


@prune_phases.phase(declared.PruneRemove)
def _remove(run: Run, told: declared.PruneRemove) -> None:
    log.info("claim %s: its volume was read, and holds no manifest", told.claim_name)
    _delete(run, "remove", [told.uid], Rules.of(told), read=True)


def _delete(run: Run, phase: str, doomed: Sequence[str], rules: Rules, *, read: bool = False) -> None:
    run.need(phase)
    gone = deletion.delete(run.cluster(), doomed, rules, read=read)
    log.info("%d of %d deleted", gone, len(doomed))
    run.output(deleted=gone, spared=len(doomed) - gone)
