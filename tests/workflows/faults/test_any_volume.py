"""Whatever lies on a backup's volume: a reader ends, says one sentence, touches nothing else, believes the seal."""

import hashlib
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from steps import backup, errors, seal, tree, volume
from steps.manifest import PLACEHOLDER
from tests.steps import operators_backup
from tests.workflows.faults import mutations, readers
from tests.workflows.faults.mutations import MUTATIONS, Mutation

CLAIMS = "persistentvolumeclaims"
CLAIM, STORAGE, SCRATCH_CLAIM = "nightly", "system-storage", "drill"
PHASES, COMMANDS = "steps.__main__", "workflows.__main__"


class Case(NamedTuple):
    """A volume, what a phase fills, and what lies outside."""

    root: Path
    target: Path
    outside: Path
    digest: str


def told(account):
    return ["--namespace", "threescale", "--workflow", "w", "--workflow-uid", "u", "--request-timeout-s", "10", account]


def of_claim(case):
    return ["--claim", CLAIM, "--backup", str(case.root)]


READERS = {
    "verify": (COMMANDS, lambda case: ["verify", str(case.root), "--for-operator"]),
    "report": (COMMANDS, lambda case: ["report", str(case.root / volume.RESULT)]),
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
}
KUBECONFIG = "kubeconfig-None"


@pytest.fixture
def stage(lost):
    """A namespace whose installation is lost, with an empty system-storage."""
    lost.claim(STORAGE)
    lost.connect()
    return lost


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """A backup that the operator made."""
    return operators_backup.make(tmp_path_factory.mktemp("theirs") / "nightly")


def reset(stage, before):
    """Have the claims say what they said at first."""
    for name, metadata in before.items():
        now = stage.get(CLAIMS, name)["metadata"]
        patch = {
            part: {**dict.fromkeys(now.get(part) or {}), **(metadata.get(part) or {})}
            for part in ("labels", "annotations")
        }
        stage.kubernetes.patch(CLAIMS, stage.namespace, name, {"metadata": patch})


def shape(root, digests=True):
    """All that lies in a folder, by names, kinds, sizes, digests and targets."""
    return [
        (entry.path, entry.kind, entry.size, entry.digest, entry.target)
        for entry in tree.scan(root, digests=digests, workers=0, passed_over=())
        if hasattr(entry, "kind")
    ]


def sealed_tree(root):
    """What a restore is to bring, of the tree that the seal of a volume tells of."""
    return [each for each in shape(root / volume.TREE) if each[0] not in {PLACEHOLDER, volume.LOST_AND_FOUND}]


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
        return backup.open_at(root, CLAIM).digest
    return hashlib.sha256().hexdigest()


@pytest.fixture
def judge(stage, sealed, theirs):
    """Change a volume, have it read, and look at what came of it."""
    before = {name: stage.get(CLAIMS, name)["metadata"] for name in (CLAIM, STORAGE)}

    def change_and_read(reader, changes, by_operator, resealed):
        reset(stage, before)
        source = theirs if by_operator else sealed.folder
        module, words = READERS[reader]
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name).resolve()
            root, target, outside = (folder / part for part in (CLAIM, "target", "outside"))
            shutil.copytree(source, root, symlinks=True)
            target.mkdir()
            outside.mkdir()
            (outside / "file").write_bytes(b"nobody's")
            mutations.apply(root, outside, changes, sealed=resealed)
            if by_operator or resealed:
                bare = dict.fromkeys(before[CLAIM]["annotations"])
                labels = None if by_operator else {}
                stage.kubernetes.patch(
                    CLAIMS, stage.namespace, CLAIM, {"metadata": {"labels": labels, "annotations": bare}}
                )
            seen, original = shape(outside), digest_of(source)
            case = Case(root, target, outside, digest_of(root) if by_operator or resealed else original)
            listed, told_of = sealed_tree(root), listing_of(root)
            ended = readers.run(
                module, words(case), folder, {"KUBECONFIG": str(stage.folder / KUBECONFIG), "HOME": str(folder)}
            )
            filled, still = shape(target), shape(outside)

        with suppress(InvalidArgument):  # outside of a fuzzer
            event(f"{reader} ends with {ended.code}")

        assert ended.code in {0, 1, 75}, ended
        said = f"{ended.out}{ended.err}"
        assert "Traceback" not in said, ended
        assert "unexpected" not in said, ended
        assert all(sign.isprintable() or sign == "\n" for sign in said), ended
        assert len(ended.err.splitlines()) <= 1, ended
        assert still == seen
        if ended.code == 0 and reader == "restore file-storage":
            assert filled == (listed if by_operator else told_of if resealed else sealed_tree(source)), ended
        if ended.code == 0 and reader in {"verify", "verify read"} and not by_operator and not resealed:
            assert listed == sealed_tree(source), ended

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


@given(*cases)
@settings(max_examples=8, **UNTIMED)
def test_whatever_lies_on_a_volume_each_reader_ends_with_a_sentence(judge, reader, changes, by_operator, resealed):
    judge(reader, changes, by_operator, resealed)


@pytest.mark.thorough
@given(*cases)
@settings(max_examples=600, **UNTIMED)
def test_of_many_volumes_each_reader_ends_with_a_sentence(judge, reader, changes, by_operator, resealed):
    judge(reader, changes, by_operator, resealed)
