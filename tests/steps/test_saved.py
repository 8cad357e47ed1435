import hashlib

import pytest

from steps import saved
from steps.manifest import Digest

SECRET = b'{"kind": "Secret", "metadata": {"name": "zync"}, "new": [1, null]}'
PATH = "secrets/zync.json"


def put(root, data, path=PATH):
    (root / path).parent.mkdir(parents=True)
    (root / path).write_bytes(data)
    return root


def digest(data):
    return Digest(size=len(data), sha256=hashlib.sha256(data).hexdigest())


def test_what_is_as_it_was_saved_is_read(tmp_path):
    obj, finding = saved.read(put(tmp_path, SECRET), PATH, digest(SECRET))

    assert (obj, finding) == ({"kind": "Secret", "metadata": {"name": "zync"}, "new": [1, None]}, "")


@pytest.mark.parametrize(
    ("data", "finding"),
    [
        (SECRET[:-1], f"has {len(SECRET) - 1} bytes instead of {len(SECRET)}"),
        (SECRET + b"\n", f"has {len(SECRET) + 1} bytes instead of {len(SECRET)}"),
        (SECRET.replace(b"zync", b"zynd"), "has other bytes than the manifest says"),
        (b"", f"has 0 bytes instead of {len(SECRET)}"),
    ],
)
def test_any_other_byte_is_a_finding(tmp_path, data, finding):
    assert saved.read(put(tmp_path, data), PATH, digest(SECRET)) == ({}, f"{PATH} {finding}")


@pytest.mark.parametrize(
    ("data", "finding"),
    [
        (b"", "has 0 bytes: the backup was aborted"),
        (b"{canary", "is no JSON"),
        (b"\xff\xfe", "is no JSON"),
        (b"[]", "is no Kubernetes object"),
        (b"{}", "is no Kubernetes object"),
        (b'{"metadata": []}', "is no Kubernetes object"),
        (b'{"kind": "ConfigMap", "metadata": {"name": "zync"}}', "is a ConfigMap, no Secret"),
        (b'{"kind": "Secret", "metadata": {"name": "other"}}', "holds an object of another name"),
        (b'{"kind": "Secret", "metadata": {}}', "holds an object of another name"),
    ],
)
def test_without_a_digest_a_file_must_hold_what_its_name_says(tmp_path, data, finding):
    assert saved.read(put(tmp_path, data), PATH, None) == ({}, f"{PATH} {finding}")


def test_an_apimanager_may_be_called_anything(tmp_path):
    path = "apimanager/apimanager-backup.json"
    put(tmp_path, b'{"kind": "APIManager", "metadata": {"name": "any"}}', path)

    assert saved.read(tmp_path, path, None)[1] == ""


def test_a_file_that_is_not_there_is_missing(tmp_path):
    assert saved.read(tmp_path, PATH, None) == ({}, f"{PATH} is missing")


def test_a_folder_in_the_place_of_a_file_is_a_finding(tmp_path):
    (tmp_path / PATH).mkdir(parents=True)

    assert saved.read(tmp_path, PATH, None) == ({}, f"{PATH} is not a regular file")


def test_trailing_blanks_of_an_old_python_do_not_matter(tmp_path):
    data = b'{\n    "kind": "Secret", \n    "metadata": {\n        "name": "zync"\n    }\n}\n'

    assert saved.read(put(tmp_path, data), PATH, None)[1] == ""
