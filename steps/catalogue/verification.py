"""Whether a backup is still what was sealed: every digest, or each night a share of the bytes, in rotation.

Names, kinds and sizes of the tree, all objects, the listing and the manifest are looked at each time; a share is one of
the files' bytes. What can't be read is damage too: a restore has no more rights than this.
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
    """The backup that is next: by shares the one that most is read of, else the newest that nobody has verified.

    One that a run of another name set out to read on, and did not, has no precedence: it may never be read again.

    Raises:
        errors.NothingToProve

    """
    every = list(entries)
    begun = [each for each in every if each.verifying and each.state is BackupState.COMPLETE and not each.going]
    if by_shares and (begun := [each for each in begun if not is_stuck(each, workflow)]):
        return max(begun, key=lambda each: (_part_of(each.verifying), each.started))
    return proof.due(every, _looked, namespace, "verify")


def is_stuck(entry: BackupEntry, workflow: str) -> bool:
    """Whether a run before this one set out to read on in it and did not come to that."""
    return bool(entry.verifying) and entry.verifying_by not in {"", workflow}


def open_at(root: Path, claim: Object, *, told_sha256: str = "", made_by_operator: bool = False) -> Backup:
    """Open the backup that a claim says that it holds.

    On a claim that this tool made, a manifest that no seal has noted there is nobody's, unless a person has told its
    digest. One without a manifest is no backup of the operator then, unless a person says that it is
    `made_by_operator`: without that a lost seal would look like one.

    Raises:
        errors.BackupDamaged: the claim says that it was sealed, and there is no manifest, or another one.
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
    """See that a manifest is the one that a claim says was sealed, where it says so.

    Raises:
        errors.BackupDamaged

    """
    if (sealed := fields.annotation(claim, marks.MANIFEST_DIGEST)) and digest != sealed:
        raise errors.BackupDamaged(
            [f"{layout.MANIFEST} is not the sealed one, its digest differs from the one on the claim"]
        )


class Read(NamedTuple):
    """What was read of the tree, all of it right; `rotation` says how far that has come, None: every byte is read."""

    files: int
    size_bytes: int
    rotation: Rotation | None


def check(opened: Backup, part: Fraction, begun: Rotation | None, workers: int | None = None) -> Read:
    """See that a backup is whole, by all its bytes or a part of them, from where a rotation of it has come to.

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
    """See that nothing of a backup is missing or differs, but for the bytes of the tree's files.

    Raises:
        errors.BackupDamaged

    """
    _judge(opened.findings(digests=False))


def _judge(findings: Iterable[str]) -> None:
    if wrong := errors.Few.of(findings):
        raise errors.BackupDamaged(wrong)


def _looked(entry: BackupEntry) -> datetime | None:
    """When it was last judged, one way or the other: one that is damaged must not keep the others waiting."""
    return max((each.when for each in (entry.verified, entry.damaged) if each), default=None)


def _part_of(progress: Rotation | None) -> Fraction:
    return Fraction(progress.position, progress.total) if progress else Fraction(0)
