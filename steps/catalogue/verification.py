"""Check that a backup is unchanged since its seal: all digests, or each night a share of the bytes, in rotation.

Names, kinds and sizes of the tree, all objects, the listing and the manifest are checked each time. A share is a share
of the files' bytes. A file that can't be read counts as damage, because a restore has the same rights.
"""

from collections.abc import Iterable
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from steps import errors
from steps.archive import contents, layout, marks, seal
from steps.archive.contents import Backup
from steps.catalogue import backup_claims, proof, rotation
from steps.catalogue.catalogue import BackupEntry, BackupState
from steps.catalogue.rotation import Night, Rotation
from steps.files import comparison
from steps.kubernetes import fields
from steps.kubernetes.kinds import Object


def choose(entries: Iterable[BackupEntry], namespace: str, *, by_shares: bool, workflow: str) -> BackupEntry:
    """Return the next backup to verify: by shares the one with the most progress, else the newest unverified one.

    A backup that another workflow resumed and did not finish has no precedence, because it may never be readable again.

    Raises:
        errors.NothingToProve

    """
    every = list(entries)
    begun = [each for each in every if each.verifying and each.state is BackupState.COMPLETE and not each.going]
    if by_shares and (begun := [each for each in begun if not is_stuck(each, workflow)]):
        return max(begun, key=lambda each: (_part_of(each.verifying), each.started))
    return proof.due(every, _looked, namespace, "verify")


def is_stuck(entry: BackupEntry, workflow: str) -> bool:
    """Return whether an earlier workflow resumed the verification of this backup and did not finish its share."""
    return bool(entry.verifying) and entry.verifying_by not in {"", workflow}


def open_at(root: Path, claim: Object, *, told_sha256: str = "", made_by_operator: bool = False) -> Backup:
    """Open the backup on a claim.

    If this tool created the claim, a manifest without a seal on the claim is refused, unless a person gives its digest
    (`told_sha256`). A volume without a manifest is refused too, unless a person says `made_by_operator`. Otherwise a
    backup that lost its seal would pass for one of the operator.

    Raises:
        errors.BackupDamaged: the claim is sealed, and the manifest is missing or another one.
        errors.NotSealed, errors.SealLost, errors.NotABackup, errors.ReadFailed

    """
    sealed = fields.annotation(claim, marks.MANIFEST_DIGEST)
    try:
        found = contents.open_at(root, str(claim["metadata"]["name"]))
    except errors.NotABackup as error:
        if sealed:
            raise errors.BackupDamaged([error.reason]) from error
        raise
    check_sealed(claim, found.digest)
    if not backup_claims.is_ours(claim):
        return found
    if found.manifest is None and not made_by_operator:
        raise errors.SealLost(claim["metadata"]["name"])
    if found.manifest is not None and not (sealed or told_sha256):
        raise errors.NotSealed(claim["metadata"]["name"])
    return found


def check_sealed(claim: Object, digest: str) -> None:
    """Check that a manifest is the sealed one, if the claim has the digest of a sealed manifest.

    Raises:
        errors.BackupDamaged

    """
    if (sealed := fields.annotation(claim, marks.MANIFEST_DIGEST)) and digest != sealed:
        raise errors.BackupDamaged(
            [f"{layout.MANIFEST} is not the sealed one, its digest differs from the one on the claim"]
        )


class Read(NamedTuple):
    """The files and bytes that were read, all of them right. `rotation` is the progress, None after the last byte."""

    files: int
    size_bytes: int
    rotation: Rotation | None


def check(opened: Backup, part: Fraction, begun: Rotation | None, workers: int | None = None) -> Read:
    """Check a backup by all its bytes or by a part of them. A part begins where the rotation `begun` stopped.

    Raises:
        errors.BackupDamaged: the first ten findings are named.

    """
    facts = opened.manifest.file_storage if opened.manifest else None
    if facts is None or part == rotation.ALL or seal.listing_finding(opened.root, facts):
        _judge(opened.findings(digests=True))
        return Read(facts.files if facts else 0, opened.size_bytes, None)
    of_this = begun and begun.manifest_sha256 == opened.digest
    night = Night(
        seal.listed(opened.root, facts.listing), begun.position if begun and of_this else 0, facts.size_bytes, part
    )
    others = (f"{layout.TREE}: {finding}" for finding in comparison.unlike(night, opened.tree, workers))
    _judge(opened.findings(digests=False))
    _judge(others)
    rest = Rotation(night.end, facts.size_bytes, opened.digest)
    return Read(night.files, night.size_bytes, rest if night.end < facts.size_bytes else None)


def check_shape(opened: Backup) -> None:
    """Check that nothing of a backup is missing or differs, except for the bytes of the tree's files.

    Raises:
        errors.BackupDamaged

    """
    _judge(opened.findings(digests=False))


def _judge(findings: Iterable[str]) -> None:
    if wrong := errors.Few.of(findings):
        raise errors.BackupDamaged(wrong)


def _looked(entry: BackupEntry) -> datetime | None:
    """When it was last checked, with either result. A damaged backup must not keep the others waiting."""
    return max((each.when for each in (entry.verified, entry.damaged) if each), default=None)


def _part_of(progress: Rotation | None) -> Fraction:
    return Fraction(progress.position, progress.total) if progress else Fraction(0)
