"""The commands of the phases of a verification, in the order in which they run."""

import logging
from collections.abc import Sequence
from functools import partial

from steps import errors
from steps.archive import marks
from steps.catalogue import backup_claims, catalogue, proof, rotation, verification
from steps.catalogue.catalogue import BackupEntry
from steps.catalogue.rotation import Rotation
from steps.contract.value_kinds import NOTHING
from steps.contract.values import NO, YES
from steps.contract.verify_contract import VerifyChoose, VerifyRead, VerifyRepository
from steps.kubernetes import fields, mounting
from steps.kubernetes.cluster import Cluster
from steps.phases import choosing, repositories
from steps.phases.command_line import PhaseGroup
from steps.phases.run import Run
from steps.repository import damage_watch, ledger, locked, remembered
from steps.restic.program import Restic

log = logging.getLogger(__name__)
verify_phases = PhaseGroup("verify", help="Phases of a verification, in the order in which they run.")


@verify_phases.phase(VerifyChoose)
def _choose(run: Run, told: VerifyChoose) -> None:
    rotation.share(told.sample)
    cluster = run.cluster()
    by = run.workflow.name
    choose = partial(verification.choose, namespace=cluster.namespace, by_shares=bool(told.sample), workflow=by)
    entries = catalogue.read(cluster)
    try:
        name = choosing.named_or(entries, told.claim_name, choose)
    except errors.NothingToProve:
        if not _elsewhere(cluster, told.repositories, entries):
            raise
        log.info("no claim is read, because all backups are in a repository alone")
        anywhere = mounting.ANYWHERE
        run.output(claim_name=NOTHING, node_operator=anywhere.operator, node=anywhere.node, rotation=NOTHING)
        return
    for each in entries:
        if each.name != name and verification.is_stuck(each, by):
            proof.begin_anew(cluster, each)
    proof.set_out(cluster, backup_claims.find(cluster, name), run.workflow)
    claim = choosing.tell_chosen(run, cluster, name, told.claim_wait_s)
    run.output(rotation=fields.annotation(claim, marks.VERIFYING) or NOTHING)


def _elsewhere(cluster: Cluster, repositories: str, entries: Sequence[BackupEntry]) -> bool:
    """Whether a backup has no claim any more, because its copy in a repository was read back."""
    named = [each for each in repositories.split(",") if each]
    return bool(remembered.entries({name: ledger.read(cluster, name) for name in named}, entries))


@verify_phases.phase(VerifyRead)
def _read(run: Run, told: VerifyRead) -> None:
    part, cluster = rotation.share(told.sample), run.cluster()
    found = backup_claims.find(cluster, told.claim)
    with proof.noting_damage(cluster, found, run.workflow):
        opened = verification.open_at(told.backup, found)
        read = verification.check(opened, part, Rotation.read(told.rotation))
    if strangers := errors.Few.of(map(repr, opened.strangers)):
        log.info("at the root of the volume but not part of the backup, a restore skips: %s", strangers)
    whole = opened.manifest is not None and read.rotation is None
    run.output(files=read.files, bytes=read.size_bytes, verified=YES if whole else NO)
    if opened.manifest is None:
        log.info("complete, but not marked as verified: a backup of the operator has no digests")
    elif read.rotation:
        log.info("correct so far: %s", read.rotation)
    else:
        log.info("verified: backup %s, %s", opened.name, opened.manifest.files)
    if opened.manifest is None or not proof.is_sealed(found):
        log.info("PersistentVolumeClaim %s: not marked as verified, because it is not marked as sealed", told.claim)
    elif read.rotation:
        proof.advanced(cluster, found, read.rotation)
    else:
        proof.verified(cluster, found, run.workflow)


@verify_phases.phase(VerifyRepository)
def _repository(run: Run, told: VerifyRepository) -> None:
    if not told.nights:
        why = f"claim-name is {told.claim_name}" if told.repository_nights is None else "repository-nights is 0"
        log.info("no share of a repository is read, because %s", why)
        return
    cluster, shares, locks = run.cluster(), {}, {}

    def read(restic: Restic) -> None:
        try:
            shares[restic.store.name] = damage_watch.read_share(restic, cluster, told.nights)
            damage_watch.reread(restic, cluster, told.cache or repositories.CACHE)
        except errors.Final:  # damage must not hide that a lock ends
            locks[restic.store.name] = locked.check(restic, cluster)
            raise
        locks[restic.store.name] = locked.check(restic, cluster)

    try:
        repositories.each(told, cluster, read)
    finally:
        names = [each.name for each in repositories.stores(told)]
        run.output(
            repository_share=" ".join(f"{name}:{share}" for name, share in shares.items()),
            locked_until=" ".join(f"{name}:{until}" for name, until in locks.items()),
            repository_damaged=damage_watch.count(cluster, names),
        )
