import hashlib
import json
import logging
from typing import ClassVar

import pytest

from steps import errors
from steps.archive import marks
from steps.archive.marks import Mark
from steps.kubernetes.kinds import APIMANAGER, CONFIGMAP, SECRET
from steps.parts import objects, standing
from steps.parts.standing import ObjectState

MARK = Mark("nightly", "abc")

# A file as the operator's own backup holds it, byte for byte.
OPERATORS_CONFIGMAP = b"""{
    "apiVersion": "v1",
    "data": {
        "APICAST_MANAGEMENT_API": "status",
        "APICAST_RESPONSE_CODES": "true",
        "OPENSSL_VERIFY": "false"
    },
    "kind": "ConfigMap",
    "metadata": {
        "labels": {
            "app": "3scale-api-management",
            "threescale_component": "apicast"
        },
        "name": "apicast-environment"
    }
}
"""


def secret(name="zync", data=None, **more):
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "data": data or {"KEY": "dmFsdWU="},
        **more,
    }


def config(name="system-environment", **more):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **more}


def owner(uid="uid-1", kind="APIManager", name="example"):
    return {"apiVersion": "apps.3scale.net/v1alpha1", "kind": kind, "name": name, "uid": uid}


def put(stage, obj):
    return stage.kubernetes.apply({**obj, "metadata": {"namespace": stage.namespace, **obj["metadata"]}})


def test_what_was_saved_and_lost_is_restored_as_it_was(empty, tmp_path):
    door = empty.connect()
    put(empty, secret(type="kubernetes.io/tls", data={"tls.crt": "", "tls.key": ""}))
    objects.save_all(door, SECRET, ["zync"], tmp_path, "secrets")
    before = door.get(SECRET, "zync")
    empty.kubernetes.delete("secrets", empty.namespace, "zync")

    saved = json.loads((tmp_path / "secrets/zync.json").read_bytes())
    standing.restore(door, SECRET, [saved], set(), MARK, last_try=False)

    after = door.get(SECRET, "zync")
    assert (after["type"], after["data"]) == (before["type"], before["data"])
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["metadata"]["annotations"] == MARK.annotations()


def test_a_file_has_the_form_of_the_operator_s(empty, tmp_path):
    put(empty, json.loads(OPERATORS_CONFIGMAP))

    objects.save_all(empty.connect(), CONFIGMAP, ["apicast-environment"], tmp_path, "configmaps")

    assert (tmp_path / "configmaps/apicast-environment.json").read_bytes() == OPERATORS_CONFIGMAP


def test_signs_beyond_ascii_are_escaped_as_the_operator_does(tmp_path):
    objects.save(tmp_path, "configmaps/a.json", config(data={"greeting": "größe ☃"}))

    assert b'"greeting": "gr\\u00f6\\u00dfe \\u2603"' in (tmp_path / "configmaps/a.json").read_bytes()


def test_the_digest_is_that_of_the_file(tmp_path):
    digest = objects.save(tmp_path, "secrets/zync.json", secret())

    data = (tmp_path / "secrets/zync.json").read_bytes()
    assert digest.size == len(data)
    assert digest.sha256 == hashlib.sha256(data).hexdigest()


def test_a_field_that_nobody_knows_survives(empty, tmp_path):
    unknown = {"spec": {"fromTheFuture": {"deep": [1, None, {"x": 1.5}]}}, "alsoNew": True}
    put(empty, {"apiVersion": APIMANAGER.api_version, "kind": "APIManager", "metadata": {"name": "example"}, **unknown})

    objects.save(tmp_path, "apimanager/a.json", empty.connect().get(APIMANAGER, "example"))

    saved = json.loads((tmp_path / "apimanager/a.json").read_bytes())
    assert {key: saved[key] for key in unknown} == unknown


class TestClean:
    DROPPED: ClassVar = {
        "clusterName": "east",
        "creationTimestamp": "2026-01-02T03:04:05Z",
        "deletionGracePeriodSeconds": 30,
        "deletionTimestamp": "2026-01-02T03:04:05Z",
        "finalizers": ["example/wait"],
        "generation": 7,
        "managedFields": [{"manager": "kubectl"}],
        "namespace": "src",
        "ownerReferences": [owner()],
        "resourceVersion": "4711",
        "selfLink": "/api/v1/namespaces/src/secrets/zync",
        "uid": "0929fdc1",
    }

    @pytest.mark.parametrize("name", DROPPED)
    def test_what_only_one_server_can_mean_is_dropped(self, name):
        obj = {**secret(), "metadata": {"name": "zync", name: self.DROPPED[name]}}

        assert objects.clean(obj) == secret()

    @pytest.mark.parametrize(
        "metadata",
        [
            {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}},
            {"annotations": MARK.annotations()},
            {"annotations": {marks.RESTORE_STATE: "begun"}},
            {"labels": {"secret.apimanager.apps.3scale.net/0929fdc1": "true"}},
            {"labels": {}, "annotations": None},
        ],
        ids=str,
    )
    def test_labels_and_annotations_of_one_cluster_are_dropped(self, metadata):
        assert objects.clean({**secret(), "metadata": {"name": "zync", **metadata}}) == secret()

    def test_labels_and_annotations_of_the_user_are_kept(self):
        metadata = {
            "name": "zync",
            "labels": {"app": "3scale-api-management", "apimanager.apps.3scale.net/watched-by": "apimanager"},
            "annotations": {"apps.3scale.net/apimanager-threescale-version": "2.16.0", "team": "größe"},
            "generateName": "zync-",
        }

        assert objects.clean({**secret(), "metadata": metadata}) == {**secret(), "metadata": metadata}

    def test_the_status_is_dropped(self):
        assert objects.clean(secret(status={"conditions": []})) == secret()

    def test_the_object_itself_stays_as_it_is(self):
        obj = {**secret(), "metadata": {"name": "zync", "uid": "u", "labels": {"a": "b"}}}

        cleaned = objects.clean(obj)
        cleaned["metadata"]["labels"]["a"] = cleaned["data"]["KEY"] = "changed"

        assert obj["metadata"] == {"name": "zync", "uid": "u", "labels": {"a": "b"}}
        assert obj["data"] == secret()["data"]


class TestSaveAll:
    def test_a_folder_holds_nothing_else_afterwards(self, empty, tmp_path):
        put(empty, secret())
        (tmp_path / "secrets").mkdir()
        (tmp_path / "secrets/old.json").write_bytes(b"{}")

        saved = objects.save_all(empty.connect(), SECRET, ["zync"], tmp_path, "secrets")

        assert list(saved) == ["secrets/zync.json"]
        assert [path.name for path in (tmp_path / "secrets").iterdir()] == ["zync.json"]

    def test_what_is_missing_is_named_after_the_rest_was_saved(self, empty, tmp_path):
        put(empty, secret("b"))

        with pytest.raises(errors.ObjectsMissing, match="Secret a, c missing in namespace threescale"):
            objects.save_all(empty.connect(), SECRET, ["a", "b", "c"], tmp_path, "secrets")

        assert (tmp_path / "secrets/b.json").exists()

    def test_what_may_be_absent_may_be_absent(self, empty, tmp_path, caplog):
        caplog.set_level(logging.INFO)

        assert objects.save_all(empty.connect(), SECRET, ["zync"], tmp_path, "secrets", optional=["zync"]) == {}
        assert "Secret zync: absent, as it may be" in caplog.text


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
        assert standing.going({"metadata": {"name": "zync", **metadata}}, {"alive"}) == reason


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
        assert standing.differing_keys(saved, found) == keys

    def test_metadata_are_not_compared(self):
        found = {**secret(), "metadata": {"name": "zync", "labels": {"a": "b"}}}

        assert standing.differing_keys(secret(), found) == []


class TestRestore:
    def test_an_object_that_says_the_same_is_kept(self, empty):
        before = put(empty, secret())

        (found,) = standing.restore(empty.connect(), SECRET, [secret()], set(), MARK, last_try=False)

        assert (str(found), found.state) == ("Secret zync", ObjectState.SAME)
        assert empty.get("secrets", "zync") == before

    def test_a_different_one_is_refused_by_its_keys_and_not_by_its_values(self, empty):
        put(empty, secret("zync", {"KEY": "b3RoZXI="}))

        with pytest.raises(errors.ObjectsDiffer, match=r"\(Secret zync: KEY\)") as caught:
            standing.restore(empty.connect(), SECRET, [secret("system-app"), secret()], set(), MARK, last_try=False)

        assert "b3RoZXI=" not in str(caught.value)
        assert secret()["data"]["KEY"] not in str(caught.value)
        assert empty.exists("secrets") == ["zync"]

    @pytest.mark.parametrize(("last_try", "kind"), [(False, errors.ObjectsGoing), (True, errors.ObjectsGoingStill)])
    def test_one_that_is_about_to_vanish_is_waited_for_and_then_refused(self, empty, last_try, kind):
        empty.kubernetes.gc_delay_s = float("inf")
        put(empty, {**secret(), "metadata": {"name": "zync", "ownerReferences": [owner("dead")]}})

        with pytest.raises(kind, match="Secret zync belongs to APIManager example, which is gone"):
            standing.restore(empty.connect(), SECRET, [secret()], set(), MARK, last_try=last_try)

    def test_one_with_a_living_owner_is_kept(self, empty):
        empty.kubernetes.gc_delay_s = float("inf")
        put(empty, {**secret(), "metadata": {"name": "zync", "ownerReferences": [owner("alive")]}})

        (found,) = standing.restore(empty.connect(), SECRET, [secret()], {"alive"}, MARK, last_try=False)

        assert found.state is ObjectState.SAME

    def test_a_create_whose_answer_was_lost_is_kept_by_the_next_try(self, empty):
        door = empty.connect()
        empty.kubernetes.lose_answer_of_next("create", "secrets")
        with pytest.raises(errors.NoAnswer):
            standing.restore(door, SECRET, [secret()], set(), MARK, last_try=False)

        (found,) = standing.restore(door, SECRET, [secret()], set(), MARK, last_try=False)

        assert found.state is ObjectState.MADE

    @pytest.mark.parametrize(
        ("there", "planned", "change"),
        [(True, [], "Secret zync has appeared"), (False, ["zync"], "Secret zync is gone")],
    )
    def test_what_has_changed_since_the_plan_stops_it_before_anything_is_created(self, empty, there, planned, change):
        if there:
            put(empty, secret())

        with pytest.raises(errors.ChangedSincePlan, match=change):
            standing.restore(
                empty.connect(),
                SECRET,
                [secret("system-app"), secret()],
                set(),
                MARK,
                planned=planned,
                last_try=False,
            )

        assert empty.exists("secrets") == (["zync"] if there else [])

    def test_what_it_has_made_itself_is_no_change_since_the_plan(self, empty):
        for _ in range(2):
            standing.restore(empty.connect(), SECRET, [secret()], set(), MARK, planned=[], last_try=False)

        assert empty.exists("secrets") == ["zync"]

    def test_what_the_operator_left_in_an_object_is_not_created(self, empty):
        metadata = {"name": "zync", "namespace": "src", "resourceVersion": "1", "uid": "u", "managedFields": [{}]}

        standing.restore(empty.connect(), SECRET, [{**secret(), "metadata": metadata}], set(), MARK, last_try=False)

        created = empty.get("secrets", "zync")["metadata"]
        assert created["namespace"] == empty.namespace
        assert created["uid"] != "u"
        assert "managedFields" not in created


def test_a_mark_replaces_an_older_one():
    older = Mark("weekly", "old").annotations() | {"team": "a"}

    marked = objects.marked({**secret(), "metadata": {"name": "zync", "annotations": older}}, MARK)

    assert marked["metadata"]["annotations"] == {"team": "a", **MARK.annotations()}


def test_an_empty_value_counts_as_missing_and_others_are_not_asked_for():
    obj = secret(data={"full": "MQ==", "empty": ""})

    assert objects.empty_keys(obj, ["full", "empty", "absent"]) == ["empty", "absent"]
    assert objects.empty_keys(config(), ["a"]) == ["a"]
