"""The SFTP server of the tests keeps a restic repository, and refuses keys and hosts that it should."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

PASSWORD = {"RESTIC_PASSWORD": "a password of the tests"}
NSS_WRAPPER = "libnss_wrapper.so"
UNKNOWN_UID = 1000770000  # as OpenShift assigns them


@pytest.fixture
def environment(sftp, tmp_path):
    return {**PASSWORD, "RESTIC_REPOSITORY": sftp.repository(tmp_path.name)}


def test_a_backup_comes_back_from_an_sftp_server(each_restic, sftp, environment, tmp_path):
    (tmp_path / "file").write_text("content\n")
    options = ("-o", f"sftp.args={sftp.arguments}")
    each_restic.run(environment, *options, "init")
    each_restic.run(environment, *options, "backup", tmp_path / "file")
    each_restic.run(environment, *options, "restore", "latest", "--target", tmp_path / "back")

    assert (tmp_path / "back" / tmp_path.relative_to("/") / "file").read_text() == "content\n"
    assert (sftp.folder / tmp_path.name / "config").is_file()


def connect(sftp, arguments, *before, **variables):
    """Connect as restic does, and return what `ssh` said; restic loses these words now and then."""
    command = [*before, "ssh", *arguments.split(), "-p", str(sftp.port), f"{sftp.user}@127.0.0.1", "-s", "sftp"]
    environment = {"PATH": os.environ["PATH"], **variables}
    said = subprocess.run(command, env=environment, input=b"", capture_output=True, timeout=60, check=False)  # noqa: S603  # OpenSSH's
    return said.stderr.decode()


def test_an_unknown_host_is_refused(restic, sftp, environment, tmp_path):
    arguments = sftp.arguments.replace(str(sftp.known_hosts), str(tmp_path / "none"))
    refused = restic.run(environment, "-o", f"sftp.args={arguments}", "init", check=False)

    assert refused.returncode == 1
    assert "Host key verification failed" in connect(sftp, arguments)


def test_another_key_is_refused(restic, sftp, environment, tmp_path):
    other = shutil.copy(sftp.key.with_name("host_key"), tmp_path / "other")
    arguments = sftp.arguments.replace(str(sftp.key), str(other))
    refused = restic.run(environment, "-o", f"sftp.args={arguments}", "init", check=False)

    assert refused.returncode == 1
    assert "Permission denied (publickey)" in connect(sftp, arguments)


AS_UNKNOWN = ("setpriv", f"--reuid={UNKNOWN_UID}", "--regid=0", "--clear-groups")


@pytest.fixture
def of_unknown_uid(restic, sftp):
    """A folder that a UID without a line in /etc/passwd can reach: restic, and the key, which must be its own."""
    if os.geteuid() != 0:
        pytest.skip("another UID takes root")
    with tempfile.TemporaryDirectory(prefix="uid-", dir="/tmp") as made:
        folder = Path(made)
        shutil.copy(restic.path, folder / "restic")
        shutil.copy(sftp.key, folder / "key")
        (folder / "passwd").write_text(f"steps:x:{UNKNOWN_UID}:0::/tmp:/bin/false\n")
        for path in (folder, folder / "key"):
            os.chown(path, UNKNOWN_UID, 0)
        yield folder


def test_ssh_ends_for_a_uid_without_a_user(of_unknown_uid, sftp):
    arguments = sftp.arguments.replace(str(sftp.key), str(of_unknown_uid / "key"))

    assert f"No user exists for uid {UNKNOWN_UID}" in connect(sftp, arguments, *AS_UNKNOWN)


def test_restic_s_ssh_works_for_a_uid_that_nss_wrapper_knows(of_unknown_uid, sftp, environment, tmp_path):
    arguments = sftp.arguments.replace(str(sftp.key), str(of_unknown_uid / "key"))
    known = {"LD_PRELOAD": NSS_WRAPPER, "NSS_WRAPPER_GROUP": "/etc/group"}
    known["NSS_WRAPPER_PASSWD"] = str(of_unknown_uid / "passwd")
    if "cannot be preloaded" in connect(sftp, arguments, **known):
        pytest.skip("nss_wrapper is missing: install Debian's libnss-wrapper")
    command = [*AS_UNKNOWN, of_unknown_uid / "restic", "--no-cache", "-o", f"sftp.args={arguments}", "init"]
    variables = {"PATH": os.environ["PATH"], **environment, **known}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603  # restic

    assert (done.returncode, done.stderr) == (0, "")
    assert (sftp.folder / tmp_path.name / "config").is_file()
