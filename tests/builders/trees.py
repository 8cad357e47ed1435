"""File trees made at random and by hand, copies of them, and what damages one."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

from hypothesis import strategies as st

from steps.files import copy_back, copy_out, mtree, scanning
from steps.files.meter import Meter, Work
from steps.files.mtree import FILE, FOLDER, LINK
from steps.files.tally import Tally

ROOT = os.geteuid() == 0
ORDINARY_USER = 1000740000  # as OpenShift gives them, of group 0
MIB = 1 << 20
UNREADABLE = Path("/proc/self").resolve() / "mem"  # a root is opened without following a link

names = st.one_of(
    st.binary(min_size=1, max_size=12).filter(lambda name: not {b"/", b"\0"} & {bytes([byte]) for byte in name}),
    st.sampled_from(
        [b"a b", b"two\nlines", b"back\\slash", b"-rf", b".hidden", b"caf\xe9", b"*", b"a", b"a.b", b"a-b"]
    ),
).filter(lambda name: name not in {b".", b"..", b"lost+found"})
times_ns = st.integers(-(10**18), 4 * 10**18)
own = 0 if ROOT else 0o700  # what nobody but root can read is no tree of one's own
file_modes = st.sampled_from([0o0, 0o400, 0o555, 0o600, 0o644, 0o664, 0o755, 0o4711]).map(lambda mode: mode | own)
folder_modes = st.sampled_from([0o0, 0o400, 0o555, 0o700, 0o755, 0o2775, 0o1777]).map(lambda mode: mode | own)

files = st.tuples(st.just(FILE), st.binary(max_size=30), file_modes, times_ns)
links = st.tuples(st.just(LINK), names, st.just(0o777), times_ns)
leaves = st.one_of(files, links, st.tuples(st.just(FOLDER), st.just({}), folder_modes, times_ns))
trees = st.recursive(
    st.dictionaries(names, leaves, max_size=4),
    lambda below: st.dictionaries(
        names, st.one_of(leaves, st.tuples(st.just(FOLDER), below, folder_modes, times_ns)), max_size=4
    ),
    max_leaves=12,
)

# What the damages below are made for.
SMALL = {
    b"acme": (
        FOLDER,
        {b"logo.png": (FILE, b"\x89PNG", 0o664, 10**18), b"empty": (FILE, b"", 0o600, 10**18)},
        0o775,
        10**18,
    ),
    b"current": (LINK, b"acme", 0o777, 10**18),
    b"none": (FOLDER, {}, 0o755, 10**18),
}


def build(root, content):
    """Make a tree of names with kind, content, mode and time of each."""
    root.mkdir(exist_ok=True)
    for name, (kind, what, mode, when_ns) in content.items():
        path = root / os.fsdecode(name)
        if kind == FOLDER:
            build(path, what)
        elif kind == LINK:
            path.symlink_to(os.fsdecode(what))
        else:
            path.write_bytes(what)
        if kind != LINK:
            path.chmod(mode)
        os.utime(path, ns=(when_ns, when_ns), follow_symlinks=False)
    return root


@contextmanager
def folders(*wanted):
    """New folders for one example of a property, because `tmp_path` is the same for all of them."""
    with tempfile.TemporaryDirectory() as folder:
        made = [Path(folder, name) for name in wanted]
        for path in made:
            path.mkdir()
        yield made


@contextmanager
def ordinary_user(uid=ORDINARY_USER):
    """Run as a user that root's rights do not help, of group 0."""
    if not ROOT:
        yield
        return
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)


def seen(root):
    """The entries of a tree, without digests."""
    return list(scanning.scan(root, workers=0))


def out(source, target, tally=None, known=(), meter=None, workers=0):
    """Copy a tree out; return the entries of its listing, as they are read again."""
    with tempfile.NamedTemporaryFile("w") as listing:
        listing.writelines(known if isinstance(known, list) and known and isinstance(known[0], str) else written(known))
        listing.flush()
        work = Work(workers, meter or Meter())
        copied = copy_out.copy(source, target, work, Path(listing.name) if known else None)
        lines = [listed.lines for listed in (Tally() if tally is None else tally).listed(copied)]
        return list(mtree.parse("".join(lines).splitlines(keepends=True)))


def back(entries, source, target, meter=None, *, again=False, workers=0):
    """Copy a tree back, by these entries."""
    lines = map(mtree.line, entries)
    return copy_back.copy(lines, source, target, Work(workers, meter or Meter()), again=again)


def as_restored(entry):
    """An entry as System needs it: the group of System's user writes."""
    if entry.kind == LINK:
        return entry
    executable = entry.kind == FOLDER or entry.mode & 0o111
    return entry._replace(mode=entry.mode | (0o070 if executable else 0o060))


def without_digest(entry):
    return entry._replace(digest="")


def written(entries):
    """The lines of a listing."""
    return list(mtree.dump(map(mtree.line, entries)))


def flip(copy):
    (copy / "acme/logo.png").write_bytes(b"\x89PNg")


def truncate(copy):
    (copy / "acme/logo.png").write_bytes(b"\x89PN")


def extend(copy):
    (copy / "acme/logo.png").write_bytes(b"\x89PNG\n")


def fill(copy):
    (copy / "acme/empty").write_bytes(b"\0")


def remove_file(copy):
    (copy / "acme/logo.png").unlink()


def remove_folder(copy):
    shutil.rmtree(copy / "acme")


def add_file(copy):
    (copy / "acme/more").touch()


def add_at_the_end(copy):
    (copy / "zzz").touch()


def add_fifo(copy):
    os.mkfifo(copy / "acme/pipe")


def file_to_folder(copy):
    (copy / "acme/empty").unlink()
    (copy / "acme/empty").mkdir()


def folder_to_link(copy):
    (copy / "none").rmdir()
    (copy / "none").symlink_to("acme")


def file_to_fifo(copy):
    (copy / "acme/empty").unlink()
    os.mkfifo(copy / "acme/empty")


def link_elsewhere(copy):
    (copy / "current").unlink()
    (copy / "current").symlink_to("none")


def sparse(path, size_bytes, pieces):
    """Make a file of holes with data at some places."""
    with path.open("wb") as stream:
        stream.truncate(size_bytes)
        for at, data in pieces.items():
            stream.seek(at)
            stream.write(data)
    return path


def dense(path, content):
    """Make a file of no holes, whatever it holds."""
    path.write_bytes(content)
    return path
