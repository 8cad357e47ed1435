import re
from datetime import timedelta
from pathlib import Path

import pytest

from steps.kubernetes import kinds
from steps.kubernetes.kinds import Kind
from tests.builders.roles import ROLES, WATCHDOG, grants
from workflows.monitoring.alerts import Thresholds, alerts
from workflows.monitoring.metrics import HELP, exported

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_first_block_holds_the_two_commands_and_nothing_else() -> None:
    block = README.partition("```sh\n")[2].partition("```")[0]

    assert block.splitlines() == [
        "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/threescale-backup rehearse",
        ".venv/bin/python -m pytest",
    ]


RESOURCES = {
    "pods/exec",
    "workflowtaskresults",
    *(kind.resource for kind in vars(kinds).values() if isinstance(kind, Kind)),
}
NOUNS = {"persistentvolumeclaims": "claims", "pods": "pods(?!/)"}  # others are called as they are
VERBS = {"get": "read|get", "patch": "change", "update": "replace"}  # likewise


def told(role: str) -> list[str]:
    """What the table of the accounts says that one of them may."""
    table = README.partition("| account | may |")[2].partition("\n\n")[0]
    rows = (line.split("|") for line in table.splitlines()[2:])
    return [may for _, account, may, *_ in rows if f"`{role}`" in account]


def speaks_of(resource: str, may: str) -> bool:
    noun = NOUNS.get(resource, resource)
    return re.search(rf"\b({noun}|{noun.removesuffix('s')})\b", may, re.IGNORECASE) is not None


def says(may: str, verb: str, resource: str) -> bool:
    return speaks_of(resource, may) and re.search(rf"\b({VERBS.get(verb, verb)})\b", may) is not None


@pytest.mark.parametrize("role", [*ROLES, *WATCHDOG])
def test_whatever_an_account_may_do_is_told(role: str) -> None:
    given = [(verb, resource) for verb, resource, _ in grants(role)]
    untold = [right for right in given if not any(says(may, *right) for may in told(role))]

    assert untold == []


def test_every_metric_is_told_with_the_name_that_argo_exports() -> None:
    untold = [name for name, told in HELP.items() if f"| `{exported(name)}` | {told} |" not in README]

    assert untold == []


@pytest.mark.parametrize("role", [*ROLES, *WATCHDOG])
def test_an_account_may_do_something_to_whatever_is_told_of_it(role: str) -> None:
    given = {(verb, resource) for verb, resource, _ in grants(role)}
    spoken_of = {(resource, may) for may in told(role) for resource in RESOURCES if speaks_of(resource, may)}
    founded = {
        (resource, may) for resource, may in spoken_of for verb, of in given if of == resource and says(may, verb, of)
    }

    assert spoken_of == founded


def test_every_alert_is_told_with_what_to_do() -> None:
    day = timedelta(days=1)
    thresholds = Thresholds(expected_every=day, verified_every=day, proven_every=day)
    untold = [alert.name for alert in alerts("api", thresholds) if f"| `{alert.name}` |" not in README]

    assert untold == []
