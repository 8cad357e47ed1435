import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from steps.evidence import result
from tests.builders.pages import Page, foreign, page_of
from workflows.__main__ import main

HOSTILE = "<script src=https://evil.example/x.js></script><img src=x onerror=alert(1)>\"'&"


def a_record(**facts: Any) -> dict[str, Any]:
    phases = [("check", 0, 10.0), ("file-storage", 10, 80.0), ("routes", 95, 5.0)]
    return {
        "schema_version": 1,
        "tool": "threescale-backup",
        "tool_version": "0.1.0",
        "operation": "restore",
        "outcome": "succeeded",
        "service_account": "threescale-restore",
        "workflow": "restore-1",
        "workflow_uid": "uid-1",
        "namespace": "api",
        "claim": "nightly",
        "backup": "nightly",
        "began": "2026-01-02T03:04:00Z",
        "ended": "2026-01-02T03:05:40Z",
        "phases": [
            {"phase": name, "began": f"2026-01-02T03:{4 + at // 60:02}:{at % 60:02}Z", "duration_s": took, "counts": {}}
            for name, at, took in phases
        ],
        "counts": {"bytes": 3 << 20, "files": 1234, "kept": 1},
        "objects": [{"kind": "Secret", "name": "zync", "done": "kept"}],
        **facts,
    }


def test_a_page_says_what_the_record_says() -> None:
    page = Page(page_of(a_record()))

    for told in ("Restore nightly", "succeeded", "threescale-restore", "restore-1", "uid-1", "2026-01-02 03:04:00 UTC"):
        assert told in page.text
    assert "3.0 MiB, 1,234 files, 1 kept" in page.text
    assert "(1 min 40 s)" in page.text
    assert "What to do next" not in page.text
    assert page.text.index("Secret") < page.text.index("zync") < page.text.rindex("kept")


def test_each_phase_has_a_bar_where_it_lay_in_the_whole() -> None:
    assert Page(page_of(a_record())).bars == [(0.0, 10.0), (10.0, 80.0), (95.0, 5.0)]


def test_a_phase_that_took_no_time_has_a_bar_too() -> None:
    phases = [{"phase": "check", "began": "2026-01-02T03:04:00Z", "duration_s": 0}]

    assert Page(page_of(a_record(phases=phases))).bars == [(0.0, 0.0)]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.004, "0.00 s"), (59.9, "59.90 s"), (60, "1 min 0 s"), (3599.6, "1 h 0 min"), (7500, "2 h 5 min")],
)
def test_times_are_told_as_a_person_would(seconds: float, told: str) -> None:
    phases = [{"phase": "check", "began": "2026-01-02T03:04:00Z", "duration_s": seconds}]

    assert f" {told} " in Page(page_of(a_record(phases=phases))).text


def test_what_failed_and_what_to_do_next_come_first() -> None:
    failures = [{"phase": "routes", "sentence": "waited in vain"}]
    told = {"outcome": "failed", "failures": failures, "held_back": ["Pod x: no node"], "advice": "submit it again"}
    text = Page(page_of(a_record(**told))).text

    places = [text.index(word) for word in ("waited in vain", "Pod x: no node", "What to do next", "submit it again")]
    assert places == sorted(places)
    assert places[-1] < text.index("service account")


def test_lines_that_were_cut_are_told() -> None:
    assert "21 lines were cut" in Page(page_of(a_record(objects=[], cut=21))).text


def test_a_restore_that_runs_has_a_page() -> None:
    page = Page(page_of(a_record(outcome="running", ended=None, phases=[], objects=[])))

    assert "not recorded" in page.text
    assert page.bars == []


TEXTS = [name for name, value in a_record().items() if isinstance(value, str) and name not in {"operation", "outcome"}]


def test_a_hostile_name_is_shown_and_does_nothing() -> None:
    hostile = {name: HOSTILE for name in TEXTS if name not in {"began", "ended"}}
    timed = {"began": "2026-01-02T03:04:00Z", "duration_s": 1}
    phases = [{"phase": HOSTILE, **timed, "counts": {HOSTILE: 1}, "notes": [HOSTILE]}]
    objects = [{"kind": HOSTILE, "name": HOSTILE, "done": "kept", "how": HOSTILE}]
    said = {"failures": [{"phase": HOSTILE, "sentence": HOSTILE}], "held_back": [HOSTILE], "advice": HOSTILE}

    text = page_of(a_record(**hostile, **said, phases=phases, objects=objects, counts={HOSTILE: 2}))

    assert list(foreign(text)) == []
    assert Page(text).text.count(HOSTILE) == len(hostile) + 12 + 2  # two more in the titles
    assert HOSTILE not in text


def test_the_browser_is_forbidden_to_run_or_load_anything() -> None:
    metas = [attrs for tag, attrs in Page(page_of(a_record())).elements if tag == "meta"]

    assert {
        "http-equiv": "Content-Security-Policy",
        "content": "default-src 'none'; style-src 'unsafe-inline'",
    } in metas


# --- the command ---


def test_a_page_can_be_a_file(tmp_path: Path) -> None:
    record, page = tmp_path / "result.json", tmp_path / "page.html"
    record.write_text(json.dumps(a_record(backup="nächtlich")))

    made = CliRunner().invoke(main, ["report", str(record), "--output", str(page)])

    assert (made.exit_code, made.output) == (0, "")
    assert "Restore nächtlich" in Page(page.read_text(encoding="utf-8")).text


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (None, "can't read {}: No such file or directory"),
        (b"\xff", "{}: This is not a result record. The text is not a JSON object"),
        (b"", "{}: This is not a result record. The text is not a JSON object"),
        (b"[" * 100_000, "{}: This is not a result record. The text is not a JSON object"),
        (b"{}", "{}: This is not a result record. The record has schema version None, this tool reads 1"),
        (
            b'{"schema_version": 1, "a": "\\ud800"}',
            "{}: This is not a result record. These fields are invalid or missing",
        ),
    ],
    ids=["missing", "no text", "empty", "without end", "no record", "no characters"],
)
def test_a_file_that_is_no_record_is_refused_in_one_sentence(tmp_path: Path, content: bytes | None, named: str) -> None:
    record = tmp_path / "result.json"
    if content is not None:
        record.write_bytes(content)

    made = CliRunner().invoke(main, ["report", str(record)])

    assert (made.exit_code, made.stdout) == (1, "")
    assert named.format(record) in made.stderr
    assert len(made.stderr.splitlines()) == 1


def test_a_folder_and_a_page_that_can_t_be_written_are_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(json.dumps(a_record()))

    read = CliRunner().invoke(main, ["report", str(tmp_path)])
    written = CliRunner().invoke(main, ["report", str(tmp_path / "result.json"), "--output", str(tmp_path)])

    assert (read.exit_code, read.stderr) == (1, f"Error: can't read {tmp_path}: Is a directory\n")
    assert (written.exit_code, written.stderr) == (1, f"Error: can't write to {tmp_path}: Is a directory\n")


def test_a_closed_stdin_is_refused_in_one_sentence() -> None:
    command = ["sh", "-c", 'exec "$0" -m workflows report - <&-', sys.executable]

    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  our own interpreter

    assert (done.returncode, done.stderr) == (1, "Error: stdin is closed. Name a file\n")


def test_a_page_says_what_a_phase_noted_and_a_record_without_notes_has_no_such_field() -> None:
    record = a_record()
    record["phases"][1]["notes"] = [f"folder '.snapshot' is skipped {HOSTILE}"]

    page = page_of(record)

    assert "folder '.snapshot' is skipped" in Page(page).text
    assert list(foreign(page)) == []
    kept = json.loads(result.text(result.parse(json.dumps(record))))
    assert ["notes" in phase for phase in kept["phases"]] == [False, True, False]


def test_a_file_larger_than_any_record_is_none_and_is_not_read(tmp_path):
    record = tmp_path / "result.json"
    with record.open("wb") as stream:
        stream.truncate(400 << 30)

    made = CliRunner().invoke(main, ["report", str(record)])

    assert (made.exit_code, made.output.count("\n")) == (1, 1)
    assert "This is not a result record. The text is not a JSON object" in made.output


def test_a_page_and_a_list_say_sizes_in_the_same_units() -> None:
    assert "2.0 TiB, 3 files" in Page(page_of(a_record(counts={"bytes": 2 << 40, "files": 3}))).text
