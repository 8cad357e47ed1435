import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steps import mtree
from steps.mtree import FILE, FOLDER, LINK, Entry

names = st.one_of(
    st.binary(min_size=1, max_size=20).filter(lambda name: b"/" not in name and b"\0" not in name),
    st.sampled_from([b"-rf", b".hidden", b"a b", b"two\nlines", b"back\\slash", b"\\040", b"caf\xe9", b"type=dir"]),
)
paths = st.lists(names, min_size=1, max_size=4).map(b"/".join).map(os.fsdecode)
modes = st.integers(0, 0o7777)
ids = st.integers(0, 2**32 - 2)
times_ns = st.integers(-(10**19), 10**19)
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)

entries = st.one_of(
    st.builds(Entry, paths, st.just(FILE), modes, ids, ids, times_ns, st.integers(0, 2**63), st.just(""), digests),
    st.builds(Entry, paths, st.just(FOLDER), modes, ids, ids, times_ns, st.just(0), st.just(""), st.just("")),
    st.builds(Entry, paths, st.just(LINK), modes, ids, ids, times_ns, st.just(0), paths, st.just("")),
)


@given(st.lists(entries, max_size=4))
@settings(max_examples=60)
def test_what_is_listed_is_read_back_as_it_was(listed):
    assert list(mtree.parse(mtree.dump(listed))) == listed


@given(entries)
@settings(max_examples=60)
def test_an_entry_is_one_line_of_plain_ascii_however_odd_its_name(entry):
    header, root, line = mtree.dump([entry])

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

    text = "".join(mtree.dump(listed))

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
