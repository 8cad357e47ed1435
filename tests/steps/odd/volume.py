"""A volume as others serve them: a folder, seen through FUSE, that behaves as NAS, NFS, SMB and vfat do.

    python -m tests.steps.odd.volume BACKING MOUNT '{"twice": ["a"], ...}'

Paths are relative to the volume, the root's is empty; those of faults are patterns of `fnmatch`. It runs as root, and
serves every user what root may do, unless it is `checked`: there the kernel asks the owners and modes that are shown.
"""

import ctypes
import errno
import json
import os
import shutil
import signal
import stat
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

_STATVFS = [name for name in dir(os.statvfs_result) if name.startswith("f_") and name != "f_fsid"]
_PR_SET_PDEATHSIG = 1  # prctl(2)
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_TRUNC


@dataclass
class Fault:
    """A call that fails at the paths of a pattern, for ever or so many times, perhaps after some that do not.

    Calls: open (of a file or folder), readdir, stat, read, readlink, write, close, create, mkdir, symlink, link, chmod,
    chown, utimens, utimens-link, unlink, rmdir, rename, statfs.
    """

    call: str
    path: str
    error: str  # as errno calls it
    times: int | None = None
    skip: int = 0


@dataclass
class Oddities:
    """What is odd about a volume; by default, nothing."""

    faults: list[Fault] = field(default_factory=list)
    hidden: dict[str, float | None] = field(default_factory=dict)  # listed, not found: seconds since it was listed
    vanishing: dict[str, int] = field(default_factory=dict)  # gone from the n-th time on that it is opened
    twice: list[str] = field(default_factory=list)  # folders that list each name twice
    untyped: bool = False  # folders do not say what their names are
    owner: int | None = None  # of all that there is
    group: int | None = None
    checked: bool = False  # the kernel asks who may do what
    chmod_ignored: bool = False
    file_mode: int | None = None  # of a file that is made, whatever was asked for
    folder_mode: int | None = None
    granularity_s: int = 0  # of times
    caseless: bool = False
    composed: bool = False  # names come under their form NFC
    unmeasured: bool = False  # it does not say how large it is
    free_bytes: int | None = None
    no_blocks: bool = False  # no file says that it has any
    frozen: list[str] = field(default_factory=list)  # trees that are read-only, as snapshots are
    read_only: bool = False  # the mount

    def text(self) -> str:
        """As `volume` takes them."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str) -> "Oddities":
        found = json.loads(text)
        found["faults"] = [Fault(**fault) for fault in found["faults"]]
        return cls(**found)


class Volume:
    """The calls that FUSE makes; what they raise as OSError is what the caller gets."""

    use_ns = True

    def __init__(self, backing: Path, odd: Oddities, caller: Callable[[], tuple[int, int, int]]) -> None:
        self._backing = os.fspath(backing)
        self._odd = odd
        self._caller = caller
        self._listed: dict[str, float] = {}
        self._opened: dict[str, int] = {}

    # --- reading ---

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        self._reach("stat", path)
        found = os.lstat(self._real(path)) if fh is None else os.fstat(fh)
        odd, grain = self._odd, self._odd.granularity_s * 10**9
        return {
            "st_mode": found.st_mode,
            "st_ino": found.st_ino,
            "st_nlink": found.st_nlink,
            "st_uid": found.st_uid if odd.owner is None else odd.owner,
            "st_gid": found.st_gid if odd.group is None else odd.group,
            "st_size": found.st_size,
            "st_blocks": 0 if odd.no_blocks else found.st_blocks,
            "st_atime": found.st_atime_ns,
            "st_mtime": found.st_mtime_ns // grain * grain if grain else found.st_mtime_ns,
            "st_ctime": found.st_ctime_ns,
        }

    def opendir(self, path: str) -> int:
        self._open(path)
        return 0

    def readdir(self, path: str, _fh: int) -> Iterator[tuple[str, dict[str, int], int]]:
        self._fail("readdir", path)
        with os.scandir(self._real(path)) as found:
            names = {item.name: self._shown(item) for item in found}
        own = _relative(path)
        for name in names:
            self._listed.setdefault(f"{own}/{name}" if own else name, time.monotonic())
        again = names if own in self._odd.twice else {}
        return iter([(name, attributes, 0) for each in (names, again) for name, attributes in each.items()])

    def _shown(self, item: os.DirEntry[str]) -> dict[str, int]:
        mode = 0 if self._odd.untyped else item.stat(follow_symlinks=False).st_mode
        return {"st_mode": mode, "st_ino": item.inode()}

    def open(self, path: str, flags: int) -> int:
        self._open(path)
        if flags & _WRITES:
            self._thaw(path)
        return os.open(self._real(path), flags & ~(os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW))

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        self._fail("read", path)
        return os.pread(fh, size, offset)

    def readlink(self, path: str) -> str:
        self._reach("readlink", path)
        return os.readlink(self._real(path))

    def statfs(self, path: str) -> dict[str, int]:
        self._fail("statfs", path)
        found = os.statvfs(self._backing)
        if self._odd.unmeasured:
            return {"f_bsize": found.f_bsize, "f_namemax": found.f_namemax}
        facts = {name: getattr(found, name) for name in _STATVFS}
        if self._odd.free_bytes is not None:
            facts["f_bavail"] = facts["f_bfree"] = self._odd.free_bytes // found.f_frsize
        return facts

    # --- writing ---

    def create(self, path: str, mode: int, _info: Any = None) -> int:
        self._change("create", path)
        made = os.open(self._real(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        os.fchmod(made, mode & 0o7777 if self._odd.file_mode is None else self._odd.file_mode)
        os.fchown(made, *self._caller()[:2])
        return made

    def mkdir(self, path: str, mode: int) -> None:
        self._change("mkdir", path)
        made = Path(self._real(path))
        made.mkdir()
        made.chmod(mode & 0o7777 if self._odd.folder_mode is None else self._odd.folder_mode)
        os.chown(made, *self._caller()[:2])

    def symlink(self, path: str, content: str) -> None:
        self._change("symlink", path)
        os.symlink(content, self._real(path))  # noqa: PTH211  as it is given
        os.chown(self._real(path), *self._caller()[:2], follow_symlinks=False)

    def link(self, path: str, present: str) -> None:
        self._change("link", path)
        os.link(self._real(present), self._real(path), follow_symlinks=False)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        self._fail("write", path)
        return os.pwrite(fh, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> None:
        self._change("write", path)
        os.truncate(self._real(path) if fh is None else fh, length)

    def flush(self, path: str, _fh: int) -> None:
        self._fail("close", path)

    def fsync(self, _path: str, _data_only: int, _fh: int) -> None:
        pass

    def release(self, _path: str, fh: int) -> None:
        os.close(fh)

    def unlink(self, path: str) -> None:
        self._change("unlink", path)
        os.unlink(self._real(path))  # noqa: PTH108  the call itself

    def rmdir(self, path: str) -> None:
        self._change("rmdir", path)
        os.rmdir(self._real(path))  # noqa: PTH106  the call itself

    def rename(self, old: str, new: str) -> None:
        self._change("rename", old)
        self._change("rename", new)
        os.rename(self._real(old), self._real(new))  # noqa: PTH104  the call itself

    def chmod(self, path: str, mode: int) -> None:
        self._change("chmod", path)
        if not self._odd.chmod_ignored:
            os.chmod(self._real(path), mode & 0o7777)  # noqa: PTH101  the call itself

    def chown(self, path: str, uid: int, gid: int) -> None:
        self._change("chown", path)
        here, caller = os.lstat(self._real(path)), self._caller()[0]
        if self._odd.owner is not None or (caller and (uid not in {-1, here.st_uid} or gid not in {-1, here.st_gid})):
            raise _error("EPERM")
        os.chown(self._real(path), uid, gid, follow_symlinks=False)

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> None:
        real = self._real(path)
        self._change("utimens", path)
        if stat.S_ISLNK(os.lstat(real).st_mode):
            self._fail("utimens-link", path)
        os.utime(real, ns=times and (int(times[0]), int(times[1])), follow_symlinks=False)

    # --- what is odd ---

    def _fail(self, call: str, path: str) -> None:
        name = _relative(path)
        for fault in self._odd.faults:
            if fault.call == call and fnmatchcase(name, fault.path) and fault.times != 0:
                if fault.skip:
                    fault.skip -= 1
                    continue
                if fault.times is not None:
                    fault.times -= 1
                raise _error(fault.error)

    def _reach(self, call: str, path: str) -> None:
        name = _relative(path)
        if name in self._odd.hidden:
            seconds = self._odd.hidden[name]
            if seconds is None or time.monotonic() < self._listed.get(name, time.monotonic()) + seconds:
                raise _error("ENOENT")
        self._fail(call, path)

    def _open(self, path: str) -> None:
        self._reach("open", path)
        name = _relative(path)
        if name in self._odd.vanishing:
            self._opened[name] = self._opened.get(name, 0) + 1
            if self._opened[name] >= self._odd.vanishing[name]:
                shutil.rmtree(self._real(path), ignore_errors=True)
                with suppress(OSError):
                    os.unlink(self._real(path))  # noqa: PTH108  it may be a file
                raise _error("ENOENT")

    def _change(self, call: str, path: str) -> None:
        self._thaw(path)
        self._fail(call, path)

    def _thaw(self, path: str) -> None:
        """Refuse to change what is frozen."""
        if any(f"{_relative(path)}/".startswith(f"{frozen}/") for frozen in self._odd.frozen):
            raise _error("EROFS")

    def _real(self, path: str) -> str:
        """Where something lies, under the name by which this volume would find it."""
        if not self._odd.caseless and not self._odd.composed:
            return self._backing + path
        here = self._backing
        for part in filter(None, path.split("/")):
            name = unicodedata.normalize("NFC", part) if self._odd.composed else part
            if self._odd.caseless:
                with suppress(OSError):
                    name = next((each for each in os.listdir(here) if each.lower() == name.lower()), name)
            here = f"{here}/{name}"
        return here


def _relative(path: str) -> str:
    return path.lstrip("/")


def _error(name: str) -> OSError:
    number = getattr(errno, name)
    return OSError(number, os.strerror(number))


def main(backing: str, mount: str, oddities: str) -> None:
    import mfusepy  # looks for libfuse

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)  # which unmounts: a test that is killed leaves no mount
    odd = Oddities.parse(oddities)
    operations = Volume(Path(backing), odd, mfusepy.fuse_get_context)
    unremembered = dict.fromkeys(("attr_timeout", "entry_timeout", "negative_timeout"), 0)
    options = {**unremembered, "use_ino": True, "default_permissions": odd.checked, "ro": odd.read_only}
    mfusepy.FUSE(operations, mount, foreground=True, nothreads=True, allow_other=True, **options)


if __name__ == "__main__":
    main(*sys.argv[1:])
