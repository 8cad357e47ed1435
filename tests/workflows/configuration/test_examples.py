"""The examples: valid by the schema that they name, rendered, and taken by the schemas of Kubernetes and Argo."""

import re
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests import documents
from tests.builders.configured import manifests
from tests.builders.crd import argo_schema
from workflows.configuration import schema

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
each_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)


def rendered(example: Path, folder: Path) -> list[dict[str, Any]]:
    """What a copy of the example in a folder renders, printed or written to the folder that it names."""
    file = shutil.copy(example, folder)
    result = manifests("-f", file)
    assert result.exit_code == 0, result.stderr
    output = yaml.safe_load(example.read_text()).get("output")
    texts = [path.read_text() for path in sorted((folder / output).iterdir())] if output else [result.stdout]
    return [manifest for text in texts for manifest in documents.read(text)]


def test_there_are_three() -> None:
    assert [path.stem for path in EXAMPLES] == ["gitops", "kubernetes", "openshift"]


@each_example
def test_an_example_names_the_schema_and_is_valid_by_it(example: Path) -> None:
    named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", example.read_text())

    assert named
    assert (example.parent / named[1]).resolve() == ROOT / "docs/reference/threescale-backup.schema.json"
    jsonschema.validate(yaml.safe_load(example.read_text()), schema.of_file(), jsonschema.Draft202012Validator)


@each_example
def test_an_example_explains_itself(example: Path) -> None:
    comments = [line for line in example.read_text().splitlines() if "#" in line]

    assert len(comments) > 10
    assert f"threescale-backup manifests -f {example.name}" in example.read_text()


@each_example
def test_an_example_is_rendered_with_all_that_it_asks_for(example: Path, tmp_path: Path) -> None:
    asked = yaml.safe_load(example.read_text())

    found = rendered(example, tmp_path)
    crons = {each["metadata"]["name"] for each in found if each["kind"] == "CronWorkflow"}
    scheduled = {of for of in ("backup", "verify", "drill", "watchdog") if asked.get(of, {}).get("schedule")}
    assert crons == {f"threescale-{of}-schedule" for of in scheduled}
    assert {each["metadata"]["namespace"] for each in found} - {asked.get("drill", {}).get("namespace")} == {
        asked["namespace"]
    }
    assert asked["image"] in str(found)


@each_example
def test_argo_s_own_schemas_take_what_an_example_renders(example: Path, tmp_path: Path) -> None:
    argos = [each for each in rendered(example, tmp_path) if each["apiVersion"].startswith("argoproj.io/")]

    problems = [
        each for one in argos for each in jsonschema.Draft202012Validator(argo_schema(one["kind"])).iter_errors(one)
    ]
    assert len(argos) > 5
    assert problems == []


def _pods(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    templates = [each["spec"]["templates"] for each in found if each["kind"] == "WorkflowTemplate"]
    return [each for of_workflow in templates for each in of_workflow if "container" in each]


def test_on_plain_kubernetes_every_container_has_limits_under_the_quota(tmp_path: Path) -> None:
    found = rendered(ROOT / "examples/kubernetes.yaml", tmp_path)

    pods = _pods(found)
    assert len(pods) > 20
    for pod in pods:
        patch = yaml.safe_load(pod["podSpecPatch"])
        own = [*patch["initContainers"], *patch["containers"], pod["container"]]
        assert [set(each["resources"]["limits"]) for each in own] == [{"cpu", "memory"}] * 3


def test_on_openshift_no_user_and_no_group_is_given(tmp_path: Path) -> None:
    text = str(rendered(ROOT / "examples/openshift.yaml", tmp_path))

    assert "runAsUser" not in text
    assert "fsGroup" not in text


def test_in_git_a_second_rendering_changes_nothing(tmp_path: Path) -> None:
    example = ROOT / "examples/gitops.yaml"

    first = rendered(example, tmp_path)
    assert rendered(example, tmp_path) == first
    accounts = {each["metadata"]["name"]: each["metadata"] for each in first if each["kind"] == "ServiceAccount"}
    assert "eks.amazonaws.com/role-arn" in accounts["api-backup"]["annotations"]
