"""Some files of a backup, out of a repository, for a person who needs one of them and not the whole backup.

What was fetched is compared with the digests in the manifest and in the listing of the tree. Files that have no digest
there (begin marker, reports, SHA256SUMS) are fetched as restic has them. restic checks the bytes of all files itself.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path, PurePosixPath

from steps import errors
from steps.archive import layout, seal
from steps.archive.manifest import Digest, Manifest
from steps.files import comparison
from steps.files.mtree import FILE, Entry
from steps.files.tally import Tally
from steps.parts.file_storage import Amount, Progress
from steps.repository import download
from steps.repository.snapshots import Snapshot
from steps.restic.program import Restic

_PATTERN = re.compile(r"([\\*?\[])")  # signs of a pattern; a name may hold them


def paths(told: Iterable[str]) -> list[str]:
    """Return paths from the root of a backup, each in its one spelling.

    Raises:
        errors.BadInclude: a path leads out of the backup, or names all of it.

    """
    found = []
    for each in told:
        parts = PurePosixPath(each.strip("/")).parts
        if not parts or ".." in parts or "\0" in each:
            raise errors.BadInclude(each)
        found.append("/".join(parts))
    return found


def check(restic: Restic, snapshot: Snapshot, wanted: Sequence[str]) -> None:
    """Check that a backup holds the wanted paths.

    Raises:
        errors.NotInBackup; as `Restic.lines`

    """
    if missing := [path for path in wanted if not _is_there(restic, snapshot, path)]:
        nodes = restic.run("ls", "--no-lock", snapshot.id, snapshot.root).decode(errors="replace").splitlines()
        top = [name for line in nodes if (name := line.removeprefix(snapshot.root).strip("/")) and "/" not in name]
        raise errors.NotInBackup(snapshot.backup, missing, top)


def fetch(
    restic: Restic, snapshot: Snapshot, wanted: Sequence[str], root: Path, scratch: Path, progress: Progress
) -> Tally:
    """Fetch the wanted paths below a folder, and compare them with their digests. Returns the counts of what agreed.

    Raises:
        errors.FetchedDiffers; as `download.read` and `download.restoring`

    """
    sealed = download.read(restic, snapshot)
    patterns = [part for path in wanted for part in ("--include", "/" + _PATTERN.sub(r"\\\1", path))]
    total = Amount(0, 0)
    for told in download.restoring(restic, snapshot, root, *patterns):
        total = Amount(int(told.get("total_files", 0)), int(told.get("total_bytes", 0)))
        progress(Amount(int(told.get("files_restored", 0)), int(told.get("bytes_restored", 0))), total)
    progress(total, total)
    agreed = Tally()
    looks = (
        _findings_of_objects(root, _digests(sealed.manifest), wanted, agreed),
        _findings_of_tree(restic, snapshot, sealed.manifest, wanted, (root, scratch), agreed),
    )
    if wrong := errors.Few.of(chain.from_iterable(looks)):
        raise errors.FetchedDiffers(snapshot.backup, snapshot.short_id, restic.store.name, wrong)
    return agreed


def _is_there(restic: Restic, snapshot: Snapshot, path: str) -> bool:
    lines = restic.lines("ls", "--no-lock", "--json", snapshot.id, snapshot.path(path))
    return sum(1 for _ in lines) > 1  # the first line is the snapshot


def _digests(manifest: Manifest) -> dict[str, Digest]:
    more = {layout.RESULT: manifest.result, layout.LISTING: manifest.file_storage and manifest.file_storage.listing}
    return {**manifest.listed, **{path: digest for path, digest in more.items() if digest}}


def _findings_of_objects(root: Path, digests: dict[str, Digest], wanted: Sequence[str], agreed: Tally) -> Iterator[str]:
    for path, expected in digests.items():
        if _is_wanted(path, wanted):
            agreed.files += 1
            agreed.size_bytes += expected.size
            if finding := seal.file_finding(root, path, expected):
                yield finding


def _findings_of_tree(
    restic: Restic,
    snapshot: Snapshot,
    manifest: Manifest,
    wanted: Sequence[str],
    places: tuple[Path, Path],
    agreed: Tally,
) -> Iterator[str]:
    """Yield files of System FileStorage that differ from the listing. `places`: the folder, and one for the listing."""
    root, scratch = places
    facts = manifest.file_storage
    if facts is None or not any(path.partition("/")[0] == layout.TREE for path in wanted):
        return
    with (scratch / layout.LISTING).open("wb") as stream:
        stream.writelines(restic.lines("dump", "--no-lock", snapshot.id, snapshot.path(layout.LISTING)))
    entries = _wanted_files(seal.listed(scratch, facts.listing), wanted)
    for finding in comparison.unlike(agreed.kept(entries), root / layout.TREE):
        yield f"{layout.TREE}: {finding}"


def _wanted_files(entries: Iterable[Entry], wanted: Sequence[str]) -> Iterator[Entry]:
    return (each for each in entries if each.kind == FILE and _is_wanted(f"{layout.TREE}/{each.path}", wanted))


def _is_wanted(path: str, wanted: Sequence[str]) -> bool:
    return any(path == each or path.startswith(f"{each}/") for each in wanted)
