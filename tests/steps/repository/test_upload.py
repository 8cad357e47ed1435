"""What a push does with a snapshot that is not proved."""

import os
import shutil

import pytest

from steps.archive import contents, layout
from steps.repository import snapshots, upload
from tests.builders import pushed


@pytest.fixture
def torn(restic_on_path, backup_volume, tmp_path):  # noqa: ARG001  it is a fixture
    """A repository with a snapshot that has the tags of a backup, and not all of its files."""
    made = pushed.new(tmp_path)
    tags = [f"backup=nightly,manifest-sha256={contents.open_at(backup_volume).digest}"]
    made.run("backup", "--host", pushed.ORIGIN, "--tag", *tags, str(backup_volume / layout.MANIFEST))
    return made


def push_again(made, backup_volume):
    with made.opened() as restic:
        found = upload.upload(restic, contents.open_at(backup_volume), pushed.ORIGIN, "", lambda *_: None)
        return found, [each.id for each in snapshots.every(restic)]


@pytest.mark.thorough
def test_an_unproved_snapshot_is_forgotten(torn, backup_volume, caplog):
    caplog.set_level("INFO")

    found, left = push_again(torn, backup_volume)

    assert left == [found.snapshot.id]
    assert any(each.endswith(": forgotten") for each in caplog.messages)


def test_one_that_the_store_did_not_delete_is_not_said_to_be_forgotten(
    torn, backup_volume, tmp_path, caplog, monkeypatch
):
    caplog.set_level("INFO")
    (tmp_path / "bin").mkdir()
    refused = tmp_path / "bin/restic"  # restic 0.18 ends well where the store refuses
    refused.write_text(f'#!/bin/sh\n[ "$1" = forget ] && exit 0\nexec {shutil.which("restic")} "$@"\n')
    refused.chmod(0o755)
    monkeypatch.setenv("PATH", f"{refused.parent}{os.pathsep}{os.environ['PATH']}")

    found, left = push_again(torn, backup_volume)

    assert len(left) == 2
    assert found.snapshot.id in left
    assert not any(each.endswith(": forgotten") for each in caplog.messages)
    assert any("stays and is not counted: the store did not delete it" in each for each in caplog.messages)
