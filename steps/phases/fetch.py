"""The commands of the phases of a fetch from a repository, in the order in which they run."""

import logging

from steps import errors
from steps.archive import marks
from steps.catalogue import backup_claims, proof
from steps.catalogue.backup_claims import WantedClaim
from steps.contract.fetch_contract import FetchDownload, FetchPrepare
from steps.kubernetes import fields, mounting, waiting
from steps.phases import repositories
from steps.phases.command_line import PhaseGroup
from steps.phases.progress import progress
from steps.phases.run import Run
from steps.repository import download, origin, probe, snapshots

log = logging.getLogger(__name__)
fetch_phases = PhaseGroup("fetch", help="Phases of a fetch from a repository, in the order in which they run.")


@fetch_phases.phase(FetchPrepare)
def _prepare(run: Run, told: FetchPrepare) -> None:
    run.need("prepare", told.claim_wait_s)
    cluster = run.cluster()
    with repositories.opened(told, repositories.named(told, told.repository), cluster) as restic:
        probe.check(restic, cluster, init=False)
        found = snapshots.every(restic)
        chosen = download.choose(found, told.backup, origin.known(cluster), restic.store.name)
        facts = download.read(restic, chosen).manifest
        log.info("chosen: backup %s, snapshot %s of %s", chosen.backup, chosen.short_id, chosen.started)
        source = restic.store.name
    name = told.name or facts.backup
    if backup_claims.check_free(cluster, name, run.workflow) is None:
        size = told.storage_request or str(download.needed_bytes(facts))
        wanted = WantedClaim(name, size, told.storage_class, told.volume_name, external=bool(facts.source.external))
        backup_claims.create_fetched(cluster, wanted, facts, run.workflow)
    waiting.wait_for_volume(cluster, name, told.claim_wait_s)
    placement = mounting.placement(cluster, backup_claims.find(cluster, name), run.workflow)
    run.output(
        **{"claim-name": name, "from": source, "snapshot": chosen.id},
        node_operator=placement.operator,
        node=placement.node,
    )


@fetch_phases.phase(FetchDownload)
def _download(run: Run, told: FetchDownload) -> None:
    cluster = run.cluster()
    claim = backup_claims.find(cluster, told.claim)
    if fields.label(claim, marks.WORKFLOW_UID) != run.workflow.uid:
        raise errors.ClaimTaken(told.claim, cluster.namespace, "not made by this workflow")
    with repositories.opened(told, repositories.named(told, told.source), cluster) as restic:
        found = [each for each in snapshots.every(restic) if each.id == told.snapshot]
        if not found:
            raise errors.NoSnapshot(told.snapshot, told.source)
        opened = download.download(restic, found[0], told.backup, progress())
    backup_claims.complete(cluster, claim, opened.facts, opened.digest, by=run.workflow)
    proof.fetched(cluster, claim, told.source, told.snapshot)
    run.output(files=opened.counts.files, bytes=opened.size_bytes)
    log.info("fetched: backup %s to claim %s, %s", opened.name, told.claim, opened.facts.files)
