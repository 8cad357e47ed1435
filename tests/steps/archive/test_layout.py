"""The files of a backup: their form, and how large each can be."""

import json

import pytest

from steps import errors
from steps.archive import layout
from steps.files import durability
from tests.builders.refusals import refused


def test_json_is_written_as_the_operator_writes_it():
    data = layout.as_json({"b": [1, {"z": "größe ☃", "a": None}], "a": {}})

    assert data == (
        b'{\n    "a": {},\n    "b": [\n        1,\n        {\n            "a": null,\n'
        b'            "z": "gr\\u00f6\\u00dfe \\u2603"\n        }\n    ]\n}\n'
    )
    assert json.loads(data)["b"][1]["z"] == "größe ☃"


@pytest.mark.parametrize(
    ("path", "largest"),
    [(layout.BEGIN, 64 << 10), (layout.MANIFEST, 16 << 20), (f"{layout.REPORTS}/secrets.json", 16 << 20)],
)
def test_of_each_kind_of_file_no_more_is_read_or_written_than_it_can_have(tmp_path, path, largest):
    layout.write(tmp_path, path, b" " * largest)
    read = len(layout.read(tmp_path, path))

    with refused(errors.FileTooLarge, path=path, size_bytes=largest + 1):
        layout.write(tmp_path, path, b" " * (largest + 1))
    with durability.durable(tmp_path) as disk, pytest.raises(errors.FileTooLarge):
        layout.commit(disk, path, b" " * (largest + 1))
    (tmp_path / path).write_bytes(b" " * (largest + 1))
    with pytest.raises(OSError, match="File too large") as caught:
        layout.read(tmp_path, path)
    assert read == largest
    assert f"has more than {'64 KiB' if path == layout.BEGIN else '16 MiB'}" in layout.unread(caught.value)
