"""What the rehearsal knows of a manifest is what ours hold, no less and no more."""

from pathlib import Path

import pytest

from tests import documents
from workflows.rehearsal.argo import fields

GOLDEN = Path(__file__).parents[3] / "golden"
RENDERED = [manifest for file in sorted(GOLDEN.glob("*.yaml")) for manifest in documents.read(file.read_text())]


def held(value, known, path):
    """The fields that a manifest holds, as far down as the table goes."""
    for item in value if isinstance(value, list) else [value]:
        for name in item if known != fields.ANYTHING else ():
            yield f"{path}.{name}"
            if isinstance(known, dict):
                yield from held(item[name], known[name], f"{path}.{name}")


def listed(known, path):
    for name in known if known != fields.ANYTHING else ():
        yield f"{path}.{name}"
        if isinstance(known, dict):
            yield from listed(known[name], f"{path}.{name}")


@pytest.mark.parametrize(
    ("kind", "table"), [("WorkflowTemplate", fields.SPEC), ("CronWorkflow", fields.CRON)], ids=["template", "cron"]
)
def test_the_fields_that_are_played_are_those_of_our_manifests(kind, table):
    ours = {field for one in RENDERED if one["kind"] == kind for field in held(one["spec"], table, "spec")}

    assert ours == set(listed(table, "spec"))
