"""The commands of the phases of a drill, in the order in which they run."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from steps import errors
from steps.archive import marks
from steps.catalogue import backup_claims, catalogue, proof, verification
from steps.contract import drill_contract as declared
from steps.contract.told import ReadBackup
from steps.contract.value_kinds import NOTHING
from steps.contract.values import YES
from steps.evidence import records, result
from steps.evidence.result import Phase
from steps.kubernetes import fields, waiting
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.workflow import Workflow
from steps.parts import file_storage
from steps.phases import choosing, scratch_space
from steps.phases.command_line import PhaseGroup
from steps.phases.opened_backup import Restoration, counts_of, line
from steps.phases.progress import progress
from steps.phases.run import Run, told_phase
from steps.phases.scratch_space import Ledger

log = logging.getLogger(__name__)
drill_phases = PhaseGroup("drill", help="Phases of a drill, in the order in which they run.")


@drill_phases.phase(declared.DrillChoose)
def _choose(run: Run, told: declared.DrillChoose) -> None:
    cluster = run.cluster()
    scratch_space.check_scratch(run.cluster(told.scratch_namespace), cluster.namespace)
    scratch_space.clear_left(cluster, run.cluster, run.workflow)
    choose = partial(scratch_space.choose, namespace=cluster.namespace)
    name = choosing.named_or(catalogue.read(cluster), told.claim_name, choose)
    choosing.tell_chosen(run, cluster, name, told.claim_wait_s)
    run.tell_times("chosen")


@drill_phases.phase(declared.DrillPrepare)
def _prepare(run: Run, told: declared.DrillPrepare) -> None:
    run.need("prepare", told.claim_wait_s)
    scratch = run.cluster(told.scratch_namespace)
    with _drilled(run, told) as trial:
        verification.check_shape(trial.backup)
        names = scratch_space.names_of(scratch, trial.backup)
    cluster, opened = trial.cluster, trial.backup
    scratch_space.check_names(scratch, names, cluster.namespace, run.workflow)
    uid = backup_claims.find(cluster, told.claim)["metadata"]["uid"]
    ledger = scratch_space.begin(cluster, Ledger(run.workflow, told.scratch_namespace, told.claim, uid, names))
    made = ""
    if not opened.external:
        made = scratch_space.create_claim(cluster, opened, ledger, told)
        waiting.wait_for_volume(cluster, made, told.claim_wait_s)
    run.output(scratch_claim=made or NOTHING, file_storage=marks.place(external=bool(opened.external)))
    log.info("prepared: backup %s is complete", opened.name)
    trial.note("prepare", before=told_phase("choose", told.chosen))


@drill_phases.phase(declared.DrillObjects)
def _objects(run: Run, told: declared.DrillObjects) -> None:
    run.need("objects")
    with _drilled(run, told) as trial:
        scratch_space.going_on(trial.cluster, run.workflow)
        mark = scratch_space.mark_of(trial.backup, run.namespace, run.workflow)
        scratch = run.cluster(told.scratch_namespace)
        made = scratch_space.try_objects(scratch, trial.backup, mark, last_try=run.last_try)
    run.output(created=len(made))
    lines = [*(line(each.obj, result.CREATED) for each in made), line(trial.backup.apimanager, result.TRIED)]
    trial.note("objects", lambda: lines)


@drill_phases.phase(declared.DrillFileStorage)
def _file_storage(run: Run, told: declared.DrillFileStorage) -> None:
    run.need("file-storage")
    with _drilled(run, told) as trial:
        scratch_space.going_on(trial.cluster, run.workflow)
        tally = file_storage.prove(trial.backup, told.scratch_claim, told.scratch, progress(), last_try=run.last_try)
    run.output(files=tally.files, bytes=tally.size_bytes)
    trial.note("file-storage", counts=counts_of(tally), notes=tally.notes)


@drill_phases.phase(declared.DrillRemove)
def _remove(run: Run, told: declared.DrillRemove) -> None:
    cluster = run.cluster()
    ledger = scratch_space.own(cluster, run.workflow)
    if ledger:
        scratch_space.clear(cluster, ledger, run.cluster)
    else:
        log.info("nothing to remove")
    if told.proven == YES:
        _say_proven(run, cluster, told.claim, ledger)
    if ledger:
        scratch_space.close(cluster, ledger, told.gone_wait_s)


@contextmanager
def _drilled(run: Run, told: ReadBackup) -> Iterator[Restoration]:
    """Open the backup that is restored for trial. If damage is found, mark the backup's claim as damaged."""
    cluster = run.cluster()
    found = backup_claims.find(cluster, told.claim)
    with proof.noting_damage(cluster, found, run.workflow):
        yield Restoration(run, told.claim, verification.open_at(told.backup, found), cluster, "drill")


def _say_proven(run: Run, cluster: Cluster, name: str, ledger: Ledger | None) -> None:
    claim = backup_claims.find(cluster, name)
    if ledger is None and fields.annotation(claim, marks.PROVEN_BY) != run.workflow.name:
        scratch_space.going_on(cluster, run.workflow)
    ended = run.phase("remove")
    if ledger:
        counts = _counts_of(cluster, run.workflow, ended)
        proof.proven(cluster, {"metadata": {"name": name, "uid": ledger.claim_uid}}, run.workflow, counts)
    log.info("proven: backup %s was restored for trial", name)
    records.note(run.cluster, run.record("drill", name), lambda found: found.did(ended, last=True))


def _counts_of(cluster: Cluster, workflow: Workflow, last: Phase) -> str:
    """Return counts and seconds of a drill from its result record. Empty if there is no record."""
    try:
        found = records.find(cluster, "drill", workflow.uid)
    except errors.NotAllowed:
        found = None
    if found is None:
        return ""
    counts = ", ".join(f"{number} {what}" for what, number in found.counts.items())
    return f"{counts}; {(last.began - found.began).total_seconds() + last.duration_s:.1f} s"
