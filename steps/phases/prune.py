"""The commands of the phases of retention.

`read_back` reads the copies that are to take the place of claims. `decide` and `delete` handle backups. For a failed
run, `look` reads the volume and `remove` then deletes the claim. `forget` handles the copies in the repositories.
"""

import json
import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from steps import errors
from steps.catalogue import backup_claims, catalogue, deletion
from steps.catalogue.deletion import NO_COPIES_ASKED, CopiesAsked
from steps.catalogue.retention import Rules
from steps.contract import arguments
from steps.contract import prune_contract as declared
from steps.kubernetes import times
from steps.kubernetes.cluster import Cluster
from steps.phases import repositories
from steps.phases.command_line import PhaseGroup
from steps.phases.run import Run
from steps.repository import forgetting, kept, local_claims
from steps.restic.program import Restic

log = logging.getLogger(__name__)
prune_phases = PhaseGroup("prune", help="Phases of retention, in the order in which they run.")

# Linux limits one argument or variable to 128 KiB (MAX_ARG_STRLEN). Argo passes a pod its template in a variable, which
# contains an argument twice. 2000 shortened uids are 45 kB, so they fit.
_DELETED_AT_MOST = 2000  # a phase has 15 minutes, and each claim takes four requests
_DELETED_FOR_COPIES = 100  # in one run; for each, the repositories are asked again
_READING_S = 2 * 3600  # after which no further copy is begun; the phase itself may take longer
_READ_AT_MOST = 100  # each adds three nodes to the Workflow, and etcd stores about 1.5 MB at most


@prune_phases.phase(declared.PruneReadBack)
def _read_back(run: Run, told: declared.PruneReadBack) -> None:
    plan_only = arguments.is_plan("prune", told.plan)
    run.tell_plan(plan_only=plan_only)
    rules = Rules.of(told)
    if rules.local is None or plan_only:
        log.info(
            "no copy is read back, because %s", "this run is only a plan" if plan_only else "keep-local is not set"
        )
        return
    _need_repository(told)
    scratch, until = told.cache or repositories.CACHE, time.monotonic() + _READING_S
    with repositories.all_opened(told) as opened:
        done = local_claims.read_back(opened, run.cluster(), rules, scratch, until)
    run.output(read_back=done.whole, left=done.left)
    if done.left:
        log.info("left to the next run: %d copies, because a run reads for a limited time", done.left)
    for name, _, wrong in done.damaged[:1]:
        raise errors.SnapshotsDamaged(name, wrong, [backup for _, backup, _ in done.damaged])


@contextmanager
def _asked(told: declared.PruneDecide | declared.PruneDelete, run: Run, rules: Rules) -> Iterator[CopiesAsked]:
    """Open the repositories where their copies decide on claims."""
    if rules.local is None:
        yield NO_COPIES_ASKED
        return
    _need_repository(told)
    with repositories.all_opened(told) as opened:
        yield local_claims.asked(opened, run.cluster(), run.workflow.uid)


def _need_repository(told: declared.PruneReadBack | declared.PruneDecide | declared.PruneDelete) -> None:
    if not repositories.stores(told):
        raise errors.NoRepositoryConfigured("keep-local")


@prune_phases.phase(declared.PruneDecide)
def _decide(run: Run, told: declared.PruneDecide) -> None:
    plan_only = arguments.is_plan("prune", told.plan)
    run.tell_plan(plan_only=plan_only)
    cluster, rules = run.cluster(), Rules.of(told)
    with _asked(told, run, rules) as asked:
        decision = deletion.judge(cluster, rules, asked)
    for line in decision.text():
        log.info(line)
    log.info(deletion.RECLAIM)
    if plan_only:
        log.info("this run is only a plan, nothing is deleted")
    else:
        deletion.mend(cluster, decision)
    going = [*decision.to_delete, *decision.to_read]
    most = _DELETED_AT_MOST if rules.local is None else _DELETED_FOR_COPIES
    doomed, failed = decision.to_delete[:most], decision.to_read[:_READ_AT_MOST]
    if later := len(going) - len(doomed) - len(failed):
        log.info("left to the next run: %d, because a run deletes and reads a limited number of claims", later)
    run.output(
        kept=len(decision.verdicts) - len(going),
        to_delete=len(doomed),
        doomed=",".join(deletion.short(entry.uid) for entry in doomed),
        failed=json.dumps([entry.name for entry in failed]),
    )


@prune_phases.phase(declared.PruneDelete)
def _delete_doomed(run: Run, told: declared.PruneDelete) -> None:
    rules = Rules.of(told)
    with _asked(told, run, rules) as asked:
        _delete(run, "delete", told.doomed or (), rules, asked)


@prune_phases.phase(declared.PruneLook)
def _look(run: Run, told: declared.PruneLook) -> None:
    run.need("look")
    cluster = run.cluster()
    holds = deletion.look(cluster, told.backup, told.claim_name)
    run.output(holds=holds, uid=backup_claims.find(cluster, told.claim_name)["metadata"]["uid"])


@prune_phases.phase(declared.PruneRemove)
def _remove(run: Run, told: declared.PruneRemove) -> None:
    log.info("claim %s: its volume was read, and holds no manifest", told.claim_name)
    _delete(run, "remove", [told.uid], Rules.of(told), NO_COPIES_ASKED, read=True)


@prune_phases.phase(declared.PruneForget)
def _forget(run: Run, told: declared.PruneForget) -> None:
    plan_only = arguments.is_plan("prune", told.plan)
    rules, cluster = kept.rules(told.of_copies(told.timezone)), run.cluster()
    counts: Counter[str] = Counter(forgotten=0, kept=0, others=0)
    try:
        claims = {each.manifest_sha256 for each in catalogue.read(cluster)} - {""} if told.keep_local else set()
        repositories.each(told, lambda restic: _forget_in(restic, cluster, rules, counts, claims, plan_only=plan_only))
    finally:
        run.output(**counts)


def _forget_in(
    restic: Restic, cluster: Cluster, rules: Rules, counts: Counter[str], claims: set[str], *, plan_only: bool
) -> None:
    found = kept.judge(restic, cluster, rules, times.now(), claims)
    log.info("repository %s:", restic.store.name)
    for line in found.text():
        log.info(line)
    counts.update(kept=sum(map(len, found.members.values())), others=len(found.others))
    if plan_only:
        log.info("this run is only a plan, nothing is forgotten")
        return
    gone = forgetting.forget(restic, cluster, found)
    counts.update(forgotten=gone, kept=-gone)


def _delete(
    run: Run, phase: str, doomed: Sequence[str], rules: Rules, asked: CopiesAsked, *, read: bool = False
) -> None:
    run.need(phase)
    gone = deletion.delete(run.cluster(), doomed, rules, asked, read=read)
    log.info("%d of %d claims deleted", gone, len(doomed))
    run.output(deleted=gone, spared=len(doomed) - gone)
