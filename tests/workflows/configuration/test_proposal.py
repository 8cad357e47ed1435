"""The commented file that `init` writes."""

import re

import pytest
import yaml

from workflows.configuration import proposal
from workflows.configuration.fields import field_at
from workflows.configuration.installation import Installation
from workflows.configuration.reading import of_file

IMAGE = "registry.example.com/steps:1"
OFF = re.compile(r"(?m)^( *)#(?! \S)")  # a sentence has one blank after its `#`


def written(**values):
    return proposal.write({"image": IMAGE, **values}, {}, "How it is installed.")


def installation(text):
    return of_file("threescale-backup.yaml", text, {}).installation()


def test_what_is_written_is_an_installation_with_every_default():
    assert installation(written()) == Installation(image=IMAGE)


def test_every_line_that_is_off_can_be_turned_on():
    on = installation(OFF.sub(r"\1", written()))

    assert on.backup.schedule == "0 4 * * *"
    assert on.retention.keep_daily == 7
    assert on.pods.resources.limits["cpu"] == "500m"
    assert on.pods.phases["backup/file-storage"].resources.limits == {"memory": "1Gi"}
    assert on.argo.instance_id == "ours"


def test_each_field_stands_there_once_on_or_off():
    text = OFF.sub(r"\1", written())

    def paths(fields, above=()):
        for name, value in fields.items():
            yield (*above, name)
            if isinstance(value, dict):
                yield from paths(value, (*above, name))

    found = list(paths(yaml.safe_load(text)))
    sections = [name for name, each in Installation.model_fields.items() if not each.is_required()]
    assert {path[0] for path in found} == {each.alias for each in Installation.model_fields.values()}
    assert len(found) == len(set(found)) > len(sections)


@pytest.mark.parametrize("path", proposal.EXAMPLES)
def test_an_example_is_of_a_field(path):
    assert field_at(Installation, tuple(path.split("."))).description


def test_a_value_that_was_found_is_on_and_a_note_stands_beside_it():
    text = proposal.write(
        {"image": IMAGE, "access.secrets": ["mine"]}, {"access": "APIManager example names 1 secret."}, "Head."
    )

    assert installation(text).access.secrets == ("mine",)
    assert "# APIManager example names 1 secret.\naccess:\n" in text
