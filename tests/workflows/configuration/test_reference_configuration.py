"""The reference page of `threescale-backup.yaml` and its published JSON Schema, made from the model."""

from collections.abc import Iterator
from typing import Literal, get_args, get_origin

import pytest
from pydantic.fields import FieldInfo

from tests.builders.configured import FIELDS, Field, options
from tests.builders.reference import code, made_by, recorded, table
from tests.builders.schemas import as_lines
from workflows.configuration import checks, schema
from workflows.configuration.fields import kind_of

NAMES = {
    0: "[]",
    "backup/seal": "PHASE",
    "backup": "WORKFLOW",
}  # how the page writes the items of lists and maps that the walk goes into


def page_of_fields() -> Iterator[str]:
    yield from ("# Configuration file", "", made_by("tests/workflows/configuration/test_reference_configuration.py"))
    yield from ("", "`threescale-backup manifests -f threescale-backup.yaml` reads this file.")
    yield "An option of the command line overrides a field. An option that may be given several times adds to it."
    yield "Fields that are not in the tables are refused."
    yield from ("", "Editors check the file by its [JSON Schema](threescale-backup.schema.json).")
    yield "`threescale-backup schema` prints the schema too. Save it beside the file, and begin the file with:"
    yield from ("", "    # yaml-language-server: $schema=threescale-backup.schema.json", "")
    yield "The folder [examples](../../examples) holds whole files."
    yield "`PHASE` is one of the [phases](#phases), such as `backup/file-storage`."
    yield "`WORKFLOW` is one of `backup`, `restore`, `prune`, `verify`, `drill` and `watchdog`."
    yield "Each item of a list, written `[]`, begins with `- `."
    sections = [each for each in FIELDS if each.is_section and len(each.path) == 1]
    alone = [each for each in FIELDS if len(each.path) == 1 and not each.is_section]
    yield from ("", "## Fields of no section", "", *rows(alone))
    for section in sections:
        yield from ("", f"## {section.path[0]}", "", " ".join((section.info.description or "").split()), "")
        own = [each for each in FIELDS if each.path[0] == section.path[0] and each.path != section.path]
        yield from rows([each for each in own if "backup/seal" not in each.path])
        if section.path[0] == "pods":
            yield from ("", "Below `pods.phases.PHASE` are the same fields, but `fsGroup`, `runAsUser` and `phases`.")
    yield from ("", "## Phases", "")
    yield from (f"- `{name}`" for name in sorted(checks.phases()))


def rows(of: list[Field]) -> Iterator[str]:
    told = ((code(written(each)), about(each), value(each), default(each.info), option(each)) for each in of)
    yield from table("Field", "What it does", "Value", "Default", "Option", rows=told)


def written(field: Field) -> str:
    parts = [NAMES[part] if number and part in NAMES else str(part) for number, part in enumerate(field.path)]
    return ".".join(parts).replace(".[]", "[]")


def about(field: Field) -> str:
    return " ".join((field.info.description or "").split())


def option(field: Field) -> str:
    return code(options().get(field.path))


def value(field: Field) -> str:
    """What a person writes as its value."""
    if field.is_section:
        return "fields"
    if field.is_list:
        return "list"
    if field.is_map:
        return "`NAME: VALUE` lines"
    if field.form is bool:
        return "`true` or `false`"
    if get_origin(field.form) is Literal:
        return ", ".join(code(word) or '`""`' for word in get_args(field.form))
    kind = kind_of(field.info)
    return kind.name if kind else "text"


def default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value = info.default
    if isinstance(value, bool):
        return code(str(value).lower())
    return code(str(value)) if isinstance(value, str | int | float) else ""


def test_the_page_of_the_file_is_as_the_model_says() -> None:
    page, made = recorded("configuration.md", page_of_fields())

    assert page == made


def test_the_published_schema_is_as_the_model_says() -> None:
    page, made = recorded("threescale-backup.schema.json", as_lines(schema.of_file()))

    assert page == made


@pytest.mark.parametrize("field", FIELDS, ids=written)
def test_every_field_says_what_it_does(field: Field) -> None:
    assert len(field.info.description or "") > 10
    assert str(field.info.description).endswith(".")
