"""The parts of `threescale-backup.yaml` that pages show are valid, and render."""

import re
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.builders import commands
from tests.builders.documentation import MADE, PAGES, name_of
from workflows.configuration.fields import fields
from workflows.configuration.installation import Installation

pytestmark = pytest.mark.thorough

SECTIONS = {name for name, _ in fields(Installation)}


def parts() -> Iterator[Any]:
    """Each indented block of a page that is YAML with fields of the file."""
    for page in (each for each in PAGES if MADE not in each.parents):
        for block in re.findall(r"(?m)(?:^ {4}.*\n|^\n(?= {4}))+", page.read_text()):
            for text in textwrap.dedent(block).strip("\n").split("\n\n"):
                if re.match(r"(#.*\n)*(" + "|".join(SECTIONS) + r"):( |\n)", text):
                    yield pytest.param(text, id=f"{name_of(page)}: {' '.join(text.split())[:60]}")


def test_pages_show_parts_of_the_file() -> None:
    assert len(list(parts())) > 15


@pytest.mark.parametrize("text", list(parts()))
def test_a_part_of_the_file_renders(text: str) -> None:
    told = {"image": commands.IMAGE, "namespace": "api", **yaml.safe_load(text)}

    code, out, err = commands.run("manifests", "-f", "-", stdin=yaml.safe_dump(told))

    assert code == 0, err
    assert out
