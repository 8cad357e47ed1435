"""versitygw on the loopback address: an S3 server with versions and object lock, built once from its Go module."""

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.stores import cache, s3
from tests.stores.processes import answers, free_port, serving
from tests.stores.s3 import KEY_ID, SECRET

VERSION = "v1.8.0"
REGION = "us-east-1"
_MODULE = "github.com/versity/versitygw/cmd/versitygw"


@dataclass(frozen=True)
class Versitygw:
    """A server that runs."""

    port: int
    folder: Path

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def credentials(self) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": REGION}

    def locked_bucket(self) -> str:
        """Make a bucket with versions and object lock, and return its name."""
        name = f"locked-{uuid.uuid4().hex[:8]}"
        self.rclone("mkdir", "--s3-bucket-object-lock-enabled", f":s3:{name}")
        return name

    def repository(self, bucket: str, prefix: str = "repository") -> str:
        """Restic's words for a repository in a bucket."""
        return f"s3:{self.address}/{bucket}/{prefix}"

    def rclone(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Ask the server by rclone with the key pair; a place is `:s3:BUCKET/KEY`, `--s3-versions` shows old ones."""
        told = ("--s3-provider", "Other", "--s3-endpoint", self.address, "--s3-env-auth", "--s3-region", REGION)
        return subprocess.run(  # noqa: S603  # rclone
            [str(s3.program()), "--config", "", "--retries", "1", *told, *words],
            env={**os.environ, **self.credentials},
            capture_output=True,
            text=True,
            timeout=60,
            check=check,
        )


def program() -> Path | None:
    """Take it from the cache, or build it there, minutes the first time; None without Go."""
    go = shutil.which("go")
    kept = cache.folder() / f"versitygw-{VERSION}"
    if go is None and not kept.exists():
        return None
    return cache.keep(kept.name, lambda unfinished: _build(str(go), unfinished)) / "versitygw"


@contextmanager
def running(versitygw: Path, scratch: Path) -> Iterator[Versitygw]:
    """Run a server whose objects and versions lie in a scratch folder, on a file system with extended attributes."""
    folder, versions, port = scratch / "buckets", scratch / "versions", free_port()
    folder.mkdir()
    versions.mkdir()
    words = [versitygw, "--access", KEY_ID, "--secret", SECRET, "--region", REGION, "--port", f"127.0.0.1:{port}"]
    words += ["--quiet", "posix", "--versioning-dir", versions, folder]
    with serving(words, scratch / "versitygw.log", lambda _: answers(port)):
        yield Versitygw(port, folder)


def _build(go: str, folder: Path) -> None:
    """Build it without C, so that it runs whatever libc is here."""
    subprocess.run(  # noqa: S603  # Go
        [go, "install", "-trimpath", "-ldflags", "-s -w", f"{_MODULE}@{VERSION}"],
        env={**os.environ, "GOBIN": str(folder), "CGO_ENABLED": "0"},
        check=True,
    )
