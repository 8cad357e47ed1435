"""The commands of the pages run, each on an installation that a page supposes.

`kubectl` and `argo` do not run: an APIManager stands for what `kubectl get` gives, the rehearsal plays `argo submit`.
What `kubectl apply` would apply is read as YAML.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from steps.archive import layout, marks
from tests.builders import commands, documentation, repositories
from tests.builders.claims import CLAIMS
from tests.builders.documentation import MADE, PAGES, name_of
from tests.builders.installations import move_to_s3
from tests.builders.scratch import SCRATCH
from tests.conftest import NAMESPACE, Sealed, Stage, bring
from workflows.manifests import render
from workflows.rehearsal.rehearse import SETTINGS

pytestmark = pytest.mark.thorough

IN_PART = re.compile(r" \.\.\.( |$)|<<")  # words are left to the reader, or a document follows
ELSEWHERE = (
    "threescale-backup rehearse",  # .ci/run
    "doctor -f threescale-backup.yaml --start",  # needs Argo's controller: workflows/doctor/test_start.py
    "threescale-backup check",  # needs a schedule and its watchdog: workflows/test_watchdog.py
    "databases=",  # needs the servers of databases: workflows/test_databases.py
    "repository adopt",  # needs copies of another origin, and asks: workflows/commands/test_repository.py
    "repository objects",  # needs a repository in the environment: workflows/test_object_lock.py
    "--repository",  # needs a repository: workflows/commands/test_repository_commands.py
    "threescale-backup fetch",  # the same
    "approve=yes",  # waits for a person: workflows/test_plan.py
    "made-by=operator",  # needs a backup of the operator: workflows/test_bound.py
    "database-overrides=mine",  # needs a Secret of a person: steps/faults
)
PEOPLE = "threescale-backup "
FILE = "threescale-backup.yaml"
ARGO = "argo submit "
OF_REPOSITORY = ("threescale-push", "threescale-fetch", "repository-")
OPERATORS_BACKUP = {
    "apiVersion": "apps.3scale.net/v1alpha1",
    "kind": "APIManagerBackup",
    "metadata": {"name": "my-backup"},
    "spec": {"backupDestination": {"persistentVolumeClaim": {"resources": {"requests": "10Gi"}}}},
}


def lines(tool: str) -> Iterator[Any]:
    """Each whole command of the pages that begins with a tool's name, or has it after a pipe, once."""
    seen = set()
    for page in (each for each in PAGES if MADE not in each.parents):
        for line in documentation.commands(page.read_text()):
            words = " ".join(line.partition("  #")[0].split()).replace(".venv/bin/", "")
            is_ours = words.startswith(tool) or f"| {tool}" in words
            if is_ours and words not in seen and not IN_PART.search(words) and not any(map(words.count, ELSEWHERE)):
                seen.add(words)
                yield pytest.param(words, id=f"{name_of(page)}: {words}")


def test_pages_have_commands() -> None:
    assert len(list(lines(PEOPLE))) > 15
    assert len(list(lines(ARGO))) > 20


def kubeconfig(line: str, request: pytest.FixtureRequest, sealed: Sealed) -> str:
    """Have the namespace that a command supposes; return the way to it."""
    stage: Stage = request.getfixturevalue("lost" if "plan restore" in line else "installed")
    if "plan" not in line:
        bring(stage, sealed)
    if "doctor" in line:
        ready_for_the_doctor(stage)
    stage.connect()
    return str(stage.folder / "kubeconfig-None")


def ready_for_the_doctor(stage: Stage) -> None:
    """Apply what the file asks for, and give the cluster a node."""
    code, rendered, err = commands.run("manifests", "-f", FILE)
    assert code == 0, err
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}, "spec": {}}
    for each in [*yaml.safe_load_all(rendered), node]:
        stage.kubernetes.apply(each)


def write_file(line: str, apimanager: str) -> None:
    """Write the file that a page supposes, but where the command writes it."""
    Path("apimanager.yaml").write_text(apimanager)
    if f"{PEOPLE}init " not in line:
        told = {"image": commands.IMAGE, "namespace": NAMESPACE, "access": {"apimanagers": ["apimanager.yaml"]}}
        for name in {FILE, *re.findall(r" -f (\S+\.yaml)", line)}:
            Path(name).write_text(yaml.safe_dump(told))


@pytest.mark.parametrize("line", list(lines(PEOPLE)))
def test_a_command_of_a_page_ends_well(
    line: str,
    request: pytest.FixtureRequest,
    sealed: Sealed,
    backup_volume: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(backup_volume.parent)
    apimanager = (backup_volume / layout.APIMANAGER).read_text()
    write_file(line, apimanager)
    if re.search(r" -n |^doctor ", line.partition(PEOPLE)[2].partition(" | ")[0]):
        monkeypatch.setenv("KUBECONFIG", kubeconfig(line, request, sealed))
    Path("my-apimanagerbackup.yaml").write_text(yaml.safe_dump(OPERATORS_BACKUP))
    Path("restore.json").write_text((backup_volume / layout.RESULT).read_text())
    before, _, told = line.partition(PEOPLE)
    command, _, after = told.partition(" > ")[0].partition(" | ")
    here = {"NAMESPACE": NAMESPACE, "api": NAMESPACE, "OTHER": "other", "IMAGE": commands.IMAGE, "NAME": sealed.name}
    for placeholder, word in {**here, **dict.fromkeys(("DIR", "private/copy"), str(backup_volume))}.items():
        command = re.sub(rf"(?<=[ =]){placeholder}\b", word, command)

    code, out, err = commands.run(*shlex.split(command), stdin=apimanager if before else None)

    assert code == 0, err
    assert not after or all(each["kind"] for each in yaml.safe_load_all(out))


def submitted(stage: Stage, line: str, meant: dict[str, str]) -> Any:
    """Submit what a command line of Argo's says; a plan's digest is read from the plan with the same arguments."""
    words = shlex.split(line)
    template = words[words.index("--from") + 1].removeprefix("workflowtemplate/")
    told = dict(words[place + 1].split("=", 1) for place, word in enumerate(words) if word == "-p")
    told = {name: meant.get(value, value) for name, value in told.items()}
    if "plan-digest" in told:
        del told["plan-digest"]
        told["plan-digest"] = stage.engine.submit(template, {**told, "plan": "only"}).node("plan").outputs["digest"]
    return stage.engine.submit(template, told)


@pytest.mark.thorough
@pytest.mark.parametrize("line", list(lines(ARGO)))
def test_a_workflow_of_a_page_ends_well(
    line: str, request: pytest.FixtureRequest, sealed: Sealed, tmp_path: Path
) -> None:
    of_restore = "threescale-restore" in line
    stage: Stage = request.getfixturevalue("lost" if of_restore else "installed")
    if not of_restore and "threescale-backup" not in line:
        bring(stage, sealed)
    for manifest in render(SETTINGS.model_copy(update={"drill_namespace": SCRATCH})):
        stage.engine.apply(manifest)
    if any(words in line for words in OF_REPOSITORY):
        request.getfixturevalue("restic_on_path")
        repositories.give(stage, tmp_path / "repository")
        if "threescale-backup" not in line:
            assert stage.engine.submit("threescale-push", {"repository-init": "yes"}).phase == "Succeeded"
        if "threescale-fetch" in line and "name=" not in line:
            stage.kubernetes.delete(CLAIMS, stage.namespace, sealed.name)
    if "file-storage=external" in line:
        move_to_s3(stage)
    meant = dict.fromkeys(("NAME", "first", "before-upgrade"), sealed.name) if "claim-name" in line else {}
    digest = sealed.claim["metadata"]["annotations"][marks.MANIFEST_DIGEST]

    workflow = submitted(stage, line, {**meant, "MANIFEST": digest, "DIGEST": digest, "threescale-drills": SCRATCH})

    assert workflow.phase == "Succeeded", workflow.message
