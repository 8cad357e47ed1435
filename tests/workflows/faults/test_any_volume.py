"""Whatever lies on a backup's volume: a reader ends, says one sentence, touches nothing else, believes the seal."""

import hashlib
import json
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from steps import errors
from steps.archive import contents, layout, seal
from steps.archive.manifest import PLACEHOLDER
from steps.files import scanning, volume
from steps.threescale import installation
from tests.builders import operators_backup
from tests.workflows.faults import mutations, readers, standing
from tests.workflows.faults.mutations import MUTATIONS, Mutation
from tests.workflows.faults.standing import CLAIM, CLAIMS, ME, REPLACED, SCRATCH, STORAGE
from workflows.rehearsal.threescale import installation as threescale

PHASES, COMMANDS = "steps.__main__", "workflows.__main__"


class Case(NamedTuple):
    """A volume, what a phase fills, and what lies outside."""

    root: Path
    target: Path
    outside: Path
    replaced: Path
    source: Path  # the volume as it was
    digest: str


def told(account, me=ME):
    who = ["--workflow", me.name, "--workflow-uid", me.uid]
    return ["--namespace", "threescale", *who, "--request-timeout-s", "10", account]


def of_claim(case):
    return ["--claim", CLAIM, "--backup", str(case.root)]


def restore(phase, *words):
    """A phase that goes on with the backup with which its restore began."""
    return lambda case: [*told("restore"), phase, *of_claim(case), "--backup-digest", case.digest, *words]


def set_aside(phase, *words):
    return lambda case: [
        *restore(phase, "--replaced-claim", REPLACED, "--replaced", str(case.replaced))(case),
        *(word(case) if callable(word) else word for word in words),
    ]


def drill(phase, *words):
    return lambda case: [
        *(*told("drill"), phase, *of_claim(case)),
        *(word(case) if callable(word) else word for word in words),
    ]


def back_up(phase, *words):
    """A phase of the very backup that lies there."""
    return lambda case: [
        *(*told("backup", begun(case.source)), phase, *of_claim(case)),
        *(word(case) if callable(word) else word for word in words),
    ]


def begun(source):
    """Who made a backup."""
    found = json.loads((source / layout.BEGIN).read_bytes())
    return ME._replace(name=found["workflow"], uid=found["workflow_uid"])


def of_target(case):
    return str(case.target)


READERS = {
    "verify": (COMMANDS, lambda case: ["verify", str(case.root), "--for-operator"]),
    "report": (COMMANDS, lambda case: ["report", str(case.root / layout.RESULT)]),
    "plan restore": (COMMANDS, lambda case: ["plan", "restore", str(case.root), "-n", "threescale"]),
    "restore plan": (PHASES, lambda case: [*told("restore"), "plan", *of_claim(case)]),
    "restore salvage": (
        PHASES,
        lambda case: [*told("restore"), "plan", *of_claim(case), "--file-storage-damage", "skip"],
    ),
    "restore file-storage": (
        PHASES,
        lambda case: [
            *(*told("restore"), "file-storage", *of_claim(case), "--backup-digest", case.digest),
            *("--file-storage", str(case.target), "--workers", "1"),
        ],
    ),
    "prune look": (PHASES, lambda case: [*told("prune"), "look", *of_claim(case)]),
    "verify read": (PHASES, lambda case: [*told("verify"), "read", *of_claim(case)]),
    "verify sample": (PHASES, lambda case: [*told("verify"), "read", *of_claim(case), "--sample", "40%"]),
    "restore secrets": (PHASES, restore("secrets")),
    "restore configmaps": (PHASES, restore("configmaps")),
    "restore apimanager": (PHASES, restore("apimanager")),
    "restore routes": (PHASES, restore("routes", "--wait-minutes", "0.1", "--look-s", "0")),
    "restore set-aside-objects": (
        PHASES,
        set_aside("set-aside-objects", "--differing-secrets", "system-redis", "--differing-configmaps", "-"),
    ),
    "restore set-aside-files": (PHASES, set_aside("set-aside-files", "--file-storage", of_target, "--workers", "1")),
    "drill prepare": (PHASES, drill("prepare", "--scratch-namespace", SCRATCH)),
    "drill objects": (PHASES, drill("objects", "--scratch-namespace", SCRATCH)),
    "drill file-storage": (PHASES, drill("file-storage", "--scratch-claim", "w-drill", "--scratch", of_target)),
    "backup seal": (PHASES, back_up("seal")),
    "backup file-storage": (PHASES, back_up("file-storage", "--file-storage", of_target, "--workers", "1")),
    "backup apimanager": (PHASES, back_up("apimanager", "--apimanager", threescale.NAME)),
}
ACTING = list(READERS)[list(READERS).index("restore secrets") :]
BEFORE = {
    "restore apimanager": standing.with_objects,
    "restore routes": standing.with_3scale,
    "restore set-aside-files": standing.with_files,
    "drill objects": standing.with_ledger,
    "drill file-storage": standing.with_ledger,
    "backup seal": standing.with_source,
    "backup file-storage": standing.with_source,
    "backup apimanager": standing.with_source,
}
OWN = {layout.MANIFEST, layout.SUMS, layout.RESULT}  # of the seal
KUBECONFIG = "kubeconfig-None"


@pytest.fixture
def stage(installed, kept):  # noqa: ARG001  the same namespace, to which it brings the backup
    """A namespace whose installation is lost, with an empty system-storage, and no operator that makes one again."""
    installed.lose()
    threescale.give_database_secrets(installed.kubernetes, installed.namespace)
    scratch = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SCRATCH}}
    installed.kubernetes.apply(scratch)
    installed.claim(STORAGE)
    installed.connect()
    return installed


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """A backup that the operator made."""
    return operators_backup.make(tmp_path_factory.mktemp("theirs") / "nightly")


@pytest.fixture(scope="module")
def unsealed(sealed, tmp_path_factory):
    """A backup all of whose phases but the seal are done."""
    root = tmp_path_factory.mktemp("unsealed") / CLAIM
    shutil.copytree(sealed.folder, root, symlinks=True)
    for name in OWN:
        (root / name).unlink()
    return root


def shape(root, digests=True):
    """All that lies in a folder, by names, kinds, sizes, digests and targets."""
    return [
        (entry.path, entry.kind, entry.size, entry.digest, entry.target)
        for entry in scanning.scan(root, digests=digests, workers=0, passed_over=())
        if hasattr(entry, "kind")
    ]


def sealed_tree(root):
    """What a restore is to bring, of the tree that the seal of a volume tells of."""
    return [each for each in shape(root / layout.TREE) if each[0] not in {PLACEHOLDER, volume.LOST_AND_FOUND}]


def listing_of(root):
    """What a listing tells that a restore is to bring, whatever the tree holds; nothing where it can't be read."""
    with suppress(errors.PhaseError, OSError, ValueError):
        return [
            (entry.path, entry.kind, entry.size, entry.digest, entry.target)
            for entry in seal.listed(root)
            if entry.path != PLACEHOLDER
        ]
    return []


def digest_of(root):
    with suppress(errors.PhaseError, OSError):
        return contents.open_at(root, CLAIM).digest
    return hashlib.sha256().hexdigest()


class Look(NamedTuple):
    """What lies there, before a reader or after it."""

    outside: list
    target: list
    volume: list
    tree: list
    listing: list
    objects: dict
    replaced: list
    replaced_objects: dict

    @classmethod
    def at(cls, case):
        return cls(
            outside=shape(case.outside),
            target=shape(case.target),
            volume=shape(case.root, digests=False),
            tree=sealed_tree(case.root),
            listing=listing_of(case.root),
            objects=standing.objects_of(case.root),
            replaced=sealed_tree(case.replaced),
            replaced_objects=standing.objects_of(case.replaced),
        )


class Judged(NamedTuple):
    """A reader's end, and what there was before and after; `is_trusted`: no seal tells what it should be."""

    reader: str
    is_trusted: bool
    by_operator: bool
    ended: readers.Ended
    before: Look
    after: Look

    @property
    def backs_up(self):
        return is_backup(self.reader)

    def succeeded(self, *names):
        return self.ended.code == 0 and self.reader in names


def is_backup(reader):
    return reader.startswith("backup")


_LEFT = {*installation.DATABASE_SECRETS, "system-memcache"}
MAKES = {
    "restore secrets": lambda resource, name: resource == "secrets" and name not in _LEFT,
    "restore configmaps": lambda resource, _: resource == "configmaps",
    "restore apimanager": lambda resource, _: resource == "apimanagers",
    "drill objects": lambda resource, name: resource != "apimanagers" and name != "system-memcache",
}


def check_said(reader, ended):
    """Whatever it was, it ended with one sentence."""
    with suppress(InvalidArgument):  # outside of a fuzzer
        event(f"{reader} ends with {ended.code}")
    said = f"{ended.out}{ended.err}"
    assert ended.code in {0, 1, 75}, ended
    assert "Traceback" not in said, ended
    assert "unexpected" not in said, ended
    assert all(sign.isprintable() or sign == "\n" for sign in said), ended
    assert len(ended.err.splitlines()) <= 1, ended


def check_untouched(judged):
    """Nothing changes but what the reader fills."""
    before, after = judged.before, judged.after
    assert after.outside == before.outside
    if not judged.backs_up:
        assert after.volume == before.volume, judged.ended
    if judged.reader not in {"restore file-storage", "drill file-storage"}:
        assert after.target == before.target, judged.ended
    if judged.succeeded("drill file-storage"):
        assert after.target == [], judged.ended


def check_files(judged, was):
    """What was restored, or called right, is what the seal tells of; without one, what lies there."""
    told = judged.before.tree if judged.by_operator else judged.before.listing if judged.is_trusted else was
    if judged.succeeded("restore file-storage"):
        assert judged.after.target == told, judged.ended
    if judged.succeeded("verify", "verify read") and not judged.is_trusted:
        assert judged.before.tree == was, judged.ended


def check_objects(judged, made, was):
    """So are the objects, and nothing else was made."""
    may_be = judged.before.objects if judged.is_trusted else was
    assert all(value in may_be.get(key, []) for key, value in made.items()), judged.ended
    if judged.succeeded(*MAKES) and not judged.is_trusted:
        assert {key for key in may_be if MAKES[judged.reader](*key)} == set(made), judged.ended


def check_set_aside(judged, secret):
    """What is saved is what was there."""
    if judged.succeeded("restore set-aside-objects"):
        assert judged.after.replaced_objects["secrets", "system-redis"] == [standing.said(secret)], judged.ended
    if judged.succeeded("restore set-aside-files"):
        assert judged.after.replaced == judged.before.target, judged.ended


def check_backed_up(judged, case):
    """What a phase of a backup says that it has done lies there."""
    if judged.succeeded("backup seal"):
        assert judged.after.tree == sealed_tree(case.source), judged.ended
        assert judged.after.objects == standing.objects_of(case.source), judged.ended
    if judged.succeeded("backup file-storage"):
        assert judged.after.tree == judged.before.target, judged.ended
    if judged.succeeded("backup apimanager"):
        assert (
            judged.after.objects["apimanagers", threescale.NAME]
            == standing.objects_of(case.source)["apimanagers", threescale.NAME]
        ), judged.ended


def laid(folder, source, reader):
    """A copy of a volume, and what lies beside it."""
    case = Case(*(folder / part for part in (CLAIM, "target", "outside", REPLACED)), source, "")
    shutil.copytree(source, case.root, symlinks=True)
    for made in (case.target, case.outside, case.replaced):
        made.mkdir()
    (case.outside / "file").write_bytes(b"nobody's")
    if is_backup(reader) and reader != "backup seal":  # it has yet to do its part
        (case.root / layout.REPORTS / f"{reader.partition(' ')[2]}.json").unlink()
    return case


@pytest.fixture
def judge(stage, sealed, theirs, unsealed):
    """Change a volume, have it read, and look at what came of it."""
    said = {name: stage.get(CLAIMS, name)["metadata"] for name in (CLAIM, STORAGE)}
    there = standing.names(stage)

    def strip(by_operator):
        """Have the claim say nothing of a seal, or nothing at all of ours."""
        metadata = {"labels": None if by_operator else {}, "annotations": dict.fromkeys(said[CLAIM]["annotations"])}
        stage.kubernetes.patch(CLAIMS, stage.namespace, CLAIM, {"metadata": metadata})

    def change_and_read(reader, changes, by_operator, resealed):
        standing.reset(stage, said, there)
        by_operator = by_operator and not is_backup(reader)
        is_trusted = by_operator or (resealed and not is_backup(reader))
        source = unsealed if is_backup(reader) else theirs if by_operator else sealed.folder
        module, words = READERS[reader]
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name).resolve()
            case = laid(folder, source, reader)
            mutations.apply(case.root, case.outside, changes, sealed=resealed)
            if is_trusted:
                strip(by_operator)
            case = case._replace(digest=digest_of(case.root if is_trusted else source))
            BEFORE.get(reader, lambda *_: None)(stage, case)
            found, before = standing.names(stage), Look.at(case)
            environment = {"KUBECONFIG": str(stage.folder / KUBECONFIG), "HOME": str(folder)}
            ended = readers.run(module, words(case), folder, environment)
            judged = Judged(reader, is_trusted, by_operator, ended, before, Look.at(case))
        check_said(reader, ended)
        check_untouched(judged)
        check_files(judged, sealed_tree(source))
        check_objects(judged, standing.made(stage, found), standing.objects_of(source))
        check_set_aside(judged, stage.get("secrets", "system-redis"))
        check_backed_up(judged, case)
        return ended

    return change_and_read


changes = st.builds(
    Mutation, st.sampled_from(sorted(MUTATIONS)), st.integers(0, 200), st.integers(0, 1 << 16), st.integers(0, 1 << 12)
)
cases = (st.sampled_from(sorted(READERS)), st.lists(changes, min_size=1, max_size=2), st.booleans(), st.booleans())
UNTIMED = {
    "deadline": None,
    "derandomize": True,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}


@pytest.mark.parametrize("by_operator", [False, True])
@pytest.mark.parametrize("reader", ["verify", "restore file-storage"])
def test_a_volume_as_it_was_is_read(judge, reader, by_operator):
    judge(reader, [], by_operator, False)


@pytest.mark.thorough
def test_a_volume_as_it_was_is_acted_on(judge):
    ended = {reader: judge(reader, [], by_operator=False, resealed=False) for reader in ACTING}

    assert {reader: each.err for reader, each in ended.items() if each.code != 0} == {}


@pytest.mark.thorough
@given(*cases)
@settings(max_examples=8, **UNTIMED)
def test_whatever_lies_on_a_volume_each_reader_ends_with_a_sentence(judge, reader, changes, by_operator, resealed):
    judge(reader, changes, by_operator, resealed)


@pytest.mark.thorough
@given(*cases)
@settings(max_examples=600, **UNTIMED)
def test_of_many_volumes_each_reader_ends_with_a_sentence(judge, reader, changes, by_operator, resealed):
    judge(reader, changes, by_operator, resealed)
