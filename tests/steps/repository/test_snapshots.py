"""Snapshots of backups are told from those of others, by their tags."""

import pytest

from steps.repository.snapshots import Snapshot, read_message, tags, time_option
from tests.builders.facts import a_manifest

DIGEST = "a" * 64
TOLD = {
    "id": "1" * 64,
    "time": "2026-01-02T03:04:05Z",
    "hostname": "0123456789abcdef",
    "paths": ["/backup/manifest.json", "/backup/secrets"],
    "tags": [
        "backup=nightly",
        f"manifest-sha256={DIGEST}",
        "threescale=2.16.0",
        "entries=77",
        "files=43",
        "bytes=190509",
    ],
    "summary": {"total_files_processed": 77, "data_added_packed": 4711},
}


def test_a_snapshot_of_a_backup_has_the_facts_of_its_tags():
    found = Snapshot.parse(TOLD)

    assert (found.backup, found.digest, found.root) == ("nightly", DIGEST, "/backup")
    assert (found.files, found.size_bytes, found.added_bytes) == (43, 190509, 4711)
    assert found.is_whole


@pytest.mark.parametrize(
    "change",
    [
        {"tags": None},
        {"tags": ["backup=nightly"]},
        {"paths": ["/home"]},
        {"time": "yesterday"},
    ],
)
def test_a_snapshot_of_somebody_else_is_none(change):
    assert Snapshot.parse({**TOLD, **change}) is None


def test_a_snapshot_names_itself_and_what_is_in_it_as_restic_takes_it():
    found = Snapshot.parse(TOLD)

    assert found.short_id == "11111111"
    assert found.tree == f"{TOLD['id']}:/backup"
    assert found.path("SHA256SUMS") == "/backup/SHA256SUMS"


def test_a_backup_at_the_root_of_a_snapshot_has_paths_with_one_slash():
    found = Snapshot.parse({**TOLD, "paths": ["/manifest.json"]})

    assert found.tree == f"{TOLD['id']}:/"
    assert found.path("SHA256SUMS") == "/SHA256SUMS"


@pytest.mark.parametrize("summary", [None, {}, {"total_files_processed": 76}, {"total_files_processed": "77x"}])
def test_a_snapshot_without_as_many_files_as_the_backup_is_not_whole(summary):
    assert not Snapshot.parse({**TOLD, "summary": summary}).is_whole


@pytest.mark.parametrize("told", ["files=-1", "files=", "files=1e3", f"files={'9' * 30}", "files"])
def test_an_odd_count_is_unknown(told):
    kept = [tag for tag in TOLD["tags"] if not tag.startswith("files=")]

    assert Snapshot.parse({**TOLD, "tags": [*kept, told]}).files is None


def test_tags_and_time_are_those_of_the_manifest():
    manifest = a_manifest()
    told = dict(tag.split("=", 1) for tag in tags(manifest, DIGEST, 77, "nights"))

    assert told["backup"] == manifest.backup
    assert told["manifest-sha256"] == DIGEST
    assert told["schedule"] == "nights"
    assert not [tag for tag in tags(manifest, DIGEST, 77, "") if "," in tag or "schedule" in tag]
    assert time_option(manifest)[1] == manifest.started.strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize("line", [b"", b"text\n", b"[]\n", b'{"message_type": "error"}\n', b"\xff\n"])
def test_other_lines_say_nothing(line):
    assert read_message(line) == {}
