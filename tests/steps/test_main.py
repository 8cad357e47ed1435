import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from steps import __main__, errors
from steps.archive import contents, layout
from steps.catalogue import catalogue
from steps.evidence import result
from steps.phases.run import Run
from tests.builders.phase_commands import bare, entry, log, outputs
from workflows.rehearsal.threescale import installation as threescale

BACKUP = [
    ["backup", phase]
    for phase in ("prepare", "secrets", "configmaps", "apimanager", "external", "file-storage", "source", "seal")
]
RESTORE = [
    ["restore", phase]
    for phase in (
        *("check", "plan", "prepare", "set-aside-objects", "set-aside-files", "file-storage"),
        *("secrets", "configmaps", "apimanager", "routes"),
    )
]

PROOFS = [
    *(["verify", phase] for phase in ("choose", "read", "repository")),
    *(["drill", phase] for phase in ("choose", "prepare", "objects", "file-storage", "remove")),
]


def test_the_phases_in_their_order_back_up_and_restore(empty, run, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    empty.install(canary="canary")
    root, target = tmp_path / "nightly", tmp_path / "target"
    for folder in (root, target):
        folder.mkdir()
    monkeypatch.setenv("ARGO_PROGRESS_FILE", str(tmp_path / "progress"))
    secret = empty.get("secrets", "zync")["data"]

    def back(*arguments):
        return run("backup", *arguments, stage=empty, account="threescale-backup")

    volume_of = ["--claim", "nightly", "--backup", root]
    asked = ["--storage-request", "1Gi"]
    assert back("prepare", "--name", "nightly", *asked) == 0
    told = outputs(tmp_path)
    assert told == {
        "plan": "no",
        "push": "no",
        "scheduled": "no",
        **{name: told[name] for name in ("prepared", "digest", "summary", "names", "planned-secrets")},
        "planned-routes": "6",
        "planned-configmaps": "apicast-environment,system-environment,backend-environment,system",
        "backupPersistentVolumeClaimName": "nightly",
        "apiManagerSourceName": "example-apimanager",
        "node-operator": "NotIn",
        "node": "no-node",
        "file-storage": "claim",
    }
    for _ in range(2):  # a second time there is nothing to do
        assert back("secrets", *volume_of, "--apimanager", "example-apimanager") == 0
        assert back("configmaps", *volume_of, "--apimanager", "example-apimanager") == 0
        assert back("apimanager", *volume_of, "--apimanager", "example-apimanager") == 0
        assert back("file-storage", *volume_of, "--file-storage", empty.storage) == 0
    assert "secrets: skipped, already done" in caplog.text
    done, _, total = (tmp_path / "progress").read_text().partition("/")
    assert done == total
    assert back("seal", *volume_of) == 0
    assert outputs(tmp_path)["objects"] == "24"
    before = (root / layout.MANIFEST).read_bytes()
    assert back("seal", *volume_of) == 0
    assert back("secrets", *volume_of, "--apimanager", "example-apimanager") == 0
    assert caplog.text.count("secrets: skipped, already done") == 2
    assert (root / layout.MANIFEST).read_bytes() == before
    assert empty.get("persistentvolumeclaims", "nightly")["metadata"]["labels"]["threescale-backup/state"] == "complete"

    empty.lose()
    threescale.give_database_secrets(empty.kubernetes, empty.namespace)

    def forth(*arguments):
        return run("restore", *arguments, stage=empty, account="threescale-restore", uid="uid-2")

    assert forth("check", "--claim", "nightly") == 0
    assert forth("prepare", *volume_of) == 0
    assert forth("file-storage", *volume_of, "--file-storage", target) == 0
    with threescale.Operator(empty.kubernetes, step_s=0.01):
        assert forth("secrets", *volume_of) == 0
        assert outputs(tmp_path)["created"] == "15"
        assert forth("configmaps", *volume_of) == 0
        assert forth("apimanager", *volume_of) == 0
        for phase in ("secrets", "configmaps"):
            assert forth(phase, *volume_of) == 0
        assert forth("file-storage", *volume_of, "--file-storage", target) == 0
        assert "an earlier restore of this backup created the APIManager" in caplog.text
        assert entry(empty, "uid-2").outcome == result.RUNNING
        assert forth("routes", *volume_of, "--look-s", "0.02", "--wait-minutes", "1") == 0
    assert entry(empty, "uid-2").outcome == result.SUCCEEDED
    assert {line.done for line in entry(empty, "uid-2").objects} == {result.CREATED}
    assert entry(empty, "uid-2").counts["files"] > 0
    assert empty.get("secrets", "zync")["data"] == secret
    assert (target / ".hidden-top").exists()
    assert log(tmp_path) == ""
    assert "canary" not in caplog.text + json.dumps(outputs(tmp_path))


GROUPS = [["backup"], ["restore"], ["verify"], ["drill"]]


@pytest.mark.parametrize("phase", [[], *GROUPS, *BACKUP, *RESTORE, *PROOFS, ["report"]], ids=" ".join)
def test_the_help_of_each_phase_needs_no_other_argument(phase, monkeypatch, capsys):
    assert bare(monkeypatch, *phase, "--help") == 0
    assert capsys.readouterr().out.startswith("Usage: steps")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["backup", "prepare", "--bogus"], "No such option '--bogus'"),
        (["backup", "seal", "--backup", "x"], "Missing option '--claim'"),
        (["backup", "dance"], "No such command 'dance'"),
        (["backup", "prepare", "--workers", "17"], "'17' is not a whole number from 1 to 16"),
        (["restore", "prepare", "--workers", "0"], "'0' is not a whole number from 1 to 16"),
        (["backup", "file-storage", "--workers", "0"], "'0' is not a whole number from 1 to 16"),
        (["restore", "file-storage", "--workers", "many"], "'many' is not a whole number"),
        (["restore", "prepare", "--ready", "soon"], "'soon' is not one of"),
        (["restore", "prepare", "--wait-minutes", "an hour"], "'an hour' is not a number from 0 to 120"),
        (["restore", "prepare", "--wait-minutes", "600"], "'600' is not a number from 0 to 120"),
        (["restore", "routes", "--claim", "c", "--backup", "b", "--ready", "soon"], "'soon' is not one of"),
        (
            ["restore", "routes", "--claim", "c", "--backup", "b", "--wait-minutes", "-1"],
            "'-1' is not a number from 0 to 120",
        ),
    ],
)
def test_a_wrong_command_line_ends_1_with_a_sentence_in_both_places(run, tmp_path, capsys, arguments, sentence):
    assert run(*arguments) == 1
    assert sentence in capsys.readouterr().err
    assert sentence in log(tmp_path)


@pytest.mark.parametrize("form", ["--termination-log={}", "--termination-log {}"])
def test_even_where_the_first_arguments_are_wrong(monkeypatch, tmp_path, capsys, form):
    assert bare(monkeypatch, *form.format(tmp_path / "log").split(), "--bogus") == 1
    assert "No such option '--bogus'" in capsys.readouterr().err
    assert "No such option '--bogus'" in log(tmp_path)


def test_a_termination_log_that_can_not_be_written_changes_no_exit_code(monkeypatch, tmp_path, capsys):
    assert bare(monkeypatch, "--termination-log", str(tmp_path), "--bogus") == 1
    assert "the termination log can't be written: Is a directory" in capsys.readouterr().err


def test_without_a_termination_log_the_sentence_is_on_stderr(monkeypatch, capsys):
    assert bare(monkeypatch, "--bogus") == 1
    assert "No such option '--bogus'" in capsys.readouterr().err


def test_a_refusal_ends_1_with_its_sentence_in_both_places(empty, run, tmp_path, capsys):
    arguments = ["backup", "prepare", "--name", "nightly", "--storage-request", "1Gi"]

    assert run(*arguments, stage=empty, account="threescale-backup") == 1
    sentence = str(errors.NoApiManager("threescale"))
    assert capsys.readouterr().err == f"{sentence}\n"
    assert log(tmp_path) == sentence


def test_what_may_do_later_ends_75(installed, run, tmp_path):
    installed.kubernetes.drop_next("list", "apimanagers")
    arguments = ["backup", "prepare", "--name", "nightly", "--storage-request", "1Gi"]

    assert run(*arguments, stage=installed, account="threescale-backup") == 75
    assert log(tmp_path).startswith("Kubernetes gave no usable answer")


@pytest.mark.thorough
@pytest.mark.parametrize(("number", "code"), [("0", 75), ("2", 75), ("3", 1)])
def test_on_the_last_try_what_was_waited_for_is_refused(lost, run, number, code):
    lost.kubernetes.patch("secrets", lost.namespace, "system-redis", {"metadata": {"finalizers": ["example/wait"]}})
    lost.kubernetes.delete("secrets", lost.namespace, "system-redis")

    tries = ["--try", number, "--tries", "3"]
    assert run("restore", "check", "--claim", "nightly", stage=lost, account="threescale-restore", more=tries) == code


def test_an_unexpected_exception_ends_1_and_quotes_nothing(empty, run, tmp_path, capsys, monkeypatch):
    # A mock of a defect, because no defect is known.
    def stumble(*_, **__):
        raise RuntimeError("canary")

    monkeypatch.setattr(contents, "open_at", stumble)

    told = ["--claim", "c", "--backup", tmp_path, "--backup-digest", "of the plan"]
    assert run("restore", "apimanager", *told, stage=empty) == 1
    said = capsys.readouterr()
    assert "canary" not in said.out + said.err + log(tmp_path)
    assert log(tmp_path).startswith("Unexpected RuntimeError at test_main.py:")


def test_no_way_to_kubernetes_is_told(run, tmp_path, monkeypatch):
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    assert run("restore", "check", "--claim", "nightly") == 1
    assert "Name a kubeconfig" in log(tmp_path)


def test_every_phase_of_each_workflow_is_a_command():
    found = [
        [group, phase]
        for group in ("backup", "restore", "verify", "drill")
        for phase in __main__.cli.get_command(click.Context(__main__.cli), group).commands
    ]

    assert found == BACKUP + RESTORE + PROOFS


def test_the_command_runs_as_a_process_and_ends_with_its_exit_code(tmp_path):
    arguments = ["--termination-log", str(tmp_path / "log"), "backup", "prepare", "--bogus"]

    done = subprocess.run(  # noqa: S603  our own command
        [sys.executable, "-m", "steps", *arguments], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert done.stderr.strip() == log(tmp_path)
    assert done.stdout == ""


FULL = """
import logging, sys
from steps import __main__ as phases
phases._log_to(sys.stdout)
for number in range(3):
    logging.getLogger("steps").info("line %d", number)
"""


def test_a_phase_whose_log_can_not_be_written_goes_on_and_says_so_once():
    with open("/dev/full", "w") as full:  # noqa: PTH123  no file
        words = [sys.executable, "-c", FULL]
        ended = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603  our own

    assert (ended.returncode, ended.stderr) == (0, "the log can't be written any more: stdout is full or closed\n")


def test_a_line_of_the_log_stays_one_line_and_changes_nothing_on_a_terminal():
    words = [sys.executable, "-c", FULL.replace("line %d", r"a\x1b[2K\nb%d")]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603  our own words

    assert ended.stdout.splitlines() == [rf"a\x1b[2K\nb{number}" for number in range(3)]


def first_phase(parameters, labels=None):
    """What the first phase of a workflow is told beside its own."""
    given = json.dumps([{"name": name, "value": value} for name, value in parameters])
    return ["--arguments", given, "--labels", json.dumps(labels), "--known", "name,plan,schedule,max-age"]


@pytest.mark.parametrize(
    ("parameters", "labels", "refused"),
    [
        ([("nam", "x")], None, "yes"),
        ([("nam", "x"), ("plan", "only")], {}, "yes"),
        ([("nam", "x"), ("schedule", "nights")], {}, None),
        ([("nam", "x")], {"workflows.argoproj.io/cron-workflow": "nights"}, None),
        ([("name", "x")], {}, "yes"),  # the size of the claim is none
    ],
)
def test_a_refusal_is_an_output_where_a_person_gave_the_arguments(run, tmp_path, parameters, labels, refused):
    told = ["--name", "x", "--storage-request", "much"]

    assert run("backup", "prepare", *told, more=first_phase(parameters, labels)) == 1
    assert outputs(tmp_path).get("refused") == refused
    assert outputs(tmp_path)["plan"] == dict(parameters).get("plan", "no")


def test_a_value_that_only_a_phase_can_judge_is_refused_as_an_argument(empty, run, tmp_path):
    assert run("watch", "--max-age", "soon", stage=empty, more=first_phase([("max-age", "soon")], {})) == 1
    assert outputs(tmp_path)["refused"] == "yes"


def test_what_argo_does_not_say_in_a_form_of_its_own_is_no_refusal_of_arguments(run, tmp_path):
    assert run("watch", "--max-age", "1d", more=["--arguments", "[", "--labels", "{}", "--known", "max-age"]) == 1
    assert left(tmp_path)["code"] == "arguments-unread"
    assert "refused" not in outputs(tmp_path)


def left(folder):
    """The error that a phase has left for a program."""
    return json.loads(outputs(folder)["failure"])


def test_a_phase_that_fails_leaves_its_error_with_its_facts(empty, run, tmp_path):
    assert run("backup", "prepare", "--name", "nightly", stage=empty, account="threescale-backup") == 1
    assert left(tmp_path) == {
        "code": "no-api-manager",
        "facts": {"namespace": "threescale"},
        "message": log(tmp_path),
        "exit_code": 1,
    }


def test_a_wrong_command_line_is_such_an_error_too(run, tmp_path):
    assert run("backup", "prepare", "--bogus") == 1
    assert (left(tmp_path)["code"], left(tmp_path)["message"]) == ("wrong-command-line", log(tmp_path))


def test_of_an_error_that_nobody_foresaw_only_its_place_is_left(run, tmp_path, monkeypatch):
    def fail(_cluster, *_more):
        raise ZeroDivisionError("canary")

    monkeypatch.setattr(catalogue, "read", fail)
    monkeypatch.setattr(Run, "cluster", lambda _run: None)

    assert run("watch") == 1
    assert left(tmp_path)["code"] == "unexpected"
    assert "canary" not in outputs(tmp_path)["failure"]


def test_what_a_name_says_is_no_tag_of_argo_s(run, tmp_path):
    assert run("backup", "seal", "--claim", "{{workflow.name}}", "--backup", "b") == 1
    assert "{{" not in outputs(tmp_path)["failure"]
    assert "{{workflow.name}}" in left(tmp_path)["message"]


TOP = Path(__file__).parents[2]


def test_in_the_image_no_module_is_taken_from_the_folder_where_a_phase_begins(tmp_path):
    containerfile = (TOP / "images/steps/Containerfile").read_text()
    set_there = dict(re.findall(r"(PYTHON[A-Z]*)=(\S+)", containerfile))
    for name in ("steps.py", "json.py", "click.py"):
        (tmp_path / name).write_text("raise SystemExit(7)")
    environment = {**os.environ, **set_there, "PYTHONPATH": str(TOP)}

    command = [sys.executable, "-m", "steps", "--help"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)  # noqa: S603  our own interpreter

    assert (done.returncode, "Run one phase of a workflow" in done.stdout) == (0, True)


def test_the_small_image_lists_no_phase_of_databases_and_names_the_other_image(monkeypatch):
    monkeypatch.setattr(__main__.importlib.util, "find_spec", lambda _: None)
    context = click.Context(__main__.cli)

    assert not [name for name in __main__.cli.list_commands(context) if "databases" in name]
    with pytest.raises(errors.DatabaseClientMissing, match="Use the database image"):
        __main__.cli.get_command(context, "databases-backup")
