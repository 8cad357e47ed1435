"""The catalogue as a person reads it: `list`, `describe`, `pin`, `unpin`."""

import json
import re
from typing import Any

import pytest
import yaml
from rich.cells import cell_len

from steps.archive import marks
from steps.contract.names import EXTERNAL
from steps.kubernetes import fields
from steps.threescale import installation
from tests.builders.claims import DIGEST, laid, sealed
from tests.builders.commands import ask
from workflows.commands import listing

HEADS_AND_STATES = ("STATE", "complete", "complete")


def test_a_table_has_a_line_for_each_backup_the_newest_first_and_says_why_one_has_failed(empty: Any) -> None:
    laid(empty, "older", started="2026-11-01T02:00:00Z", **sealed())
    laid(empty, "newer", started="2026-11-02T02:00:00Z")

    code, out, _ = ask(empty, "list")

    head, first, second, blank, note = out.splitlines()
    assert code == 0
    assert head.split() == [
        "NAME",
        "STATE",
        "STARTED",
        "FILES",
        "SIZE",
        "3SCALE",
        "BY",
        "WHERE",
        "VERIFIED",
        "PROVEN",
        "PINNED",
    ]
    assert first.split()[:5] == ["newer", "failed", "2026-11-02T02:00:00Z", "-", "-"]
    assert second.split()[:6] == ["older", "complete", "2026-11-01T02:00:00Z", "12", "3.3", "KiB"]
    assert (blank, note) == ("", "newer: workflow of-newer is gone and did not complete the backup")


FORGED = "ok\x1b[2K\x1b[1Gnightly  complete\u202e\nnightly  complete"


@pytest.mark.parametrize("words", [["list"], ["list", "-o", "wide"], ["describe", "older"]], ids=" ".join)
def test_no_annotation_reaches_a_terminal_as_anything_but_a_text_on_one_line(empty: Any, words: list[str]) -> None:
    more = {marks.THREESCALE_VERSION: FORGED, installation.APIMANAGER_NAME: FORGED, marks.DAMAGE: FORGED}
    laid(empty, "older", **{**sealed(), "annotations": {**sealed()["annotations"], **more, marks.STARTED: FORGED}})

    code, out, _ = ask(empty, *words)

    assert code == 0
    assert [sign for sign in out if not sign.isprintable() and sign != "\n"] == []
    assert [line for line in out.splitlines() if line.startswith("nightly")] == []


def test_a_name_in_wide_characters_leaves_the_columns_after_it_in_line(empty: Any) -> None:
    laid(empty, "plain", started="2026-11-01T02:00:00Z", **sealed())
    (entry,) = json.loads(ask(empty, "list", "-o", "json")[1])

    lines = listing.of_all([entry, {**entry, "name": "夜間バックアップ"}], "table", empty.namespace).splitlines()

    assert len({cell_len(line[: line.index(word)]) for line, word in zip(lines, HEADS_AND_STATES, strict=True)}) == 1


def test_a_wide_table_has_the_digests_of_the_manifests(empty: Any) -> None:
    laid(empty, "older", started="2026-11-01T02:00:00Z", **sealed())
    laid(empty, "newer", started="2026-11-02T02:00:00Z")

    _, out, _ = ask(empty, "list", "-o", "wide")

    assert [line.split()[-1] for line in out.splitlines()[:3]] == ["MANIFEST-SHA256", "-", DIGEST]


def test_a_program_reads_it_as_json_yaml_or_names(empty: Any) -> None:
    laid(empty, "a", **sealed())

    of_json, of_yaml = ask(empty, "list", "-o", "json")[1], ask(empty, "list", "-o", "yaml")[1]

    assert json.loads(of_json) == yaml.safe_load(of_yaml)
    assert json.loads(of_json)[0]["state"] == "complete"
    assert json.loads(of_json)[0]["started"] == "2026-11-01T02:00:00Z"
    assert ask(empty, "list", "-o", "name")[1] == "a\n"


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_program_reads_a_refusal_as_a_person_does(empty: Any, form: str) -> None:
    code, out, err = ask(empty, "describe", "no-such", "-o", form)

    assert code == 1
    assert "has no claim" in err
    if form == "json":
        assert json.loads(out)["error"]["code"] == "claim-missing"
        assert json.loads(out)["error"]["message"] in err
        assert json.loads(out)["error"]["facts"]["namespace"] == empty.namespace
    else:
        assert out == ""


def test_an_empty_catalogue_says_so(empty: Any) -> None:
    assert ask(empty, "list")[:2] == (0, f"no backup in namespace {empty.namespace}\n")
    assert ask(empty, "list", "-o", "json")[1] == "[]\n"


@pytest.mark.thorough
def test_a_failed_backup_is_described_with_its_record(installed: Any) -> None:
    stranger = installed.engine.volume("nightly") / "mine.txt"
    stranger.write_text("somebody's")
    workflow = installed.backup(name="nightly")
    assert workflow.phase == "Failed"
    assert fields.label(installed.get("persistentvolumeclaims", "nightly"), marks.STATE) == marks.FAILED

    code, out, _ = ask(installed, "describe", "nightly")

    assert code == 0
    assert f"failed: workflow {workflow.name} ended as Failed and did not complete the backup" in out
    assert f"backup failed, by threescale-backup, workflow {workflow.name}" in out
    assert "mine.txt" in out
    assert json.loads(ask(installed, "describe", "nightly", "-o", "json")[1])["result"]["outcome"] == "failed"


@pytest.mark.thorough
def test_all_about_one_backup_is_told(installed: Any) -> None:
    workflow = installed.backup(name="nightly")

    code, out, _ = ask(installed, "describe", "nightly")

    told = dict(line.split("  ", 1) for line in out.splitlines() if "  " in line)
    assert code == 0
    assert told["state"].strip() == "complete"
    assert workflow.name in told["made by"]
    assert told["started by"].strip() == "a person"
    assert "result.json is in the backup, on claim nightly" in out
    assert json.loads(ask(installed, "describe", "nightly", "-o", "json")[1])["result"] is None


@pytest.mark.thorough
def test_a_backup_of_a_schedule_says_of_which(installed: Any) -> None:
    installed.backup(name="nightly", schedule="threescale-backup-schedule")

    assert "schedule" not in ask(installed, "list")[2]
    assert json.loads(ask(installed, "list", "-o", "json")[1])[0]["schedule"] == "threescale-backup-schedule"
    assert "started by  threescale-backup-schedule" in ask(installed, "describe", "nightly")[1]


def test_a_backup_whose_files_are_external_says_so_everywhere(empty: Any) -> None:
    marked = sealed(**{marks.FILE_STORAGE: EXTERNAL})
    for label in (marks.FILES, marks.BYTES):  # which its seal leaves out
        del marked["labels"][label]
    laid(empty, "in-s3", **marked)

    in_list, described = ask(empty, "list")[1], ask(empty, "describe", "in-s3")[1]

    assert in_list.splitlines()[1].split()[:5] == ["in-s3", "complete", "2026-11-01T02:00:00Z", "external", "-"]
    assert re.search(r"^files +external, in S3$", described, re.MULTILINE)
    assert json.loads(ask(empty, "list", "-o", "json")[1])[0]["external"] is True
    assert json.loads(ask(empty, "describe", "in-s3", "-o", "json")[1])["external"] is True


def test_a_backup_is_pinned_and_unpinned(empty: Any) -> None:
    laid(empty, "night", **sealed())

    assert ask(empty, "pin", "night")[:2] == (0, "night: pinned, retention keeps it\n")
    assert ask(empty, "list")[1].splitlines()[1].endswith("yes")
    assert ask(empty, "unpin", "night")[:2] == (0, "night: unpinned, retention may delete it\n")


@pytest.mark.parametrize("verb", ["describe", "pin", "unpin"])
def test_a_mistyped_name_is_one_sentence_with_those_that_are_there(empty: Any, verb: str) -> None:
    laid(empty, "night")

    code, out, err = ask(empty, verb, "nigth")

    assert (code, out) == (1, "")
    assert "'nigth'" in err
    assert "night" in err.replace("nigth", "")


def prune(stage: Any, *words: str) -> tuple[int, list[str], str]:
    code, out, err = ask(stage, "plan", "prune", *words)
    return code, out.splitlines(), err


def a_week(stage: Any) -> None:
    for day in range(1, 8):
        laid(stage, f"night-{day}", started=f"2026-11-0{day}T02:00:00Z", **sealed(**{marks.SCHEDULE: "nights"}))


def test_retention_says_of_each_backup_what_it_would_do_and_why_and_deletes_nothing(empty: Any) -> None:
    a_week(empty)
    ask(empty, "pin", "night-1")
    empty.kubernetes.clear_requests()

    code, lines, _ = prune(empty, "--keep-daily", "2", "--keep-within", "3d", "--minimum-redundancy", "1")

    assert code == 0
    assert [line.split()[:2] for line in lines[:7]] == [
        ["keep", "night-7"],
        ["keep", "night-6"],
        ["keep", "night-5"],
        ["keep", "night-4"],
        ["delete", "night-3"],
        ["delete", "night-2"],
        ["keep", "night-1"],
    ]
    assert lines[0].endswith("daily, within, the newest, the newest by the API server's clock")
    assert lines[6].endswith("pinned")
    assert lines[7:] == [
        "5 to keep, 2 to delete",
        "reclaim policy unknown, it is not known whether the data are deleted: night-2, night-3",
    ]
    assert empty.kubernetes.writes() == []


@pytest.mark.thorough
def test_nothing_may_be_deleted_after_a_run_that_failed_before_it_made_a_claim(empty: Any) -> None:
    a_week(empty)
    failed = empty.backup(name="eighth")
    assert failed.phase == "Failed"

    assert prune(empty, "--keep-last", "1")[1][-1] == (
        f"nothing is deleted: the newest run failed: workflow {failed.name}"
    )


def test_a_time_zone_that_is_none_is_one_sentence(empty: Any) -> None:
    code, lines, err = prune(empty, "--timezone", "Madrid")

    assert (code, lines) == (1, [])
    assert "'Madrid' is not a time zone of the IANA database" in err
    assert err.count("\n") == 1


def test_what_was_proved_of_a_backup_is_told(empty: Any) -> None:
    proved = {marks.VERIFIED: "20261102T030405Z", marks.PROVEN: "20261103T030405Z", marks.DAMAGED: "20261104T030405Z"}
    facts = sealed(**proved)
    by = {marks.VERIFIED_BY: "verify-1", marks.PROVEN_BY: "drill-1", marks.DAMAGED_BY: "verify-2"}
    by[marks.PROVEN_COUNTS] = "22 created, 43 files; 41.5 s"
    told = {marks.DAMAGE: "the backup is not whole", marks.VERIFYING: f"10 of 100 bytes, manifest {DIGEST}"}
    laid(empty, "night", labels=facts["labels"], annotations={**facts["annotations"], **by, **told})

    _, table, _ = ask(empty, "list")
    _, text, _ = ask(empty, "describe", "night")

    assert table.splitlines()[1].split()[1:3] == ["complete,", "damaged"]
    assert table.splitlines()[1].split()[-3:] == ["2026-11-02T03:04:05Z", "2026-11-03T03:04:05Z", "-"]
    lines = {line.split("  ")[0]: line.split("  ")[-1].strip() for line in text.splitlines()}
    assert lines["verified"] == "2026-11-02T03:04:05Z, by workflow verify-1"
    assert lines["proven"] == "2026-11-03T03:04:05Z, by workflow drill-1: 22 created, 43 files; 41.5 s"
    assert lines["damaged"] == "2026-11-04T03:04:05Z, by workflow verify-2: the backup is not whole"
    assert lines["being verified"] == "10 of 100 bytes are read, no damage found"
