"""The page on installing removes all that an installation has, and neither backups nor evidence."""

import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.builders import commands, documentation
from tests.builders.scratch import SCRATCH
from tests.conftest import Stage
from workflows.manifests import render
from workflows.rehearsal.rehearse import SETTINGS

pytestmark = pytest.mark.thorough

REMOVAL = "kubectl delete "


def deletions() -> Iterator[Any]:
    """Each command of the page on installing that deletes by labels."""
    page = (documentation.ROOT / "docs/how-to/install.md").read_text()
    for line in documentation.commands(page):
        if line.startswith(REMOVAL) and " -l " in line:
            yield shlex.split(line)


def selected(words: list[str], objects: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """What `kubectl delete KINDS -n NAMESPACE -l LABELS` would delete of some objects."""
    kinds, namespace = words[2].split(","), words[words.index("-n") + 1]
    wanted = dict(each.split("=") for each in words[words.index("-l") + 1].split(","))
    found = []
    for each in objects:
        metadata = each["metadata"]
        is_there = each["kind"].lower() in kinds and metadata["namespace"] == namespace
        if is_there and wanted.items() <= metadata.get("labels", {}).items():
            found.append((each["kind"], metadata["name"]))
    return found


def everything() -> list[dict[str, Any]]:
    """All that an installation can have, in the namespaces of the page."""
    every = {
        "image": commands.IMAGE,
        "namespace": "api",
        "backup": {"schedule": "0 4 * * *"},
        "verify": {"schedule": "0 6 * * *"},
        "drill": {"schedule": "0 7 * * 0", "namespace": "threescale-drills"},
        "watchdog": {"schedule": "17 * * * *"},
        "monitoring": {"enabled": True},
    }
    code, rendered, err = commands.run("manifests", "-f", "-", stdin=yaml.safe_dump(every))
    assert code == 0, err
    return list(yaml.safe_load_all(rendered))


def test_the_page_removes_all_that_an_installation_has() -> None:
    objects = everything()

    removed = [each for words in deletions() for each in selected(words, objects)]

    assert sorted(removed) == sorted((each["kind"], each["metadata"]["name"]) for each in objects)


def test_the_page_removes_no_backup_and_no_evidence(kept: Stage) -> None:
    for manifest in render(SETTINGS.model_copy(update={"drill_namespace": SCRATCH})):
        kept.engine.apply(manifest)
    kept.drill(SCRATCH)
    kinds = ("configmaps", "persistentvolumeclaims")
    objects = [each for kind in kinds for each in kept.kubernetes.list(kind, kept.namespace)]
    there = [{**each, "metadata": {**each["metadata"], "namespace": "api"}} for each in objects]

    removed = [each for words in deletions() for each in selected(words, there)]

    assert removed == []
    assert {"threescale-drill-results", "nightly"} <= {each["metadata"]["name"] for each in objects}
