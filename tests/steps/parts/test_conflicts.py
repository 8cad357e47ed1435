import json

import pytest

from steps import errors
from steps.kubernetes.kinds import SECRET
from steps.parts import conflicts
from steps.parts.conflicts import ObjectState, OnConflict, Target
from steps.parts.selection import Selection
from tests.builders.refusals import refused
from tests.builders.saved import MARK, config, owner, put, secret


def test_what_was_saved_and_lost_is_restored_as_it_was(empty, tmp_path):
    door = empty.connect()
    put(empty, secret(type="kubernetes.io/tls", data={"tls.crt": "", "tls.key": ""}))
    Selection(SECRET, "secrets", ["zync"]).save(door, tmp_path)
    before = door.get(SECRET, "zync")
    empty.kubernetes.delete("secrets", empty.namespace, "zync")

    saved = json.loads((tmp_path / "secrets/zync.json").read_bytes())
    conflicts.restore(Target(door, set(), MARK), SECRET, [saved], last_try=False)

    after = door.get(SECRET, "zync")
    assert (after["type"], after["data"]) == (before["type"], before["data"])
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["metadata"]["annotations"] == MARK.annotations()


class TestGoing:
    @pytest.mark.parametrize(
        ("metadata", "reason"),
        [
            ({}, ""),
            ({"ownerReferences": None}, ""),
            ({"deletionTimestamp": "2026-01-02T03:04:05Z"}, "is being deleted"),
            ({"ownerReferences": [owner("dead")]}, "belongs to APIManager example, which is gone"),
            ({"ownerReferences": [owner("alive")]}, ""),
            ({"ownerReferences": [owner("dead"), owner("alive")]}, ""),
            ({"ownerReferences": [owner("dead"), owner("x")]}, "belongs to APIManager example, which is gone"),
            ({"ownerReferences": [owner("unknown", kind="Deployment")]}, ""),
            ({"ownerReferences": [owner("dead"), owner("unknown", kind="Deployment")]}, ""),
            (
                {"ownerReferences": [owner("alive")], "deletionTimestamp": "2026-01-02T03:04:05Z"},
                "is being deleted",
            ),
        ],
    )
    def test_an_object_is_going_when_it_is_deleted_or_all_its_owners_are_gone(self, metadata, reason):
        assert conflicts.going({"metadata": {"name": "zync", **metadata}}, {"alive"}) == reason


class TestDifferingKeys:
    @pytest.mark.parametrize(
        ("saved", "found", "keys"),
        [
            (secret(), secret(), []),
            (secret(), secret(type="Opaque"), []),
            (secret(), secret(type="kubernetes.io/tls"), ["type"]),
            (secret(data={"a": "MQ=="}), secret(data={"a": "Mg=="}), ["a"]),
            (secret(data={"a": "MQ=="}), secret(data={"b": "MQ=="}), ["a", "b"]),
            (secret(data={"b": "", "a": ""}), secret(data={"c": ""}), ["a", "b", "c"]),
            (config(binaryData={"a": "MQ=="}), config(), ["a"]),
            (config(data=None), config(data={}), []),
            (config(data={"a": "1"}), config(data={"a": "1"}, immutable=True), []),
        ],
    )
    def test_type_and_data_are_compared_and_keys_are_named(self, saved, found, keys):
        assert conflicts.differing_keys(saved, found) == keys

    def test_metadata_are_not_compared(self):
        found = {**secret(), "metadata": {"name": "zync", "labels": {"a": "b"}}}

        assert conflicts.differing_keys(secret(), found) == []


class TestRestore:
    def test_an_object_that_says_the_same_is_kept(self, empty):
        before = put(empty, secret())

        (found,) = conflicts.restore(Target(empty.connect(), set(), MARK), SECRET, [secret()], last_try=False)

        assert (str(found), found.state) == ("Secret zync", ObjectState.SAME)
        assert empty.get("secrets", "zync") == before

    def test_a_different_one_is_refused_by_its_keys_and_not_by_its_values(self, empty):
        put(empty, secret("zync", {"KEY": "b3RoZXI="}))

        with refused(errors.ObjectsDiffer, differing=["Secret zync: KEY"]) as caught:
            conflicts.restore(
                Target(empty.connect(), set(), MARK), SECRET, [secret("system-app"), secret()], last_try=False
            )

        assert "b3RoZXI=" not in str(caught.value)
        assert secret()["data"]["KEY"] not in str(caught.value)
        assert empty.exists("secrets") == ["zync"]

    @pytest.mark.parametrize(("last_try", "kind"), [(False, errors.ObjectsGoing), (True, errors.ObjectsGoingStill)])
    def test_one_that_is_about_to_vanish_is_waited_for_and_then_refused(self, empty, last_try, kind):
        empty.kubernetes.gc_delay_s = float("inf")
        put(empty, {**secret(), "metadata": {"name": "zync", "ownerReferences": [owner("dead")]}})

        with refused(kind, names=["Secret zync belongs to APIManager example, which is gone"]):
            conflicts.restore(Target(empty.connect(), set(), MARK), SECRET, [secret()], last_try=last_try)

    def test_one_with_a_living_owner_is_kept(self, empty):
        empty.kubernetes.gc_delay_s = float("inf")
        put(empty, {**secret(), "metadata": {"name": "zync", "ownerReferences": [owner("alive")]}})

        (found,) = conflicts.restore(Target(empty.connect(), {"alive"}, MARK), SECRET, [secret()], last_try=False)

        assert found.state is ObjectState.SAME

    def test_a_create_whose_answer_was_lost_is_kept_by_the_next_try(self, empty):
        door = empty.connect()
        empty.kubernetes.lose_answer_of_next("create", "secrets")
        with pytest.raises(errors.NoAnswer):
            conflicts.restore(Target(door, set(), MARK), SECRET, [secret()], last_try=False)

        (found,) = conflicts.restore(Target(door, set(), MARK), SECRET, [secret()], last_try=False)

        assert found.state is ObjectState.MADE

    @pytest.mark.parametrize(
        ("there", "planned", "change"),
        [(True, [], "Secret zync has appeared"), (False, ["zync"], "Secret zync is gone")],
    )
    def test_what_has_changed_since_the_plan_stops_it_before_anything_is_created(self, empty, there, planned, change):
        if there:
            put(empty, secret())

        with refused(errors.ChangedSincePlan, changes=[change]):
            conflicts.restore(
                Target(empty.connect(), set(), MARK),
                SECRET,
                [secret("system-app"), secret()],
                conflict=OnConflict(planned=planned),
                last_try=False,
            )

        assert empty.exists("secrets") == (["zync"] if there else [])

    def test_what_it_has_made_itself_is_no_change_since_the_plan(self, empty):
        for _ in range(2):
            conflicts.restore(
                Target(empty.connect(), set(), MARK),
                SECRET,
                [secret()],
                conflict=OnConflict(planned=[]),
                last_try=False,
            )

        assert empty.exists("secrets") == ["zync"]

    def test_what_the_operator_left_in_an_object_is_not_created(self, empty):
        metadata = {"name": "zync", "namespace": "src", "resourceVersion": "1", "uid": "u", "managedFields": [{}]}

        conflicts.restore(
            Target(empty.connect(), set(), MARK), SECRET, [{**secret(), "metadata": metadata}], last_try=False
        )

        created = empty.get("secrets", "zync")["metadata"]
        assert created["namespace"] == empty.namespace
        assert created["uid"] != "u"
        assert "managedFields" not in created
