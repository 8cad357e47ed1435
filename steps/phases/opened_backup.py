"""Opens the backup that a phase restores, checks that it is the right one, and keeps the result record."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from steps import errors
from steps.archive import contents, marks
from steps.archive.contents import Backup
from steps.catalogue import backup_claims, verification
from steps.contract.names import Operation
from steps.contract.restore_contract import AskedBackup, RestoreWishes
from steps.evidence import records
from steps.evidence.result import Counts, Done, Line, Phase, Result
from steps.files.tally import Tally
from steps.kubernetes import fields
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import Object
from steps.parts import apimanager
from steps.parts.conflicts import REFUSE
from steps.phases.run import Run

log = logging.getLogger(__name__)

OPERATOR = "operator"


class Restoration(NamedTuple):
    """The backup that a phase restores, and the cluster. `note` adds the phase to the result record."""

    run: Run
    claim: str
    backup: Backup
    cluster: Cluster
    operation: Operation = "restore"

    def is_done(self) -> bool:
        """Whether a restore of this backup has created the APIManager. 3scale then uses the restored data already."""
        is_done = apimanager.present(self.cluster, self.backup.mark) is not None
        if is_done:
            log.info("skipped: an earlier restore of this backup created the APIManager")
        return is_done

    def note(
        self,
        phase: str,
        lines: Callable[[], list[Line]] = list,
        *,
        counts: Counts | None = None,
        notes: Iterable[str] = (),
        before: Iterable[Phase] = (),
        last: bool = False,
    ) -> None:
        """Add this phase to the result record of its workflow, and also phases `before` it that could not do so.

        This never fails. `lines` is a function, so that its errors are caught too.
        """
        ended = self.run.phase(phase, counts).model_copy(update={"notes": tuple(notes)})

        def change(found: Result) -> Result:
            known = found.model_copy(update=_facts(self.backup))
            for each in before:
                known = known.did(each)
            return known.did(ended, lines(), last=last)

        records.note(self.run.cluster, self.run.record(self.operation, self.claim), change)


def open_first(run: Run, root: Path, claim: str, asked: RestoreWishes) -> Restoration:
    """Open the backup to restore, and check that it is the one that the claim and the arguments describe.

    Raises:
        errors.BackupDamaged: the claim is marked as sealed, but the manifest is missing or another one.
        errors.MarkedDamaged, errors.OtherManifest, errors.NotSealed, errors.SealLost, errors.NoManifest,
        errors.NotTheOperators as `backup_claims.find`, `verification.open_at` and `as_asked`; errors.NoConnection

    """
    cluster = run.cluster()
    found = backup_claims.find(cluster, claim)
    if asked.file_storage_damage == REFUSE and (since := fields.label(found, marks.DAMAGED)):
        raise errors.MarkedDamaged(claim, since, fields.annotation(found, marks.DAMAGE))
    made_by_operator = asked.made_by == OPERATOR
    opened = verification.open_at(root, found, told_sha256=asked.manifest_sha256, made_by_operator=made_by_operator)
    check_asked(opened, claim, asked)
    if opened.manifest is None:
        if not (made_by_operator or backup_claims.is_backup(found)):
            raise errors.NoManifest(claim)
        log.info("claim %s holds a backup that the operator made", claim)
    else:
        log.info("claim %s holds backup %s, its manifest has SHA-256 %s", claim, opened.name, opened.digest)
    return Restoration(run, claim, as_asked(opened, asked), cluster)


def as_asked(opened: Backup, asked: RestoreWishes) -> Backup:
    """Return the backup without damaged files and with the new domain, if asked. Raises as `salvaged` and `under`."""
    return (opened if asked.file_storage_damage == REFUSE else opened.salvaged()).under(asked.wildcard_domain)


def check_asked(opened: Backup, claim: str, asked: AskedBackup) -> None:
    """Check that a backup is the one that the arguments describe.

    Raises:
        errors.OtherManifest, errors.NotTheOperators

    """
    if asked.manifest_sha256 and (opened.manifest is None or opened.digest != asked.manifest_sha256):
        raise errors.OtherManifest(asked.manifest_sha256, opened.digest if opened.manifest else "")
    if asked.made_by == OPERATOR and opened.manifest is not None:
        raise errors.NotTheOperators(claim)


def open_again(run: Run, root: Path, claim: str, digest: str, wildcard_domain: str = "") -> Restoration:
    """Open the backup with which the restore began, and compare its digest.

    An empty digest, in a phase that is run by hand, means the digest that is recorded on the claim.

    Raises:
        errors.BackupChanged; as `verification.open_at` and `Backup.under`; errors.NoConnection

    """
    cluster = run.cluster()
    opened = contents.open_at(root, claim) if digest else verification.open_at(root, backup_claims.find(cluster, claim))
    if digest and opened.digest != digest:
        raise errors.BackupChanged(opened.name, digest, opened.digest)
    if opened.manifest is None:
        log.info("claim %s holds a backup that the operator made", claim)
    return Restoration(run, claim, opened.under(wildcard_domain), cluster)


def line(obj: Object, done: Done, how: str = "") -> Line:
    """Return the line of an object for the result record."""
    return Line(kind=obj["kind"], name=obj["metadata"]["name"], done=done, how=how)


def counts_of(tally: Tally) -> Counts:
    """Return the counts of a file tree for the result record."""
    return {"files": tally.files, "folders": tally.folders, "links": tally.links, "bytes": tally.size_bytes}


def _facts(opened: Backup) -> dict[str, str]:
    """Return the facts of a backup for the result record."""
    return {
        "backup": opened.name,
        "manifest_sha256": opened.digest,
        "apimanager": opened.apimanager["metadata"]["name"],
        "threescale_version": opened.threescale_version,
        "file_storage": str(opened.external or "PersistentVolumeClaim"),
    }
