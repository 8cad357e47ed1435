"""Owners, groups and modes that a user may give."""

import os

import pytest

from steps.files import comparison
from steps.files.meter import Meter
from steps.files.mtree import FILE, FOLDER, LINK
from tests.builders.trees import ORDINARY_USER, ROOT, as_restored, back, build, ordinary_user, out, seen


@pytest.mark.skipif(not ROOT, reason="only root can give files away, and then not")
@pytest.mark.lesson(14)
def test_an_ordinary_user_restores_all_but_the_owners(anyones):
    source, copy, target = (anyones / name for name in ("source", "copy", "target"))
    content = {b"a": (FILE, b"1", 0o604, 10**18), b"d": (FOLDER, {b"b": (FILE, b"2", 0o755, 0)}, 0o555, 10**18)}
    build(source, content | {b"l": (LINK, b"a", 0o777, 10**18)})
    for path in (copy, target):
        path.mkdir()
        path.chmod(0o777)
    entries = out(source, copy)
    meter = Meter()

    with ordinary_user():
        back(entries, copy, target, meter)

        assert list(comparison.compare(entries, target, digests=True, workers=0)) == []
    assert meter.counts.ownership_kept == 4
    assert meter.counts.widened == 3
    expected = [as_restored(entry)._replace(uid=ORDINARY_USER, digest="") for entry in entries]
    assert seen(target) == expected

    (target / "d/b").write_bytes(b"3")  # to be made anew, in a folder to which its owner may not write
    with ordinary_user():
        back(entries, copy, target, again=True)

        assert list(comparison.compare(entries, target, digests=True, workers=0)) == []
    assert seen(target) == expected


@pytest.mark.skipif(not ROOT, reason="only root can become another user")
def test_a_group_of_the_user_s_own_is_given_where_the_owner_can_not_be(anyones):
    source, copy, target = (anyones / name for name in ("source", "copy", "target"))
    build(source, {b"d": (FOLDER, {b"a": (FILE, b"1", 0o644, 0), b"b": (FILE, b"2", 0o644, 0)}, 0o755, 0)})
    for path, group in (("d", 3000), ("d/a", 3000), ("d/b", 4000)):
        os.chown(source / path, 1234, group)
    for path in (copy, target):
        path.mkdir()
        path.chmod(0o777)
    entries, before = out(source, copy), os.getgroups()

    os.setgroups([3000])
    try:
        with ordinary_user():
            back(entries, copy, target)
    finally:
        os.setgroups(before)

    own = target.joinpath("d/b").stat().st_gid
    assert [(entry.path, entry.uid, entry.gid) for entry in seen(target)] == [
        ("d", ORDINARY_USER, 3000),
        ("d/a", ORDINARY_USER, 3000),
        ("d/b", ORDINARY_USER, own),
    ]
    assert own != 4000
