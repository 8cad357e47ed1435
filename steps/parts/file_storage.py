"""System FileStorage: its tree is saved with a listing, and a restore checks the files against the listing."""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from steps import errors
from steps.archive import layout, listing, marks
from steps.archive.contents import Backup
from steps.archive.manifest import FileTree, Report
from steps.catalogue import backup_claims
from steps.errors import Few
from steps.files import comparison, copy_back, copy_out, durability, medium, mtree, removal, scanning, volume, writing
from steps.files.meter import Meter, Work
from steps.files.mtree import Entry
from steps.files.tally import Tally
from steps.kubernetes import fields
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import Object
from steps.kubernetes.workflow import Workflow
from steps.parts import system_storage
from steps.threescale import installation

log = logging.getLogger(__name__)


class Amount(NamedTuple):
    """How much of a tree."""

    entries: int
    size_bytes: int

    @property
    def units(self) -> int:
        """Entries and MiB in one number, so that both many small files and a few large ones show progress."""
        return self.entries + (self.size_bytes >> 20)


Progress = Callable[[Amount, Amount], object]  # done, and all

OF_SNAPSHOTS = "storage systems show snapshots under this name"


def save(
    source: Path,
    root: Path,
    progress: Progress,
    workers: int | None = None,
    passed_over: Collection[str] | None = None,
) -> Report:
    """Copy the tree of the mounted claim to the volume and write its listing; resume a run that was killed.

    `workers` is how many processes copy; None: as many as suit the media. `passed_over` are names at the source's root
    that are skipped; None: as the volume shows.

    Raises:
        errors.VolumeFull: before the first byte if the free space is known.
        errors.ReadFailed, errors.ChangedWhileRead: after everything else was copied.

    """
    workers = medium.workers(source, root) if workers is None else workers
    passed = volume.passed_over(source) if passed_over is None else passed_over
    expected = scanning.measure(source, workers, partial(_count, progress), passed)
    target = root / layout.TREE
    writing.make_folder(root, layout.TREE)
    earlier = listing.earlier(root)
    tally, meter = Tally(), Meter()
    _note_passed_over(tally, source, passed, "System FileStorage")
    show = _showing(progress, meter, expected)
    with (
        _room(target, expected.data_bytes - _copied(target, workers, volume.NO_CONTENT)),
        durability.writing_back(root, lambda: meter.counts.size_bytes),
    ):
        again = bool(volume.content(target, volume.NO_CONTENT))  # also where a power loss took the listing
        taken = copy_out.copy(source, target, Work(workers, meter, show), earlier, passed, again=again)
        written, placeholder = listing.write(root, tally.listed(taken), earlier)
    show()
    _note_unkept(tally, meter)
    _judge(tally)
    log.info(
        "%d files, %d folders, %d links: saved, %d bytes", tally.files, tally.folders, tally.links, tally.size_bytes
    )
    return Report(
        file_storage=FileTree(
            files=tally.files + bool(placeholder),
            folders=tally.folders,
            links=tally.links,
            size_bytes=tally.size_bytes,
            vanished=len(tally.vanished),
            special=tuple(tally.special),
            placeholder=placeholder,
            listing=written,
        ),
        notes=tuple(tally.notes),
    )


def restore(
    cluster: Cluster,
    backup: Backup,
    target: Path,
    progress: Progress,
    workers: int | None = None,
    *,
    replacing: Workflow | None = None,
) -> Tally | None:
    """Fill system-storage from the backup. None if it was filled before, because 3scale may have written to it since.

    An interrupted restore of this backup is resumed. The claim says `begun` before the first byte is written, and
    `complete` after the last byte is checked and synced. If a workflow is `replacing` the files, a claim that says
    `set-aside` is emptied first.

    Raises:
        errors.TargetNotEmpty: it holds files and this backup's mark does not say `begun`.
        errors.SavedGone, errors.TargetInUse: it must not be emptied now.
        errors.FilledWithout: it was filled without files that must not be left out.
        errors.BackupDamaged, errors.TargetDiffers, errors.VolumeFull and others of `volume.failures`

    """
    claim = backup_claims.find(cluster, installation.SYSTEM_STORAGE)
    system_storage.check(claim, backup)
    system_storage.check_left_out(claim, backup)
    state = fields.annotation(claim, marks.RESTORE_STATE)
    if state in marks.FILLED:
        log.info("PersistentVolumeClaim %s: skipped, its files were already restored", installation.SYSTEM_STORAGE)
        return None
    backup.check_listing()
    again = state == marks.BEGUN
    if replacing and system_storage.is_set_aside(claim, backup):
        _empty(cluster, claim, target, replacing)
    workers = medium.workers(backup.root, target) if workers is None else workers
    filling = _Filling.of(installation.SYSTEM_STORAGE, target, again=again)
    if not again:
        _check_empty(target, filling.passed)
    with _room(target, _lacking(backup, target, workers, filling.passed)):
        system_storage.mark(cluster, backup, marks.BEGUN, {marks.LEFT_OUT: backup.lacking or None})
        with durability.durable(target):
            if again and backup.left_out:  # an earlier try may have copied files that are damaged since
                removal.drop(target, backup.left_out.paths)
            tally = _fill(backup, filling, progress, workers)
    system_storage.mark(cluster, backup, marks.COMPLETE)
    return tally


def prove(
    backup: Backup, claim: str, target: Path, progress: Progress, workers: int | None = None, *, last_try: bool = True
) -> Tally:
    """Fill a scratch claim as a restore fills system-storage, read back all that was written, and empty the claim.

    A backup without digests is read again and compared with the copy.

    Raises:
        errors.BackupDamaged, errors.TargetDiffers, errors.VolumeFull and others of `volume.failures`

    """
    filling = _Filling.of(claim, target, again=bool(volume.content(target)))
    with _emptied(claim, target, filling.passed, last_try=last_try):
        backup.check_listing()
        workers = medium.workers(backup.root, target) if workers is None else workers
        with _room(target, _lacking(backup, target, workers, filling.passed)), durability.durable(target):
            tally = _fill(backup, filling, progress, workers)
        wanted = (
            mtree.parse(filling.of_target(backup.lines())) if backup.manifest else _scanned(backup, filling, workers)
        )
        found = comparison.compare(wanted, target, digests=True, workers=workers, passed_over=filling.passed)
        if wrong := Few.of(found):
            raise errors.TargetDiffers(claim, wrong)
        log.info("PersistentVolumeClaim %s: verified, everything was read back and equals the backup", claim)
        return tally


@contextmanager
def _emptied(claim: str, target: Path, passed: Collection[str], *, last_try: bool) -> Iterator[None]:
    """Empty a scratch claim at the end, whatever happens, unless another try can resume with its files.

    The volume outlives the claim if the reclaim policy is Retain. If files can't be removed, the log says so, and the
    proof stays valid.
    """
    try:
        yield
    except Exception as error:
        if last_try or not isinstance(error, errors.TryAgain):
            with suppress(errors.TryAgain):
                _empty_scratch(claim, target, passed)
        raise
    _empty_scratch(claim, target, passed)


def _empty_scratch(claim: str, target: Path, passed: Collection[str]) -> None:
    try:
        with durability.durable(target):
            removal.empty(target, passed)
    except errors.PhaseError as error:
        log.info("PersistentVolumeClaim %s: not emptied, files of the backup remain on its volume: %s", claim, error)
        if isinstance(error, errors.TryAgain):
            raise
    else:
        log.info("PersistentVolumeClaim %s: emptied", claim)


def _scanned(backup: Backup, filling: "_Filling", workers: int) -> Iterator[Entry]:
    passed = (*volume.NO_CONTENT, *volume.snapshots(filling.passed))
    return Tally().kept(scanning.scan(backup.tree, digests=True, workers=workers, passed_over=passed))


def _empty(cluster: Cluster, claim: Object, target: Path, workflow: Workflow) -> None:
    """Remove the files that were saved. After a killed run the claim still says `set-aside`, and this resumes."""
    saved_to = fields.annotation(claim, marks.SAVED_TO)
    if not system_storage.is_saved(cluster, claim):
        raise errors.SavedGone(installation.SYSTEM_STORAGE, saved_to)
    system_storage.check_unused(cluster, workflow)
    unsaved = fields.annotation(claim, marks.NOT_SAVED).split(",")
    if left := [name for name in volume.content(target) if name in unsaved]:
        raise errors.TargetHoldsSnapshots(installation.SYSTEM_STORAGE, left)
    with durability.durable(target):
        removal.empty(target, {*volume.passed_over(target), *unsaved})
    log.info("PersistentVolumeClaim %s: emptied, previous files are in claim %s", installation.SYSTEM_STORAGE, saved_to)


class _Filling(NamedTuple):
    """A claim that is being filled, and the names at its volume's root that are skipped."""

    claim: str
    target: Path
    passed: Collection[str]
    again: bool

    @classmethod
    def of(cls, claim: str, target: Path, *, again: bool) -> "_Filling":
        """Look at a target's root. In a repetition, a folder that this restore made there is not a snapshot folder."""
        if again:
            removal.let_in(target, volume.SNAPSHOTS)
        return cls(claim, target, volume.passed_over(target), again)

    def of_target(self, lines: Iterable[str]) -> Iterable[str]:
        """The lines of a listing, without entries in a folder where the target shows its own snapshots."""
        snapshots = volume.snapshots(self.passed)
        if not snapshots:
            return lines
        return (line for line in lines if mtree.head(line)[0].partition("/")[0] not in snapshots)


def _check_empty(target: Path, passed: Collection[str]) -> None:
    found = volume.content(target, passed)
    if folders := volume.snapshots(found):
        raise errors.TargetHoldsSnapshots(installation.SYSTEM_STORAGE, folders)
    if found:
        raise errors.TargetNotEmpty(installation.SYSTEM_STORAGE, found)


def snapshots(root: Path) -> dict[str, str]:
    """The snapshot folders at a volume's root that are skipped, and how many entries each shows, in words."""
    return {name: volume.shown(root, name) for name in volume.snapshots(volume.passed_over(root))}


def _note_passed_over(tally: Tally, root: Path, passed: Collection[str], what: str) -> None:
    """Report the skipped snapshot folders, in the log and for the evidence."""
    for name in volume.snapshots(passed):
        note = f"folder {name!r} at the root of {what} is skipped, with its {volume.shown(root, name)}: {OF_SNAPSHOTS}"
        log.warning(note)
        tally.notes.append(note)


def _note(tally: Tally, note: str) -> None:
    """Log a note, and keep it for the evidence."""
    log.info("%s", note)
    tally.notes.append(note)


def _note_unkept(tally: Tally, meter: Meter) -> None:
    """Report modes and times that the volume does not keep."""
    counts = meter.counts
    if counts.modes_refused:
        _note(tally, f"{counts.modes_refused} entries have a wrong mode, because the volume does not keep modes")
    if counts.times_refused:
        _note(tally, f"{counts.times_refused} entries have wrong times, because the volume does not keep times")


def _fill(backup: Backup, filling: _Filling, progress: Progress, workers: int) -> Tally:
    claim, target, passed, again = filling
    meter = Meter()
    show = _showing(progress, meter, backup.counts)
    work = Work(workers, meter, show)

    def lines() -> Iterable[str]:
        return filling.of_target(backup.lines())

    tally, findings = bring(lines, backup.tree, target, work, again=again, passed_over=passed)
    if findings:
        raise errors.TargetDiffers(claim, findings)
    if backup.lacking:
        log.warning(backup.lacking)
    _note_passed_over(tally, target, passed, f"the volume of claim {claim}")
    if volume.snapshots(passed) and (left_out := backup.counts.entries - tally.entries):
        _note(tally, f"{left_out} entries of the backup are not restored, because they are in a skipped folder")
    log.info(
        "%d files, %d folders, %d links: restored, %d bytes", tally.files, tally.folders, tally.links, tally.size_bytes
    )
    counts = meter.counts
    if counts.widened:
        log.info("%d entries: permissions of the group extended, so that System can write", counts.widened)
    if counts.ownership_kept:
        _note(tally, f"{counts.ownership_kept} entries are owned by the restoring user, which may not change owners")
    _note_unkept(tally, meter)
    return tally


def bring(
    lines: Callable[[], Iterable[str]],
    source: Path,
    target: Path,
    work: Work,
    *,
    again: bool,
    passed_over: Collection[str] | None = None,
) -> tuple[Tally, Few]:
    """Copy a tree as the lines of its listing say, and compare it with them while the system writes to the disk.

    Names at the target's root that are `passed_over` are not its content; None: as the volume shows.
    Returns the counts and the differences. Raises what `copy_back.copy` does.
    """
    passed = volume.passed_over(target) if passed_over is None else passed_over
    with durability.writing_back(target, lambda: work.meter.counts.size_bytes) as write_back:
        tally = copy_back.copy(lines(), source, target, work, again=again, passed_over=passed)
        work.tick()
        write_back()
        found = comparison.differences(tally, lambda: mtree.parse(lines()), target, work.workers, work.tick, passed)
        return tally, Few.of(found)


def _copied(target: Path, workers: int, passed: Collection[str]) -> int:
    """Bytes of data that an earlier run has copied."""
    if not volume.content(target, passed):
        return 0
    return scanning.measure(target, workers, passed_over=passed).data_bytes


def _lacking(backup: Backup, target: Path, workers: int, passed: Collection[str]) -> int:
    """Bytes for which the target must still have room."""
    copied, free = _copied(target, workers, passed), volume.free_bytes(target)
    return backup.needed_bytes(None if free is None else free + copied) - copied


@contextmanager
def _room(target: Path, needed_bytes: int) -> Iterator[None]:
    """Refuse a volume without enough room before the first byte. One that fills up later gives the same error.

    A volume that does not report its free space is tried.

    Raises:
        errors.VolumeFull

    """
    free = volume.free_bytes(target)
    if free is not None and needed_bytes > free:
        raise errors.VolumeFull(str(target), needed_bytes, free)
    try:
        yield
    except errors.VolumeFull as error:
        raise errors.VolumeFull(str(target), needed_bytes, volume.free_bytes(target)) from error


def _judge(tally: Tally) -> None:
    """Report entries that were not copied. Entries that could not be read are a failure."""
    if tally.vanished:
        _note(tally, f"{len(tally.vanished)} entries vanished while the tree was read: {_quoted(tally.vanished)}")
    if tally.grew:
        _note(
            tally,
            f"{len(tally.grew)} files grew while they were read, saved without the new data: {_quoted(tally.grew)}",
        )
    if tally.shared:
        log.info("%d files are hard links: each is saved as a file of its own", tally.shared)
    for path in tally.special:
        log.info("%r: not copied, it is a socket, FIFO or device", path)
    if tally.unreadable:
        raise errors.ReadFailed(tally.unreadable, "from System FileStorage")
    if tally.changing:
        raise errors.ChangedWhileRead(tally.changing)


def _quoted(few: Few) -> str:
    """The first of some names. Names that end with a slash are folders."""
    return str(Few([f"folder {name[:-1]!r}" if name.endswith("/") else repr(name) for name in few.first], few.count))


def _count(progress: Progress, so_far: Tally) -> None:
    """Show progress while the total is not known yet."""
    progress(Amount(0, 0), Amount(so_far.entries, so_far.size_bytes))


def _showing(progress: Progress, meter: Meter, all_of_it: Tally) -> Callable[[], object]:
    total = Amount(all_of_it.entries, all_of_it.size_bytes)
    return lambda: progress(Amount(*meter.counts[:2]), total)
