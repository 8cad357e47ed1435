import contextlib
import json
import logging
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from steps import __main__, errors
from steps.archive import begin_marker, contents, layout, marks
from steps.contract import names
from steps.evidence import result
from steps.files import volume
from steps.kubernetes.workflow import Workflow
from steps.parts import file_storage
from steps.parts.file_storage import Amount
from steps.phases.progress import progress
from steps.phases.run import Run
from steps.plans.plan import Does, Plan
from tests.builders.claims import laid
from tests.builders.pods import event, pending_pod
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
    *(["verify", phase] for phase in ("choose", "read")),
    *(["drill", phase] for phase in ("choose", "prepare", "objects", "file-storage", "remove")),
]


@pytest.fixture(autouse=True)
def own_process():
    """Put back what the command changes of its process."""
    umask = os.umask(0)
    os.umask(umask)
    before = signal.getsignal(signal.SIGTERM)
    yield
    os.umask(umask)
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run the command line in this process and return its exit code."""

    def run(*arguments, stage=None, account=None, uid="uid-1", more=()):
        told = ["--namespace", "threescale", "--workflow", f"workflow-{uid}", "--workflow-uid", uid]
        told += ["--outputs", str(tmp_path / "outputs"), "--termination-log", str(tmp_path / "log"), *more]
        if stage is not None:
            stage.connect(account)
            monkeypatch.setenv("KUBECONFIG", str(stage.folder / f"kubeconfig-{account}"))
        return bare(monkeypatch, *told, *map(str, arguments))

    return run


def bare(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["steps", *arguments])
    try:
        __main__.main()
    except SystemExit as end:
        return end.code or 0
    return 0


def outputs(tmp_path):
    return {path.name: path.read_text() for path in (tmp_path / "outputs").iterdir()}


def entry(stage, uid):
    """The evidence of a restore."""
    return result.parse(stage.get("configmaps", names.RESTORE_RESULTS)["data"][f"workflow-{uid}.json"])


def log(tmp_path):
    return (tmp_path / "log").read_text() if (tmp_path / "log").exists() else ""


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
    assert "secrets: nothing to do, it is done" in caplog.text
    done, _, total = (tmp_path / "progress").read_text().partition("/")
    assert done == total
    assert back("seal", *volume_of) == 0
    assert outputs(tmp_path)["objects"] == "24"
    before = (root / layout.MANIFEST).read_bytes()
    assert back("seal", *volume_of) == 0
    assert back("secrets", *volume_of, "--apimanager", "example-apimanager") == 0
    assert caplog.text.count("secrets: nothing to do, it is done") == 2
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
        assert "kept: this backup's restore made the APIManager already" in caplog.text
        assert entry(empty, "uid-2").outcome == result.RUNNING
        assert forth("routes", *volume_of, "--look-s", "0.02", "--wait-minutes", "1") == 0
    assert entry(empty, "uid-2").outcome == result.SUCCEEDED
    assert {line.done for line in entry(empty, "uid-2").objects} == {result.CREATED}
    assert entry(empty, "uid-2").counts["files"] > 0
    assert empty.get("secrets", "zync")["data"] == secret
    assert (target / ".hidden-top").exists()
    assert log(tmp_path) == ""
    assert "canary" not in caplog.text + json.dumps(outputs(tmp_path))


def filled(opened):
    """What system-storage says once a restore has filled it."""
    return {**opened.mark.annotations(), marks.RESTORE_STATE: marks.COMPLETE}


@pytest.mark.parametrize("annotations", [None, {}])
def test_no_3scale_is_made_where_its_restored_files_are_gone(lost, run, backup_volume, tmp_path, annotations):
    if annotations is not None:
        lost.claim(metadata={"annotations": annotations})
    volume_of = ["--claim", "nightly", "--backup", backup_volume]

    assert run("restore", "apimanager", *volume_of, stage=lost, account="threescale-restore") == 1

    assert "claim 'system-storage'" in log(tmp_path)
    assert lost.exists("apimanagers") == []


def test_what_is_not_looked_at_any_more_is_told_as_untouched(lost, run, backup_volume, caplog):
    caplog.set_level(logging.INFO)
    volume_of = ["--claim", "nightly", "--backup", backup_volume]
    lost.claim(metadata={"annotations": filled(contents.open_at(backup_volume))})
    for phase in ("secrets", "configmaps", "apimanager"):
        assert run("restore", phase, *volume_of, stage=lost, account="threescale-restore") == 0

    for phase in ("prepare", "secrets", "configmaps", "apimanager"):
        assert run("restore", phase, *volume_of, stage=lost, account="threescale-restore", uid="uid-2") == 0

    assert entry(lost, "uid-2").counts == {result.UNTOUCHED: 20, result.KEPT: 1}

    (backup_volume / "secrets/zync.json").write_bytes(b"")  # which nobody needs any more

    assert run("restore", "secrets", *volume_of, stage=lost, account="threescale-restore", uid="uid-3") == 0
    assert "no evidence of this in ConfigMap threescale-restore-results" in caplog.text


def test_an_unnamed_backup_is_called_as_its_workflow(installed, run, tmp_path):
    arguments = ["backup", "prepare", "--name", "", "--storage-request", "1Gi"]

    assert run(*arguments, stage=installed, account="threescale-backup", uid="7") == 0
    assert outputs(tmp_path)["backupPersistentVolumeClaimName"] == "workflow-7"


GROUPS = [["backup"], ["restore"], ["verify"], ["drill"]]


def test_a_look_at_the_source_names_what_would_be_passed_over_and_how_much_it_shows(run, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setattr(volume, "_is_read_only", lambda _root: True)  # a mock: a test can't mount
    for name in ("hourly", "daily"):
        (tmp_path / "storage/.snapshot" / name).mkdir(parents=True)

    assert run("backup", "source", "--file-storage", tmp_path / "storage") == 0
    assert (tmp_path / "outputs/names").read_text() == "warning: folder .snapshot"
    assert "folder .snapshot  passed over in System FileStorage, with the 2 entries that it shows" in caplog.text


@pytest.mark.parametrize("phase", [[], *GROUPS, *BACKUP, *RESTORE, *PROOFS, ["report"]], ids=" ".join)
def test_the_help_of_each_phase_needs_no_other_argument(phase, monkeypatch, capsys):
    assert bare(monkeypatch, *phase, "--help") == 0
    assert capsys.readouterr().out.startswith("Usage: steps")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["backup", "prepare", "--bogus"], "No such option '--bogus'"),
        (["backup", "prepare", "--name", "x"], "Missing option '--storage-request'"),
        (["backup", "dance"], "No such command 'dance'"),
        (["backup", "prepare", "--workers", "17"], "'17' is no whole number from 1 to 16"),
        (["restore", "prepare", "--workers", "0"], "'0' is no whole number from 1 to 16"),
        (["backup", "file-storage", "--workers", "0"], "'0' is no whole number from 1 to 16"),
        (["restore", "file-storage", "--workers", "many"], "'many' is no whole number"),
        (["restore", "prepare", "--ready", "soon"], "'soon' is not one of"),
        (["restore", "prepare", "--wait-minutes", "an hour"], "'an hour' is no number from 0 to 120"),
        (["restore", "prepare", "--wait-minutes", "600"], "'600' is no number from 0 to 120"),
        (["restore", "routes", "--claim", "c", "--backup", "b", "--ready", "soon"], "'soon' is not one of"),
        (
            ["restore", "routes", "--claim", "c", "--backup", "b", "--wait-minutes", "-1"],
            "'-1' is no number from 0 to 120",
        ),
    ],
)
def test_a_wrong_command_line_ends_1_with_a_sentence_in_both_places(run, tmp_path, capsys, arguments, sentence):
    assert run(*arguments) == 1
    assert sentence in capsys.readouterr().err
    assert sentence in log(tmp_path)


@pytest.mark.parametrize(("said", "told"), [([], None), (["--workers", ""], None), (["--workers", "3"], 3)])
def test_the_copier_is_told_a_number_of_workers_or_nothing(installed, run, tmp_path, monkeypatch, said, told):
    (tmp_path / "nightly").mkdir()
    volume_of = ["--claim", "nightly", "--backup", tmp_path / "nightly"]
    assert run("backup", "prepare", "--name", "nightly", "--storage-request", "1Gi", stage=installed) == 0
    found, save = [], file_storage.save

    def saved(source, root, progress, workers):
        found.append(workers)
        return save(source, root, progress, workers)

    monkeypatch.setattr(file_storage, "save", saved)

    assert run("backup", "file-storage", *volume_of, "--file-storage", installed.storage, *said, stage=installed) == 0
    assert found == [told]


@pytest.mark.parametrize("form", ["--termination-log={}", "--termination-log {}"])
def test_even_where_the_first_arguments_are_wrong(monkeypatch, tmp_path, capsys, form):
    assert bare(monkeypatch, *form.format(tmp_path / "log").split(), "--bogus") == 1
    assert "No such option '--bogus'" in capsys.readouterr().err
    assert "No such option '--bogus'" in log(tmp_path)


def test_a_termination_log_that_can_not_be_written_changes_no_exit_code(monkeypatch, tmp_path, capsys):
    assert bare(monkeypatch, "--termination-log", str(tmp_path), "--bogus") == 1
    assert "no termination log: Is a directory" in capsys.readouterr().err


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
    assert log(tmp_path).startswith("no usable answer from Kubernetes")


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
    assert log(tmp_path).startswith("unexpected RuntimeError at test_cli.py:")


def test_no_way_to_kubernetes_is_told(run, tmp_path, monkeypatch):
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    assert run("restore", "check", "--claim", "nightly") == 1
    assert "set KUBECONFIG" in log(tmp_path)


def test_an_apimanager_that_is_gone_ends_the_secrets(empty, run, tmp_path):
    (tmp_path / "nightly").mkdir()
    arguments = ["--claim", "nightly", "--backup", tmp_path / "nightly", "--apimanager", "example"]

    assert run("backup", "secrets", *arguments, stage=empty, account="threescale-backup") == 1
    assert log(tmp_path) == str(errors.NoApiManager("threescale"))


@pytest.mark.parametrize("phase", ["apimanager", "external"])
def test_routes_that_the_plan_saw_and_that_are_gone_end_their_phase(installed, run, tmp_path, phase):
    if phase == "external":
        files = {"simpleStorageService": {"configurationSecretRef": {"name": "my-s3"}}}
        spec = {"system": {"fileStorage": files}}
        installed.kubernetes.patch("apimanagers", installed.namespace, threescale.NAME, {"spec": spec})
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "my-s3", "namespace": installed.namespace}}
        installed.kubernetes.apply({**secret, "data": {"AWS_BUCKET": "Yg==", "AWS_REGION": "cg=="}})
    (tmp_path / "nightly").mkdir()
    told = ["--claim", "nightly", "--backup", tmp_path / "nightly", "--apimanager", threescale.NAME]
    installed.kubernetes.delete("routes", installed.namespace, installed.exists("routes")[0])

    assert run("backup", phase, *told, "--planned-routes", "6", stage=installed) == 1
    assert log(tmp_path) == str(errors.RoutesGone(6, 5, installed.namespace))


def test_a_manifest_that_somebody_put_there_ends_the_phases_that_have_not_reported(empty, run, tmp_path):
    root = tmp_path / "nightly"
    root.mkdir()
    empty.install()
    volume_of = ["--claim", "nightly", "--backup", root]
    account = {"stage": empty, "account": "threescale-backup"}
    assert run("backup", "prepare", "--name", "nightly", "--storage-request", "1Gi", **account) == 0
    assert run("backup", "secrets", *volume_of, "--apimanager", "example-apimanager", **account) == 0
    (root / layout.MANIFEST).write_text("{}")

    assert run("backup", "configmaps", *volume_of, "--apimanager", "example-apimanager", **account) == 1
    assert "it holds a manifest.json, though configmaps has not reported" in log(tmp_path)
    assert run("backup", "seal", *volume_of, **account) == 1
    assert "its manifest has schema version None" in log(tmp_path)
    assert not marks.sealed(empty.get("persistentvolumeclaims", "nightly"))


def test_a_seal_other_than_the_claim_says_is_not_confirmed(run, sealed, backup_volume, tmp_path, lost):
    digest = {"metadata": {"annotations": {"threescale-backup/manifest-sha256": "0" * 64}}}
    lost.kubernetes.patch("persistentvolumeclaims", lost.namespace, sealed.name, digest)
    begun = begin_marker.marker(backup_volume)
    own = ["--workflow", begun.workflow, "--workflow-uid", begun.workflow_uid]
    arguments = ["--claim", sealed.name, "--backup", backup_volume]

    assert run("backup", "seal", *arguments, stage=lost, account="threescale-backup", more=own) == 1
    assert "manifest.json is not the one that was sealed" in log(tmp_path)


def test_a_backup_of_the_operator_is_called_so(lost, run, backup_volume, caplog):
    caplog.set_level(logging.INFO)
    for name in (layout.MANIFEST, layout.BEGIN):
        (backup_volume / name).unlink()

    arguments = ["--claim", "nightly", "--backup", backup_volume]
    arguments += ["--backup-digest", contents.open_at(backup_volume).digest]
    assert run("restore", "configmaps", *arguments, stage=lost, account="threescale-restore") == 0
    assert "claim nightly holds a backup that the operator made" in caplog.text


def labelled(workflow):
    return {"metadata": {"labels": {"workflows.argoproj.io/workflow": workflow}}}


class TestReport:
    def test_what_failed_and_what_to_do_next_is_an_output(self, empty, run, tmp_path):
        node = {"templateName": "prepare", "message": "no APIManager (exit code 1)", "podName": "p"}
        failures = json.dumps(json.dumps([node]))

        arguments = ["report", "--of", "backup", "--failures", failures, "--advice", "start again"]
        assert run(*arguments, stage=empty, account="threescale-backup") == 0
        assert outputs(tmp_path) == {"report": "prepare failed: no APIManager (exit code 1)\nstart again"}

    def test_it_stands_in_the_evidence_too_with_what_held_back_a_pod(self, empty, run):
        pending_pod(empty, name="p")
        empty.kubernetes.patch("pods", empty.namespace, "p", labelled("workflow-uid-1"))
        event(empty, "Pod", "p", "FailedScheduling", message="no node")
        failures = json.dumps(json.dumps([{"templateName": "prepare", "message": "timeout", "podName": "p"}]))
        told = ["--claim", "nightly", "--began", "2026-01-02T03:04:05Z", "--failures", failures, "--advice", "wait"]

        assert run("report", "--of", "restore", *told, stage=empty, account="threescale-restore") == 0
        found = entry(empty, "uid-1")
        assert (found.outcome, found.claim, found.began.isoformat()) == (
            result.FAILED,
            "nightly",
            "2026-01-02T03:04:05+00:00",
        )
        assert [(each.phase, each.sentence) for each in found.failures] == [("prepare", "timeout")]
        assert found.held_back == ("Pod p: FailedScheduling: no node",)
        assert found.advice == "wait"

    @pytest.mark.parametrize(
        "failures",
        ["{{workflow.failures}}", "1", "[null]", '[{"message": 1}]', "[[]]", "[" * 100_000, '[{"templateName": []}]'],
        ids=lambda text: text[:30],
    )
    def test_it_never_fails_itself(self, empty, run, tmp_path, failures):
        arguments = ["report", "--of", "backup", "--failures", failures, "--advice", "start again"]

        assert run(*arguments, stage=empty, account="threescale-backup") == 0
        assert outputs(tmp_path)["report"].startswith("workflow workflow-uid-1 did not succeed")
        assert outputs(tmp_path)["report"].endswith("start again")

    def test_without_a_cluster_it_still_says_what_to_do(self, run, tmp_path, monkeypatch):
        monkeypatch.delenv("KUBECONFIG", raising=False)
        monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

        assert run("report", "--of", "backup", "--failures", "null", "--advice", "start again") == 0
        assert "NoConnection while asking why); start again" in outputs(tmp_path)["report"]


def test_without_a_folder_for_outputs_none_are_left(tmp_path, monkeypatch, empty):
    empty.connect()
    monkeypatch.setenv("KUBECONFIG", str(empty.folder / "kubeconfig-None"))
    monkeypatch.chdir(tmp_path)
    told = ["--namespace", "threescale", "--workflow", "w", "--workflow-uid", "u"]

    assert bare(monkeypatch, *told, "report", "--of", "backup", "--failures", "null", "--advice", "x") == 0
    assert not (tmp_path / "outputs").exists()


def of(entries):
    return Amount(entries, entries << 20)


def test_progress_is_logged_each_minute_in_files_and_bytes(monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    show = progress()
    now = time.monotonic()

    show(of(1), of(9))
    monkeypatch.setattr(time, "monotonic", lambda: now + 61)
    show(of(5), of(9))
    show(of(6), of(9))

    assert caplog.messages == ["5 of 9 entries, 5 of 9 MiB are done"]


def test_progress_is_written_at_most_every_other_second_and_at_the_end(tmp_path, monkeypatch):
    path = tmp_path / "progress"
    monkeypatch.setenv("ARGO_PROGRESS_FILE", str(path))
    show = progress()

    show(of(1), of(9))
    show(of(2), of(9))

    assert path.read_text() == "2/18"

    show(of(9), of(9))

    assert path.read_text() == "18/18"

    show(of(10), of(9))  # the tree has grown

    assert path.read_text() in {"18/18", "20/20"}


def test_a_progress_file_that_can_not_be_written_ends_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("ARGO_PROGRESS_FILE", str(tmp_path))
    show = progress()

    show(of(9), of(9))

    assert os.listdir(tmp_path) == []


WATCHED = """
from steps.parts.file_storage import Amount
from steps.phases.progress import progress
show = progress()
show(Amount(1, 2 << 20), Amount(4, 8 << 20))
"""


def on_a_terminal(code):
    """What a process shows on a terminal."""
    reader, writer = pty.openpty()
    subprocess.run([sys.executable, "-c", code], stderr=writer, check=True)  # noqa: S603  our own
    os.close(writer)
    shown = b""
    with contextlib.suppress(OSError):  # the end of a terminal that nobody writes to any more
        while block := os.read(reader, 4096):
            shown += block
    os.close(reader)
    return shown.decode()


def test_on_a_terminal_progress_is_a_bar_that_gives_the_terminal_back():
    shown = on_a_terminal(WATCHED)

    assert "1/4 entries, 2/8 MiB" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")  # the cursor is shown again


def test_the_bar_begins_when_it_is_known_how_much_there_is():
    shown = on_a_terminal(WATCHED.replace("progress()\n", "progress()\nshow(Amount(0, 0), Amount(1, 0))\n"))

    assert " 25%" in shown
    assert "0/1 entries" not in shown


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


def deadline(in_s):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + in_s))


@pytest.mark.parametrize("phase", ["prepare", "file-storage", "secrets", "configmaps", "apimanager", "routes"])
def test_a_phase_that_has_too_little_time_left_changes_nothing(lost, run, backup_volume, tmp_path, monkeypatch, phase):
    monkeypatch.setenv("ARGO_DEADLINE", deadline(20))
    lost.kubernetes.clear_requests()
    arguments = ["--claim", "nightly", "--backup", backup_volume]
    arguments += ["--file-storage", tmp_path] if phase == "file-storage" else []

    assert run("restore", phase, *arguments, stage=lost, account="threescale-restore") == 1

    assert log(tmp_path).startswith(f"{phase} needs ")
    assert "left until the deadline: not begun" in log(tmp_path)
    assert [each for each in lost.kubernetes.writes() if "restore" in each.user] == []


@pytest.mark.parametrize("phase", ["prepare", "secrets", "configmaps", "apimanager", "file-storage", "seal"])
def test_a_phase_of_a_backup_too_begins_only_with_time(installed, run, tmp_path, monkeypatch, phase):
    monkeypatch.setenv("ARGO_DEADLINE", deadline(20))
    root = tmp_path / "nightly"
    root.mkdir()
    arguments = ["--name", "nightly", "--storage-request", "1Gi"] if phase == "prepare" else ["--claim", "nightly"]
    arguments += [] if phase == "prepare" else ["--backup", root]
    arguments += ["--apimanager", threescale.NAME] if phase in {"secrets", "configmaps", "apimanager"} else []
    arguments += ["--file-storage", tmp_path] if phase == "file-storage" else []
    installed.kubernetes.clear_requests()

    assert run("backup", phase, *arguments, stage=installed, account="threescale-backup") == 1

    assert log(tmp_path).startswith(f"{phase} needs ")
    assert installed.kubernetes.writes() == []
    assert os.listdir(root) == []


@pytest.mark.parametrize("began", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "tomorrow"])
def test_the_end_of_a_run_that_began_at_no_moment_of_utc_is_told(run, empty, began):
    told = ["--began", began, "--failures", "[]", "--advice", "start again"]

    assert run("report", "--of", "restore", *told, stage=empty, account="threescale-restore") == 0


@pytest.mark.parametrize("told", ["", "2099-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "tomorrow"])
def test_a_phase_that_has_time_or_no_deadline_begins(lost, run, backup_volume, monkeypatch, told):
    monkeypatch.setenv("ARGO_DEADLINE", told)
    arguments = ["--claim", "nightly", "--backup", backup_volume]

    assert run("restore", "configmaps", *arguments, stage=lost, account="threescale-restore") == 0


def test_a_large_tree_needs_more_time_than_some_objects(lost, run, backup_volume, tmp_path, monkeypatch):
    monkeypatch.setenv("ARGO_DEADLINE", deadline(100))
    monkeypatch.setattr(contents.Backup, "size_bytes", 500 << 30)  # a mock, because nobody has the disk
    arguments = ["--claim", "nightly", "--backup", backup_volume, "--file-storage", tmp_path]

    assert run("restore", "file-storage", *arguments, stage=lost, account="threescale-restore") == 1

    assert "needs 1054 s at the least" in log(tmp_path)


@pytest.mark.parametrize(("kept", "code"), [("-", 1), ("zync", 0), ("", 0)])
def test_an_object_that_has_appeared_since_the_plan_stops_its_phase(lost, run, backup_volume, tmp_path, kept, code):
    saved = json.loads((backup_volume / "secrets/zync.json").read_text())
    saved["metadata"]["namespace"] = lost.namespace
    lost.kubernetes.apply(saved)
    arguments = ["--claim", "nightly", "--backup", backup_volume, "--kept-secrets", kept]

    assert run("restore", "secrets", *arguments, stage=lost, account="threescale-restore") == code

    assert ("Secret zync has appeared" in log(tmp_path)) is (code == 1)
    assert ("system-app" in lost.exists("secrets")) is (code == 0)


def test_a_mistyped_approval_is_refused(lost, run, tmp_path):
    arguments = ["--claim", "nightly", "--approve", "YES"]

    assert run("restore", "check", *arguments, stage=lost, account="threescale-restore") == 1

    assert "'YES' is not one of 'no', 'yes'" in log(tmp_path)


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


def test_no_output_holds_a_sign_that_changes_a_terminal(tmp_path):
    run = Run("threescale", Workflow("w", "uid"), tmp_path, 1.0, last_try=False)

    run.output(names="create: a\nsave: b\x1b[2K")

    assert (tmp_path / "names").read_text() == "create: a\nsave: b\\x1b[2K"


def test_no_name_in_a_plan_forges_a_line_of_it():
    plan = Plan("threescale")
    plan.add(Does.SAVE, "APIManager a\nplan 0: 1 save")

    assert plan.names == "save: APIManager a\\nplan 0: 1 save"
    assert len(list(plan.text())) == 2


def test_a_backup_that_is_sealed_is_not_said_to_have_failed_though_its_workflow_has(empty, run):
    labels = {marks.STATE: marks.COMPLETE, marks.WORKFLOW_UID: "uid-1"}
    laid(empty, "nightly", labels=labels, annotations={marks.MANIFEST_DIGEST: "ab" * 32})
    words = ("report", "--of", "backup", "--claim", "nightly", "--failures", "null", "--advice", "Mend it.")

    assert run(*words, stage=empty, account="threescale-backup") == 0
    assert empty.get("configmaps", names.BACKUP_RESULTS) is None
    assert empty.get("persistentvolumeclaims", "nightly")["metadata"]["labels"][marks.STATE] == marks.COMPLETE


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
        ([("name", "x")], {}, "yes"),  # the size of the claim is missing
    ],
)
def test_a_refusal_is_an_output_where_a_person_gave_the_arguments(run, tmp_path, parameters, labels, refused):
    assert run("backup", "prepare", "--name", "x", more=first_phase(parameters, labels)) == 1
    assert outputs(tmp_path).get("refused") == refused
    assert outputs(tmp_path)["plan"] == dict(parameters).get("plan", "no")


def test_a_value_that_only_a_phase_can_judge_is_refused_as_an_argument(empty, run, tmp_path):
    assert run("watch", "--max-age", "soon", stage=empty, more=first_phase([("max-age", "soon")], {})) == 1
    assert outputs(tmp_path)["refused"] == "yes"


def test_what_argo_does_not_say_in_a_form_of_its_own_is_no_refusal_of_arguments(run, tmp_path):
    assert run("watch", "--max-age", "1d", more=["--arguments", "[", "--labels", "{}", "--known", "max-age"]) == 1
    assert not (tmp_path / "outputs").exists()
    assert "Argo does not say the workflow's arguments" in (tmp_path / "log").read_text()


TOP = Path(__file__).parents[2]


def test_in_the_image_no_module_is_taken_from_the_folder_where_a_phase_begins(tmp_path):
    containerfile = (TOP / "images/steps/Containerfile").read_text()
    set_there = dict(re.findall(r"(PYTHON[A-Z]*)=(\S+)", containerfile))
    for name in ("steps.py", "json.py", "click.py"):
        (tmp_path / name).write_text("raise SystemExit(7)")
    environment = {**os.environ, **set_there, "PYTHONPATH": str(TOP)}

    command = [sys.executable, "-m", "steps", "--help"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)  # noqa: S603  our own interpreter

    assert (done.returncode, "Phases of the workflows" in done.stdout) == (0, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ["backup", "seal", "--backup", ""],
        ["backup", "file-storage", "--backup", "b", "--file-storage="],
        ["notify", "--secret", ""],
    ],
    ids=str,
)
def test_an_empty_path_is_no_folder(run, capsys, arguments):
    assert run(*arguments) == 1
    assert "an empty path names nothing" in capsys.readouterr().err


def test_a_stranger_at_the_root_is_named_and_marks_no_backup_damaged(kept, run, caplog):
    caplog.set_level(logging.INFO)
    root = kept.engine.volume("nightly")
    (root / "notes.txt").write_text("mine")

    code = run("verify", "read", "--claim", "nightly", "--backup", root, stage=kept, account="threescale-verify")

    assert code == 0
    assert "at its root and no part of it, a restore passes it over: 'notes.txt'" in caplog.messages
    assert marks.DAMAGED not in kept.get("persistentvolumeclaims", "nightly")["metadata"]["labels"]
