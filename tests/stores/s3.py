"""An S3 server on the loopback address, rclone's, with one key pair and objects as plain files below a folder."""

import re
import shutil
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.stores.processes import serving

KEY_ID = "tests-key-id"
SECRET = "tests-secret-of-the-key"  # noqa: S105  # of a server that lives as long as a test
_STARTED = re.compile(r"Starting s3 server on \[https?://127\.0\.0\.1:(\d+)/\]")


@dataclass(frozen=True)
class S3:
    """A server that runs."""

    port: int
    folder: Path
    """Each folder in it is a bucket, each file below that an object."""
    ca: Path | None = None
    """The authority of its certificate; without one it speaks plain HTTP."""

    @property
    def address(self) -> str:
        return f"{'https' if self.ca else 'http'}://127.0.0.1:{self.port}"

    @property
    def credentials(self) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET}

    def bucket(self) -> "Bucket":
        """Make a bucket of a new name."""
        name = f"bucket-{uuid.uuid4().hex[:8]}"
        (self.folder / name).mkdir()
        return Bucket(self, name)


@dataclass(frozen=True)
class Bucket:
    server: S3
    name: str

    @property
    def folder(self) -> Path:
        return self.server.folder / self.name

    def repository(self, address: str = "", prefix: str = "repository") -> str:
        """Restic's words for a repository in this bucket, at the server or at another address in front of it."""
        return f"s3:{address or self.server.address}/{self.name}/{prefix}"


def program() -> Path | None:
    """Rclone as its wheel installed it beside Python, else the one of PATH."""
    beside = Path(sys.executable).with_name("rclone")
    found = beside if beside.exists() else shutil.which("rclone")
    return Path(found) if found else None


@contextmanager
def running(rclone: Path, scratch: Path, *, tls: bool = False) -> Iterator[S3]:
    """Run a server whose folder, log and certificates lie in a scratch folder."""
    folder = scratch / "buckets"
    folder.mkdir()
    words = [rclone, "--config", "", "serve", "s3", "--addr", "127.0.0.1:0", "--auth-key", f"{KEY_ID},{SECRET}"]
    words += ["--dir-cache-time", "0", "--etag-hash", "MD5"]  # what a test does to a file is seen at once
    ca = _certify(scratch) if tls else None
    words += ["--cert", scratch / "server.pem", "--key", scratch / "server.key"] if tls else []
    with serving([*words, folder], scratch / "s3.log", _port) as port:
        yield S3(port, folder, ca)


def _port(said: str) -> int | None:
    found = _STARTED.search(said)
    return int(found[1]) if found else None


def _certify(scratch: Path) -> Path:
    """Write a certificate for the loopback address, and return the authority that it is from."""
    import trustme

    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    certificate.cert_chain_pems[0].write_to_path(str(scratch / "server.pem"))
    certificate.private_key_pem.write_to_path(str(scratch / "server.key"))
    authority.cert_pem.write_to_path(str(scratch / "ca.crt"))
    return scratch / "ca.crt"
