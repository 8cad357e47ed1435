"""A power loss takes what was not synced; whatever it leaves, a later try goes on, and what is believed is true.

A sync makes durable what lies on the volume at that moment. Of the names that came after it a power loss may leave all,
none or any one, and of bytes that were not synced it may leave zeros.
"""

import errno
import itertools
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from steps import __main__, errors
from steps.archive import contents, layout, marks
from steps.files import durability, volume
from steps.kubernetes import fields
from tests.builders.conflicts import FILES, differing_secret, filled_storage
from tests.builders.refusals import refused
from workflows.rehearsal.threescale import installation as threescale

pytestmark = pytest.mark.thorough

PARTS = ("secrets", "configmaps", "apimanager", "file-storage")
RECORDS = (layout.BEGIN, layout.MANIFEST, layout.SUMS, *(f"reports/{part}.json" for part in PARTS))
STRACE = shutil.which("strace")
CALLS = (
    *("openat", "write", "pwrite64", "copy_file_range", "sendfile", "mkdir", "mkdirat"),
    *("rename", "renameat", "renameat2", "link", "linkat"),
    *("sync", "syncfs", "fsync", "fdatasync", "sync_file_range", "msync"),
)


class PowerLoss(BaseException):
    """Ends a phase where the machine would."""


def words(stage, group, phase, root, target=None):
    """The arguments of a phase."""
    more = {
        "secrets": ["--apimanager", threescale.NAME] if group == "backup" else [],
        "configmaps": ["--apimanager", threescale.NAME] if group == "backup" else [],
        "apimanager": ["--apimanager", threescale.NAME] if group == "backup" else [],
        "file-storage": ["--file-storage", str(target or stage.storage)],
    }
    told = ["--namespace", stage.namespace, "--workflow", "backup-1", "--workflow-uid", "uid-1"]
    return [*told, group, phase, "--claim", "nightly", "--backup", str(root), *more.get(phase, [])]


def run(*arguments):
    """Run a phase in this process; its errors come as they are."""
    __main__.cli.main([*arguments], standalone_mode=False)


@pytest.fixture
def nightly(installed, monkeypatch):
    """An installation whose backup is prepared."""
    installed.connect("threescale-backup")
    monkeypatch.setenv("KUBECONFIG", str(installed.folder / "kubeconfig-threescale-backup"))
    told = ["--namespace", installed.namespace, "--workflow", "backup-1", "--workflow-uid", "uid-1"]
    run(*told, "backup", "prepare", "--name", "nightly", "--storage-request", "1Gi")
    return installed


@pytest.fixture
def root(nightly, tmp_path, request):
    """The volume as the phase of the test finds it."""
    root = tmp_path / "nightly"
    root.mkdir()
    if "seal" in request.node.name:
        for part in PARTS:
            run(*words(nightly, "backup", part, root))
    return root


# --- what a power loss leaves ---


def look(root):
    """All that lies on a volume, by its name: which file it is, and what is in it."""
    found = {}
    for path in sorted(root.rglob("*")):
        facts = path.lstat()
        found[str(path.relative_to(root))] = (
            facts.st_ino,
            path.read_bytes() if stat.S_ISREG(facts.st_mode) else None,
        )
    return found


def losses(synced, found):
    """Names that are left, and those of them whose bytes are zeros: all, none or any one of what was not synced."""
    new = {name for name, it in found.items() if synced.get(name) != it}
    torn = {name for name in new if found[name][1] and found[name] not in synced.values()}
    yield set(found), torn
    yield set(found) - new, set()
    for name in sorted(name for name in new if name.count("/") < 2):  # of the tree the top will do
        with_folders = {name, *map(str, Path(name).parents)} & new
        yield (set(found) - new) | with_folders, {name} & torn
        yield set(found), {name} & torn


def lose(root, left, torn):
    """Do to a volume what a power loss does."""
    for path in sorted(root.rglob("*"), reverse=True):
        name = str(path.relative_to(root))
        if name not in left:
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        elif name in torn:
            before = path.stat()
            path.write_bytes(bytes(before.st_size))
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def cut(stage, phase, root, number, monkeypatch):
    """Run a phase until the power is cut in this sync: what was synced, and what lay there; None where it ends."""
    synced, found, syncs = look(root), None, 0

    def sync(_descriptor):
        nonlocal synced, found, syncs
        syncs += 1
        if syncs == number:
            found = look(root)
            shutil.copytree(root, root.with_name("cut"), symlinks=True)
            raise PowerLoss
        synced = look(root)

    monkeypatch.setattr(durability, "syncfs", sync)
    try:
        run(*words(stage, "backup", phase, root))
    except PowerLoss:
        return synced, found
    return None


def whole(root):
    """What lies on a volume in the end, without what an interrupted write has left, and times."""
    found = {name: data for name, (_, data) in look(root).items() if volume.TEMPORARY not in name}
    return {name: _timeless(data) if name.startswith("reports/") else data for name, data in found.items()}


def _timeless(report):
    return {key: value for key, value in json.loads(report).items() if key not in {"began", "ended"}}


def unseal(stage):
    """Have the claim say nothing of a seal: it is told when the volume is synced, and no power loss takes that."""
    metadata = {"labels": {marks.STATE: marks.RUNNING}, "annotations": {marks.MANIFEST_DIGEST: None}}
    stage.kubernetes.patch("persistentvolumeclaims", stage.namespace, "nightly", {"metadata": metadata})


@pytest.mark.thorough
@pytest.mark.parametrize("phase", [*PARTS, "seal"])
def test_whatever_a_power_loss_leaves_a_later_try_ends_well(nightly, root, phase, monkeypatch, tmp_path):
    # A mock of the sync, because the power can't be cut.
    cuts = 0
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(root, undisturbed, symlinks=True)
    run(*words(nightly, "backup", phase, undisturbed))
    for number in itertools.count(1):
        before, left_of = (tmp_path / f"{number}-{name}" for name in ("before", "left"))
        shutil.copytree(root, before / "nightly", symlinks=True)
        unseal(nightly)
        at_cut = cut(nightly, phase, before / "nightly", number, monkeypatch)
        if at_cut is None:
            break
        cuts = number
        for index, loss in enumerate(losses(*at_cut)):
            again = left_of / str(index)
            shutil.copytree(before / "cut", again, symlinks=True)
            lose(again, *loss)
            monkeypatch.setattr(durability, "syncfs", lambda _descriptor: None)
            unseal(nightly)
            run(*words(nightly, "backup", phase, again))

            if phase == "seal":
                assert list(contents.open_at(again).findings(digests=True)) == []
            else:
                assert whole(again) == whole(undisturbed)
            shutil.rmtree(again)
    assert cuts == (3 if phase == "seal" else 4)


# --- a sync that fails ---


def fail_sync(monkeypatch, number):
    """Have the sync of this number fail, and say how many came."""
    syncs = []

    def sync(_descriptor):
        syncs.append(True)
        if len(syncs) == number:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(durability, "syncfs", sync)
    return syncs


@pytest.mark.parametrize(
    ("phase", "number"),
    [
        *(("secrets", number) for number in (1, 2, 3, 4)),
        ("file-storage", 3),
        *(("seal", number) for number in (1, 2, 3)),
    ],
)
def test_a_phase_whose_sync_fails_leaves_nothing_that_others_believe(nightly, root, phase, number, monkeypatch):
    # A mock of the sync, because no disk fails when it is asked to.
    syncs = fail_sync(monkeypatch, number)

    with refused(errors.VolumeFailed, reason="Input/output error"):
        run(*words(nightly, "backup", phase, root))

    assert len(syncs) == number
    assert not (root / (layout.MANIFEST if phase == "seal" else f"reports/{phase}.json")).exists()
    assert fields.label(nightly.get("persistentvolumeclaims", "nightly"), marks.STATE) != marks.COMPLETE


@pytest.fixture
def restoring(lost, sealed, monkeypatch, tmp_path):
    """A restore of files that is prepared: its arguments and the volume that it fills."""
    lost.connect("threescale-restore")
    monkeypatch.setenv("KUBECONFIG", str(lost.folder / "kubeconfig-threescale-restore"))
    target = tmp_path / "target"
    target.mkdir()
    root = lost.engine.volume(sealed.name)
    run(*words(lost, "restore", "prepare", root))
    return words(lost, "restore", "file-storage", root, target), target


def restore_state(stage):
    return fields.annotation(stage.get("persistentvolumeclaims", "system-storage"), marks.RESTORE_STATE)


def test_restored_files_are_called_complete_when_they_are_synced(lost, restoring, monkeypatch):
    # A mock of the sync, because it leaves nothing to be seen.
    arguments, target = restoring
    seen = []
    monkeypatch.setattr(durability, "syncfs", lambda _descriptor: seen.append((look(target), restore_state(lost))))

    run(*arguments)

    assert seen == [(look(target), marks.BEGUN)]
    assert restore_state(lost) == marks.COMPLETE


def test_restored_files_that_can_not_be_synced_are_not_complete(lost, restoring, monkeypatch):
    # A mock for the reason above.
    fail_sync(monkeypatch, 1)

    with refused(errors.VolumeFailed, reason="Input/output error"):
        run(*restoring[0])

    assert restore_state(lost) == marks.BEGUN


@pytest.fixture
def replacing(lost, sealed, monkeypatch, tmp_path):
    """A restore that replaces a Secret and files, saved to `replaced`, is prepared: the arguments of its phases."""
    differing_secret(lost)
    filled_storage(lost)
    lost.connect("threescale-restore")
    monkeypatch.setenv("KUBECONFIG", str(lost.folder / "kubeconfig-threescale-restore"))
    root, replaced = lost.engine.volume(sealed.name), tmp_path / "replaced"
    replaced.mkdir()
    files = ["--file-storage-conflict", "replace"]
    run(*words(lost, "restore", "prepare", root), "--on-conflict", "replace", *files)
    to = ["--replaced-claim", "backup-1-replaced", "--replaced", str(replaced)]
    differing = ["--differing-secrets", "zync", "--differing-configmaps", "-"]
    objects = [*words(lost, "restore", "set-aside-objects", root), *to, *differing]
    return {
        "set-aside-objects": ["--outputs", str(tmp_path / "outputs"), *objects],
        "set-aside-files": [*words(lost, "restore", "set-aside-files", root), *to, "--file-storage", str(lost.storage)],
        "file-storage": [*words(lost, "restore", "file-storage", root, lost.storage), *files],
    }


def test_files_may_be_removed_only_when_what_was_saved_of_them_is_synced(lost, replacing, monkeypatch, tmp_path):
    # A mock of the sync, because it leaves nothing to be seen.
    replaced, seen = tmp_path / "replaced", []

    def sync(descriptor):
        seen.append((os.fstat(descriptor).st_ino, look(replaced), restore_state(lost)))

    monkeypatch.setattr(durability, "syncfs", sync)

    run(*replacing["set-aside-files"])

    assert seen[-1] == (replaced.stat().st_ino, look(replaced), "")
    assert restore_state(lost) == marks.SET_ASIDE


def test_files_whose_copy_can_not_be_synced_stay(lost, replacing, monkeypatch):
    # A mock of the sync, because no disk fails when it is asked to.
    syncs = fail_sync(monkeypatch, 4)

    with refused(errors.VolumeFailed, reason="Input/output error"):
        run(*replacing["set-aside-files"])

    assert len(syncs) == 4
    assert restore_state(lost) == ""
    with pytest.raises(errors.TargetNotEmpty):
        run(*replacing["file-storage"])
    assert {name: (lost.storage / name).read_bytes() for name in FILES} == FILES


def test_objects_whose_copies_can_not_be_synced_are_not_told_to_be_saved(replacing, monkeypatch, tmp_path):
    # A mock for the reason above.
    told = tmp_path / "outputs/saved-secrets"
    syncs = fail_sync(monkeypatch, 3)

    with refused(errors.VolumeFailed, reason="Input/output error"):
        run(*replacing["set-aside-objects"])

    assert len(syncs) == 3
    assert not told.exists()

    run(*replacing["set-aside-objects"])

    assert told.read_text().startswith("zync=")


# --- what the system is asked for, and in which order ---


def strace(log, *options):
    return [STRACE, "-f", "--seccomp-bpf", "-y", "-qq", "-o", str(log), *options]


@pytest.fixture(scope="module")
def traced(tmp_path_factory):
    """Run a phase as a process whose system calls are traced: how it ended, and the lines of the trace."""
    if STRACE is None:
        pytest.skip("no strace here")
    log = tmp_path_factory.mktemp("strace") / "log"
    tried = subprocess.run([*strace(log), "true"], capture_output=True, text=True, check=False)  # noqa: S603  a test's own
    if tried.returncode != 0:
        pytest.skip(f"strace may not trace here: {tried.stderr.strip()}")

    def run(arguments, *options):
        asked = f"trace={','.join(f'?{call}' for call in CALLS)}"
        command = [*strace(log, "-e", asked, *options), sys.executable, "-m", "steps", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  as above
        return done, log.read_text().splitlines()

    return run


def new_name(line):
    """The path that a call gives to a file, of two the new one; strace tells the folders of names in them."""
    folder, name = re.findall(r'(?:\d+<([^>]*)>, )?"([^"]*)"', line)[-1]
    return f"{folder}/{name}" if folder else name


def order(lines, root):
    """What happens to a volume: `hold` it open, `write`, `sync` it all, other syncs, and records by their names.

    What is written to the disk while a phase still copies is no sync: nothing is believed for it.
    """
    syncs = {
        place: call[1] for place, line in enumerate(lines) if (call := re.search(rf" syncfs\((\d+)<{root}>", line))
    }
    held = syncs[max(syncs)]
    lines = [line for place, line in enumerate(lines) if syncs.get(place, held) == held]
    last_sync = max(place for place, line in enumerate(lines) if " syncfs(" in line)
    opened = [place for place, line in enumerate(lines[:last_sync]) if re.search(rf" openat\(.*= {held}<", line)]
    found = []
    for place, line in enumerate(lines):
        call = re.match(r"\d+ +(\w+)\(", line)
        if place == opened[-1]:
            event = "hold"
        elif call is None or (line.count(str(root)) == 0 and "sync" not in call[1]):
            continue
        elif "sync" in call[1]:
            event = "sync" if call[1] == "syncfs" else call[1]
        elif call[1] == "openat" and "O_CREAT" not in line:
            continue
        else:
            name = new_name(line).removeprefix(f"{root}/")
            event = name if name in RECORDS and call[1].startswith(("rename", "link")) else "write"
        if event != "write" or found[-1:] != ["write"]:
            found.append(event)
    return found


BEGUN = ["hold", "write", "sync", "begin.json", "sync"]


@pytest.mark.parametrize("phase", PARTS)
def test_a_part_syncs_its_data_before_its_report_and_its_report_before_its_end(traced, nightly, root, phase):
    done, lines = traced(words(nightly, "backup", phase, root))

    assert done.returncode == 0
    assert order(lines, root) == [*BEGUN, "write", "sync", f"reports/{phase}.json", "sync"]


def test_the_seal_syncs_everything_before_the_manifest_and_the_manifest_before_its_end(traced, nightly, root):
    done, lines = traced(words(nightly, "backup", "seal", root))

    assert done.returncode == 0
    assert order(lines, root) == ["hold", "sync", "write", "SHA256SUMS", "write", "sync", "manifest.json", "sync"]


def test_a_restore_syncs_the_files_before_its_end(traced, restoring):
    arguments, target = restoring

    done, lines = traced(arguments)

    assert done.returncode == 0
    assert order(lines, target) == ["hold", "write", "sync"]


@pytest.mark.thorough
@pytest.mark.parametrize(("phase", "number"), [("secrets", 3), ("secrets", 4), ("seal", 2), ("seal", 3)])
def test_a_phase_whose_system_can_not_sync_fails_for_good(traced, nightly, root, phase, number):
    done, _ = traced(words(nightly, "backup", phase, root), "-e", f"inject=syncfs:error=EIO:when={number}")

    assert done.returncode == 1
    assert done.stderr == f"{errors.VolumeFailed(str(root), os.strerror(errno.EIO))}\n"
    assert not (root / (layout.MANIFEST if phase == "seal" else f"reports/{phase}.json")).exists()
