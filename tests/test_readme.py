import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workflows.test_access import ROLES, grants
from workflows.parameters import BackupParameters, Parameters, RestoreParameters, declare

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_first_block_holds_the_two_commands_and_nothing_else() -> None:
    block = README.partition("```sh\n")[2].partition("```")[0]

    assert block.splitlines() == [
        "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/threescale-backup rehearse",
        ".venv/bin/python -m pytest",
    ]


@pytest.mark.parametrize("model", [BackupParameters, RestoreParameters])
def test_every_argument_is_told_as_the_form_in_argos_ui_tells_it(model: type[Parameters]) -> None:
    untold = [item.name for item in declare(model) if f"| `{item.name}` | {item.description} |" not in README]

    assert untold == []


BOTH = ("threescale-backup", "threescale-restore")
NOUNS = {  # of a resource
    "apimanagerbackups": "APIManagerBackups?",
    "apimanagers": "APIManagers?",
    "configmaps": "ConfigMaps?",
    "deploymentconfigs": "DeploymentConfigs?",
    "deployments": "Deployments?",
    "events": "events",
    "persistentvolumeclaims": "claims?",
    "pods": "pods(?!/)",
    "pods/exec": "pods/exec",
    "routes": "Routes",
    "secrets": "Secrets?",
    "workflowtaskresults": "workflowtaskresults",
}
VERBS = {"get": "read|get", "list": "list|read all|all", "create": "create", "patch": "change", "update": "replace"}


def told(role: str) -> Iterator[str]:
    """What the table of the accounts says that one of them may."""
    for line in README.partition("| account | may |")[2].partition("\n\n")[0].splitlines()[2:]:
        account, may = (cell.strip() for cell in line.split("|")[1:3])
        if account == f"`{role}`" or (account == "both" and role in BOTH):
            yield may


def says(may: str, verb: str, resource: str) -> bool:
    return all(re.search(rf"\b({words})\b", may) for words in (VERBS[verb], NOUNS[resource]))


@pytest.mark.parametrize("role", ROLES)
def test_whatever_an_account_may_do_is_told(role: str) -> None:
    untold = [
        (verb, resource)
        for verb, resource, _ in grants(role)
        if not any(says(may, verb, resource) for may in told(role))
    ]

    assert untold == []


@pytest.mark.parametrize("role", ROLES)
def test_an_account_may_do_something_to_whatever_is_told_of_it(role: str) -> None:
    given = {(verb, resource) for verb, resource, _ in grants(role)}
    unfounded = [
        (noun, may)
        for may in told(role)
        for resource, noun in NOUNS.items()
        if re.search(rf"\b{noun}\b", may) and not any(says(may, *each) for each in given if each[1] == resource)
    ]

    assert unfounded == []
