"""The commands of the phases of a copy to the repositories, in the order in which they run."""

import logging
from functools import partial

from steps import errors
from steps.archive import marks
from steps.catalogue import backup_claims, catalogue, proof, verification
from steps.contract.push_contract import PushChoose, PushUpload
from steps.contract.values import YES
from steps.kubernetes import fields, times
from steps.phases import choosing, repositories
from steps.phases.command_line import PhaseGroup
from steps.phases.progress import progress
from steps.phases.run import Run
from steps.repository import ledger, origin, probe, upload
from steps.repository.ledger import Copied
from steps.repository.snapshots import Snapshot
from steps.repository.upload import Uploaded
from steps.restic.program import Restic

log = logging.getLogger(__name__)
push_phases = PhaseGroup("push", help="Phases of a copy to the repositories, in the order in which they run.")


@push_phases.phase(PushChoose)
def _choose(run: Run, told: PushChoose) -> None:
    if not repositories.stores(told):
        raise errors.NoRepositoryConfigured("claim-name")
    cluster = run.cluster()
    entries = catalogue.read(cluster)
    name = choosing.named_or(entries, told.claim_name, partial(proof.unpushed, namespace=cluster.namespace))
    repositories.each(told, partial(probe.check, cluster=cluster, init=told.repository_init == YES))
    choosing.tell_chosen(run, cluster, name, told.claim_wait_s)


@push_phases.phase(PushUpload)
def _upload(run: Run, told: PushUpload) -> None:
    cluster = run.cluster()
    claim = backup_claims.find(cluster, told.claim)
    if not marks.sealed(claim):
        raise errors.NotPushable(told.claim, "it is not sealed")
    opened = verification.open_at(told.backup, claim)
    if opened.manifest is None:
        raise errors.NotPushable(told.claim, f"it has no {marks.MANIFEST_DIGEST}")
    line = origin.of(cluster)
    found: dict[str, Uploaded] = {}

    def copy(restic: Restic) -> None:
        probe.check(restic, cluster, init=False)
        damaged = ledger.read(cluster, restic.store.name).damaged
        made = upload.upload(restic, opened, line, fields.label(claim, marks.SCHEDULE), progress(), damaged)
        origin.pushed(cluster, restic.store.name)
        facts = {"proved": times.now(), "copied": _copied(made.snapshot)}
        ledger.note(cluster, restic.store.name, made.snapshot.id, lambda known: known.model_copy(update=facts))
        found[restic.store.name] = made

    repositories.each(told, copy)
    told_as = {name: each.snapshot.id for name, each in found.items()}
    proof.pushed(cluster, claim, told_as)
    run.output(
        snapshots=" ".join(f"{name}/{each}" for name, each in told_as.items()),
        bytes=sum(each.snapshot.added_bytes or 0 for each in found.values() if not each.was_there),
    )
    log.info("pushed: backup %s, to %s", opened.name, ", ".join(found))


def _copied(snapshot: Snapshot) -> Copied:
    return Copied(
        backup=snapshot.backup,
        started=snapshot.started,
        schedule=snapshot.schedule,
        files=snapshot.files,
        size_bytes=snapshot.size_bytes,
    )
