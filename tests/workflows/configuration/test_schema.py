"""The JSON Schema of `threescale-backup.yaml` takes what the command takes, and refuses what an editor can know."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, get_args, get_origin

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as some

from steps.contract import values
from steps.contract.value_kinds import ValueKind
from tests.builders.configured import FIELDS, IMAGE, Field, merged, name_of, nested
from workflows import schedule
from workflows.configuration import schema
from workflows.configuration.fields import kind_of

SCHEMA = schema.of_file()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
KINDS = {name: each for name, each in vars(values).items() if isinstance(each, ValueKind)}


def problems(content: Any) -> list[str]:
    """What the schema refuses of the fields of a file."""
    return [f"{each.json_path}: {each.message}" for each in VALIDATOR.iter_errors(merged({"image": IMAGE}, content))]


def test_the_command_prints_the_schema() -> None:
    """In a process of its own, because the phases are found among what is imported."""
    printed = subprocess.run([sys.executable, "-m", "workflows", "schema"], capture_output=True, text=True, check=True)

    assert json.loads(printed.stdout) == SCHEMA


def test_it_is_a_schema_of_its_dialect() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)

    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_only_the_image_is_required() -> None:
    assert list(VALIDATOR.iter_errors({"image": IMAGE})) == []
    assert [each.message for each in VALIDATOR.iter_errors({})] == ["'image' is a required property"]


@pytest.mark.parametrize("field", FIELDS, ids=name_of)
def test_a_misspelt_name_is_refused(field: Field) -> None:
    assert problems(nested((*field.path[:-1], f"{field.path[-1]}x"), "1"))


@pytest.mark.parametrize("field", FIELDS, ids=name_of)
def test_a_value_of_another_form_is_refused(field: Field) -> None:
    wrong = "text" if field.is_section or field.is_map or field.is_list else ["a", "list"]

    assert problems(nested(field.path, wrong))


@pytest.mark.parametrize("field", [each for each in FIELDS if not each.info.is_required()], ids=name_of)
def test_a_field_may_have_no_value(field: Field) -> None:
    (*above, _) = field.path
    own = {"name": "a"} if above and above[-1] == 0 and "imagePullSecrets" in above else {}

    assert problems(nested(tuple(above), {field.path[-1]: None, **own}) if above else {field.path[-1]: None}) == []


@pytest.mark.parametrize("of", ["backup", "verify", "drill"])
def test_arguments_are_those_that_a_schedule_can_set(of: str) -> None:
    known = {each.told_as for each in schedule.arguments(of)} - {"scratch-namespace"}

    assert [name for name in known if "unexpected" in str(problems({of: {"arguments": {name: "x"}}}))] == []
    assert "('of-nobody' was unexpected)" in str(problems({of: {"arguments": {"of-nobody": "x"}}}))


@pytest.mark.parametrize("of", ["backup", "verify", "drill"])
def test_an_argument_that_a_schedule_refuses_is_refused(of: str) -> None:
    refused = {"backup": "name", "verify": "claim-name", "drill": "scratch-namespace"}[of]

    assert "was unexpected" in str(problems({of: {"arguments": {refused: "x"}}}))


@pytest.mark.parametrize(
    ("content", "is_valid"),
    [
        ("backup: {arguments: {storage-request: 20Gi, workers: 4, claim-wait: 15}}", True),
        ("backup: {arguments: {storage-request: 20, file-storage: external}}", True),
        ("backup: {arguments: {file-storage: s3}}", False),
        ("backup: {arguments: {claim-wait: 121}}", False),
        ("retention: {keep-daily: 7, keep-within: 1y6m, max-shrink: 0.3}", True),
        ("retention: {keep-daily: '7'}", True),
        ("retention: {keep-daily: -1}", False),
        ("retention: {keep-within: 12}", False),
        ("retention: {keepDaily: 7}", False),
        ("pods: {resources: {limits: {cpu: 1, memory: 256Mi}}}", True),
        ("pods: {resources: {limits: {cpu: 0.5}}}", True),
        ("pods: {resources: {limits: {cpus: 1}}}", False),
        ("pods: {annotations: {sidecar.istio.io/inject: false}}", True),
        ("pods: {annotations: {a: '{{b}}'}}", False),
        ("pods: {labels: {workflows.argoproj.io/a: b}}", False),
        ("pods: {phases: {restore/plan: {nodeSelector: {disk: fast}}}}", True),
        ("pods: {phases: {restore/plans: {}}}", False),
        ("access: {accounts: {backup: {name: saver}}}", True),
        ("access: {accounts: {backups: {name: saver}}}", False),
        ("namespace: My_NS", False),
        ("argo: {podGC: {deleteDelayDuration: 10 minutes}}", False),
    ],
)
def test_it_knows_what_a_value_can_be(content: str, is_valid: bool) -> None:
    assert (problems(yaml.safe_load(content)) == []) is is_valid


def taken(kind: ValueKind) -> some.SearchStrategy[str]:
    examples = [
        "",
        "0",
        "1",
        "7",
        "0.5",
        ".5",
        "1e2",
        "10%",
        "10Gi",
        "1",
        "500m",
        "30d",
        "1y6m",
        "a",
        "a-b",
        "a.b",
        "2.16",
        "all",
        "backend-redis",
    ]
    return (some.sampled_from(examples) | some.from_regex(f"(?:{kind.pattern or '.*'})", fullmatch=True)).filter(
        kind.fits
    )


@pytest.mark.thorough
@pytest.mark.parametrize("name", KINDS)
@given(data=some.data())
def test_a_kind_s_schema_takes_every_text_of_the_kind(name: str, data: some.DataObject) -> None:
    text = data.draw(taken(KINDS[name]))

    jsonschema.validate(text, KINDS[name].schema())


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_s_schema_takes_what_yaml_makes_of_a_text_of_the_kind(name: str) -> None:
    kind = KINDS[name]
    texts = [text for text in ("1", "10", "0.5", "true", "a", "10Gi", "30d", "50%", "a=1", "all") if kind.fits(text)]

    assert texts
    for text in texts:
        jsonschema.validate(yaml.safe_load(text), kind.schema())


def candidates() -> Iterator[tuple[Field, str]]:
    for field in FIELDS:
        if kind_of(field.info) and not (get_origin(field.form) or get_args(field.form)):
            yield from ((field, text) for text in ("1", "0.5", "010", "true", "a", "10Gi", "30d"))


@pytest.mark.parametrize(
    ("field", "text"), list(candidates()), ids=lambda each: name_of(each) if isinstance(each, Field) else each
)
def test_the_schema_takes_a_value_of_a_field_if_its_kind_does(field: Field, text: str) -> None:
    kind = kind_of(field.info)
    assert kind is not None
    refused = [each for each in problems(nested(field.path, yaml.safe_load(text))) if str(field.path[-1]) in each]

    assert not (kind.fits(text) and refused)
