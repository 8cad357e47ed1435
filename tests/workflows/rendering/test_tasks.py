"""Who tells a phase what it needs."""

from typing import Annotated

import pytest
from hera.workflows import DAG, WorkflowTemplate

from steps.contract import values
from steps.contract.declaration import Declared, DeclaredPhase, Output
from workflows.rendering.parameters import declare
from workflows.rendering.settings import Settings
from workflows.rendering.tasks import NotGivenError, Tasks

SETTINGS = Settings(image="registry.example.com/threescale-backup:1")


class Claim(Declared):
    claim_name: Annotated[str, values.CLAIM] = ""
    """Claim of the backup."""


class Choose(DeclaredPhase, Claim):
    """Choose a backup."""

    command = ("verify", "choose")
    gives = (Output("claim-name", "The claim."), Output("rotation", "How far it is."))
    judges = True


class Read(DeclaredPhase, Claim):
    """Read it."""

    command = ("verify", "read")

    rotation: str = ""
    """How far it is."""


def built(*phases: type[DeclaredPhase]) -> dict[str, dict[str, str]]:
    """What each task of a workflow of these phases is told, by name."""
    asked = list(declare(Claim).values())
    with WorkflowTemplate(name="example", entrypoint="example", arguments=asked) as template, DAG(name="example"):
        task = Tasks(SETTINGS, template, Claim)
        for each in phases:
            task(each)
    (dag,) = [each["dag"] for each in template.to_dict()["spec"]["templates"] if "dag" in each]
    return {
        each["name"]: {told["name"]: told["value"] for told in each["arguments"]["parameters"]} for each in dag["tasks"]
    }


def test_the_first_phase_is_told_what_a_person_says() -> None:
    assert built(Choose)["choose"] == {"claim-name": "{{workflow.parameters.claim-name}}"}


def test_a_later_one_is_told_what_the_phase_before_it_gives() -> None:
    given = "{{tasks.choose.outputs.parameters.%s}}"

    assert built(Choose, Read)["read"] == {"claim-name": given % "claim-name", "rotation": given % "rotation"}


def test_what_nobody_gives_is_missed_when_the_workflow_is_built() -> None:
    with pytest.raises(NotGivenError, match="read needs rotation: no earlier phase gives this"):
        built(Read)


class Beside(DeclaredPhase):
    """Read something else."""

    command = ("verify", "repository")


def test_the_first_phase_that_judges_checks_the_names_of_the_arguments_whatever_stands_before_it() -> None:
    asked = list(declare(Claim).values())
    with WorkflowTemplate(name="example", entrypoint="example", arguments=asked) as template, DAG(name="example"):
        task = Tasks(SETTINGS, template, Claim)
        for each in (Beside, Choose, Read):
            task(each)

    templates = template.to_dict()["spec"]["templates"]
    known = {each["name"] for each in templates if "--known" in each.get("container", {}).get("args", [])}
    assert known == {"choose"}
