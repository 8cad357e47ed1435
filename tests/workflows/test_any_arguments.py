"""Any arguments, to every command of people and every phase: they are taken, or refused in one sentence on one line.

No cluster can be reached here, so whatever gets past the arguments ends with the sentence of that.
"""

import contextlib
import io
import os
import signal
import string
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from steps import __main__, errors
from workflows.__main__ import main

NO_CLUSTER = "Kubernetes can't be reached"
IMAGE = "registry.example.com/steps:1"
DIGITS = "9" * 400
ODD_NUMBERS = [
    "nan",
    "NaN",
    "inf",
    "-inf",
    "infinity",
    "1e400",
    "-1",
    DIGITS,
    "9" * 5000,
    "1_0",
    "\u0663",
    "0x1",
    " 1",
    "",
]
ODD_NAMES = [
    "..",
    ".",
    "../x",
    "a/b",
    "a b",
    "A",
    "-a",
    "a-",
    "a..b",
    "a\n",
    "\x1b[2J",
    "\u00e9",
    "\udcff",
    "a" * 254,
    "a" * 100_000,
]
ODD_SIZES = ["1e400", "nan", "inf", "-1Gi", "0", "0Gi", "10gi", "9Ei", DIGITS, "1e99", "1Gi\n", "\u0661Gi"]
ODD_DURATIONS = ["9999999999d", f"{DIGITS}h", "9" * 5000 + "y", "nan", "-1d", "1", "1d1y", "1.5d", "\u0661d"]
ODD_SHARES = ["nan%", "0%", "100.1%", "-1%", f"{DIGITS}%", "inf%", "1e1%", "10", "\u0661%"]
ODD_CRONS = ["0 0 31 2 *", "0 0 30 feb ?", "0 0 31 4,6,9,11 *", "@never", "1" * 5000 + " * * * *", "* * *", "@every 1y"]
ODD = [
    *ODD_NUMBERS,
    *ODD_NAMES,
    *ODD_SIZES,
    *ODD_DURATIONS,
    *ODD_SHARES,
    *ODD_CRONS,
    "--",
    "-",
    "=",
    "a=b",
    "a=\x1b",
    "=",
]
SIGNS = st.characters(exclude_characters="\0", categories=["L", "N", "P", "S", "Z", "Cc", "Cs"])
VALUES = st.one_of(
    st.sampled_from(ODD),
    st.text(SIGNS, max_size=20),
    st.text(string.digits + string.ascii_lowercase + "-.%=*@ ", max_size=20),
)


@pytest.fixture(autouse=True)
def own_process() -> Iterator[None]:
    """Put back what the command of the phases changes of its process."""
    umask, before = os.umask(0), signal.getsignal(signal.SIGTERM)
    os.umask(umask)
    yield
    os.umask(umask)
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own, and no way to a cluster."""
    for name in ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "folder").mkdir()
    (tmp_path / "source").mkdir()
    (tmp_path / "file").write_text("kind: Deployment\n")
    monkeypatch.chdir(tmp_path / "folder")
    return tmp_path


def people(*words: str) -> tuple[int, str]:
    """Run a command of people; return its exit code and what it said on stderr."""
    ended = CliRunner().invoke(main, words)
    assert ended.exception is None or isinstance(ended.exception, SystemExit), repr(ended.exception)
    return ended.exit_code, ended.stderr


def phase(place: Path, *words: str) -> tuple[int, str]:
    """Run a phase; return its exit code and what it said on stderr."""
    told = ["--namespace", "api", "--workflow", "w", "--workflow-uid", "u", "--outputs", str(place / "outputs")]
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(said):
        patch.setattr(sys, "argv", ["steps", *told, *words])
        try:
            __main__.main()
        except SystemExit as end:
            return int(end.code or 0), said.getvalue()
    return 0, said.getvalue()


def leaves(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from leaves(command, *path, name)
        elif command is not None:
            yield (*path, name), command


WRITES = {("rehearse",), ("init",)}  # what they are asked for, and nothing else
PEOPLE = {" ".join(path): command for path, command in leaves(main) if path not in WRITES}
PHASES = {" ".join(path): command for path, command in leaves(__main__.cli)}


def parameters_of(command: click.Command) -> list[click.Parameter]:
    """Its arguments and options but for `--help`."""
    return command.get_params(click.Context(command, help_option_names=[]))


def usual(parameter: click.Parameter, place: Path) -> str:
    """A value that is taken."""
    if isinstance(parameter.type, click.Choice):
        return str(parameter.type.choices[-1])
    if isinstance(parameter.type, click.Path | click.File):
        is_folder = isinstance(parameter.type, click.Path) and "file" not in parameter.name  # type: ignore[operator]
        if (
            parameter.name in {"file_storage", "replaced", "scratch"} and is_folder
        ):  # never the backup's own: a copy into itself has no end
            return str(place / "source")
        return str(place / ("folder" if is_folder else "file"))
    known = {"image": IMAGE, "storage_request": "1Gi", "max_age": "1d", "failures": "[]"}
    return known.get(str(parameter.name), "known")


def line_of(path: str, command: click.Command, said: dict[str, str], place: Path) -> list[str]:
    """A command line that says what is required, and this."""
    words = path.split()
    for parameter in parameters_of(command):
        value = said.get(str(parameter.name))
        if value is None and not parameter.required:
            continue
        text = usual(parameter, place) if value is None else value
        if isinstance(parameter, click.Argument):
            words += ["--", text]
        elif getattr(parameter, "is_flag", False):
            words += [parameter.opts[-1]]
        else:
            words += [
                f"{parameter.opts[-1]}={text}" if parameter.opts[-1].startswith("--") else parameter.opts[-1] + text
            ]
    arguments = [number for number, word in enumerate(words) if word == "--"]
    for number in reversed(arguments):  # those come last
        words += words[number : number + 2]
        del words[number : number + 2]
    return words


def chosen(data: Any, command: click.Command) -> dict[str, str]:
    """Some of its parameters with any value; those that are paths stay at home."""
    texts = [str(each.name) for each in parameters_of(command) if not isinstance(each.type, click.Path | click.File)]
    return dict(data.draw(st.dictionaries(st.sampled_from(texts), VALUES, max_size=3))) if texts else {}


def check_told(code: int, said: str, *, codes: set[int], problems: int = 1) -> None:
    """One sentence a problem, on one line, that nobody has to report."""
    errors_told = [line for line in said.splitlines() if line.startswith("Error: ")]
    assert code in codes
    assert "Traceback" not in said
    assert "unexpected" not in said
    assert all(sign == "\n" or sign.isprintable() for sign in said), said
    if code:
        assert 1 <= len(errors_told) <= problems, said


def check_people(data: Any, place: Path) -> None:
    path = data.draw(st.sampled_from(sorted(PEOPLE)))
    words = line_of(path, PEOPLE[path], chosen(data, PEOPLE[path]), place)
    before = {each: each.stat().st_mtime_ns for each in place.rglob("*")}

    code, said = people(*words)

    check_told(code, said, codes={0, 1, 2}, problems=4 if path == "manifests" else 1)  # one for each field
    assert {each: each.stat().st_mtime_ns for each in place.rglob("*")} == before


def check_phases(data: Any, place: Path) -> None:
    path = data.draw(st.sampled_from(sorted(PHASES)))
    words = line_of(path, PHASES[path], chosen(data, PHASES[path]), place)

    code, said = phase(place, *words)

    check_told(code, f"Error: {said}" if code else said, codes={0, errors.REFUSED_EXIT, errors.TRY_AGAIN_EXIT})
    assert len(said.splitlines()) == (1 if code else 0), said


FEW = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
MANY = settings(FEW, max_examples=1000)


@FEW
@given(data=st.data())
def test_any_arguments_of_people_are_taken_or_refused_in_one_sentence(data: Any, place: Path) -> None:
    check_people(data, place)


@pytest.mark.thorough
@MANY
@given(data=st.data())
def test_very_many_arguments_of_people_are_taken_or_refused_in_one_sentence(data: Any, place: Path) -> None:
    check_people(data, place)


@FEW
@given(data=st.data())
def test_any_arguments_of_a_phase_are_taken_or_refused_in_one_sentence(data: Any, place: Path) -> None:
    check_phases(data, place)


@pytest.mark.thorough
@MANY
@given(data=st.data())
def test_very_many_arguments_of_a_phase_are_taken_or_refused_in_one_sentence(data: Any, place: Path) -> None:
    check_phases(data, place)


NAMES = [
    *(
        (f"plan {of}", option)
        for of, option in [("backup", "name"), ("backup", "storage_class"), ("backup", "volume_name")]
    ),
    *(("plan restore", name) for name in ("storage_class", "database_overrides", "access_mode")),
    *((of, "namespace") for of in ("plan backup", "list", "check", "describe", "pin", "unpin", "plan prune")),
    *((of, "name") for of in ("describe", "pin", "unpin")),
    ("check", "schedule"),
]
NAMES_OF_PHASES = [
    *(("backup prepare", name) for name in ("name", "storage_class", "volume_name", "schedule")),
    *((of, "claim") for of in ("restore check", "restore prepare", "verify read", "backup seal")),
    *(("restore prepare", name) for name in ("storage_class", "database_overrides", "access_mode", "wildcard_domain")),
    *((of, "claim_name") for of in ("verify choose", "drill choose")),
    *((of, "scratch_namespace") for of in ("drill choose", "drill prepare", "drill objects")),
    ("drill prepare", "storage_class"),
    ("prune look", "claim_name"),
    ("watch", "schedule"),
]


NO_NAMES = ["..", "../x", "A", "a/b", "a" * 254]


@pytest.mark.parametrize(("path", "name"), NAMES)
def test_what_is_no_name_is_refused_to_a_person_before_anything_is_asked(place: Path, path: str, name: str) -> None:
    said = {value: people(*line_of(path, PEOPLE[path], {name: value}, place)) for value in NO_NAMES}

    assert {code for code, _ in said.values()} == {2}
    assert [value for value, (_, text) in said.items() if NO_CLUSTER in text or repr(value[:60])[:-1] not in text] == []


@pytest.mark.parametrize(("path", "name"), NAMES_OF_PHASES)
def test_what_is_no_name_is_refused_by_a_phase_before_anything_is_asked(place: Path, path: str, name: str) -> None:
    said = {value: phase(place, *line_of(path, PHASES[path], {name: value}, place)) for value in NO_NAMES}

    assert {code for code, _ in said.values()} == {errors.REFUSED_EXIT}
    assert [value for value, (_, text) in said.items() if NO_CLUSTER in text or repr(value[:60])[:-1] not in text] == []


NUMBERS = [
    ("prune decide", "max_shrink"),
    ("prune delete", "max_shrink"),
    ("prune decide", "keep_daily"),
    ("prune decide", "minimum_redundancy"),
    ("restore prepare", "wait_minutes"),
    ("restore routes", "wait_minutes"),
    ("restore routes", "look_s"),
    ("backup prepare", "claim_wait"),
    ("restore check", "claim_wait"),
]


@pytest.mark.parametrize(("path", "name"), NUMBERS)
def test_a_number_that_is_none_or_out_of_range_is_refused_by_a_phase(place: Path, path: str, name: str) -> None:
    values = [each for each in ODD_NUMBERS if each.strip()]
    said = {value: phase(place, *line_of(path, PHASES[path], {name: value}, place)) for value in values}

    assert {code for code, _ in said.values()} == {errors.REFUSED_EXIT}
    assert [value for value, (_, text) in said.items() if "number" not in text] == []


@pytest.mark.parametrize(
    ("path", "name"), [("manifests", "max_shrink"), ("plan prune", "max_shrink"), ("plan restore", "wait_minutes")]
)
def test_a_number_that_is_none_or_out_of_range_is_refused_to_a_person(place: Path, path: str, name: str) -> None:
    said = {value: people(*line_of(path, PEOPLE[path], {name: value}, place)) for value in ODD_NUMBERS}

    assert {code for code, _ in said.values()} == {2}
    assert [value for value, (_, text) in said.items() if "not a number from" not in text] == []


RENDERED = {
    "storage-request": ("--argument", "--schedule", ODD_SIZES),
    "storage-class": ("--argument", "--schedule", ODD_NAMES),
    "sample": ("--verify-argument", "--verify", ODD_SHARES),
    "storage-class of a drill": ("--drill-argument", "--drill", ODD_NAMES),
    "storage-request of a drill": ("--drill-argument", "--drill", ODD_SIZES),
}


@pytest.mark.parametrize("of", RENDERED)
def test_what_a_schedule_could_never_use_is_refused_when_it_is_rendered(of: str) -> None:
    option, cron, values = RENDERED[of]
    name = of.partition(" ")[0]
    told = ["manifests", "--image", IMAGE, "--namespace", "api", "--drill-namespace", "drills", cron, "0 2 * * *"]
    said = {value: people(*told, option, f"{name}={value}") for value in values}

    assert {code for code, _ in said.values()} == {1}
    assert [value for value, (_, text) in said.items() if not text.startswith(f"Error: {option} {name}")] == []
    assert max(len(text) for _, text in said.values()) < 1000


@pytest.mark.parametrize("name", [*ODD_NAMES[:3], "kube-system"])
def test_a_drill_is_told_of_its_namespace_in_one_place(name: str) -> None:
    told = ["--namespace", "api", "--drill-namespace", "drills", "--drill", "0 2 * * *"]
    code, said = people("manifests", "--image", IMAGE, *told, "--drill-argument", f"scratch-namespace={name}")

    assert code == 1
    assert "Use --drill-namespace" in said


@pytest.mark.parametrize("option", ["--expected-every", "--silent-for", "--keep-within", "--failed-after"])
def test_a_duration_that_is_none_or_beyond_any_clock_is_refused(option: str) -> None:
    said = {value: people("manifests", "--image", IMAGE, option, value) for value in ODD_DURATIONS}

    assert {code for code, _ in said.values()} <= {1, 2}
    assert [value for value, (_, text) in said.items() if option not in text] == []


@pytest.mark.parametrize("option", ["--schedule", "--verify", "--watchdog"])
def test_a_schedule_that_never_comes_is_refused(option: str) -> None:
    said = {cron: people("manifests", "--image", IMAGE, option, cron) for cron in ODD_CRONS}

    assert {code for code, _ in said.values()} == {1}
    assert [cron for cron, (_, text) in said.items() if "is not a valid cron schedule" not in text] == []
