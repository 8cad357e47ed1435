"""A repository at an SFTP server is opened with the keys of the Secret, also by a UID that nobody knows."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from steps import errors
from steps.restic import program
from steps.restic.store import Store

PASSWORD = "a password for the tests of repositories"  # noqa: S105  # of repositories that live as long as a test
UNKNOWN_UID = 1000770000  # as OpenShift assigns them
pytestmark = pytest.mark.usefixtures("restic_on_path")


@pytest.fixture
def store(sftp, tmp_path):
    told = {
        "RESTIC_REPOSITORY": sftp.repository(tmp_path.name),
        "RESTIC_PASSWORD": PASSWORD,
        "ssh-privatekey": sftp.key.read_text().strip(),
        "known_hosts": sftp.known_hosts.read_text().strip(),
    }
    return Store("copies", told).checked()


def opened(store, tmp_path):
    return program.opened(store, tmp_path / "private", tmp_path / "scratch")


def test_a_repository_is_made_and_opened(store, sftp, tmp_path):
    with opened(store, tmp_path) as restic:
        restic.run("init")
        restic.run("cat", "config")

    assert (sftp.folder / tmp_path.name / "config").is_file()


@pytest.mark.thorough
def test_a_host_that_known_hosts_lacks_is_refused(store, tmp_path):
    other = Store("copies", {**store.told, "known_hosts": store.told["known_hosts"].replace("127.0.0.1", "127.0.0.2")})

    with opened(other, tmp_path) as restic, pytest.raises((errors.HostKeyUnknown, errors.SftpNotStarted)):
        restic.run("init", limit_s=20)


@pytest.mark.thorough
@pytest.mark.skipif(os.geteuid() != 0, reason="another UID takes root")
def test_a_uid_that_etc_passwd_lacks_can_use_ssh(store, sftp, restic, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: UNKNOWN_UID)  # of the pod; the process below has it
    with tempfile.TemporaryDirectory(dir="/tmp") as made:
        folder = Path(made)
        shutil.copy(restic.path, folder)
        for name, text in store.files().items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o600)
        for path in (folder, *folder.iterdir()):
            os.chown(path, UNKNOWN_UID, 0)
        words = ["setpriv", f"--reuid={UNKNOWN_UID}", "--regid=0", "--clear-groups", f"{folder}/restic", "--no-cache"]
        known = {**store.environment(folder), "PATH": os.environ["PATH"], "HOME": made}
        done = subprocess.run(  # noqa: S603  # restic
            [*words, *store.options(folder), "init"], env=known, capture_output=True, text=True, timeout=60, check=False
        )
    if "cannot be preloaded" in done.stderr:
        pytest.skip("nss_wrapper is missing: install Debian's libnss-wrapper")

    assert (done.returncode, done.stderr) == (0, "")
    assert (sftp.folder / tmp_path.name / "config").is_file()
