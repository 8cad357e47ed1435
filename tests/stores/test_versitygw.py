"""versitygw keeps a restic repository and locks what it is told to lock."""

import subprocess
from datetime import UTC, datetime, timedelta

import pytest

pytestmark = pytest.mark.thorough


@pytest.fixture
def bucket(versitygw):
    return versitygw.locked_bucket()


def test_a_backup_comes_back_from_a_bucket_with_object_lock(restic, versitygw, bucket, tmp_path):
    (tmp_path / "file").write_text("content\n")
    environment = {"RESTIC_PASSWORD": "a password of the tests", **versitygw.credentials}
    environment["RESTIC_REPOSITORY"] = versitygw.repository(bucket)
    restic.run(environment, "init")
    restic.run(environment, "backup", tmp_path / "file")
    restic.run(environment, "restore", "latest", "--target", tmp_path / "back")

    assert (tmp_path / "back" / tmp_path.relative_to("/") / "file").read_text() == "content\n"


def put(versitygw, bucket, file, *options):
    file.write_text("content\n")
    versitygw.rclone("copyto", "--s3-no-check-bucket", *options, str(file), f":s3:{bucket}/file")


def test_what_is_deleted_stays_as_a_version(versitygw, bucket, tmp_path):
    put(versitygw, bucket, tmp_path / "file")
    versitygw.rclone("deletefile", f":s3:{bucket}/file")

    assert versitygw.rclone("lsf", f":s3:{bucket}").stdout == ""
    assert versitygw.rclone("lsf", "--s3-versions", f":s3:{bucket}").stdout.startswith("file-v")


@pytest.mark.parametrize("locked", [True, False])
def test_a_locked_version_cannot_be_deleted_by_the_same_key(versitygw, bucket, tmp_path, locked):
    until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    lock = ("--s3-object-lock-mode", "COMPLIANCE", "--s3-object-lock-retain-until-date", until) if locked else ()
    put(versitygw, bucket, tmp_path / "file", *lock)
    versitygw.rclone("deletefile", f":s3:{bucket}/file")
    version = versitygw.rclone("lsf", "--s3-versions", f":s3:{bucket}").stdout.strip()
    deleted: subprocess.CompletedProcess[str] = versitygw.rclone(
        "deletefile", "--s3-versions", f":s3:{bucket}/{version}", check=False
    )

    assert bool(deleted.returncode) is locked
    assert bool(versitygw.rclone("lsf", "--s3-versions", f":s3:{bucket}").stdout) is locked
