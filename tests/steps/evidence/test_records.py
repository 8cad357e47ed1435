import json
import logging
import re
from datetime import UTC, datetime, timedelta

import pytest

from steps.contract import names
from steps.evidence import records, result
from steps.evidence.records import with_entry
from steps.evidence.result import Failure, Line, Phase, Result

NAME = names.RESTORE_RESULTS
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
LIMIT_BYTES = 900 * 1024


def begun(number, uid=None, **facts):
    """The record of a restore; a later one has a higher number."""
    who = {"service_account": "sa", "workflow": f"restore-{number}", "workflow_uid": uid or f"uid-{number}"}
    told = {"namespace": "threescale", "claim": "nightly", "began": NOON + timedelta(minutes=number)}
    return Result(**{"tool_version": "1", "operation": "restore", **who, **told, **facts})


def did(phase, *names):
    """A phase that created Secrets."""
    lines = [Line(kind="Secret", name=name, done="created") for name in names]
    return lambda found: found.did(Phase(phase=phase, began=found.began, duration_s=1), lines)


def same(found):
    return found


@pytest.fixture
def connect(empty):
    """Connect with the rights of a restore."""
    door = empty.connect("threescale-restore")
    return lambda: door


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO)
    return caplog


def entries(stage):
    return {key: json.loads(text) for key, text in stage.get("configmaps", NAME)["data"].items()}


def test_the_first_phase_makes_the_configmap_and_later_ones_add_to_their_workflow_s_entry(empty, connect):
    records.note(connect, begun(1), did("prepare"))
    records.note(connect, begun(1), did("secrets", "zync"))
    records.note(connect, begun(2), same)

    found = entries(empty)
    assert list(found) == ["restore-1.json", "restore-2.json"]
    assert [phase["phase"] for phase in found["restore-1.json"]["phases"]] == ["prepare", "secrets"]
    assert [line["name"] for line in found["restore-1.json"]["objects"]] == ["zync"]
    assert empty.get("configmaps", NAME)["metadata"]["labels"] == {"app.kubernetes.io/part-of": "threescale-backup"}


@pytest.mark.parametrize("verb", ["create", "patch"])
def test_two_phases_at_once_both_have_their_place(empty, connect, verb):
    if verb == "patch":
        records.note(connect, begun(1), did("prepare"))
    other = empty.connect("threescale-restore")
    empty.kubernetes.before_next(
        verb, "configmaps", lambda _request: records.note(lambda: other, begun(1), did("configmaps")), name=NAME
    )

    records.note(connect, begun(1), did("secrets", "zync"))

    phases = [phase["phase"] for phase in entries(empty)["restore-1.json"]["phases"]]
    assert {"secrets", "configmaps"} <= set(phases)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda api: api.drop_next("get", "configmaps"), "no usable answer to the request to GET configmaps"),
        (lambda api: api.refuse_next("create", "configmaps", status=403), "not allowed to create configmaps"),
        (lambda api: [api.refuse_next("create", "configmaps", status=409) for _ in range(10)], "HTTP 409 Conflict"),
    ],
    ids=["no answer", "no right", "conflicts without end"],
)
def test_what_can_not_be_written_is_said_in_the_log_and_fails_nothing(empty, connect, said, harm, reason):
    harm(empty.kubernetes)

    records.note(connect, begun(1), same)

    assert empty.get("configmaps", NAME) is None
    assert f"ConfigMap {NAME}: record not written, the work itself is done: " in said.text
    assert reason in said.text


def test_a_defect_of_its_own_fails_nothing_and_quotes_nothing(connect, said):
    def stumble(_found):
        raise RuntimeError("canary")

    records.note(connect, begun(1), stumble)

    assert "Unexpected RuntimeError at test_records.py:" in said.text
    assert "canary" not in said.text


def test_the_eleventh_entry_pushes_out_the_first(empty, connect):
    for number in range(11):
        records.note(connect, begun(number), same)

    assert set(entries(empty)) == {f"restore-{number}.json" for number in range(1, 11)}


def test_the_entry_of_a_workflow_goes_and_those_of_others_stay_whoever_writes_meanwhile(empty, connect):
    for number in (1, 2):
        records.note(connect, begun(number), same)
    other = empty.connect("threescale-restore")
    empty.kubernetes.before_next(
        "patch", "configmaps", lambda _request: records.note(lambda: other, begun(3), same), name=NAME
    )

    records.forget(connect, "restore", "uid-1")

    assert list(entries(empty)) == ["restore-2.json", "restore-3.json"]


def test_where_a_workflow_has_no_entry_nothing_is_written(empty, connect):
    records.forget(connect, "restore", "uid-1")
    records.note(connect, begun(2), same)
    empty.kubernetes.clear_requests()

    records.forget(connect, "restore", "uid-1")

    assert empty.kubernetes.writes() == []
    assert list(entries(empty)) == ["restore-2.json"]


def test_an_entry_that_can_not_be_removed_is_said_in_the_log_and_fails_nothing(empty, connect, said):
    records.note(connect, begun(1), same)
    empty.kubernetes.delete("roles", empty.namespace, "threescale-restore")

    records.forget(connect, "restore", "uid-1")

    assert (
        "ConfigMap threescale-restore-results: record of an earlier try not removed: This account is not allowed to"
        in said.text
    )


def all_of(*records, **more):
    found = {}
    for record in records:
        found = with_entry(found, record, same)
    return {**found, **more}


def test_an_old_workflow_that_is_tried_again_is_no_old_entry():
    before = all_of(*(begun(number) for number in range(10)))
    late = Phase(phase="routes", began=NOON + timedelta(days=1), duration_s=1)

    after = records.with_entry(before, begun(0), lambda found: found.did(late, last=True))
    after = records.with_entry(after, begun(11), same)

    assert "restore-0.json" in after
    assert "restore-1.json" not in after


def test_a_workflow_of_a_name_that_was_used_before_takes_nothing_away():
    before = all_of(begun(1, uid="first"))

    after = records.with_entry(before, begun(1, uid="second"), same)

    uids = {key: json.loads(text)["workflow_uid"] for key, text in after.items()}
    assert uids == {"restore-1.json": "second", "restore-1.first.json": "first"}


STRANGE = {
    "by-hand": "{}",
    "empty": "",
    "newer": '{"schema_version": 2}',
    "deep": "[" * 100_000,
    "digits": "1" * 5000,
    "restore-10.json": "{",
}


def test_what_is_no_record_stays_beside_the_ten_newest_and_is_none_of_the_workflow_s():
    before = all_of(*(begun(number) for number in range(10)), **STRANGE)

    after = with_entry(before, begun(10), same)

    assert result.parse(after["restore-10.json"]) == begun(10)
    records = {f"restore-{number}.json" for number in range(1, 11)}
    assert {key for key, text in after.items() if text not in STRANGE.values()} == records
    assert set(after.values()) > set(STRANGE.values())


def test_what_is_no_record_goes_first_where_there_is_no_room():
    before = all_of(begun(1), strange="x" * 600_000, stranger="y" * 400_000)

    after = records.with_entry(before, begun(2), same)

    assert list(after) == ["stranger", "restore-1.json", "restore-2.json"]


@pytest.mark.parametrize("uid", ["", "a/b", "x" * 300, "\n"])
def test_a_record_whose_uid_can_be_no_key_gets_another(uid):
    odd = json.dumps({**json.loads(result.text(begun(1))), "workflow_uid": uid})

    after = records.with_entry({"restore-1.json": odd}, begun(1), same)

    (other,) = after.keys() - {"restore-1.json"}
    assert re.fullmatch(r"restore-1\.[0-9a-f]{16}\.json", other)
    assert (after[other], result.parse(after["restore-1.json"])) == (odd, begun(1))


def test_binary_data_beside_the_entries_takes_its_room_and_its_key(empty, connect):
    binary = {"restore-2.json": "AAAA", "other": "A" * 700_000}
    metadata = {"name": NAME, "namespace": empty.namespace}
    data = {"restore-1.json": result.text(large(1, 1000))}
    configmap = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data, "binaryData": binary}
    empty.kubernetes.apply(configmap)

    records.note(connect, begun(2), same)

    found = empty.get("configmaps", NAME)
    assert found["binaryData"] == binary
    assert list(found["data"]) == ["restore-1.json", "restore-2.uid-2.json"]
    assert size_bytes(found["data"]) < LIMIT_BYTES - 700_000
    assert records.find(connect(), "restore", "uid-2") == begun(2)


def large(number, lines):
    return did("secrets", *(f"{number}-{line:0200}" for line in range(lines)))(begun(number))


def size_bytes(found):
    return sum(len(key) + len(text.encode()) for key, text in found.items())


def test_where_room_is_short_the_oldest_entry_loses_its_lines_and_says_so():
    before = all_of(large(1, 1000), large(2, 1000))

    after = with_entry(before, large(3, 1000), same)

    records = {key: result.parse(text) for key, text in after.items()}
    assert size_bytes(after) <= LIMIT_BYTES
    assert {key: (len(each.objects), each.cut) for key, each in records.items()} == {
        "restore-1.json": (0, 1000),
        "restore-2.json": (1000, 0),
        "restore-3.json": (1000, 0),
    }
    assert records["restore-1.json"].counts == {"created": 1000}


def test_even_the_newest_loses_its_lines_before_it_is_too_large():
    found = result.parse(records.with_entry({}, large(1, 4000), same)["restore-1.json"])

    assert (found.objects, found.cut) == ((), 4000)


def test_where_lines_are_not_enough_the_oldest_entries_go():
    def fail(found):
        return found.failed([Failure(phase="routes", sentence="x" * 200_000)], [], "")

    after = {}
    for number in range(6):
        after = records.with_entry(after, begun(number), fail)

    assert size_bytes(after) <= LIMIT_BYTES
    assert list(after) == [f"restore-{number}.json" for number in range(2, 6)]
