"""The phases of a drill as commands, in their order."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click

from steps import errors
from steps.archive import marks
from steps.catalogue import backup_claims, catalogue, proof, verification
from steps.contract import values
from steps.contract.values import NO, YES
from steps.evidence import records, result
from steps.evidence.result import Phase
from steps.kubernetes import fields, waiting
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.workflow import Workflow
from steps.parts import file_storage
from steps.phases import choosing, options, scratch_space
from steps.phases.opened_backup import Restoration, counts_of, line
from steps.phases.options import FOLDER
from steps.phases.progress import progress
from steps.phases.run import NOTHING, Run, told_phase
from steps.phases.scratch_space import AskedScratch, Ledger
from steps.process.command_line import Value, or_nothing

log = logging.getLogger(__name__)
_scratch_option = click.option(
    "--scratch-namespace",
    "scratch",
    type=Value(values.NAMESPACE),
    required=True,
    help="Namespace that was made for drills.",
)


@click.group("drill")
def drill_phases() -> None:
    """Phases of a drill, in their order."""


@drill_phases.command("choose")
@options.claim_name
@_scratch_option
@options.claim_wait
@click.pass_obj
def drill_choose(run: Run, claim_name: str, scratch: str, claim_wait_s: float) -> None:
    """See that the namespace is one of drills, choose the backup, remove what a drill that died has left."""
    cluster = run.cluster()
    scratch_space.check_scratch(run.cluster(scratch), cluster.namespace)
    scratch_space.clear_left(cluster, run.cluster, run.workflow)
    choose = partial(scratch_space.choose, namespace=cluster.namespace)
    choosing.tell_chosen(run, cluster, choosing.named_or(catalogue.read(cluster), claim_name, choose), claim_wait_s)
    run.tell_times("chosen")


@drill_phases.command("prepare")
@options.mounted
@_scratch_option
@or_nothing("--storage-class", values.STORAGE_CLASS, "Of the scratch claim; empty: that of the backup's.")
@or_nothing("--storage-request", values.SIZE, "Its size; empty: as the data need.")
@click.option("--chosen", default="", help="When `choose` began and ended, for the evidence.")
@options.claim_wait
@click.pass_obj
def drill_prepare(  # noqa: PLR0913  one argument a workflow parameter
    run: Run,
    claim: str,
    root: Path,
    scratch: str,
    storage_class: str,
    storage_request: str,
    chosen: str,
    claim_wait_s: float,
) -> None:
    """See that the backup is whole and that nothing stands in its way, then make the scratch claim."""
    run.need("prepare", claim_wait_s)
    with _drilled(run, root, claim) as trial:
        verification.check_shape(trial.backup)
        names = scratch_space.names_of(run.cluster(scratch), trial.backup)
    cluster, opened = trial.cluster, trial.backup
    scratch_space.check_names(run.cluster(scratch), names, cluster.namespace, run.workflow)
    uid = backup_claims.find(cluster, claim)["metadata"]["uid"]
    ledger = scratch_space.begin(cluster, Ledger(run.workflow, scratch, claim, uid, names))
    made = ""
    if not opened.external:
        made = scratch_space.create_claim(cluster, opened, ledger, AskedScratch(storage_class, storage_request))
        waiting.wait_for_volume(cluster, made, claim_wait_s)
    run.output(scratch_claim=made or NOTHING, file_storage=marks.place(external=bool(opened.external)))
    log.info("prepared: backup %s is whole", opened.name)
    trial.note("prepare", before=told_phase("choose", chosen))


@drill_phases.command("objects")
@options.mounted
@_scratch_option
@click.pass_obj
def drill_objects(run: Run, claim: str, root: Path, scratch: str) -> None:
    """Create the Secrets and ConfigMaps in the scratch namespace, and have the server try the APIManager."""
    run.need("objects")
    with _drilled(run, root, claim) as trial:
        scratch_space.going_on(trial.cluster, run.workflow)
        mark = scratch_space.mark_of(trial.backup, run.namespace, run.workflow)
        made = scratch_space.try_objects(run.cluster(scratch), trial.backup, mark, last_try=run.last_try)
    run.output(created=len(made))
    lines = [*(line(each.obj, result.CREATED) for each in made), line(trial.backup.apimanager, result.TRIED)]
    trial.note("objects", lambda: lines)


@drill_phases.command("file-storage")
@options.mounted
@click.option("--scratch-claim", required=True, help="The scratch claim.")
@click.option("--scratch", "target", type=FOLDER, required=True, help="Where it is mounted.")
@click.pass_obj
def drill_file_storage(run: Run, claim: str, root: Path, scratch_claim: str, target: Path) -> None:
    """Restore the tree to the scratch claim, hold all that was written against the backup, and empty the claim."""
    run.need("file-storage")
    with _drilled(run, root, claim) as trial:
        scratch_space.going_on(trial.cluster, run.workflow)
        tally = file_storage.prove(trial.backup, scratch_claim, target, progress(), last_try=run.last_try)
    run.output(files=tally.files, bytes=tally.size_bytes)
    trial.note("file-storage", counts=counts_of(tally), notes=tally.notes)


@drill_phases.command("remove")
@or_nothing("--claim", values.CLAIM, "Claim of the backup that was restored for trial.")
@click.option("--proven", type=click.Choice([YES, NO]), default=NO, help="yes: all before this was equal, say so.")
@options.claim_wait
@click.pass_obj
def drill_remove(run: Run, claim: str, proven: str, claim_wait_s: float) -> None:
    """Remove all that the drill has made; then say on the backup's claim that it is proven, where it is."""
    cluster = run.cluster()
    ledger = scratch_space.own(cluster, run.workflow)
    if ledger:
        scratch_space.clear(cluster, ledger, run.cluster)
    else:
        log.info("nothing is left to remove")
    if proven == YES:
        _say_proven(run, cluster, claim, ledger)
    if ledger:
        scratch_space.close(cluster, ledger, claim_wait_s)


@contextmanager
def _drilled(run: Run, root: Path, claim: str) -> Iterator[Restoration]:
    """Open the backup that is restored for trial; where that shows a damage, its claim says so."""
    cluster = run.cluster()
    found = backup_claims.find(cluster, claim)
    with proof.noting_damage(cluster, found, run.workflow):
        yield Restoration(run, claim, verification.open_at(root, found), cluster, "drill")


def _say_proven(run: Run, cluster: Cluster, name: str, ledger: Ledger | None) -> None:
    claim = backup_claims.find(cluster, name)
    if ledger is None and fields.annotation(claim, marks.PROVEN_BY) != run.workflow.name:
        scratch_space.going_on(cluster, run.workflow)
    ended = run.phase("remove")
    if ledger:
        counts = _counts_of(cluster, run.workflow, ended)
        proof.proven(cluster, {"metadata": {"name": name, "uid": ledger.claim_uid}}, run.workflow, counts)
    log.info("proven: backup %s restores", name)
    records.note(run.cluster, run.record("drill", name), lambda found: found.did(ended, last=True))


def _counts_of(cluster: Cluster, workflow: Workflow, last: Phase) -> str:
    """What a drill has restored and how long that took, from its evidence; empty where none could be kept."""
    try:
        found = records.find(cluster, "drill", workflow.uid)
    except errors.NotAllowed:
        found = None
    if found is None:
        return ""
    counts = ", ".join(f"{number} {what}" for what, number in found.counts.items())
    return f"{counts}; {(last.began - found.began).total_seconds() + last.duration_s:.1f} s"
