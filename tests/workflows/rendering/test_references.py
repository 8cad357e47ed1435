import copy
from collections.abc import Callable
from typing import Any

import pytest

from steps.contract.prune_contract import PruneArguments
from workflows.backup import NAME, backup
from workflows.manifests import render
from workflows.rendering.references import check
from workflows.rendering.settings import Settings

SETTINGS = Settings(image="registry.example.com/steps:1")
TEMPLATES = {m["metadata"]["name"]: m for m in render(SETTINGS) if m["kind"] == "WorkflowTemplate"}
WITH_RULES = backup(SETTINGS, PruneArguments.model_validate({"keep-daily": "7"})).to_dict()


def _break(change: Callable[[dict[str, Any]], Any]) -> list[str]:
    broken = copy.deepcopy(TEMPLATES[NAME])
    change(broken["spec"])
    return list(check(broken))


def _template(spec: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in spec["templates"] if item["name"] == name)
    return found


def _task(spec: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in _template(spec, "backup")["dag"]["tasks"] if item["name"] == name)
    return found


@pytest.mark.parametrize("manifest", [*TEMPLATES.values(), WITH_RULES], ids=[*TEMPLATES, "with-rules"])
def test_nothing_refers_to_what_is_not_there(manifest: dict[str, Any]) -> None:
    problems = list(check(manifest))

    assert problems == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda spec: spec.update(entrypoint="bakcup"), "entrypoint"),
        (lambda spec: spec.update(onExit="exti"), "onExit"),
        (lambda spec: _template(spec, "seal")["container"].pop("command"), "command"),
        (lambda spec: _template(spec, "seal")["container"]["volumeMounts"].append({"name": "x"}), "mount x"),
        (
            lambda spec: _template(spec, "seal")["container"]["args"].append("{{inputs.parameters.x}}"),
            "inputs.parameters.x",
        ),
        (lambda spec: _template(spec, "seal")["container"]["args"].append("{{workflow.nmae}}"), "workflow.nmae"),
        (lambda spec: spec["arguments"]["parameters"].pop(), "workflow.parameters.repository-init"),
        (
            lambda spec: _template(spec, "seal").update(timeout="{{=inputs.parameters['x-y']}}m"),
            "inputs.parameters.x-y",
        ),
        (lambda spec: _task(spec, "seal").update(template="sela"), "sela"),
        (lambda spec: _task(spec, "seal").update(name="1st"), "task name"),
        (lambda spec: _task(spec, "seal").update(depends="prepare && nobody"), "nobody"),
        (lambda spec: _task(spec, "prepare").update(depends="seal"), "itself"),
        (lambda spec: _task(spec, "seal").update(depends="secrets.Failed"), "green"),
        (lambda spec: _task(spec, "seal")["arguments"].update(parameters=[]), "needs"),
        (
            lambda spec: _task(spec, "seal")["arguments"]["parameters"].append({"name": "y", "value": "1"}),
            "does not know",
        ),
        (lambda spec: _task(spec, "seal").pop("depends"), "tasks.prepare.outputs"),
        (lambda spec: spec["metrics"]["prometheus"][0].update(when="{{workflow.stauts}}"), "metrics: unknown tag"),
        (
            lambda spec: spec["metrics"]["prometheus"][0].update(when="{{=workflow?.outputs?.parameters?.plna ?? ''}}"),
            "metrics: unknown tag workflow.outputs.parameters.plna",
        ),
        (
            lambda spec: _template(spec, "seal")["metrics"]["prometheus"][0]["gauge"].update(
                value="{{outputs.parameters.x}}"
            ),
            "metrics: unknown tag outputs.parameters.x",
        ),
        (
            lambda spec: _template(spec, "backup").update(metrics={"prometheus": [{"when": "{{stauts}} == Failed"}]}),
            "metrics: unknown tag stauts",
        ),
        (
            lambda spec: _template(spec, "backup")["outputs"]["parameters"][0]["valueFrom"].update(
                parameter="{{tasks.nobody.outputs.parameters.x}}"
            ),
            "tasks.nobody",
        ),
    ],
)
def test_a_broken_reference_is_named(change: Callable[[dict[str, Any]], Any], named: str) -> None:
    problems = _break(change)

    assert any(named in problem for problem in problems), problems


def test_a_long_name_of_a_cronworkflow_is_found() -> None:
    problems = list(check({"kind": "CronWorkflow", "metadata": {"name": "x" * 53}}))

    assert len(problems) == 1


@pytest.mark.parametrize("where", ["depends", "item"])
def test_what_argo_refuses_of_such_tasks_is_found(where: str) -> None:
    broken = copy.deepcopy(WITH_RULES)
    tasks = _template(broken["spec"], "exit" if where == "depends" else "prune")["dag"]["tasks"]
    if where == "depends":
        tasks[1]["depends"] = "report"
    else:
        del tasks[2]["withParam"]

    assert any("continueOn" in problem or "unknown tag item" in problem for problem in check(broken))
