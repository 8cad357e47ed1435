"""Nodes have the bytes of their names, whatever restic makes of them."""

import json
import os

import pytest

from steps.files.mtree import FILE, FOLDER, LINK, place
from steps.repository import nodes

ODD = [
    b"two\nlines",
    b'a "quote"',
    b"back\\slash",
    b"\\x41",
    b"\\u0041",
    b"caf\xe9",
    b"caf\xff",
    "caf\ufffd".encode(),
    "\ufffd\u200b".encode() + b"\xe2\x82x\xf0\x9f\x98",
    b"\x01\a\b\v\f\x7f\t\r",
    "\u0085\u00a0\u00ad\u200b\u202e\u2028\ufeff\ufffe".encode(),
    "\U0001f600\U000e0001\U0010ffff".encode(),
    b"\xed\xa0\x80\xc0\x80",
    "é漢".encode(),
    b"<&>",
    b" a ",
]
UTF_8 = [name for name in ODD if "\ufffd" not in name.decode(errors="replace")]
TARGETS = [b"plain", b"two\nlines", b"caf\xe9", "caf\ufffd".encode(), b'\\ and "']


def node(path, kind="file", **more):
    return json.dumps({"name": path.rpartition("/")[2], "path": path, "type": kind, "struct_type": "node", **more})


def read(*lines, tree=""):
    return list(nodes.read([line.encode() for line in lines], lambda _path: tree.encode()))


def put(root, names):
    for name in names:
        (root / os.fsdecode(name)).write_bytes(name)


def nodes_of(repository, root):
    snapshot = repository.push(root)["snapshot_id"]
    return list(nodes.read(repository.lines(snapshot), repository.tree_of(snapshot)))


@pytest.mark.parametrize("among", [ODD, UTF_8], ids=["any bytes", "UTF-8 alone"])
def test_names_of_a_snapshot_have_their_bytes_and_the_order_of_a_listing(repository, tmp_path, among):
    root = tmp_path / "backup"
    for folder in (root, root / "a", root / "a/b", root / os.fsdecode(b"a\xe9"), root / "a-b"):
        folder.mkdir()
        put(folder, among)

    found = nodes_of(repository, root)

    paths = [path.relative_to(root) for path in root.rglob("*")]
    assert [each.place for each in found] == sorted(place(str(path)) for path in paths)


def test_only_folders_with_a_name_that_is_not_utf_8_are_asked_for(repository, tmp_path):
    for folder in ("backup", "backup/a", os.fsdecode(b"backup/a/\xe9")):
        (tmp_path / folder).mkdir()
        put(tmp_path / folder, [b"one", b"two\nlines", "é".encode()])
    repository.calls.clear()

    found = nodes_of(repository, tmp_path / "backup")

    assert repository.calls == [b"/a"]
    assert "/a/\udce9/two\nlines" in [each.path for each in found]


def test_kinds_sizes_and_known_targets_are_given(repository, tmp_path):
    root = tmp_path / "backup"
    root.mkdir()
    put(root, [b"caf\xe9", b"empty"])
    (root / "empty").write_bytes(b"")
    os.mkfifo(root / "pipe")
    for number, target in enumerate(TARGETS):
        (root / f"link-{number}").symlink_to(os.fsdecode(target))

    found = {each.path: each[1:] for each in nodes_of(repository, root)}

    assert found == {
        "/caf\udce9": (FILE, 4, None),
        "/empty": (FILE, 0, None),
        "/pipe": ("fifo", 0, None),
        **{f"/link-{number}": (LINK, 0, target) for number, target in enumerate(TARGETS)},
    }


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"struct_type": "node"}',
        node("a"),
        node("/a/b"),
        node("/a/"),
        node("/a", size="many"),
        json.dumps({"name": "a/b", "path": "/a/b", "type": "file", "struct_type": "node"}),
        json.dumps({"name": "b", "path": "/a", "type": "file", "struct_type": "node"}),
        node("/\ud800"),
        node("/a\ufffd"),
    ],
)
def test_a_line_that_is_not_restic_s_is_refused_by_its_number(line):
    tree = json.dumps({"nodes": [{"name": "other", "type": "file"}]})

    with pytest.raises(ValueError, match=r"^line 2 can't be read$"):
        read('{"struct_type": "snapshot"}', line, tree=tree)


@pytest.mark.parametrize("tree", ["", "{}", "[]", '{"nodes": null}', '{"nodes": []}', '{"nodes": [{"name": "a"}]}'])
def test_a_tree_object_that_does_not_fit_is_refused(tree):
    with pytest.raises(ValueError, match=r"^line 1 can't be read$"):
        read(node("/caf\ufffd"), tree=tree)
