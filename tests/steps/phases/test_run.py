import json
import os

import pytest

from steps import errors
from steps.archive import contents
from steps.kubernetes.workflow import Workflow
from steps.phases.run import Run
from tests.builders.phase_commands import bare, deadline, log
from workflows.rehearsal.threescale import installation as threescale


def test_without_a_folder_for_outputs_none_are_left(tmp_path, monkeypatch, empty):
    empty.connect()
    monkeypatch.setenv("KUBECONFIG", str(empty.folder / "kubeconfig-None"))
    monkeypatch.chdir(tmp_path)
    told = ["--namespace", "threescale", "--workflow", "w", "--workflow-uid", "u"]

    assert bare(monkeypatch, *told, "report", "--of", "backup", "--failures", "null", "--advice", "x") == 0
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize("phase", ["prepare", "file-storage", "secrets", "configmaps", "apimanager", "routes"])
def test_a_phase_that_has_too_little_time_left_changes_nothing(lost, run, backup_volume, tmp_path, monkeypatch, phase):
    monkeypatch.setenv("ARGO_DEADLINE", deadline(20))
    lost.kubernetes.clear_requests()
    arguments = ["--claim", "nightly", "--backup", backup_volume]
    arguments += ["--file-storage", tmp_path] if phase == "file-storage" else []

    assert run("restore", phase, *arguments, stage=lost, account="threescale-restore") == 1

    assert log(tmp_path).startswith(f"Phase {phase} needs ")
    assert "left until the deadline. It was not started" in log(tmp_path)
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

    assert log(tmp_path).startswith(f"Phase {phase} needs ")
    assert installed.kubernetes.writes() == []
    assert os.listdir(root) == []


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

    assert "needs at least 1054 s" in log(tmp_path)


def test_no_output_holds_a_sign_that_changes_a_terminal(tmp_path):
    run = Run("threescale", Workflow("w", "uid"), tmp_path, 1.0, last_try=False)

    run.output(names="create: a\nsave: b\x1b[2K")

    assert (tmp_path / "names").read_text() == "create: a\nsave: b\\x1b[2K"


def test_a_phase_leaves_no_output_that_its_declaration_does_not_name(tmp_path):
    run = Run("threescale", Workflow("w", "u"), tmp_path, 30.0, last_try=True, gives=frozenset({"file-storage"}))

    run.output(file_storage="claim")
    with pytest.raises(KeyError, match="files"):
        run.output(files=1)

    assert [path.name for path in tmp_path.iterdir()] == ["file-storage"]


def test_a_long_error_is_left_without_its_facts(tmp_path):
    run = Run("threescale", Workflow("w", "u"), tmp_path, 30.0, last_try=True)

    run.tell_failure(errors.PlannedGone("Secret", [f"secret-{number}" for number in range(2000)], "threescale"))

    told = json.loads((tmp_path / "failure").read_text())
    assert (told["code"], told["facts"]) == ("planned-gone", {})
    assert "and 1990 more" in told["message"]
