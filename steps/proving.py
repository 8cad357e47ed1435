"""The phases of a verification and of a drill as commands, in their order."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click

from steps import (
    catalogue,
    claims,
    drill,
    errors,
    evidence,
    file_storage,
    marks,
    proof,
    result,
    rotation,
    values,
    verification,
)
from steps.catalogue import Entry
from steps.claims import Workflow
from steps.cluster import Cluster
from steps.drill import Asked, Ledger
from steps.restoration import Restoration, counts_of, line
from steps.result import Phase
from steps.rotation import Rotation
from steps.run import FOLDER, NOTHING, Run, backup_option, claim_option, claim_wait_option, progress, told_phase
from steps.values import NO, YES

log = logging.getLogger(__name__)


_claim_name_option = click.option(
    "--claim-name",
    type=values.OrNothing(values.CLAIM),
    default="",
    help="Claim of the backup; empty: the one that is next.",
)
_sample_option = click.option(
    "--sample", type=values.OrNothing(values.SHARE), default="", help="A share of the bytes, 10%; empty: all."
)
_scratch_option = click.option(
    "--scratch-namespace", "scratch", type=values.NAMESPACE, required=True, help="Namespace that was made for drills."
)


@click.group("verify")
def verify_phases() -> None:
    """Phases of a verification, in their order."""


@verify_phases.command("choose")
@_claim_name_option
@_sample_option
@claim_wait_option
@click.pass_obj
def verify_choose(run: Run, claim_name: str, sample: str, claim_wait_s: float) -> None:
    """Choose the backup, and see that it can be mounted."""
    rotation.share(sample)
    cluster = run.cluster()
    by = run.workflow.name
    choose = partial(verification.choose, namespace=cluster.namespace, by_shares=bool(sample), workflow=by)
    entries = catalogue.read(cluster)
    name = _named_or(entries, claim_name, choose)
    for each in entries:
        if each.name != name and verification.is_stuck(each, by):
            proof.begin_anew(cluster, each)
    proof.set_out(cluster, claims.find(cluster, name), run.workflow)
    _tell_chosen(run, cluster, name, claim_wait_s)


@verify_phases.command("read")
@claim_option
@backup_option
@_sample_option
@click.option("--rotation", "begun", default="", help="How far the nights before have come.")
@click.pass_obj
def verify_read(run: Run, claim: str, root: Path, sample: str, begun: str) -> None:
    """Read the backup, hold it against its digests, and say on its claim what was found."""
    part, cluster = rotation.share(sample), run.cluster()
    found = claims.find(cluster, claim)
    with proof.noting_damage(cluster, found, run.workflow):
        opened = verification.open_at(root, found)
        read = verification.check(opened, part, Rotation.read(begun))
    if strangers := errors.Few.of(map(repr, opened.strangers)):
        log.info("at its root and no part of it, a restore passes it over: %s", strangers)
    whole = opened.manifest is not None and read.rotation is None
    run.output(files=read.files, bytes=read.size_bytes, verified=YES if whole else NO)
    if opened.manifest is None:
        log.info("complete: a backup that the operator made, without digests; so it is not called verified")
    elif read.rotation:
        log.info("right so far: %s", read.rotation)
    else:
        log.info("verified: backup %s, %s", opened.name, opened.manifest.files)
    if opened.manifest is None or not proof.is_sealed(found):
        log.info("PersistentVolumeClaim %s: left unmarked, no seal has marked it", claim)
    elif read.rotation:
        proof.advanced(cluster, found, read.rotation)
    else:
        proof.verified(cluster, found, run.workflow)


@click.group("drill")
def drill_phases() -> None:
    """Phases of a drill, in their order."""


@drill_phases.command("choose")
@_claim_name_option
@_scratch_option
@claim_wait_option
@click.pass_obj
def drill_choose(run: Run, claim_name: str, scratch: str, claim_wait_s: float) -> None:
    """See that the namespace is one of drills, choose the backup, remove what a drill that died has left."""
    cluster = run.cluster()
    drill.check_scratch(run.cluster(scratch), cluster.namespace)
    drill.clear_left(cluster, run.cluster, run.workflow)
    choose = partial(drill.choose, namespace=cluster.namespace)
    _tell_chosen(run, cluster, _named_or(catalogue.read(cluster), claim_name, choose), claim_wait_s)
    run.tell_times("chosen")


@drill_phases.command("prepare")
@claim_option
@backup_option
@_scratch_option
@click.option(
    "--storage-class",
    type=values.OrNothing(values.STORAGE_CLASS),
    default="",
    help="Of the scratch claim; empty: that of the backup's.",
)
@click.option(
    "--storage-request", type=values.OrNothing(values.SIZE), default="", help="Its size; empty: as the data need."
)
@click.option("--chosen", default="", help="When `choose` began and ended, for the evidence.")
@claim_wait_option
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
        names = drill.names_of(run.cluster(scratch), trial.backup)
    cluster, opened = trial.cluster, trial.backup
    drill.check_names(run.cluster(scratch), names, cluster.namespace, run.workflow)
    uid = claims.find(cluster, claim)["metadata"]["uid"]
    ledger = drill.begin(cluster, Ledger(run.workflow, scratch, claim, uid, names))
    made = ""
    if not opened.external:
        made = drill.create_claim(cluster, opened, ledger, Asked(storage_class, storage_request))
        claims.wait_for_volume(cluster, made, claim_wait_s)
    run.output(scratch_claim=made or NOTHING, file_storage=marks.place(external=bool(opened.external)))
    log.info("prepared: backup %s is whole", opened.name)
    trial.note("prepare", before=told_phase("choose", chosen))


@drill_phases.command("objects")
@claim_option
@backup_option
@_scratch_option
@click.pass_obj
def drill_objects(run: Run, claim: str, root: Path, scratch: str) -> None:
    """Create the Secrets and ConfigMaps in the scratch namespace, and have the server try the APIManager."""
    run.need("objects")
    with _drilled(run, root, claim) as trial:
        drill.going_on(trial.cluster, run.workflow)
        mark = drill.mark_of(trial.backup, run.namespace, run.workflow)
        made = drill.try_objects(run.cluster(scratch), trial.backup, mark, last_try=run.last_try)
    run.output(created=len(made))
    lines = [*(line(each.obj, result.CREATED) for each in made), line(trial.backup.apimanager, result.TRIED)]
    trial.note("objects", lambda: lines)


@drill_phases.command("file-storage")
@claim_option
@backup_option
@click.option("--scratch-claim", required=True, help="The scratch claim.")
@click.option("--scratch", "target", type=FOLDER, required=True, help="Where it is mounted.")
@click.pass_obj
def drill_file_storage(run: Run, claim: str, root: Path, scratch_claim: str, target: Path) -> None:
    """Restore the tree to the scratch claim, hold all that was written against the backup, and empty the claim."""
    run.need("file-storage")
    with _drilled(run, root, claim) as trial:
        drill.going_on(trial.cluster, run.workflow)
        tally = file_storage.prove(trial.backup, scratch_claim, target, progress(), last_try=run.last_try)
    run.output(files=tally.files, bytes=tally.size_bytes)
    trial.note("file-storage", counts=counts_of(tally), notes=tally.notes)


@drill_phases.command("remove")
@click.option(
    "--claim", type=values.OrNothing(values.CLAIM), default="", help="Claim of the backup that was restored for trial."
)
@click.option("--proven", type=click.Choice([YES, NO]), default=NO, help="yes: all before this was equal, say so.")
@claim_wait_option
@click.pass_obj
def drill_remove(run: Run, claim: str, proven: str, claim_wait_s: float) -> None:
    """Remove all that the drill has made; then say on the backup's claim that it is proven, where it is."""
    cluster = run.cluster()
    ledger = drill.own(cluster, run.workflow)
    if ledger:
        drill.clear(cluster, ledger, run.cluster)
    else:
        log.info("nothing is left to remove")
    if proven == YES:
        _say_proven(run, cluster, claim, ledger)
    if ledger:
        drill.close(cluster, ledger, claim_wait_s)


def _named_or(entries: Sequence[Entry], name: str, choose: Callable[[Sequence[Entry]], Entry]) -> str:
    """The claim that a person names, or the one that is next."""
    if not name:
        return choose(entries).name
    proof.check_ended(entries, name)
    return name


def _tell_chosen(run: Run, cluster: Cluster, name: str, claim_wait_s: float) -> None:
    """Tell which backup it is, where its pods may run, and how far it is verified."""
    claim = claims.check_mountable(cluster, name, run.workflow, claim_wait_s)
    placement = claims.placement(cluster, claim, run.workflow)
    begun = marks.annotation(claim, marks.VERIFYING)
    run.output(claim_name=name, node_operator=placement.operator, node=placement.node, rotation=begun or NOTHING)
    log.info("chosen: claim %s", name)


@contextmanager
def _drilled(run: Run, root: Path, claim: str) -> Iterator[Restoration]:
    """Open the backup that is restored for trial; where that shows a damage, its claim says so."""
    cluster = run.cluster()
    found = claims.find(cluster, claim)
    with proof.noting_damage(cluster, found, run.workflow):
        yield Restoration(run, claim, verification.open_at(root, found), cluster, "drill")


def _say_proven(run: Run, cluster: Cluster, name: str, ledger: Ledger | None) -> None:
    claim = claims.find(cluster, name)
    if ledger is None and marks.annotation(claim, marks.PROVEN_BY) != run.workflow.name:
        drill.going_on(cluster, run.workflow)
    ended = run.phase("remove")
    if ledger:
        counts = _counts_of(cluster, run.workflow, ended)
        proof.proven(cluster, {"metadata": {"name": name, "uid": ledger.claim_uid}}, run.workflow, counts)
    log.info("proven: backup %s restores", name)
    evidence.note(run.cluster, run.record("drill", name), lambda found: found.did(ended, last=True))


def _counts_of(cluster: Cluster, workflow: Workflow, last: Phase) -> str:
    """What a drill has restored and how long that took, from its evidence; empty where none could be kept."""
    try:
        found = evidence.find(cluster, "drill", workflow.uid)
    except errors.NotAllowed:
        found = None
    if found is None:
        return ""
    counts = ", ".join(f"{number} {what}" for what, number in found.counts.items())
    return f"{counts}; {(last.began - found.began).total_seconds() + last.duration_s:.1f} s"
