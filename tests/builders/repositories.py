"""Stages with a repository: its Secret, the templates that copy to it, and what lies in it."""

import base64
import json
from pathlib import Path

from workflows.manifests import render
from workflows.rehearsal.rehearse import SETTINGS

NAME = "threescale-repository"
PASSWORD = "a password for the tests of repositories"


def secret(namespace, address, *, name=NAME, **keys):
    """The Secret of a repository."""
    told = {"RESTIC_REPOSITORY": str(address), "RESTIC_PASSWORD": PASSWORD, **keys}
    data = {key: base64.b64encode(value.encode()).decode() for key, value in told.items() if value}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    }


def configure(stage, *names, crons=(), **settings):
    """Apply the templates of an installation with repositories."""
    chosen = SETTINGS.model_copy(update={"repositories": names or (NAME,), **settings})
    for manifest in render(chosen, crons):
        stage.engine.apply(manifest)


def give(stage, address, **more):
    """Configure one repository at an address, and apply its Secret."""
    stage.kubernetes.apply(secret(stage.namespace, address, **more))
    configure(stage)


class Looked:
    """A repository as a person sees it, with restic alone."""

    def __init__(self, restic, address, **keys):
        self._restic = restic
        self.environment = {"RESTIC_REPOSITORY": str(address), "RESTIC_PASSWORD": PASSWORD, **keys}

    def run(self, *words, check=True):
        return self._restic.run(self.environment, *words, check=check)

    def snapshots(self):
        return json.loads(self.run("snapshots", "--json").stdout)

    def tags(self):
        """The tags of each snapshot, by name."""
        return [dict(tag.split("=", 1) for tag in each["tags"]) for each in self.snapshots()]

    def locks(self):
        return self.run("list", "locks", "--no-lock").stdout.split()


def packs(folder: Path):
    """The pack files of a repository in a folder."""
    return sorted(path for path in (folder / "data").rglob("*") if path.is_file())
