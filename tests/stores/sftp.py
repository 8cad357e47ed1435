"""OpenSSH's server on the loopback address as an ordinary user, with keys of its own and SFTP alone."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.stores.processes import answers, free_port, serving

_ORDINARY = "nobody"  # takes the server's part where the tests run as root
# with PAM, because without it the server believes that a user whose line in /etc/shadow it cannot read is locked
_CONFIGURATION = """
ListenAddress {host}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM yes
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
ForceCommand internal-sftp
"""


@dataclass(frozen=True)
class Sftp:
    """A server that runs."""

    port: int
    user: str
    folder: Path
    """A folder that the server's user may write; repositories go there."""
    key: Path
    """The private key that is let in."""
    known_hosts: Path
    host: str = "127.0.0.1"

    def repository(self, name: str = "repository") -> str:
        """Restic's words for a repository on the server."""
        return f"sftp://{self.user}@{self.host}:{self.port}/{self.folder}/{name}"

    @property
    def arguments(self) -> str:
        """Options of `ssh` for restic's `sftp.args`: this key alone, hosts that are known alone, no question."""
        options = ("IdentitiesOnly=yes", "StrictHostKeyChecking=yes", f"UserKnownHostsFile={self.known_hosts}")
        batch = ("BatchMode=yes", "GlobalKnownHostsFile=/dev/null", *options)
        return " ".join(["-F", "/dev/null", "-i", str(self.key), *(f"-o {option}" for option in batch)])


def program() -> Path | None:
    found = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    return Path(found) if found else None


@contextmanager
def running(sshd: Path, host: str = "127.0.0.1") -> Iterator[Sftp]:
    """Run a server at an address of this machine; as root, as an ordinary user, in a folder that this one can reach."""
    user = pwd.getpwnam(_ORDINARY) if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    with tempfile.TemporaryDirectory(prefix="sftp-", dir="/tmp") as made:
        folder, port = Path(made), free_port()
        _prepare(folder, host, port)
        if os.geteuid() == 0:
            for path in (folder, folder / "store", folder / "host_key"):
                os.chown(path, user.pw_uid, user.pw_gid)
            folder.chmod(0o755)
        words = [sshd, "-D", "-e", "-p", port, "-f", folder / "sshd_config"]
        with serving(_as_ordinary(words, user), folder / "sshd.log", lambda _: answers(port, host), host=host):
            yield Sftp(port, user.pw_name, folder / "store", folder / "key", folder / "known_hosts", host)


def _prepare(folder: Path, host: str, port: int) -> None:
    for name in ("host_key", "key"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)]
        subprocess.run(command, check=True)  # noqa: S603  # OpenSSH's
    (folder / "authorized_keys").write_text((folder / "key.pub").read_text())
    (folder / "known_hosts").write_text(f"[{host}]:{port} {(folder / 'host_key.pub').read_text()}")
    (folder / "sshd_config").write_text(_CONFIGURATION.format(folder=folder, host=host))
    (folder / "store").mkdir()


def _as_ordinary(words: list[object], user: pwd.struct_passwd) -> list[object]:
    if os.geteuid() != 0:
        return words
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", *words]
