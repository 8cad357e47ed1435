"""Reads every byte of a snapshot back, and compares it with the manifest and the listing of the snapshot itself.

No volume is needed, save for the listing. `restic dump` writes a tar in the order of the listing: folder after folder,
the names of each by their bytes. So both are streams, and nothing is kept.
"""

import hashlib
import heapq
import os
import tarfile
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path, PurePosixPath
from tarfile import TarFile, TarInfo
from typing import NamedTuple

from steps import errors
from steps.archive import layout, seal
from steps.archive.manifest import Digest, Manifest
from steps.files import mtree
from steps.files.mtree import FILE, FOLDER, LINK, Entry
from steps.repository import download, merging
from steps.repository.download import ReadManifest
from steps.repository.snapshots import Snapshot
from steps.restic.program import Restic

_BLOCK = 1 << 20
_NEEDLESS = (layout.BEGIN, layout.REPORTS, layout.RESULT, *layout.FOLDERS)  # the manifest does not ask for these
_KINDS = {tarfile.REGTYPE: FILE, tarfile.AREGTYPE: FILE, tarfile.DIRTYPE: FOLDER, tarfile.SYMTYPE: LINK}


class _Wanted(NamedTuple):
    """An entry that the snapshot must have. The path is relative to the backup."""

    place: bytes
    path: str
    kind: str
    size: int = 0
    sha256: str = ""
    target: str = ""


def findings(restic: Restic, snapshot: Snapshot, scratch: Path) -> Iterator[str]:
    """Yield what of a snapshot is missing, extra, different or unreadable, a line each. `scratch` holds its listing.

    Raises:
        errors of `endings.of`, except for damage, which is a finding.

    """
    try:
        sealed = download.read(restic, snapshot)
        facts = sealed.manifest.file_storage
        if facts and (finding := _fetch_listing(restic, snapshot, scratch, facts.listing)):
            yield finding
            return
        yield from _compared(_wanted(sealed, snapshot.digest, scratch), _entries(restic, snapshot))
    except errors.FetchedDiffers as error:
        yield str(error.findings)
    except (errors.BackupDamaged, errors.NotABackup, errors.RepositoryDamaged, errors.SnapshotMissing) as error:
        yield str(error)
    finally:
        (scratch / layout.LISTING).unlink(missing_ok=True)


def _fetch_listing(restic: Restic, snapshot: Snapshot, scratch: Path, expected: Digest) -> str:
    """Write the listing to the scratch folder. Returns what is wrong with it, empty if it is the sealed one."""
    sha256, size = hashlib.sha256(), 0
    words = ("dump", "--no-lock", snapshot.id, snapshot.path(layout.LISTING))
    with (scratch / layout.LISTING).open("wb") as stream, closing(restic.pieces(*words)) as pieces:
        for piece in pieces:
            stream.write(piece)
            sha256.update(piece)
            size += len(piece)
    same = (size, sha256.hexdigest()) == (expected.size, expected.sha256)
    return "" if same else f"{layout.LISTING} has different content than the manifest"


class _Pipe:
    """The output of restic as a file that `tarfile` reads."""

    def __init__(self, pieces: Generator[bytes, None, None]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int) -> bytes:
        found, wanted = [], size
        while wanted > 0 and (piece := self._rest or next(self._pieces, b"")):
            found.append(piece[:wanted])
            self._rest = piece[wanted:]
            wanted -= len(found[-1])
        return b"".join(found)

    def end(self) -> None:
        """Read the rest, so that the end of restic is judged."""
        for _ in self._pieces:
            pass


class _Read(NamedTuple):
    """An entry of the snapshot, read whole."""

    place: bytes
    path: str
    kind: str
    size: int
    sha256: str
    target: str


def _entries(restic: Restic, snapshot: Snapshot) -> Iterator[_Read]:
    """Read all entries of a snapshot.

    Raises:
        errors of `endings.of`

    """
    with closing(restic.pieces("dump", "--no-lock", "--archive", "tar", snapshot.tree, "/")) as pieces:
        pipe = _Pipe(pieces)
        try:
            with tarfile.open(fileobj=pipe, mode="r|", bufsize=_BLOCK, errors="surrogateescape") as tar:  # type: ignore[call-overload]  # it needs only `read`
                while (info := tar.next()) is not None:
                    tar.members = []  # else it keeps all
                    yield _read(tar, info)
        except tarfile.TarError as error:
            pipe.end()  # restic's own words, if it failed
            raise errors.RepositoryDamaged(restic.store.name, "dump", str(error)) from error
        pipe.end()


def _read(tar: TarFile, info: TarInfo) -> _Read:
    kind, sha256, size = _KINDS.get(info.type, "special file"), "", 0
    if kind == FILE and (stream := tar.extractfile(info)):
        total = hashlib.sha256()
        while data := stream.read(_BLOCK):
            total.update(data)
            size += len(data)
        sha256 = total.hexdigest()
    return _Read(mtree.place(info.name), info.name, kind, size, sha256, info.linkname if kind == LINK else "")


def _wanted(sealed: ReadManifest, digest: str, scratch: Path) -> Iterator[_Wanted]:
    """The entries that the manifest and the listing name, in the order of a snapshot."""
    fixed, facts = sorted(_fixed(sealed, digest)), sealed.manifest.file_storage
    tree = map(_of_tree, seal.listed(scratch, facts.listing)) if facts else iter(())
    return heapq.merge(fixed, tree, key=lambda each: each.place)


def _fixed(sealed: ReadManifest, digest: str) -> Iterator[_Wanted]:
    files = _files(sealed.manifest) | {layout.MANIFEST: Digest(size=len(sealed.data), sha256=digest)}
    folders = {str(above) for path in files for above in PurePosixPath(path).parents[:-1]}
    if sealed.manifest.file_storage:
        folders.add(layout.TREE)
    yield from (_Wanted(mtree.place(path), path, FOLDER) for path in folders)
    yield from (_Wanted(mtree.place(path), path, FILE, each.size, each.sha256) for path, each in files.items())


def _files(manifest: Manifest) -> dict[str, Digest]:
    sums = seal.sums(manifest)
    files = {**manifest.listed, layout.SUMS: Digest(size=len(sums), sha256=hashlib.sha256(sums).hexdigest())}
    if manifest.result:
        files[layout.RESULT] = manifest.result
    if manifest.file_storage:
        files[layout.LISTING] = manifest.file_storage.listing
    return files


def _of_tree(entry: Entry) -> _Wanted:
    path = f"{layout.TREE}/{entry.path}"
    return _Wanted(mtree.place(path), path, entry.kind, entry.size, entry.digest, entry.target)


def _compared(expected: Iterable[_Wanted], found: Iterator[_Read]) -> Iterator[str]:
    for wanted, actual in merging.by_place(expected, found):
        if wanted and actual:
            if difference := _difference(wanted, actual):
                yield f"{wanted.path!a} {difference}"
        elif wanted:
            yield f"{wanted.path!a} is missing in the snapshot"
        elif actual and not _is_needless(actual.path):
            yield f"{actual.path!a} is in the snapshot, but not part of the backup"


def _is_needless(path: str) -> bool:
    return path in _NEEDLESS or os.path.dirname(path) == layout.REPORTS  # noqa: PTH120  no Path for each


def _difference(wanted: _Wanted, actual: _Read) -> str:
    if wanted.kind != actual.kind:
        return f"is a {actual.kind} in the snapshot instead of a {wanted.kind}"
    if wanted.size != actual.size:
        return f"has {actual.size} bytes in the snapshot instead of {wanted.size}"
    if wanted.sha256 != actual.sha256:
        return "has different content in the snapshot"
    return "" if wanted.target == actual.target else "has a different target in the snapshot"
