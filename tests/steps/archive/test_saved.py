import hashlib
import json

import pytest

from steps.archive import saved
from steps.archive.manifest import Digest

SECRET = b'{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "zync"}, "new": [1, null]}'
PATH = "secrets/zync.json"


def put(root, data, path=PATH):
    (root / path).parent.mkdir(parents=True)
    (root / path).write_bytes(data)
    return root


def digest(data):
    return Digest(size=len(data), sha256=hashlib.sha256(data).hexdigest())


def test_what_is_as_it_was_saved_is_read(tmp_path):
    obj, finding = saved.read(put(tmp_path, SECRET), PATH, digest(SECRET))

    assert (obj, finding) == (json.loads(SECRET), "")


@pytest.mark.parametrize(
    ("data", "finding"),
    [
        (SECRET[:-1], f"has {len(SECRET) - 1} bytes instead of {len(SECRET)}"),
        (SECRET + b"\n", f"has {len(SECRET) + 1} bytes instead of {len(SECRET)}"),
        (SECRET.replace(b"zync", b"zynd"), "has different content than the manifest"),
        (b"", f"has 0 bytes instead of {len(SECRET)}"),
    ],
)
def test_any_other_byte_is_a_finding(tmp_path, data, finding):
    assert saved.read(put(tmp_path, data), PATH, digest(SECRET)) == ({}, f"{PATH} {finding}")


@pytest.mark.parametrize(
    ("data", "finding"),
    [
        (b"", "has 0 bytes: the backup was aborted"),
        (b"{canary", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[]", "is not a Kubernetes object"),
        (b"{}", "is not a Kubernetes object"),
        (b'{"metadata": []}', "is not a Kubernetes object"),
        (b'{"kind": "ConfigMap", "metadata": {"name": "zync"}}', "is a ConfigMap, not a Secret"),
        (b'{"kind": "Secret", "metadata": {"name": "other"}}', "holds an object with a different name"),
        (b'{"kind": "Secret", "metadata": {}}', "holds an object with a different name"),
    ],
)
def test_without_a_digest_a_file_must_hold_what_its_name_says(tmp_path, data, finding):
    assert saved.read(put(tmp_path, data), PATH, None) == ({}, f"{PATH} {finding}")


def test_an_apimanager_may_be_called_anything(tmp_path):
    path = "apimanager/apimanager-backup.json"
    put(tmp_path, b'{"apiVersion": "a/v1", "kind": "APIManager", "metadata": {"name": "any"}, "spec": {}}', path)

    assert saved.read(tmp_path, path, None)[1] == ""


def test_a_file_that_is_not_there_is_missing(tmp_path):
    assert saved.read(tmp_path, PATH, None) == ({}, f"{PATH} is missing")


def test_a_folder_in_the_place_of_a_file_is_a_finding(tmp_path):
    (tmp_path / PATH).mkdir(parents=True)

    assert saved.read(tmp_path, PATH, None) == ({}, f"{PATH} is not a regular file")


def test_trailing_blanks_of_an_old_python_do_not_matter(tmp_path):
    data = b'{\n    "apiVersion": "v1", \n    "kind": "Secret", \n    "metadata": {\n        "name": "zync"\n    }\n}\n'

    assert saved.read(put(tmp_path, data), PATH, None)[1] == ""


DEEP = ['{"a":' * 100_000, "[" * 900 + "]" * 900]


@pytest.mark.parametrize("deep", DEEP)
def test_what_is_nested_without_end_is_no_json(tmp_path, deep):
    finding = saved.read(put(tmp_path, deep.encode()), PATH, None)[1]

    assert finding in {f"{PATH} is not JSON", f"{PATH} is not a Kubernetes object"}


def test_an_object_that_is_nested_too_deep_to_walk_through_is_a_finding(tmp_path):
    obj = {**json.loads(SECRET), "new": json.loads("[" * 100 + "]" * 100)}

    assert (
        saved.read(put(tmp_path, json.dumps(obj).encode()), PATH, None)[1] == f"{PATH} is nested deeper than 64 levels"
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"apiVersion": 1}, "apiVersion"),
        ({"data": ["x"]}, "data"),
        ({"data": {"x": 1}}, "data.x"),
        ({"metadata": {"name": "zync", "labels": "x"}}, "metadata.labels"),
        ({"metadata": {"name": "zync", "annotations": {"x": None}}}, "metadata.annotations.x"),
        ({"metadata": {"name": "zync", "managedFields": ["x"]}}, "metadata.managedFields.0"),
    ],
)
def test_an_object_with_fields_of_other_types_is_a_finding(tmp_path, change, field):
    data = json.dumps({**json.loads(SECRET), **change}).encode()

    said = f"{PATH} has fields that are invalid in Kubernetes ({field})"
    assert saved.read(put(tmp_path, data), PATH, None) == ({}, said)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ([], "spec"),
        ({"system": "x"}, "spec.system"),
        ({"zync": []}, "spec.zync"),
        ({"system": {"fileStorage": {"persistentVolumeClaim": 1}}}, "spec.system.fileStorage.persistentVolumeClaim"),
    ],
)
def test_an_apimanager_with_fields_of_other_types_is_a_finding(tmp_path, spec, field):
    path = "apimanager/apimanager-backup.json"
    obj = {"apiVersion": "a/v1", "kind": "APIManager", "metadata": {"name": "any"}, "spec": spec}
    put(tmp_path, json.dumps(obj).encode(), path)

    assert saved.read(tmp_path, path, None)[1].endswith(f"({field})")


def test_an_apimanager_whose_name_would_be_two_lines_is_a_finding(tmp_path):
    path = "apimanager/apimanager-backup.json"
    obj = {"apiVersion": "a/v1", "kind": "APIManager", "metadata": {"name": "a\nb"}, "spec": {}}
    put(tmp_path, json.dumps(obj).encode(), path)

    assert saved.read(tmp_path, path, None)[1].endswith("(metadata.name)")


def test_a_file_larger_than_any_object_is_a_finding_and_is_not_read(tmp_path):
    put(tmp_path, b"")
    with (tmp_path / PATH).open("wb") as stream:
        stream.truncate(4 << 30)

    assert saved.read(tmp_path, PATH, None) == ({}, f"{PATH} has more than 16 MiB and is too large to read")
