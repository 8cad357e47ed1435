import json
import logging

import pytest

from steps.archive import contents, layout, marks
from steps.evidence import result
from tests.builders.phase_commands import entry, log


def filled(opened):
    """What system-storage says once a restore has filled it."""
    return {**opened.mark.annotations(), marks.RESTORE_STATE: marks.COMPLETE}


@pytest.mark.parametrize("annotations", [None, {}])
def test_no_3scale_is_made_where_its_restored_files_are_gone(lost, run, backup_volume, tmp_path, annotations):
    if annotations is not None:
        lost.claim(metadata={"annotations": annotations})
    volume_of = ["--claim", "nightly", "--backup", backup_volume]

    assert run("restore", "apimanager", *volume_of, stage=lost, account="threescale-restore") == 1

    assert "Claim 'system-storage'" in log(tmp_path)
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
    assert "ConfigMap threescale-restore-results: record not written" in caplog.text


def test_a_backup_of_the_operator_is_called_so(lost, run, backup_volume, caplog):
    caplog.set_level(logging.INFO)
    for name in (layout.MANIFEST, layout.BEGIN):
        (backup_volume / name).unlink()

    arguments = ["--claim", "nightly", "--backup", backup_volume]
    arguments += ["--backup-digest", contents.open_at(backup_volume).digest]
    assert run("restore", "configmaps", *arguments, stage=lost, account="threescale-restore") == 0
    assert "claim nightly holds a backup that the operator made" in caplog.text


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
