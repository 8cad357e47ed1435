"""Opens and lists entries below an opened folder, and follows no link: anybody may have written to a volume.

`O_NOFOLLOW` protects only the last part of a path. A path of several parts is opened by openat2(2) with RESOLVE_BENEATH
and RESOLVE_NO_SYMLINKS. Kernels before 5.6 lack that call, and old seccomp profiles refuse it with EPERM. There each
part is opened by itself. A link in the place of a folder gives ELOOP or ENOTDIR, as the system decides.

readdir(3) of glibc and musl takes ENOENT from getdents64(2) for the end of a folder, and network volumes return it for
intact folders. So each listing is compared with the records of that call.
"""

import ctypes
import errno
import functools
import os
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # non-blocking: the name may be a FIFO
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPENAT2 = 437  # the same number on all architectures that Kubernetes runs on (linux/include/uapi/asm-generic/unistd.h)
_RESOLVE = 0x08 | 0x04  # RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS of linux/openat2.h
_PATH_BYTES = 4000  # less than PATH_MAX
_NAME_AT = 19  # of d_name in a linux_dirent64
_LISTED_BYTES = 64 << 10
_of_thread = threading.local()
_AGAIN = {errno.EINTR, errno.EAGAIN}  # EAGAIN: something was renamed meanwhile


class _How(ctypes.Structure):
    """The struct open_how of openat2(2)."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_top(root: str | os.PathLike[str]) -> int:
    """Open the root of a tree, which must not be a link; the caller closes it.

    Raises:
        OSError

    """
    return os.open(root, FOLDER)


def open_folder(top: int, path: str) -> int:
    """Open a folder below an opened one; the path may have any length. Empty: the opened one. The caller closes it.

    Raises:
        OSError

    """
    return opened(top, path, FOLDER)


def open_file(top: int, path: str) -> int:
    """Open a regular file below an opened folder to read it; the caller closes it.

    Raises:
        OSError: EINVAL if it is a folder, link, FIFO, socket or device

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
    """Open a path below an opened folder with these flags of open(2); the caller closes it.

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


def names(folder: int) -> list[str]:
    """The names in an opened folder, each once.

    Raises:
        OSError

    """
    found = os.listdir(folder)
    return list(dict.fromkeys([*found, *unlisted(folder, found)]))


def unlisted(folder: int, found: list[str]) -> list[str]:
    """The names in an opened folder that a listing lacks. `found` are all listed names, duplicates included.

    Raises:
        OSError: the folder can't be read to its end.

    """
    lengths = map(len, found if "".join(found).isascii() else map(os.fsencode, found))
    if sum(map(len, _records(folder))) == 2 * _record_bytes(1) + sum(map(_record_bytes, lengths)):  # `.` and `..` too
        return []
    known = {os.fsencode(name) for name in found} | {b".", b".."}
    return [os.fsdecode(name) for records in _records(folder) for name in _names_in(records) if name not in known]


def _records(folder: int) -> Iterator[bytes]:
    """The records of getdents64(2), from the start; none if the C library lacks the call."""
    call, buffer = _getdents64(), _buffer()
    if call is None:
        return
    os.lseek(folder, 0, os.SEEK_SET)
    try:
        while (size := call(folder, buffer, len(buffer))) > 0:
            yield ctypes.string_at(buffer, size)
        if size < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.lseek(folder, 0, os.SEEK_SET)  # the next listing begins here


def _record_bytes(length: int) -> int:
    """Bytes of a linux_dirent64 of getdents64(2), by the length of its name: a multiple of 8."""
    return (_NAME_AT + length + 1 + 7) & ~7


def _names_in(records: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(records):
        size = int.from_bytes(records[at + 16 : at + 18], sys.byteorder)
        yield records[at + _NAME_AT : at + size].partition(b"\0")[0]
        at += size


@functools.cache
def _getdents64() -> Any:
    call = getattr(ctypes.CDLL(None, use_errno=True), "getdents64", None)
    if call is not None:
        call.restype = ctypes.c_ssize_t
        call.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
    return call


def _buffer() -> "ctypes.Array[ctypes.c_char]":
    """The buffer of this thread."""
    found: ctypes.Array[ctypes.c_char] | None = getattr(_of_thread, "buffer", None)
    if found is None:
        found = _of_thread.buffer = ctypes.create_string_buffer(_LISTED_BYTES)
    return found


def rename_new(old: str, new: str, folder: int) -> None:
    """Rename a file in an opened folder, unless the new name exists.

    Raises:
        FileExistsError, OSError

    """
    flags = 1  # RENAME_NOREPLACE of renameat2(2)
    if _renameat2()(folder, os.fsencode(old), folder, os.fsencode(new), flags) == 0:
        return
    number = ctypes.get_errno()
    if number not in {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM}:
        raise OSError(number, os.strerror(number), new)
    with suppress(FileNotFoundError):  # some network file systems can't do both in one call
        os.stat(new, dir_fd=folder, follow_symlinks=False)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new)
    os.rename(old, new, src_dir_fd=folder, dst_dir_fd=folder)


@functools.cache
def _renameat2() -> Any:
    call = ctypes.CDLL(None, use_errno=True).renameat2
    call.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
    return call


@contextmanager
def closed(descriptor: int) -> Iterator[int]:
    """Close a descriptor at the end of the block."""
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@functools.cache
def _knows_openat2() -> bool:
    """Whether openat2(2) works here, asked once in a process. Any error means that it does not."""
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
def _call() -> Any:
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
