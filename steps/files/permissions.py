"""Sets mode and times of entries, and reports whether the volume keeps them.

SMB shares, Azure Files, some NFS exports and vfat refuse to change a mode or a time, or accept it and change nothing.
The uid proves nothing: EFS access points, `all_squash` and `uid=` mounts show one uid for all files. So the functions
try the change and look at the result.
"""

import errno
import os
import stat
from collections.abc import Callable

from steps.files import beneath

_REFUSALS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EACCES})  # EACCES: cifs
_ACCESS_ACL, _DEFAULT_ACL = "system.posix_acl_access", "system.posix_acl_default"  # acl(5)
_NO_ACL = frozenset({errno.ENODATA, errno.EOPNOTSUPP, errno.ENOSYS})
_A_MODE, _A_TIME_NS = 0o600, 10**18  # no new file has these by itself

Give = Callable[[int], bool]  # changes the file of a descriptor; whether the volume kept it


def give_mode(descriptor: int, mode: int) -> bool:
    """Set a mode and remove the access ACL, whose mask would override the mode. Return whether the mode is kept.

    Raises:
        OSError: for other reasons than that the volume keeps no modes.

    """
    try:
        plain = _drop_acl(descriptor)
        os.fchmod(descriptor, mode)
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        return False
    return plain and stat.S_IMODE(os.fstat(descriptor).st_mode) == mode


def give_times(what: int | str, mtime_ns: int, folder: int | None = None) -> bool:
    """Set the times of a descriptor, or of a name in an opened folder (a link itself). Return whether it took them.

    Raises:
        OSError: as `give_mode`.

    """
    try:
        os.utime(what, ns=(mtime_ns, mtime_ns), dir_fd=folder, follow_symlinks=folder is None)
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        return False
    return True


def is_refusal(error: OSError) -> bool:
    """Whether an errno means that the volume can't do such a change at all."""
    return error.errno in _REFUSALS


def inherits(folder: int) -> bool:
    """Whether a folder has a default ACL. New entries inherit it, so their mode may differ from the requested one."""
    try:
        os.getxattr(folder, _DEFAULT_ACL)
    except OSError:
        return False
    return True


def serves(found: os.stat_result, needed: int) -> bool:
    """Whether the group has the `needed` bits, or others have them if the group is not ours. `needed`: group's bits."""
    if found.st_mode & needed == needed:
        return True
    ours = {0, os.getegid(), *os.getgroups()}  # a member of a group gets only its bits, even if others have more
    return found.st_gid not in ours and found.st_mode & needed >> 3 == needed >> 3


def is_anothers(folder: int, refused: Give, name: str) -> bool:
    """Whether an entry that refused a call belongs to another user: a new file `name` in its folder accepts the call.

    Raises:
        OSError: no file can be created there.

    """
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        with beneath.closed(descriptor):
            return refused(descriptor)
    finally:
        os.unlink(name, dir_fd=folder)


def takes_mode(descriptor: int) -> bool:
    """Whether a new file keeps a mode."""
    return give_mode(descriptor, _A_MODE | stat.S_IXUSR)


def takes_times(descriptor: int) -> bool:
    """Whether a new file keeps times."""
    return give_times(descriptor, _A_TIME_NS)


def open_up(name: str, folder: int, mode: int) -> bool:
    """Add bits to the mode of a folder, even one that this user may not enter. Return whether it has them then.

    This uses O_PATH, which needs no permission, and /proc, because chmod(2) of a name would follow a link.

    Raises:
        OSError: as `give_mode`.

    """
    with beneath.closed(os.open(name, beneath.FOLDER | os.O_PATH, dir_fd=folder)) as inner:
        wanted = stat.S_IMODE(os.fstat(inner).st_mode) | mode
        try:
            os.chmod(f"/proc/self/fd/{inner}", wanted)  # noqa: PTH101  the call itself
        except OSError as error:
            if error.errno not in _REFUSALS:
                raise OSError(error.errno, error.strerror, name) from error
            return False
        return stat.S_IMODE(os.fstat(inner).st_mode) & mode == mode


def is_anothers_folder(above: int, name: str) -> bool:
    """Whether a folder that refused a mode belongs to another user: a new folder `name` beside it keeps the mode.

    Raises:
        OSError: no folder can be created there.

    """
    os.mkdir(name, 0o700, dir_fd=above)
    try:
        return open_up(name, above, 0o770)
    finally:
        os.rmdir(name, dir_fd=above)


def _drop_acl(descriptor: int) -> bool:
    """Remove an access ACL, if there is one. Return whether there is none now."""
    try:
        os.getxattr(descriptor, _ACCESS_ACL)
    except OSError:
        return True
    try:
        os.removexattr(descriptor, _ACCESS_ACL)
    except OSError as error:
        return error.errno in _NO_ACL
    return True
