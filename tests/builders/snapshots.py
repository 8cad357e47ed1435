"""Sealed backups with a tree of one's own, and snapshots of them in a real restic repository."""

import json
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from steps.archive import contents, layout, manifest, seal
from steps.archive.begin_marker import Begin
from steps.archive.manifest import FILE_STORAGE
from steps.files import durability
from steps.parts import file_storage
from steps.repository import snapshot_proof

LEAST = (0, 18)
INCOMPLETE = 3  # restic's exit code: a snapshot was made, but a source could not be read
BEGIN = Begin(backup="nightly", workflow="backup-1", workflow_uid="uid-1")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Repository:
    """A restic repository in a folder."""

    def __init__(self, program, folder, user=None):
        self.program, self.user = program, user
        facts = {"RESTIC_REPOSITORY": str(folder / "repository"), "RESTIC_CACHE_DIR": str(folder / "cache")}
        self.environment = {**os.environ, **facts, "RESTIC_PASSWORD": "a password of tests"}
        self.calls, self.codes = [], []
        self.run("init", "-q")

    def run(self, *words, cwd=None):
        done = subprocess.run(  # noqa: S603  the program under test
            [self.program, *words], cwd=cwd, env=self.environment, user=self.user, capture_output=True, check=False
        )
        self.codes.append(done.returncode)
        assert done.returncode in {0, INCOMPLETE}, done.stderr
        return done.stdout

    def push(self, root):
        """The summary of a new snapshot of a folder; its paths begin with the folder's name."""
        self.summary = json.loads(self.run("backup", "--json", "-q", root.name, cwd=root.parent).splitlines()[-1])
        return self.summary

    def lines(self, snapshot):
        return self.run("ls", "--json", f"{snapshot}:/backup").splitlines(keepends=True)

    def tree_of(self, snapshot):
        def tree_of(path):
            self.calls.append(path)
            return self.run("cat", "tree", f"{snapshot}:/backup".encode() + path)

        return tree_of

    def findings(self, root, pushed=None):
        """The proof of a new snapshot of `pushed` as one of the backup at `root`."""
        snapshot = self.push(pushed or root)["snapshot_id"]
        return list(snapshot_proof.findings(contents.open_at(root), self.lines(snapshot), self.tree_of(snapshot)))


def made(folder, user=None):
    """A new repository, of this user. The program is that of the variable RESTIC, else of the path."""
    program = os.environ.get("RESTIC") or shutil.which("restic")
    if not program:
        pytest.skip("neither the variable RESTIC nor the path names a restic")
    said = subprocess.run([program, "version"], capture_output=True, text=True, check=True).stdout  # noqa: S603
    if tuple(map(int, re.findall(r"\d+", said)[:2])) < LEAST:
        pytest.skip(f"{said.strip()} is too old")
    return Repository(program, folder, user)


def with_tree(root, source):
    """Give a sealed backup the tree of `source`, and seal it again."""
    for name in (layout.MANIFEST, layout.SUMS, layout.RESULT, layout.LISTING):
        (root / name).unlink()
    shutil.rmtree(root / layout.TREE)
    saved = file_storage.save(source, root, lambda *_: None, workers=0)
    with durability.durable(root) as disk:
        manifest.report(disk, FILE_STORAGE, saved)
        return close(disk)


def close(disk):
    return seal.close(disk, tool_version="1.0", begin=BEGIN, started=NOW, ended=NOW, record=lambda *_: "a record\n")


def copy(folder, to):
    """A copy of a volume that bears the name which a snapshot shows."""
    return Path(shutil.copytree(folder, to / "backup", symlinks=True))
