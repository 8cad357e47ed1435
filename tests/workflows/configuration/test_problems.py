"""Mistakes in `threescale-backup.yaml`: each is one sentence with file, line and field, and with what it could be."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as some

from tests.builders.configured import FIELDS, IMAGE, Field, line_of, manifests, merged, name_of, nested, write
from workflows.configuration.fields import fields, kind_of, model_at
from workflows.configuration.installation import Installation
from workflows.configuration.places import Path as FieldPath
from workflows.configuration.places import told

pytestmark = pytest.mark.thorough

each_field = pytest.mark.parametrize("field", FIELDS, ids=name_of)
LIST, FIELDS_BELOW = ["x"], {"x": "y"}
WORD = "no such/thing {{"  # which no field takes


def refused(result: Result) -> list[str]:
    """The lines of a refusal, each a sentence for a person."""
    assert (result.exit_code, result.stdout) == (1, "")
    assert isinstance(result.exception, SystemExit)
    lines = result.stderr.splitlines()
    assert lines
    assert [line for line in lines if not line.startswith("Error: ")] == []
    assert "Traceback" not in result.stderr
    return lines


def with_image(content: Any) -> Any:
    return merged({"image": IMAGE}, content)


@each_field
def test_a_misspelt_name_is_refused_with_its_line_and_the_names_that_could_be_meant(
    field: Field, tmp_path: Path
) -> None:
    above, name = field.path[:-1], str(field.path[-1])
    misspelt = f"{name}x"
    file = write(tmp_path, with_image(nested((*above, misspelt), "1")))

    lines = refused(manifests("-f", file))

    known = ", ".join(each for each, _ in fields(model_at(Installation, above)))
    line = line_of(file, (misspelt,))
    path = told((*above, misspelt))
    assert f"Error: {file}:{line}: {path} is not a field. Did you mean {name}? Choose one of {known}" in lines


def wrong_forms(field: Field) -> list[Any]:
    """Values of another form than that of the field."""
    if field.is_section:
        return ["text", LIST]
    if field.is_map:
        return ["text", LIST, {"x": LIST}]
    if field.is_list:
        return ["text", FIELDS_BELOW, [LIST]]
    kind = kind_of(field.info)
    takes_words = field.form is str and (kind is None or kind.fits(WORD))
    return [LIST, FIELDS_BELOW, *([] if takes_words else [WORD])]


def wanted(field: Field) -> str:
    """What a refusal says that the field could be."""
    kind = kind_of(field.info)
    if field.is_section or field.is_map:
        return r"needs (fields|NAME: VALUE lines) below it|is not a field|is not one of|not a (valid key|resource)|list"
    if field.is_list:
        return "needs a list|needs one word or text|needs fields below it"
    if get_args(field.form):
        return "is not one of '" + str(get_args(field.form)[0])
    if field.form is bool:
        return "is true or false"
    sentence = f"|{re.escape(kind.wanted)}" if kind else ""
    return f"needs (one word or text|a number|a whole number){sentence}"


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field in FIELDS for value in wrong_forms(field)],
    ids=lambda each: name_of(each) if isinstance(each, Field) else str(each),
)
def test_a_value_of_another_form_is_refused_with_its_line_and_what_it_could_be(
    field: Field, value: Any, tmp_path: Path
) -> None:
    file = write(tmp_path, with_image(nested(field.path, value)))

    lines = refused(manifests("-f", file))

    path, line = re.escape(name_of(field)), line_of(file, field.path)
    about = [each for each in lines if re.match(rf"Error: {re.escape(str(file))}:\d+: {path}\b", each)]
    assert about, lines
    numbers = [int(each.removeprefix(f"Error: {file}:").partition(":")[0]) for each in about]
    assert all(line <= number <= line + 2 for number in numbers)
    assert [each for each in about if not re.search(wanted(field), each)] == []


DEEP = "\n".join("  " * level + "a:" for level in range(200))
OTHER_FILES = {
    "a field that is given twice": (f"image: {IMAGE}\nimage: other\n", "2: image is given twice, first in line 1"),
    "a nested field that is given twice": (
        f"image: {IMAGE}\ndrill:\n  namespace: a\n  namespace: b\n",
        "4: drill.namespace is given twice, first in line 3",
    ),
    "a tab": (f"image: {IMAGE}\npods:\n\tfsGroup: 1\n", "3: a tab is in the indentation. Write spaces"),
    "a tab after a value": (
        f"image: {IMAGE}\npods:\n  fsGroup: a\n\trunAsUser: 1\n",
        "4: a tab is in the indentation. Write spaces",
    ),
    "a schedule without quotes": (
        f"image: {IMAGE}\nbackup:\n  schedule: */5 * * * *\n",
        '3: a value that begins with * needs quotes. Write "*..."',
    ),
    "a schedule in Argo's words without quotes": (
        f"image: {IMAGE}\nbackup:\n  schedule: @daily\n",
        '3: a value that begins with @ needs quotes. Write "@..."',
    ),
    "a percent sign": (
        f"image: {IMAGE}\nverify:\n  arguments: {{sample: %5}}\n",
        "3: a value that begins with % needs quotes",
    ),
    "fields of a section that are not indented alike": (
        f"image: {IMAGE}\npods:\n  fsGroup: 1\n   runAsUser: 1\n",
        "4: this line has a colon where no field can begin. Indent the fields of a section alike, and put a value with "
        "': ' in quotes",
    ),
    "an empty file": ("", "1: image is missing. Add it"),
    "comments only": ("# image:\n# namespace: api\n", "1: image is missing. Add it"),
    "an image without a value": ("image:\nnamespace: api\n", "1: image is missing. Add it"),
    "two documents": (
        f"image: {IMAGE}\n---\nimage: other\n",
        "2: a second YAML document begins here. Write all fields in one document",
    ),
    "an alias": (f"image: &a {IMAGE}\nnamespace: *a\n", "2: the file is not valid YAML: aliases (*a) are not read"),
    "a merge key": (f"image: {IMAGE}\npods:\n  <<: {{}}\n", "3: pods.<< is not a field"),
    "a list": (f"- image: {IMAGE}\n", "1: the file holds no fields"),
    "a word": ("image\n", "1: the file holds no fields"),
    "a name that is no word": ("? [a]\n: b\n", "1: a name of a field must be a word"),
    "deep nesting": (DEEP, "the file is not valid YAML: more than 100 levels are not read"),
    "a control character": ("image: \x07\n", "the file is not valid YAML"),
    "a tag of Python": ("image: !!python/object:os.system x\n", "the file is not valid YAML"),
    "a tag that does not fit": ("image: !!int x\n", "the file is not valid YAML"),
    "braces in an annotation": (
        f"image: {IMAGE}\npods:\n  annotations:\n    a: b\n    c: '{{{{workflow.name}}}}'\n",
        "5: pods.annotations.c '{{workflow.name}}' is not taken, because Argo would replace '{{'. Leave out the braces",
    ),
    "a key of Argo": (
        f"image: {IMAGE}\npods:\n  labels:\n    workflows.argoproj.io/workflow: b\n",
        "4: pods.labels.workflows.argoproj.io/workflow",
    ),
    "a label without a value": (
        f"image: {IMAGE}\npods:\n  labels:\n    a:\n",
        "4: pods.labels.a needs one word or text",
    ),
    "a path of nothing": (
        f"image: {IMAGE}\naccess:\n  apimanagers:\n  - ''\n",
        "4: access.apimanagers[0] '' is not a path: write the name of a file or folder",
    ),
    "a path that no system has": (f'image: {IMAGE}\noutput: "a\\0b"\n', r"2: output 'a\x00b' is not a path"),
    "an item without a value": (
        f"image: {IMAGE}\naccess:\n  secrets:\n  - null\n",
        "4: access.secrets[0] needs one word or text, not nothing",
    ),
}


@pytest.mark.parametrize("case", OTHER_FILES)
def test_a_file_that_holds_no_installation_is_refused(case: str, tmp_path: Path) -> None:
    content, sentence = OTHER_FILES[case]
    file = write(tmp_path, content)

    (line,) = refused(manifests("-f", file))

    assert line.startswith(f"Error: {file}:")
    assert sentence in line


def test_a_file_that_holds_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "image.png"
    file.write_bytes(b"\x89PNG\xff\xfe\x00")

    assert refused(manifests("-f", file)) == [f"Error: {file}: the file is not valid UTF-8, so it is not YAML"]


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert refused(manifests("-f", tmp_path)) == [f"Error: can't read {tmp_path}: Is a directory"]


def test_a_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    missing = tmp_path / "missing.yaml"

    assert refused(manifests("-f", missing)) == [f"Error: can't read {missing}: No such file or directory"]


@pytest.mark.parametrize("field", [each for each in FIELDS if each.is_section and 0 not in each.path], ids=name_of)
def test_a_section_of_comments_only_changes_nothing(field: Field, tmp_path: Path) -> None:
    commented = write(tmp_path, with_image(nested(field.path, None)))

    assert manifests("-f", commented).stdout == manifests("--image", IMAGE).stdout


@pytest.mark.parametrize(
    ("path", "belongs"),
    [
        (("schedule",), "below backup, verify, drill or watchdog"),
        (("keep-daily",), "below retention or repository.retention"),
        (("drill", "fsGroup"), "below pods"),
        (("pods", "podGC"), "below argo"),
        (("backup", "timezone"), "at the top of the file"),
        (("pods", "resources", "nodeSelector"), "below pods"),
    ],
)
def test_a_field_in_another_section_is_told_where_it_belongs(path: FieldPath, belongs: str, tmp_path: Path) -> None:
    file = write(tmp_path, with_image(nested(path, "1")))

    (line,) = refused(manifests("-f", file))

    assert f"{told(path)} is not a field here. It belongs {belongs}. Choose one of " in line


@pytest.mark.parametrize(
    ("repository", "sentence"),
    [
        ({"secrets": ["copies", "copies"]}, "repository.secrets names copies twice. Name each repository once"),
        ({"keepLocal": "2"}, "repository.keepLocal needs a repository. Add repository.secrets"),
        (
            {"secrets": ["copies", "others"], "pruneSecrets": ["may-delete"]},
            "repository.pruneSecrets has 1 Secrets, and repository.secrets has 2. Name one for each, in the same order",
        ),
    ],
)
def test_repositories_that_contradict_each_other_are_refused(
    repository: dict[str, object], sentence: str, tmp_path: Path
) -> None:
    (line,) = refused(manifests("-f", write(tmp_path, with_image({"repository": repository}))))

    assert line.endswith(sentence)


def test_a_pull_secret_by_its_name_alone_is_refused_with_the_form_of_kubernetes(tmp_path: Path) -> None:
    file = write(tmp_path, f"image: {IMAGE}\npods:\n  imagePullSecrets: [my-registry]\n")

    (line,) = refused(manifests("-f", file))

    assert line == (
        f"Error: {file}:3: pods.imagePullSecrets[0] needs fields below it, not 'my-registry'. Write name: my-registry"
    )


def test_at_most_ten_problems_are_named(tmp_path: Path) -> None:
    file = write(tmp_path, with_image({f"a{number}": "b" for number in range(12)}))

    lines = refused(manifests("-f", file))

    assert len(lines) == 11
    assert lines[-1] == "Error: and 2 more"


NAMES = sorted({str(part) for field in FIELDS for part in field.path if isinstance(part, str)})
VALUES = [
    "",
    "x",
    "0",
    "1",
    "-1",
    "1e3",
    "true",
    "no",
    "26h",
    "10Gi",
    "* * * * *",
    "UTC",
    "{{x}}",
    "\x00",
    "é",
    "x" * 300,
]
scalars = some.none() | some.booleans() | some.integers() | some.floats() | some.sampled_from(VALUES) | some.text()
anything = some.recursive(
    scalars,
    lambda below: (
        some.lists(below, max_size=3)
        | some.dictionaries(some.sampled_from(NAMES) | some.text(max_size=5), below, max_size=4)
    ),
    max_leaves=12,
)
at_fields = some.builds(lambda field, value: nested(field.path, value), some.sampled_from(FIELDS), anything)


@pytest.mark.thorough
@given(content=some.builds(merged, some.just({"image": IMAGE}), at_fields, at_fields) | anything)
def test_any_data_is_taken_or_refused_with_sentences(content: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = write(tmp_path_factory.mktemp("any"), content if not isinstance(content, str) else [content])

    result = manifests("-f", file)

    if result.exit_code:
        refused(result)
    else:
        assert result.exception is None


@pytest.mark.thorough
@given(text=some.text() | some.binary().map(lambda each: each.decode("latin-1")))
def test_any_text_is_taken_or_refused_with_sentences(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("any") / "threescale-backup.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))

    refused(manifests("-f", file))
