"""The seal of a backup. It is set when the volume matches the reports of all phases, and checked later.

The result record and SHA256SUMS are written first. The manifest is written last and atomically, when all other files
are synced: a volume without a manifest holds no finished backup.
"""

import hashlib
import io
import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from steps import errors
from steps.archive import layout, saved
from steps.archive.begin_marker import Begin
from steps.archive.manifest import (
    COPIED,
    FILE_STORAGE,
    PHASES,
    Digest,
    FileTree,
    Manifest,
    Report,
    parse,
    reported,
    text,
)
from steps.files import comparison, mtree, reading, scanning, volume
from steps.files.beneath import closed
from steps.files.durability import Disk
from steps.files.mtree import Entry
from steps.files.tally import Lost, Tally, Why
from steps.threescale import references
from steps.threescale.references import Reference

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_OBJECTS = (layout.SECRETS, layout.CONFIGMAPS, layout.REFERENCED, layout.OF_APIMANAGER)
_OF_OPERATOR = frozenset({layout.SECRETS, layout.CONFIGMAPS, layout.OF_APIMANAGER, layout.TREE})
_TREE = (layout.LISTING, layout.TREE)
_BLOCK = 1 << 16
_LINE_LENGTH = 1 << 20  # characters, far above any path; a longer line is cut and then invalid
_FOLDERS = frozenset(place.others for place in layout.PLACES.values())
_SKEW = timedelta(minutes=5)  # of two nodes' clocks


Record = Callable[[Manifest, Mapping[str, Report | None]], str]  # the text of a backup's result record


class Sealed(NamedTuple):
    """A manifest, and the SHA-256 of its bytes, as they were written or confirmed."""

    manifest: Manifest
    digest: str


def close(  # noqa: PLR0913  the facts of a manifest that no report holds
    disk: Disk,
    *,
    tool_version: str,
    begin: Begin,
    started: datetime,
    ended: datetime,
    record: Record,
    databases: Collection[str] = (),
) -> Sealed:
    """Compare the volume with the phases' reports and write the result record, SHA256SUMS and the manifest.

    `databases` are those that were to be copied. An existing manifest comes from an earlier try. It is checked like a
    new one.

    Raises:
        errors.PhasesMissing: a phase has not reported.
        errors.BackupDamaged: something is missing, extra or differs.

    """
    root = disk.root
    if volume.is_there(root, layout.MANIFEST):
        return confirmed(root, begin=begin, started=started, now=ended, databases=databases)
    found = _reports(root)
    _check_copied(found, databases)
    manifest = _by_reports(found, begin, started, ended).model_copy(update={"tool_version": tool_version})
    _judge(root, manifest)
    data = record(manifest, found).encode()
    layout.write(root, layout.RESULT, data)
    manifest = manifest.model_copy(update={"result": Digest(size=len(data), sha256=hashlib.sha256(data).hexdigest())})
    layout.write(root, layout.SUMS, sums(manifest))
    written = text(manifest)
    layout.commit(disk, layout.MANIFEST, written)
    return Sealed(manifest, hashlib.sha256(written).hexdigest())


def confirmed(
    root: Path, *, begin: Begin, started: datetime, now: datetime, databases: Collection[str] | None = None
) -> Sealed:
    """Compare a manifest whose digest is on no claim with the reports of the phases and with every byte.

    `databases` are those that were to be copied, None if that is not known.

    Raises:
        errors.PhasesMissing: a phase has not reported.
        errors.BackupDamaged: the manifest is not of this run, or something is missing, extra or differs.

    """
    try:
        data = layout.read(root, layout.MANIFEST)
        found = parse(data)
    except OSError as error:
        raise errors.BackupDamaged([f"{layout.MANIFEST} {layout.unread(error)}"]) from error
    except errors.NotABackup as error:
        raise errors.BackupDamaged([error.reason]) from error
    if databases is not None:
        _check_copied(_reports(root), databases)
    own = {"tool_version": found.tool_version, "result": found.result}
    if found != _by_reports(_reports(root), begin, started, found.ended).model_copy(update=own):
        raise errors.BackupDamaged([f"{layout.MANIFEST} differs from the reports of the phases"])
    if found.result is None:
        raise errors.BackupDamaged([f"{layout.MANIFEST} has no digest of {layout.RESULT}"])
    if not started <= found.ended <= now + _SKEW:
        raise errors.BackupDamaged([f"{layout.MANIFEST} says that the backup ended at {found.ended}"])
    _judge(root, found, sums_findings(root, found))
    return Sealed(found, hashlib.sha256(data).hexdigest())


def _judge(root: Path, manifest: Manifest, more: Iterable[str] = ()) -> None:
    """Check that the volume holds all that the manifest lists, and nothing else."""
    looks = (_strangers(root, manifest), _lacking(root, manifest), findings(root, manifest, digests=True), more)
    if wrong := errors.Few.of(chain.from_iterable(looks)):
        raise errors.BackupDamaged(wrong)


def _reports(root: Path) -> Mapping[str, Report | None]:
    return {phase: reported(root, phase) for phase in (*PHASES, *COPIED)}


def _check_copied(found: Mapping[str, Report | None], databases: Collection[str]) -> None:
    """Check that each database that was to be copied has a report with a copy."""
    if missing := [name for name in databases if not (report := found.get(name)) or report.database is None]:
        raise errors.PhasesMissing(missing)


def _by_reports(found: Mapping[str, Report | None], begin: Begin, started: datetime, ended: datetime) -> Manifest:
    """The manifest by the reports of the phases, without the fields that the seal adds."""
    reports = [report for report in found.values() if report]
    source = next((report.source for report in reports if report.source), None)
    file_storage = next((report.file_storage for report in reports if report.file_storage), None)
    needed = [phase for phase in PHASES if phase != FILE_STORAGE or source is None or source.external is None]
    if missing := [phase for phase in needed if found[phase] is None]:
        raise errors.PhasesMissing(missing)
    if source is None or (file_storage is None) != (source.external is not None):
        raise errors.BackupDamaged(
            [f"{layout.REPORTS} is incomplete, or the reports contradict each other about {FILE_STORAGE}"]
        )
    return Manifest(
        tool_version="",
        backup=begin.backup,
        workflow=begin.workflow,
        workflow_uid=begin.workflow_uid,
        started=started,
        ended=ended,
        source=source,
        objects={path: digest for report in reports for path, digest in sorted(report.objects.items())},
        file_storage=file_storage,
        databases={name: report.database for name, report in found.items() if report and report.database} or None,
    )


class _Digesting(io.RawIOBase):
    """A file that computes the SHA-256 of the bytes read from it."""

    def __init__(self, descriptor: int) -> None:
        self._file = io.FileIO(descriptor)
        self.sha256 = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        count = self._file.readinto(buffer) or 0
        self.sha256.update(memoryview(buffer)[:count])
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def lines(root: Path, expected: Digest | None = None) -> Iterator[str]:
    """Read the listing of the tree, a line for each entry.

    The listing may be too large for memory, and somebody may replace it meanwhile. So its digest is compared with
    `expected` at the end.

    Raises:
        errors.ReadFailed; errors.BackupDamaged: at its end

    """
    try:
        raw = _Digesting(volume.opened(root, layout.LISTING))
        with io.TextIOWrapper(io.BufferedReader(raw, _BLOCK), encoding="ascii") as found:
            yield from _checked(mtree.of_entries(iter(partial(found.readline, _LINE_LENGTH), "")))
        if expected and raw.sha256.hexdigest() != expected.sha256:
            raise errors.BackupDamaged([f"{layout.LISTING} has different content than the manifest"])
    except OSError as error:
        reason = error.strerror or os.strerror(error.errno or 0)
        raise errors.ReadFailed([str(root / layout.LISTING)], reason) from error


def _checked(lines: Iterable[str]) -> Iterator[str]:
    """Pass valid lines on. Raises errors.BackupDamaged at an invalid line, which a forged listing may hold."""
    try:
        for line in lines:
            mtree.check(line)
            yield line
    except ValueError as error:  # also for bytes that are not ASCII
        raise errors.BackupDamaged([f"{layout.LISTING} has a line that can't be read"]) from error


def listed(root: Path, expected: Digest | None = None) -> Iterator[Entry]:
    """The entries of the listing; raises what `lines` does."""
    return mtree.parse(lines(root, expected))


def findings(root: Path, manifest: Manifest, *, digests: bool) -> Iterator[str]:
    """Yield what is missing, extra or differs in a sealed backup. With `digests` every byte of the tree is read."""
    yield from objects_findings(root, manifest)
    if manifest.result and (finding := file_finding(root, layout.RESULT, manifest.result)):
        yield finding
    yield from _copies_findings(root, manifest, digests=digests)
    yield from _tree_findings(root, manifest, digests=digests)


def _copies_findings(root: Path, manifest: Manifest, *, digests: bool) -> Iterator[str]:
    """Yield what is missing, extra or differs in the copies of databases. Without `digests` sizes are compared."""
    if any(found := list(layout.folder_findings(root, [layout.DATABASES]))):
        yield from found
        return
    copies = (manifest.databases or {}).values()
    for path, expected in ((path, digest) for copy in copies for path, digest in copy.files.items()):
        if finding := (file_finding if digests else _size_finding)(root, path, expected):
            yield finding
    yield from _extra(root, layout.DATABASES, manifest)


def objects_findings(root: Path, manifest: Manifest) -> Iterator[str]:
    """Yield what is missing, extra or differs in the objects of a sealed backup."""
    yield from layout.folder_findings(root)
    for path, expected in manifest.objects.items():
        if finding := saved.read(root, path, expected)[1]:
            yield finding
    yield from chain.from_iterable(_extra(root, folder, manifest) for folder in _OBJECTS)


def _tree_findings(root: Path, manifest: Manifest, *, digests: bool) -> Iterator[str]:
    """Yield what is missing, extra or differs in the tree. If the listing is damaged, only that is reported."""
    facts = manifest.file_storage
    if facts is None:
        yield from (
            f"{name} exists, but the manifest says that the files are external"
            for name in _TREE
            if volume.is_there(root, name)
        )
        return
    if finding := listing_finding(root, facts):
        yield finding
        return
    if any(layout.folder_findings(root, [layout.TREE])):
        return
    counted = Tally()
    entries = counted.kept(listed(root, facts.listing))
    yield from (
        f"{layout.TREE}: {finding}" for finding in comparison.compare(entries, root / layout.TREE, digests=digests)
    )
    expected_counts = (facts.files, facts.folders, facts.links, facts.size_bytes)
    if (counted.files, counted.folders, counted.links, counted.size_bytes) != expected_counts:
        yield f"{layout.LISTING} has different counts than the source had"


def _extra(root: Path, folder: str, manifest: Manifest) -> Iterator[str]:
    """Yield the entries of a folder of objects that are not in the manifest, or can't be read."""
    found = volume.look(root, folder)
    if found is None or not stat.S_ISDIR(found.st_mode):
        return
    listed = manifest.listed
    known = _FOLDERS | {str(above) for path in listed for above in PurePosixPath(path).parents}
    lost_and_found = f"{folder}/{volume.LOST_AND_FOUND}"  # a scan skips it at the root of a tree
    with suppress(OSError):  # the scan reports it
        if volume.is_there(root, lost_and_found):
            yield f"{lost_and_found} is not in the manifest"
    for item in scanning.scan(root / folder, workers=0):
        path = folder if item.path == "." else f"{folder}/{item.path}"
        if path in listed:
            continue  # it was read already
        if isinstance(item, Lost) and item.why is not Why.SPECIAL:
            yield f"{path} can not be read"
        elif path not in known:
            yield f"{path} is not in the manifest"


def path_of(reference: Reference) -> str:
    """The path in a backup of an object that its APIManager names."""
    return f"{layout.PLACES[reference.kind].others}/{reference.name}.json"


def _lacking(root: Path, manifest: Manifest) -> Iterator[str]:
    """Yield objects that the saved APIManager names and no phase saved: it may have changed in between."""
    apimanager, _ = saved.read(root, layout.APIMANAGER, None)
    for each in references.required(references.of(apimanager)):
        if path_of(each) not in manifest.objects:
            yield f"{path_of(each)} was not saved, the APIManager names it only since then ({each.path})"


def _known(manifest: Manifest) -> set[str]:
    """The names that a backup has at its root."""
    known = {path.partition("/")[0] for path in manifest.listed}
    known |= {layout.BEGIN, layout.REPORTS, layout.LISTING, layout.TREE, layout.SUMS, layout.REFERENCED}
    return known | {layout.RESULT, layout.MANIFEST}


def _strangers(root: Path, manifest: Manifest) -> Iterator[str]:
    known = _known(manifest)  # result and manifest may exist from an earlier try
    yield from (f"{name} at the root is not part of a backup" for name in volume.content(root) if name not in known)


def top_entries(root: Path, manifest: Manifest) -> list[str]:
    """The names at the root of a sealed backup that are part of it.

    Raises:
        errors.ReadFailed: the root can't be listed.

    """
    known = _known(manifest)
    return [name for name in volume.content(root, ()) if name in known]


def strangers(root: Path, manifest: Manifest | None) -> list[str]:
    """Names at the root of a backup that are not part of it. Manifest None: of a backup of the operator.

    Such a file is no damage, because a restore reads only the files that the manifest names. But a new backup is not
    sealed with such a file, because a phase may have written it.

    Raises:
        errors.ReadFailed: the root can't be listed.

    """
    ours = _known(manifest) if manifest else _OF_OPERATOR
    passed = (*volume.NO_CONTENT, *volume.SNAPSHOTS)  # by name alone: no write is tried on a finished backup
    return [name for name in volume.content(root, passed) if name not in ours]


def sums_findings(root: Path, manifest: Manifest) -> Iterator[str]:
    """Yield a finding if SHA256SUMS differs from the manifest."""
    try:
        same = layout.read(root, layout.SUMS) == sums(manifest)
    except FileNotFoundError:
        same = False
    except OSError as error:
        yield f"{layout.SUMS} {layout.unread(error)}"
        return
    if not same:
        yield f"{layout.SUMS} is missing or differs from the manifest"


def listing_finding(root: Path, facts: FileTree) -> str:
    """What is wrong with the listing itself, empty if it matches the manifest."""
    return file_finding(root, layout.LISTING, facts.listing)


def file_finding(root: Path, path: str, expected: Digest) -> str:
    """What is wrong with one file by its digest, empty if nothing is."""
    try:
        with closed(volume.opened(root, path)) as descriptor:
            size, sha256 = os.fstat(descriptor).st_size, ""
            if size == expected.size:  # else it may be very large and take long to read
                size, sha256 = reading.digest(descriptor)
    except OSError as error:
        return f"{path} {layout.unread(error)}"
    if size != expected.size:
        return f"{path} has {size} bytes instead of {expected.size}"
    return "" if sha256 == expected.sha256 else f"{path} has different content than the manifest"


def _size_finding(root: Path, path: str, expected: Digest) -> str:
    try:
        with closed(volume.opened(root, path)) as descriptor:
            size = os.fstat(descriptor).st_size
    except OSError as error:
        return f"{path} {layout.unread(error)}"
    return "" if size == expected.size else f"{path} has {size} bytes instead of {expected.size}"


def sums(manifest: Manifest) -> bytes:
    """The file that `sha256sum -c` reads at the root of the volume."""
    lines = {path: digest.sha256 for path, digest in manifest.listed.items()}
    if manifest.result:
        lines[layout.RESULT] = manifest.result.sha256
    if manifest.file_storage:
        lines[layout.LISTING] = manifest.file_storage.listing.sha256
    return "".join(f"{sha256}  {path}\n" for path, sha256 in sorted(lines.items())).encode()
