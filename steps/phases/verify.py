"""The phases of a verification as commands, in their order."""

import logging
from functools import partial
from pathlib import Path

import click

from steps import errors
from steps.catalogue import backup_claims, catalogue, proof, rotation, verification
from steps.catalogue.rotation import Rotation
from steps.contract import values
from steps.contract.values import NO, YES
from steps.phases import choosing, options
from steps.phases.run import Run
from steps.process.command_line import or_nothing

log = logging.getLogger(__name__)

sample = or_nothing("--sample", values.SHARE, "A share of the bytes, 10%; empty: all.")


@click.group("verify")
def verify_phases() -> None:
    """Phases of a verification, in their order."""


@verify_phases.command("choose")
@options.claim_name
@sample
@options.claim_wait
@click.pass_obj
def verify_choose(run: Run, claim_name: str, sample: str, claim_wait_s: float) -> None:
    """Choose the backup, and see that it can be mounted."""
    rotation.share(sample)
    cluster = run.cluster()
    by = run.workflow.name
    choose = partial(verification.choose, namespace=cluster.namespace, by_shares=bool(sample), workflow=by)
    entries = catalogue.read(cluster)
    name = choosing.named_or(entries, claim_name, choose)
    for each in entries:
        if each.name != name and verification.is_stuck(each, by):
            proof.begin_anew(cluster, each)
    proof.set_out(cluster, backup_claims.find(cluster, name), run.workflow)
    choosing.tell_chosen(run, cluster, name, claim_wait_s)


@verify_phases.command("read")
@options.mounted
@sample
@click.option("--rotation", "begun", default="", help="How far the nights before have come.")
@click.pass_obj
def verify_read(run: Run, claim: str, root: Path, sample: str, begun: str) -> None:
    """Read the backup, hold it against its digests, and say on its claim what was found."""
    part, cluster = rotation.share(sample), run.cluster()
    found = backup_claims.find(cluster, claim)
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
