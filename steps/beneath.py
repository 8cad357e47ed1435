"""Opens what lies below an opened folder, and follows no link on the way: a volume's content may be anybody's.

`O_NOFOLLOW` guards the last part of a path alone. A path of several parts goes by openat2(2) with RESOLVE_BENEATH and
RESOLVE_NO_SYMLINKS. Kernels before 5.6 lack that call, and old seccomp profiles refuse it with EPERM; there each part
is opened by itself. A link in the place of a folder is ELOOP or ENOTDIR, whichever the system says.
"""

import ctypes
import errno
import functools
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # without blocking: a FIFO may have a file's name
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPENAT2 = 437  # the same number on all architectures that Kubernetes runs on (linux/include/uapi/asm-generic/unistd.h)
_RESOLVE = 0x08 | 0x04  # RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS of linux/openat2.h
_PATH_BYTES = 4000  # less than PATH_MAX
_AGAIN = {errno.EINTR, errno.EAGAIN}  # EAGAIN: something was renamed meanwhile


class _How(ctypes.Structure):
    """What openat2(2) calls open_how."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_root(root: str | os.PathLike[str]) -> int:
    """Open the root of a tree, no link; the caller closes it.

    Raises:
        OSError

    """
    return os.open(root, FOLDER)


def open_folder(top: int, path: str) -> int:
    """Open a folder below an opened one, however long its path; empty: that one again. The caller closes it.

    Raises:
        OSError

    """
    return opened(top, path, FOLDER)


def open_file(top: int, path: str) -> int:
    """Open a regular file below an opened folder to read it; the caller closes it.

    Raises:
        OSError: EINVAL where a folder, link, FIFO, socket or device has its name

    """
    try:
        descriptor = opened(top, path, READ)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO}:  # a link; a socket
            raise _not_regular(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_regular(path)
    return descriptor


def _not_regular(path: str) -> OSError:
    return OSError(errno.EINVAL, "not a regular file", path)


def opened(top: int, path: str, flags: int, mode: int = 0) -> int:
    """Open what has a path below an opened folder with these flags of open(2); the caller closes it.

    Raises:
        OSError

    """
    raw = os.fsencode(path) or b"."
    if b"/" not in raw:
        return os.open(raw, flags, mode, dir_fd=top)
    if len(raw) > _PATH_BYTES:
        cut = raw.rindex(b"/", 0, _PATH_BYTES)
        with closed(opened(top, os.fsdecode(raw[:cut]), FOLDER)) as nearer:
            return opened(nearer, os.fsdecode(raw[cut + 1 :]), flags, mode)
    if _knows_openat2():
        return _openat2(top, raw, flags, mode)
    return _by_parts(top, raw, flags, mode)


@contextmanager
def closed(descriptor: int) -> Iterator[int]:
    """Close what was opened, in the end."""
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@functools.cache
def _knows_openat2() -> bool:
    """Ask once a process; any refusal means that the call is not there."""
    try:
        os.close(_openat2(-100, b".", FOLDER, 0))  # AT_FDCWD
    except OSError:
        return False
    return True


def _openat2(top: int, path: bytes, flags: int, mode: int) -> int:
    how = _How(flags, mode, _RESOLVE)
    while (descriptor := _call()(_OPENAT2, top, path, ctypes.byref(how), ctypes.sizeof(how))) < 0:
        if (number := ctypes.get_errno()) not in _AGAIN:
            raise OSError(number, os.strerror(number), os.fsdecode(path))
    return int(descriptor)


@functools.cache
def _call() -> "ctypes._NamedFuncPointer":
    """The C library's syscall(2), loaded where it is used."""
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long
    call.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t]
    return call


def _by_parts(top: int, path: bytes, flags: int, mode: int) -> int:
    *above, name = parts = path.split(b"/")
    if {b"", b".", b".."}.intersection(parts):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), os.fsdecode(path))
    here = os.dup(top)
    try:
        for part in above:
            before, here = here, os.open(part, FOLDER, dir_fd=here)
            os.close(before)
        return os.open(name, flags | os.O_NOFOLLOW, mode, dir_fd=here)
    finally:
        os.close(here)
