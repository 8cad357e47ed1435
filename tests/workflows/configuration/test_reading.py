"""A file and options together: what overrides, what adds, and that both say the same."""

from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner

from tests import documents
from tests.builders.configured import IMAGE, manifests, merged, nested, options, write
from workflows.__main__ import main
from workflows.commands import installing
from workflows.configuration import places, reading
from workflows.configuration.installation import Installation
from workflows.configuration.places import Path as FieldPath
from workflows.configuration.places import told

# A value of each option, by its field: words on the command line and the value in the file. And what it needs besides.
SAMPLES: dict[str, tuple[str, Any]] = {
    "image": ("registry.example.com/other:2", "registry.example.com/other:2"),
    "namespace": ("api", "api"),
    "timezone": ("Europe/Madrid", "Europe/Madrid"),
    "output": ("rendered", "rendered"),
    "backup.schedule": ("0 4 * * *", "0 4 * * *"),
    "backup.arguments": ("storage-request=20Gi", {"storage-request": "20Gi"}),
    "verify.schedule": ("0 6 * * *", "0 6 * * *"),
    "verify.arguments": ("sample=25%", {"sample": "25%"}),
    "drill.schedule": ("0 7 * * 0", "0 7 * * 0"),
    "drill.arguments": ("storage-class=fast", {"storage-class": "fast"}),
    "drill.namespace": ("drills", "drills"),
    "pods.fsGroup": ("2000", 2000),
    "pods.runAsUser": ("1000", 1000),
    "access.apimanagers": ("apimanager.yaml", ["apimanager.yaml"]),
    "access.secrets": ("mine", ["mine"]),
    "access.configMaps": ("mine", ["mine"]),
    "access.allSecrets": ("", True),
    "repository.secrets": ("copies", ["copies"]),
    "repository.claim": ("copies", "copies"),
    "watchdog.schedule": ("17 * * * *", "17 * * * *"),
    "watchdog.expectedEvery": ("50h", "50h"),
    "monitoring.enabled": ("", True),
    "monitoring.verifiedEvery": ("20d", "20d"),
    "monitoring.provenEvery": ("60d", "60d"),
    "monitoring.silentFor": ("5h", "5h"),
    "notification.secret": ("told", "told"),
    "notification.form": ("slack", "slack"),
    "retention.keep-last": ("3", 3),
    "retention.keep-hourly": ("4", 4),
    "retention.keep-daily": ("5", 5),
    "retention.keep-weekly": ("6", 6),
    "retention.keep-monthly": ("7", 7),
    "retention.keep-yearly": ("8", 8),
    "retention.keep-within": ("1y6m", "1y6m"),
    "retention.minimum-redundancy": ("9", 9),
    "retention.max-shrink": ("0.25", 0.25),
    "retention.manual": ("", "yes"),
    "retention.operators": ("", "yes"),
    "retention.failed-after": ("9d", "9d"),
    "databases.image": ("registry.example.com/clients:2", "registry.example.com/clients:2"),
    "databases.copies": ("backend-redis", "backend-redis"),
    "databases.credentials": ("mine", "mine"),
    "repository.pruneSecrets": ("may-delete", ["may-delete"]),
    "repository.pruneSchedule": ("0 9 * * 0", "0 9 * * 0"),
    "repository.keepLocal": ("2", "2"),
    "repository.retention.keep-last": ("3", 3),
    "repository.retention.keep-hourly": ("4", 4),
    "repository.retention.keep-daily": ("5", 5),
    "repository.retention.keep-weekly": ("6", 6),
    "repository.retention.keep-monthly": ("7", 7),
    "repository.retention.keep-yearly": ("8", 8),
    "repository.retention.keep-within": ("1y6m", "1y6m"),
    "repository.retention.minimum-redundancy": ("9", 9),
    "repository.retention.max-shrink": ("0.25", 0.25),
    "repository.retention.manual": ("", "yes"),
}
FULL = {
    "image": IMAGE,
    "namespace": "installed",
    "backup": {"schedule": "0 2 * * *"},
    "verify": {"schedule": "0 5 * * *"},
    "drill": {"schedule": "0 8 * * *", "namespace": "scratch"},
    "watchdog": {"schedule": "7 * * * *"},
    "monitoring": {"enabled": True},
    "notification": {"secret": "address"},
    "repository": {"secrets": ["copies"]},
    "databases": {"image": IMAGE, "copies": "all"},
}
# Their effect shows only where another field has not been given.
BESIDE: dict[str, Any] = {
    "monitoring.enabled": {"monitoring": {"enabled": False}},
    "repository.secrets": {"repository": {"secrets": []}},
}
OPTIONS = options()
each_option = pytest.mark.parametrize("field", sorted(SAMPLES))


def option_of(field: str) -> list[str]:
    words, _ = SAMPLES[field]
    option = next(each for path, each in OPTIONS.items() if told(path) == field)
    return [option, words] if words else [option]


def path_of(field: str) -> FieldPath:
    return tuple(field.split("."))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the file, in which the command runs, with an APIManager that names a Secret."""
    monkeypatch.chdir(tmp_path)
    apimanager = {"system": {"fileStorage": {"simpleStorageService": {"configurationSecretRef": {"name": "my-s3"}}}}}
    document = {
        "apiVersion": "apps.3scale.net/v1alpha1",
        "kind": "APIManager",
        "metadata": {"name": "one", "namespace": "api"},
        "spec": {"wildcardDomain": "apps.example.com", **apimanager},
    }
    (tmp_path / "apimanager.yaml").write_text(yaml.safe_dump(document))
    return tmp_path


def rendered(folder: Path, *words: object) -> list[Any]:
    """What the command renders, printed or in files of a folder."""
    result = manifests(*words)
    assert result.exit_code == 0, result.output
    files = sorted((folder / "rendered").glob("*.yaml"))
    texts = [each.read_text() for each in files] or [result.stdout]
    for each in files:
        each.unlink()
    return [manifest for text in texts for manifest in documents.read(text)]


def test_every_option_has_a_field_and_a_sample_here() -> None:
    command = main.commands["manifests"]
    parameters = command.get_params(click.Context(command))
    named = {each.opts[0] for each in parameters} - {"-f", "--help", "-h"}

    assert named == set(OPTIONS.values())
    assert {told(path) for path in OPTIONS} == set(SAMPLES)


def asked(*words: object) -> Installation:
    """What the command is asked for, all of whose manifests are rendered from it."""
    command = main.commands["manifests"]
    return installing.asked(command.make_context("manifests", [str(word) for word in words]))[1]


@pytest.mark.thorough
@each_option
def test_a_field_says_what_its_option_says(field: str, here: Path) -> None:
    base = merged(FULL, BESIDE.get(field, {}))

    without = asked("-f", write(here, base))
    by_option = asked("-f", write(here, base), *option_of(field))
    by_field = asked("-f", write(here, merged(base, nested(path_of(field), SAMPLES[field][1]))))
    assert by_field == by_option
    assert by_option != without


@pytest.mark.parametrize("field", ["image", "namespace", "backup.schedule", "drill.namespace", "notification.secret"])
def test_an_option_overrides_its_field(field: str, here: Path) -> None:
    overridden = asked("-f", write(here, FULL), *option_of(field))

    assert overridden == asked("-f", write(here, merged(FULL, nested(path_of(field), SAMPLES[field][1]))))


@pytest.mark.parametrize("field", ["access.secrets", "access.configMaps"])
def test_an_option_adds_to_a_list(field: str, here: Path) -> None:
    added = asked("-f", write(here, merged(FULL, nested(path_of(field), ["first"]))), *option_of(field))

    assert added == asked("-f", write(here, merged(FULL, nested(path_of(field), ["first", "mine"]))))


@pytest.mark.parametrize("field", ["backup.arguments", "verify.arguments", "drill.arguments"])
def test_an_option_adds_to_a_map_and_overrides_what_has_its_name(field: str, here: Path) -> None:
    words, value = SAMPLES[field]
    name, before = words.partition("=")[0], {"backup": "1Gi", "verify": "5%", "drill": "slow"}
    told = {"claim-wait": 15, name: before[field.partition(".")[0]]}

    added = asked("-f", write(here, merged(FULL, nested(path_of(field), told))), *option_of(field))

    assert added == asked("-f", write(here, merged(FULL, nested(path_of(field), {**told, **value}))))


def test_options_alone_and_a_file_alone_render_the_same(here: Path) -> None:
    fields = [each for each in SAMPLES if each != "output"]
    words = [word for each in fields for word in option_of(each)]
    content = merged(*(nested(path_of(each), SAMPLES[each][1]) for each in fields))

    assert rendered(here, "-f", write(here, content)) == rendered(here, *words)


@pytest.mark.parametrize("spelt", ["yes", "on", "true", "True"])
def test_a_flag_is_also_spelt_as_yaml_spells_it(spelt: str, here: Path) -> None:
    file = write(here, f"image: {IMAGE}\naccess:\n  allSecrets: {spelt}\n")

    assert rendered(here, "-f", file) == rendered(here, "--image", IMAGE, "--all-secrets")


@pytest.mark.parametrize(
    "text", ["yes", "no", "on", "off", "010", "1e3", "1.10", "0x1f", "1_000", "2026-01-02", "12:30:45"]
)
def test_an_argument_keeps_the_text_that_a_person_wrote(text: str) -> None:
    read = places.read(f"image: {IMAGE}\nbackup:\n  arguments:\n    storage-class: {text}\n")

    made = Installation.model_validate(read.fields, by_alias=True, by_name=False)
    assert made.backup.arguments == {"storage-class": text}


def test_a_text_of_digits_is_rendered_as_a_text(here: Path) -> None:
    arguments = {"storage-class": "010", "storage-request": "1e10"}
    file = write(
        here, f"image: {IMAGE}\nbackup:\n  schedule: 0 2 * * *\n  arguments: {arguments}".replace("'", "") + "\n"
    )

    (cron,) = [each for each in rendered(here, "-f", file) if each["kind"] == "CronWorkflow"]
    told = {each["name"]: each["value"] for each in cron["spec"]["workflowSpec"]["arguments"]["parameters"]}
    assert told == {**arguments, "schedule": "threescale-backup-schedule"}


def test_an_apimanager_is_looked_for_beside_the_file(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(here, {"image": IMAGE, "access": {"apimanagers": ["apimanager.yaml"]}})
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")

    assert "my-s3" in str(rendered(here, "-f", file))


def test_an_apimanager_of_an_option_is_looked_for_in_the_current_folder(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(here, {"image": IMAGE})
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")

    refused = manifests("-f", file, "--from-apimanager", "apimanager.yaml")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == "Error: can't read apimanager.yaml: No such file or directory\n"
    assert "my-s3" in str(rendered(here, "-f", file, "--from-apimanager", "../apimanager.yaml"))


def test_the_output_of_a_file_lies_beside_it(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(here, {"image": IMAGE, "output": "rendered"})
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")

    assert manifests("-f", file).exit_code == 0
    assert list((here / "rendered").glob("*.yaml"))
    assert list((here / "elsewhere").iterdir()) == []


def test_a_file_is_read_from_stdin() -> None:
    text = yaml.safe_dump({"image": IMAGE, "namespace": "My_NS"})

    refused = CliRunner().invoke(main, ["manifests", "-f", "-"], input=text)
    assert refused.exit_code == 1
    assert refused.stderr.startswith("Error: <stdin>:2: namespace 'My_NS' is not a valid name of a namespace")


def test_a_wrong_option_is_named_and_not_the_file(here: Path) -> None:
    file = write(here, {"image": IMAGE, "namespace": "api"})

    refused = manifests("-f", file, "--namespace", "My_NS")
    assert refused.exit_code == 1
    assert refused.stderr.startswith("Error: --namespace 'My_NS' is not a valid name of a namespace")


def test_an_argument_of_an_option_alone_is_named_and_not_the_file(here: Path) -> None:
    file = write(here, {"image": IMAGE})

    refused = manifests("-f", file, "--argument", "workers=2")
    assert refused.stderr == "Error: --argument is for scheduled runs only. Add backup.schedule\n"


def test_an_option_overrides_a_field_of_a_section_without_a_value(here: Path) -> None:
    file = write(here, f"image: {IMAGE}\npods:\n  # fsGroup: 1\n")

    assert rendered(here, "-f", file, "--fs-group", "2000") == rendered(here, "--image", IMAGE, "--fs-group", "2000")


def test_an_option_below_a_field_of_another_form_leaves_the_mistake_to_the_file(here: Path) -> None:
    file = write(here, f"image: {IMAGE}\npods: none\n")

    refused = manifests("-f", file, "--fs-group", "2000")
    assert refused.stderr == f"Error: {file}:2: pods needs fields below it, not 'none'\n"


@pytest.mark.parametrize(
    ("field", "wanted"),
    [("access.secrets", "needs a list"), ("backup.arguments", "needs NAME: VALUE lines below it")],
)
def test_what_an_option_adds_to_a_wrong_field_does_not_hide_the_mistake(field: str, wanted: str, here: Path) -> None:
    file = write(here, merged({"image": IMAGE}, nested(path_of(field), "first")))

    refused = manifests("-f", file, *option_of(field))
    assert refused.exit_code == 1
    assert f"Error: {file}:3: {field} {wanted}" in refused.stderr


TEXT = """\
# a comment
image: a

namespace: b # beside
backup:
  schedule: >-
    0 2 *
    * *
  arguments: {name: c, plan: d}
pods:
  tolerations:
  - key: e

    effect: f
  -
    key: g
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("image",), 2),
        (("namespace",), 4),
        (("backup",), 5),
        (("backup", "schedule"), 6),
        (("backup", "arguments", "plan"), 9),
        (("pods", "tolerations"), 11),
        (("pods", "tolerations", 0), 12),
        (("pods", "tolerations", 0, "effect"), 14),
        (("pods", "tolerations", 1, "key"), 16),
        (("pods", "tolerations", 1, "missing"), 16),
        (("backup", "missing", "below"), 5),
        (("missing",), 1),
        ((), 1),
    ],
)
def test_a_path_has_its_line_or_that_of_the_nearest_path_above(path: FieldPath, line: int) -> None:
    assert places.read(TEXT).line(path) == line


def test_problems_are_named_in_the_order_of_the_file(here: Path) -> None:
    file = write(here, "pods:\n  fsGroup: x\nnamespace: My_NS\nimages: y\n")

    lines = manifests("-f", file).stderr.splitlines()
    places = [int(line.removeprefix(f"Error: {file}:").partition(":")[0]) for line in lines]
    assert places == [1, 2, 3, 4]


def test_a_source_without_a_file_names_options() -> None:
    source = reading.Source(options={("image",): "--image"})

    assert source.name(("image",)) == "--image"
    assert source.name(("pods", "labels")) == "pods.labels"
