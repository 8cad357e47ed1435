import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steps.files import mtree
from steps.files.mtree import FILE, FOLDER, LINK, Entry
from tests.builders.trees import build, out, written

names = st.one_of(
    st.binary(min_size=1, max_size=20).filter(lambda name: b"/" not in name and b"\0" not in name),
    st.sampled_from([b"-rf", b".hidden", b"a b", b"two\nlines", b"back\\slash", b"\\040", b"caf\xe9", b"type=dir"]),
)
paths = st.lists(names, min_size=1, max_size=4).map(b"/".join).map(os.fsdecode)
modes = st.integers(0, 0o7777)
ids = st.integers(0, 2**32 - 2)
times_ns = st.integers(-(10**19), 10**19)
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)

few = st.integers(1, 9)
one = st.just(1)
empty = st.just("")
file = st.builds(Entry, paths, st.just(FILE), modes, ids, ids, times_ns, st.integers(0, 2**63), empty, digests, few)
folder = st.builds(Entry, paths, st.just(FOLDER), modes, ids, ids, times_ns, st.just(0), empty, empty, one)
link = st.builds(Entry, paths, st.just(LINK), modes, ids, ids, times_ns, st.just(0), paths, empty, one)
entries = st.one_of(file, folder, link)


@given(st.lists(entries, max_size=4))
@settings(max_examples=60)
def test_what_is_listed_is_read_back_as_it_was(listed):
    assert list(mtree.parse(written(listed))) == listed


@given(entries)
@settings(max_examples=60)
def test_an_entry_is_one_line_of_plain_ascii_however_odd_its_name(entry):
    header, root, line = written([entry])

    assert header == "#mtree v2.0\n"
    assert root == ". type=dir\n"
    assert line.endswith("\n")
    assert line[:-1].isascii()
    assert line[:-1].isprintable()


def test_a_listing_looks_as_mtree_writes_it():
    listed = [
        Entry("a b", FOLDER, 0o755, 1000, 0, 1_262_304_000_123_456_789),
        Entry("a b/caf\udce9", FILE, 0o4640, 0, 5, -1, 3, "", "ab" * 32),
        Entry("link", LINK, 0o777, 0, 0, 0, 0, "../up\n"),
    ]

    text = "".join(written(listed))

    assert text == (
        "#mtree v2.0\n"
        ". type=dir\n"
        "./a\\040b type=dir mode=0755 uid=1000 gid=0 time=1262304000.123456789\n"
        f"./a\\040b/caf\\351 type=file mode=4640 uid=0 gid=5 time=-1.999999999 size=3 sha256digest={'ab' * 32}\n"
        "./link type=link mode=0777 uid=0 gid=0 time=0.000000000 link=../up\\012\n"
    )


@pytest.mark.parametrize(
    "line",
    [
        "\n",
        "/etc/passwd type=dir mode=0755 uid=0 gid=0 time=0.0\n",
        "./a type=fifo mode=0755 uid=0 gid=0 time=0.0\n",
        "./a type=dir mode=0955 uid=0 gid=0 time=0.0\n",
        "./a type=dir mode=0755 uid=0 gid=0 time=0\n",
        "./a type=dir mode=0755 uid=0 gid=0\n",
        "./a type=dir mode=0755 uid=0 gid=0 time=0.0 word\n",
        "./a type=file mode=0755 uid=0 gid=0 time=0.0 size=1\n",
        "./a type=link mode=0755 uid=0 gid=0 time=0.0\n",
    ],
)
def test_a_line_of_another_form_is_refused_by_its_number(line):
    with pytest.raises(ValueError, match=r"^line 3 can't be read$"):
        list(mtree.parse(["#mtree v2.0\n", ". type=dir\n", line]))


@given(st.lists(entries, min_size=1, max_size=40, unique_by=lambda entry: entry.path), st.data())
@settings(max_examples=60, deadline=None)
def test_entries_are_found_by_their_names_in_a_listing_however_far_it_goes(listed, data):
    listed = sorted(listed, key=lambda entry: mtree.place(entry.path))
    text = "".join(written(listed))
    cut = data.draw(st.one_of(st.just(len(text)), st.integers(0, len(text))))
    there = list(mtree.parse(line for line in text[:cut].splitlines(keepends=True) if line.endswith("\n")))
    folder = data.draw(st.sampled_from(listed)).path.rpartition("/")[0]
    below = [entry for entry in listed if entry.path.rpartition("/")[0] == folder]
    names = [entry.path.rpartition("/")[2] for entry in below]
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        patch.setattr(mtree, "_NEAR_BYTES", data.draw(st.sampled_from([1, 64, 4096])))  # so that a short one is halved
        (Path(place) / "listing").write_text(text[:cut])

        found = mtree.find(Path(place) / "listing", folder, names)

    assert found == {entry.path.rpartition("/")[2]: entry for entry in there if entry in below}


def test_what_is_not_listed_is_not_found(tmp_path):
    (tmp_path / "listing").write_text("".join(written([Entry("b", LINK, 0o777, 0, 0, 0, target="x")])))

    assert mtree.find(tmp_path / "listing", "", ["absent"]) == {}
    assert mtree.find(tmp_path / "listing", "absent", ["a", "z"]) == {}


def test_a_folder_is_not_found_as_the_entry_of_its_own_name_within_it(tmp_path):
    folder = Entry("a", FOLDER, 0o755, 0, 0, 0)
    within = Entry("a/a", FOLDER, 0o700, 0, 0, 0)
    listing = tmp_path / "listing"

    listing.write_text("".join(written([folder])))
    assert mtree.find(listing, "a", ["a"]) == {}
    listing.write_text("".join(written([folder, within])))
    assert mtree.find(listing, "a", ["a"]) == {"a": within}


MTREE = shutil.which("mtree")


KEYWORDS = "type,size,link,time,sha256"


# Without `*`, `?` and `[`, which Debian's mtree takes for a pattern in its own listings too.
ODD = [
    b"a b",
    b"two\nlines",
    b"back\\slash",
    b"\\040",
    b"-rf",
    b".hidden",
    b"caf\xe9",
    b"#",
    b"gr\xc3\xb6\xc3\x9fe",
    b"a=b",
]


@pytest.mark.skipif(MTREE is None, reason="there is no mtree (Debian: mtree-netbsd) on this machine")
def test_the_mtree_of_the_system_finds_a_copy_to_be_as_listed(tmp_path):
    (tmp_path / "copy").mkdir()
    content = {name: (FILE, name, 0o600, 10**18 + number) for number, name in enumerate(ODD)}
    content |= {b"to-" + name: (LINK, name, 0o777, 10**18 + 1) for name in ODD}
    content |= {b"in-" + name: (FOLDER, dict(content), 0o755, 10**18 + 2) for name in ODD}
    listing = "".join(written(out(build(tmp_path / "source", content), tmp_path / "copy")))

    chosen = subprocess.run(  # noqa: S603  the system's own mtree
        [MTREE, "-C", "-k", KEYWORDS], input=listing.encode(), capture_output=True, check=True
    )
    judged = subprocess.run(  # noqa: S603  the system's own mtree
        [MTREE, "-p", str(tmp_path / "copy")], input=chosen.stdout, capture_output=True, check=False
    )

    assert (judged.stdout, judged.stderr, judged.returncode) == (b"", b"", 0)
