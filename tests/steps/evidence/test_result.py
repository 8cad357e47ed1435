import json
from datetime import UTC, datetime, timedelta

import pytest

from steps import errors
from steps.archive import layout, manifest
from steps.archive.manifest import Digest, Manifest, Report, Source
from steps.evidence import result
from steps.evidence.result import CREATED, KEPT, SAVED, UNTOUCHED, Failure, Line, Phase, Result
from tests.builders.refusals import Holding, refused

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
DIGEST = Digest(size=1, sha256="0" * 64)


def begun(**facts):
    who = {"service_account": "sa", "workflow": "w", "workflow_uid": "u", "namespace": "n", "claim": "c"}
    return Result(**{"tool_version": "1", "operation": "restore", "began": NOON, **who, **facts})


def phase(name, at_s=0, duration_s=1.0, **counts):
    return Phase(phase=name, began=NOON + timedelta(seconds=at_s), duration_s=duration_s, counts=counts)


def secret(name, done):
    return Line(kind="Secret", name=name, done=done)


def test_a_record_is_read_back_as_it_was_written():
    whole = begun().did(phase("secrets", created=1), [secret("zync", CREATED)], last=True)

    assert result.parse(result.text(whole)) == whole
    assert result.parse(result.text(whole).encode()) == whole


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("", "the text is not a JSON object"),
        ("[]", "the text is not a JSON object"),
        (b"\xff", "the text is not a JSON object"),
        ("{}", "the record has schema version None, this tool reads 1"),
        ('{"schema_version": 2}', "the record has schema version 2, this tool reads 1"),
        (
            '{"schema_version": 1}',
            "these fields are invalid or missing (began, claim, namespace, operation, service_account)",
        ),
    ],
)
def test_what_is_no_record_is_refused_with_its_reason(data, said):
    with refused(errors.NoResult, reason=said):
        result.parse(data)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("began", "2026-01-02T12:00:00"),
        ("outcome", "<script>"),
        ("phases", [{"phase": "x", "began": "2026-01-02T12:00:00Z", "duration_s": -1}]),
        ("phases", [{"phase": "x", "began": "2026-01-02T12:00:00Z", "duration_s": 1e999}]),
        ("extra", 1),
    ],
)
def test_a_record_that_no_phase_would_write_is_refused_by_the_field_s_name(field, value):
    facts = json.loads(result.text(begun())) | {field: value}

    with refused(errors.NoResult, reason=Holding(field)):
        result.parse(json.dumps(facts))


def test_phases_are_told_in_the_order_in_which_they_began_and_their_counts_are_added():
    late, early = phase("secrets", 9, created=2), phase("check", -5)

    found = begun().did(late, [secret("b", KEPT), secret("a", KEPT)]).did(early)

    assert [each.phase for each in found.phases] == ["check", "secrets"]
    assert found.began == early.began
    assert (found.outcome, found.ended) == ("running", None)
    assert found.counts == {"created": 2, "kept": 2}
    assert [line.name for line in found.objects] == ["a", "b"]


@pytest.mark.parametrize("done", [KEPT, UNTOUCHED])
def test_what_a_workflow_created_stays_created_when_it_looks_again(done):
    first = begun().did(phase("secrets"), [secret("zync", CREATED), secret("mine", KEPT)])

    again = first.did(phase("secrets", 9, 0.5), [secret("zync", done), secret("mine", done)])

    assert [(line.name, line.done) for line in again.objects] == [("mine", done), ("zync", CREATED)]
    assert again.counts == {"created": 1, done: 1}
    assert [each.duration_s for each in again.phases] == [0.5]


def test_a_later_try_that_finds_all_done_takes_no_count_away():
    first = begun().did(phase("file-storage", files=43))

    assert first.did(phase("file-storage", 9)).counts == {"files": 43}


def test_a_workflow_that_failed_and_was_tried_again_is_no_failure():
    failed = begun().failed([Failure(phase="routes", sentence="no")], ["Pod x: y"], "wait")

    assert (failed.outcome, failed.advice, failed.held_back) == ("failed", "wait", ("Pod x: y",))
    assert failed.ended is not None

    again = failed.did(phase("routes", 9), last=True)

    assert (again.outcome, again.failures, again.held_back, again.advice) == ("succeeded", (), (), "")


def test_a_clock_that_is_set_back_makes_no_negative_time():
    assert result.lasted("x", NOON, NOON - timedelta(seconds=1)).duration_s == 0


def sealed(objects):
    return Manifest(
        tool_version="1",
        backup="nightly",
        workflow="w",
        workflow_uid="u",
        started=NOON - timedelta(seconds=30),
        ended=NOON,
        source=Source(namespace="n", apimanager="mine", apimanager_uid="1", threescale_version="2.16.0"),
        objects=dict.fromkeys(objects, DIGEST),
    )


def test_a_backup_s_record_names_its_objects_by_kind_and_holds_no_digest():
    paths = ["secrets/zync.json", "referenced/configmaps/a.b.json", layout.APIMANAGER]
    report = Report(objects=dict.fromkeys(paths, DIGEST), began=NOON, ended=NOON + timedelta(seconds=2))

    found = result.of_backup(begun(operation="backup"), sealed(paths), {"secrets": report, "file-storage": None})

    assert [(line.kind, line.name, line.done) for line in found.objects] == [
        ("APIManager", "mine", SAVED),
        ("ConfigMap", "a.b", SAVED),
        ("Secret", "zync", SAVED),
    ]
    assert (found.backup, found.began, found.counts) == ("nightly", NOON - timedelta(seconds=30), {"saved": 3})
    assert [each.duration_s for each in found.phases] == [2.0]
    assert DIGEST.sha256 not in result.text(found)


def test_objects_of_a_phase_that_told_no_times_are_named_all_the_same():
    report = Report(objects={"secrets/zync.json": DIGEST})

    found = result.of_backup(begun(operation="backup"), sealed(report.objects), {"secrets": report})

    assert ([line.name for line in found.objects], found.phases) == (["zync"], ())


def test_the_placeholder_of_an_empty_file_storage_counts_as_no_file():
    tree = {"files": 1, "folders": 0, "links": 0, "size_bytes": 0, "placeholder": manifest.PLACEHOLDER}
    facts = manifest.FileTree(**tree, special=("fifo",), listing=DIGEST)

    assert result.of_file_tree(facts) == {"files": 0, "folders": 0, "links": 0, "bytes": 0, "special": 1}


def test_what_a_phase_of_a_backup_noted_is_in_its_record_and_the_manifest_gains_no_field():
    noted = Report(began=NOON, ended=NOON, notes=("1 entries vanished while the tree was read: folder 'acme'",))

    found = result.of_backup(begun(operation="backup"), sealed({}), {"file-storage": noted, "secrets": noted_nothing()})

    assert {each.phase: each.notes for each in found.phases} == {"file-storage": noted.notes, "secrets": ()}
    written = json.loads(result.text(found))
    assert ["notes" in each for each in written["phases"]] == [True, False]
    assert "notes" not in json.loads(manifest.text(sealed({})))


def noted_nothing():
    return Report(began=NOON + timedelta(seconds=1), ended=NOON + timedelta(seconds=1))


def test_what_a_try_before_noted_stays_where_a_later_one_found_all_done():
    noted = phase("file-storage").model_copy(update={"notes": ("it vanished",)})

    found = begun().did(noted).did(phase("file-storage", at_s=5))

    assert found.phases[0].notes == ("it vanished",)


@pytest.mark.parametrize("data", ["[" * 100_000, '{"a":' * 100_000])
def test_what_is_nested_without_end_is_no_record(data):
    with refused(errors.NoResult, reason="the text is not a JSON object"):
        result.parse(data)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("began", "0001-01-01T00:00:00+14:00"),
        ("ended", "9999-12-31T23:59:59-14:00"),
        ("counts", {"bytes": 10**400}),
    ],
)
def test_a_time_or_number_that_no_page_can_show_is_another_form(field, value):
    written = json.loads(result.text(begun()))

    with refused(errors.NoResult, reason=Holding(field)):
        result.parse(json.dumps({**written, field: value}))
