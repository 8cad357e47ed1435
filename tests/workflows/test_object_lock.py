"""Locks of the store keep the newest backup from a thief with the same key, and the alarm comes before they end."""

import time
from datetime import UTC, datetime

import pytest

from steps import errors
from steps.catalogue.durations import Duration
from steps.phases import watchdog
from steps.repository import ledger
from tests.builders import repositories
from tests.builders.commands import run
from tests.builders.object_lock import Locked
from tests.builders.repositories import Looked
from tests.stores.faults import in_front_of

pytestmark = [pytest.mark.thorough, pytest.mark.usefixtures("restic_on_path")]
FIRST_TERM_S = 25


@pytest.fixture
def bucket(versitygw):
    return Locked(versitygw, versitygw.locked_bucket())


@pytest.fixture
def address(bucket):
    return bucket.server.repository(bucket.bucket)


@pytest.fixture
def looked(restic, address, bucket):
    return Looked(restic, address, **bucket.server.credentials)


@pytest.fixture
def pushed(kept, bucket, address):
    """A namespace whose backup has a copy in a bucket with object lock."""
    repositories.give(kept, address, **bucket.server.credentials)
    workflow = kept.engine.submit("threescale-push", {"repository-init": "yes"})

    assert workflow.phase == "Succeeded", workflow.message
    return kept


def verified(stage):
    workflow = stage.verify(repository_nights="1")

    assert workflow.phase == "Succeeded", workflow.message
    return workflow.node("repository").outputs["locked-until"]


def alarm(stage, warning="7d"):
    seen = watchdog.look(stage.connect(), "", watchdog.now(), repositories.NAME)
    try:
        seen.check_locks(Duration.read(warning, ""), warning)
    except errors.PhaseError as error:
        return type(error)
    return None


def needed(monkeypatch, looked):
    for name, value in looked.environment.items():
        monkeypatch.setenv(name, value)
    code, out, complaint = run("repository", "objects", "latest")

    assert (code, complaint) == (0, "")
    return out.split()


def content(root):
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def wait_until(moment):
    time.sleep(max((moment - datetime.now(UTC)).total_seconds() + 1, 0))


def test_extended_locks_keep_the_backup_from_a_thief(pushed, bucket, looked, sealed, tmp_path, monkeypatch):
    keys = needed(monkeypatch, looked)
    first = bucket.lock(bucket.keys(), FIRST_TERM_S)

    assert set(keys) <= set(bucket.keys())
    bucket.lock([key for key in keys if "/data/" not in key], 20 * 24 * 3600)
    assert verified(pushed) == f"{repositories.NAME}:{first:%Y-%m-%dT%H:%M:%SZ}"  # the oldest pack decides
    assert alarm(pushed) is errors.LockEnds
    last = bucket.lock([key for key in keys if "/data/" in key], 10 * 24 * 3600)
    assert verified(pushed) == f"{repositories.NAME}:{last:%Y-%m-%dT%H:%M:%SZ}"
    assert alarm(pushed) is None

    wait_until(first)
    bucket.steal()
    assert set(bucket.keys()) == set(keys)
    assert looked.run("snapshots", check=False).returncode != 0
    bucket.undelete()
    (snapshot,) = looked.snapshots()
    root = next(path for path in snapshot["paths"] if path.endswith("/manifest.json")).removesuffix("/manifest.json")
    looked.run("restore", f"{snapshot['id']}:{root}", "--target", tmp_path / "back")

    assert content(tmp_path / "back") == content(sealed.folder)


def test_without_an_extension_the_alarm_comes_before_the_thief_can_delete_the_backup(pushed, bucket, looked):
    end = bucket.lock(bucket.keys(), FIRST_TERM_S)
    verified(pushed)

    assert alarm(pushed) is errors.LockEnds
    assert datetime.now(UTC) < end
    wait_until(end)
    bucket.steal()
    bucket.undelete()
    assert bucket.keys() == []
    assert looked.run("snapshots", check=False).returncode != 0


def test_an_object_that_the_second_night_left_unlocked_is_a_gap(pushed, bucket, looked, monkeypatch):
    keys = needed(monkeypatch, looked)
    bucket.lock(keys[:-1], 60)
    verified(pushed)

    assert alarm(pushed) is errors.LockLacking
    assert watchdog.look(pushed.connect(), "", watchdog.now(), repositories.NAME).facts()["locked-until"] == "0"


def test_a_bucket_without_locks_raises_no_alarm(pushed):
    assert verified(pushed) == f"{repositories.NAME}:not-locked"
    assert alarm(pushed) is None
    assert ledger.read(pushed.connect(), repositories.NAME).lock.until is None


def test_a_store_that_no_longer_tells_leaves_the_known_lock(pushed, bucket, looked, monkeypatch):
    bucket.lock(needed(monkeypatch, looked), 60)
    verified(pushed)
    with in_front_of(bucket.server.port) as proxy:
        proxy.answer(403, path=r"\?retention")
        address = bucket.server.repository(bucket.bucket).replace(bucket.server.address, proxy.address)
        repositories.give(pushed, address, **bucket.server.credentials)

        assert verified(pushed) == f"{repositories.NAME}:unknown"
    assert alarm(pushed) is errors.LockEnds
