import hashlib
import json
import logging
from typing import ClassVar

import pytest

from steps import errors
from steps.archive import marks
from steps.archive.marks import Mark
from steps.kubernetes.kinds import APIMANAGER, CONFIGMAP, SECRET
from steps.parts import objects
from steps.parts.selection import Selection
from tests.builders.refusals import refused
from tests.builders.saved import MARK, config, owner, put, secret

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


def test_a_file_has_the_form_of_the_operator_s(empty, tmp_path):
    put(empty, json.loads(OPERATORS_CONFIGMAP))

    Selection(CONFIGMAP, "configmaps", ["apicast-environment"]).save(empty.connect(), tmp_path)

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

        saved = Selection(SECRET, "secrets", ["zync"]).save(empty.connect(), tmp_path)

        assert list(saved) == ["secrets/zync.json"]
        assert [path.name for path in (tmp_path / "secrets").iterdir()] == ["zync.json"]

    def test_what_is_missing_is_named_after_the_rest_was_saved(self, empty, tmp_path):
        put(empty, secret("b"))

        with refused(errors.ObjectsMissing, kind="Secret", names=["a", "c"]):
            Selection(SECRET, "secrets", ["a", "b", "c"]).save(empty.connect(), tmp_path)

        assert (tmp_path / "secrets/b.json").exists()

    def test_what_may_be_absent_may_be_absent(self, empty, tmp_path, caplog):
        caplog.set_level(logging.INFO)

        assert Selection(SECRET, "secrets", ["zync"], ["zync"]).save(empty.connect(), tmp_path) == {}
        assert "Secret zync: skipped, it is optional" in caplog.text


def test_a_mark_replaces_an_older_one():
    older = Mark("weekly", "old").annotations() | {"team": "a"}

    marked = objects.marked({**secret(), "metadata": {"name": "zync", "annotations": older}}, MARK)

    assert marked["metadata"]["annotations"] == {"team": "a", **MARK.annotations()}


def test_an_empty_value_counts_as_missing_and_others_are_not_asked_for():
    obj = secret(data={"full": "MQ==", "empty": ""})

    assert objects.empty_keys(obj, ["full", "empty", "absent"]) == ["empty", "absent"]
    assert objects.empty_keys(config(), ["a"]) == ["a"]
