"""A restic repository in a folder, with backups that were pushed to it as a phase does."""

import os
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steps.archive import contents, layout, manifest
from steps.repository import snapshots, upload
from steps.restic import program
from steps.restic.program import Restic
from steps.restic.store import Store

PASSWORD = "correct horse battery staple"  # noqa: S105  of repositories that the tests make
ORIGIN, OTHER_ORIGIN = "0123456789abcdef", "fedcba9876543210"


@dataclass(frozen=True)
class Repository:
    """A folder with a repository, and a file with its password."""

    address: Path

    @property
    def password_file(self) -> Path:
        return self.address.with_name("password")

    @property
    def words(self) -> tuple[str, ...]:
        """The options of a person."""
        return "--repository", str(self.address), "--password-file", str(self.password_file)

    @contextmanager
    def opened(self) -> Iterator[Restic]:
        store = Store("trial", {"RESTIC_REPOSITORY": str(self.address), "RESTIC_PASSWORD": PASSWORD})
        with program.opened(store, self.address.with_name("private"), self.address.with_name("scratch")) as restic:
            yield restic

    def push(self, backup: Path, origin: str = ORIGIN) -> snapshots.Snapshot:
        """Push a sealed backup."""
        with self.opened() as restic:
            return upload.upload(restic, contents.open_at(backup), origin, "", lambda *_: None).snapshot

    def run(self, *words: str) -> None:
        """Run restic itself."""
        with self.opened() as restic:
            restic.run(*words)

    def copy(self, folder: Path) -> "Repository":
        """A copy, to add to or to damage."""
        shutil.copytree(self.address, folder / self.address.name)
        shutil.copy(self.password_file, folder)
        return Repository(folder / self.address.name)


def new(folder: Path) -> Repository:
    """A new repository in a folder."""
    made = Repository(folder / "repository")
    made.password_file.write_text(f"{PASSWORD}\n")
    with made.opened() as restic:
        restic.run("init")
    return made


def changed(folder: Path, **facts: Any) -> Path:
    """Change a backup's manifest, as if it were another backup. Its bytes stay."""
    found = manifest.parse((folder / layout.MANIFEST).read_bytes())
    (folder / layout.MANIFEST).write_bytes(manifest.text(found.model_copy(update=facts)))
    return folder


def recorder(folder: Path) -> Path:
    """A `restic` that records its arguments and environment, and then is the real one. Returns the file of the record.

    The folder is to be the first on PATH.
    """
    record, real = folder / "record", shutil.which("restic")
    assert real
    script = folder / "restic"
    kept = shlex.quote(os.fspath(record))
    script.write_text(
        f'#!/bin/sh\n(printf "argv: %s\\n" "$*"; env | sed "s/^/env: /") >> {kept}\nexec {shlex.quote(real)} "$@"\n'
    )
    script.chmod(0o755)
    return record
